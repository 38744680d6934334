import pytest

from pipelines import errors
from pipelines.melody import abc_text


def played(body, header="M:4/4\nL:1/4\nK:C"):
    """Returns what is played, bar by bar, without the fields."""
    (voice,) = abc_text.plain_voices(f"X:1\n{header}\n{body}\n")
    return [line.removesuffix("|").strip() for line in voice.splitlines() if line[1:2] != ":"]


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ("A | B | c", "ABc"),
        ("A | B :|", "ABAB"),
        ("|: A | B :|", "ABAB"),
        ("A |: B :| c", "ABBc"),
        ("A :: B :|", "AABB"),
        ("A :|: B :|", "AABB"),
        ("A :||: B :|", "AABB"),
        ("A || B :|", "ABB"),
        ("|: A || B :|", "ABAB"),
        ("|:: A ::| B", "AAAB"),
        ("|: A |1 B :|2 c |]", "ABAc"),
        ("|: A [1 B :| [2 c |]", "ABAc"),
        ("|: A |1 B :|2 c |: d :|", "ABAcdd"),
        ("|: A |1 B :|2 c || d :|", "ABAcdd"),
        ("|: A |1,2 B :|3 c |]", "ABABAc"),
        ("|: A |1 B :|2 c :|3 d |]", "ABAcAd"),
        ("|:: A |1,2 B ::|3 c |]", "ABABAc"),
        ("A |1 B :|2 c :| d", "ABAcd"),
        ("A B |\nc :|\n", "ABcABc"),
        ("A | [2 B | c", "ABc"),
    ],
)
def test_repeats_are_written_out(body, order):
    assert "".join(played(body)).replace(" ", "") == order


def test_only_what_sounds_is_left():
    body = '"Am"{gf}~A2 !trill!B (c.d) | (3efg [CEG]2 x z4 | uA>B c-c`d $y |'
    assert played(body) == ["A2 B cd", "(3efg [CEG]2 z z4", "A>B c-cd"]


def test_fields_hold_again_after_a_jump_back():
    (voice,) = abc_text.plain_voices("X:1\nM:4/4\nK:G\n|: A4 | [M:3/4][K:D] B4 :|\n")
    assert voice.splitlines() == [
        "X:1",
        "M:4/4",
        "L:1/8",
        "K:G",
        "A4 |",
        "M:3/4",
        "K:D",
        "B4 |",
        "M:4/4",
        "K:G",
        "A4 |",
        "M:3/4",
        "K:D",
        "B4 |",
    ]


@pytest.mark.parametrize(
    ("key", "major"),
    [
        ("G", "G"),
        ("Em", "G"),
        ("E minor", "G"),
        ("AMixolydian", "D"),
        ("Ddor", "C"),
        ("F#m", "A"),
        ("Bbmaj clef=treble", "Bb"),
        ("Cloc", "Db"),
        ("Hp", "D"),
        ("", "C"),
    ],
)
def test_every_mode_becomes_its_major_key(key, major):
    (voice,) = abc_text.plain_voices(f"X:1\nM:4/4\nL:1/4\nK:{key}\nABcd|\n")
    assert f"\nK:{major}\n" in voice


@pytest.mark.parametrize(
    ("meter", "length"),
    [("2/4", "1/16"), ("3/4", "1/8"), ("C|", "1/8"), ("none", "1/8"), ("2+3/8", "1/16")],
)
def test_the_unit_length_follows_the_meter(meter, length):
    (voice,) = abc_text.plain_voices(f"X:1\nM:{meter}\nK:C\nAB|\n")
    assert f"\nL:{length}\n" in voice


def test_voices_are_kept_apart():
    text = "X:1\nM:4/4\nL:1/4\nV:1 clef=treble\nV:2\nK:C\nV:1\nABcd|\n[V:2]CDEF|\n[V:1] efga|\n"
    first, second = abc_text.plain_voices(text)
    assert "ABcd" in first
    assert "efga" in first
    assert "CDEF" in second


def test_text_after_a_blank_line_is_no_music():
    assert played("ABcd|\n\nA good tune for dancing.") == ["ABcd"]


def test_a_book_is_split_and_its_fields_are_shared():
    book = "% my book\nL:1/4\n\nX:1\nT:One\nK:C\nA|\n\nX:22\nT:Two \nK:C\nB|\n"
    first, second = abc_text.split_book(book)
    assert (first.number, first.title) == ("1", "One")
    assert (second.number, second.title) == ("22", "Two")
    assert abc_text.plain_voices(second.text) == ["X:1\nL:1/4\nK:C\nB |\n"]


@pytest.mark.parametrize("body", ["A & B |", "|" + ":" * 50 + " A " + ":" * 50 + "|"])
def test_what_cannot_be_written_out_is_rejected(body):
    with pytest.raises(errors.RejectedError):
        played(body)


def test_accidentals_listed_in_the_key_are_rejected():
    with pytest.raises(errors.RejectedError):
        abc_text.plain_voices("X:1\nK:D ^g\nA|\n")
