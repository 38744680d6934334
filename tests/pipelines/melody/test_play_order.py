import pytest

from pipelines.melody.play_order import Mark, play_order
from rl_tuner.datasets.writer import RejectedError

# One character per sign, in the spaces between the bars A, B, C ...:
# [ opens a repeat, ] closes one, 1 2 3 begin endings, = is a double bar; S segno, O coda, T to coda,
# F fine, D da capo, $ dal segno.
_SIGNS = {
    "[": {"forward": True},
    "=": {"is_section": True},
    "S": {"is_segno": True},
    "O": {"is_coda": True},
    "T": {"is_to_coda": True},
    "F": {"is_fine": True},
    "D": {"jump": "capo"},
    "$": {"jump": "segno"},
    "x": {"closes_ending": True},
}


def order(score):
    """Returns the letters of the bars as they are played."""
    marks, bars, changes = [], [], {}
    for sign in score:
        if sign in "abcdefgh":
            marks.append(Mark(**changes))
            bars.append(sign)
            changes = {}
        elif sign == "]":
            changes["backward"] = changes.get("backward", 0) + 1
        elif sign.isdigit():
            changes["endings"] = changes.get("endings", frozenset()) | {int(sign)}
        else:
            changes |= _SIGNS[sign]
    marks.append(Mark(**changes))
    return "".join(bars[i] for i in play_order(marks))


@pytest.mark.parametrize(
    ("score", "played"),
    [
        ("abc", "abc"),
        ("ab]", "abab"),
        ("[ab]", "abab"),
        ("a[b]c", "abbc"),
        ("a][b]", "aabb"),
        ("a=b]", "abb"),
        ("[a=b]", "abab"),
        ("[a]]b", "aaab"),
        ("[a1b]2c=", "abac"),
        ("[a1b]2c[d]", "abacdd"),
        ("[a1b]2c=d]", "abacdd"),
        ("[a12b]3c", "ababac"),
        ("[a123b]4c", "abababac"),
        ("[a13b]24c]", "abacabac"),
        ("[a1b]2c]3d", "abacad"),
        ("a1b]2c]d", "abacd"),
        ("a2bc", "abc"),
        ("[a1b]2c[d1e]2f", "abacdedf"),
    ],
)
def test_repeats_and_endings(score, played):
    assert order(score) == played


@pytest.mark.parametrize(
    ("score", "played"),
    [
        ("abFcdD", "abcdab"),
        ("aSbFcdD", "abcdab"),
        ("aSbcFd$", "abcdbc"),
        ("abTcDOd", "abcabd"),
        ("abOcDOd", "abcabd"),
        ("aSbTcd$Oef", "abcdbef"),
        ("ab$c", "abc"),  # no segno to go back to
        ("[a]bFcD", "aabcab"),  # repeats are not taken again
        ("[a1b]2cFdD", "abacdac"),  # and the last ending is
        ("abD", "abab"),
    ],
)
def test_jumps(score, played):
    assert order(score) == played


def test_absurd_repeats_are_rejected():
    with pytest.raises(RejectedError, match="repeat"):
        play_order([Mark(), Mark(backward=50)])
