"""Order in which the bars of a score are played: repeats, endings, da capo, segno and coda."""

import dataclasses
from collections.abc import Iterable, Sequence

from rl_tuner.datasets.writer import RejectedError

MAX_PLAYS = 8


@dataclasses.dataclass(frozen=True)
class Mark:
    """A bar line with the signs at it.

    Attributes:
        backward: How often the preceding section is played again.
        forward: Whether a later repeat returns here.
        is_section: Whether a repeat without a forward mark returns here.
        endings: The plays of the ending that begins here; empty if none begins.
        closes_ending: Whether an ending ends here.
        is_segno: Whether dal segno returns here.
        is_coda: Whether the coda begins here.
        is_to_coda: Whether play jumps from here to the coda after a jump back.
        is_fine: Whether the tune ends here after a jump back.
        jump: "capo" or "segno", the target of a jump back, taken once; "" for no jump.
    """

    backward: int = 0
    forward: bool = False
    is_section: bool = False
    endings: frozenset[int] = frozenset()
    closes_ending: bool = False
    is_segno: bool = False
    is_coda: bool = False
    is_to_coda: bool = False
    is_fine: bool = False
    jump: str = ""


def merge(first: Mark, second: Mark) -> Mark:
    """Combine two marks with nothing between them."""
    return Mark(
        max(first.backward, second.backward),
        first.forward or second.forward,
        first.is_section or second.is_section,
        first.endings | second.endings,
        first.closes_ending or second.closes_ending,
        first.is_segno or second.is_segno,
        first.is_coda or second.is_coda,
        first.is_to_coda or second.is_to_coda,
        first.is_fine or second.is_fine,
        first.jump or second.jump,
    )


def share(parts: Sequence[Sequence[Mark]]) -> list[Sequence[Mark]]:
    """Combine the marks of parts that are played together.

    The signs for the order of play are often written in only one part but apply to all. A part with
    fewer bars than the longest keeps its own marks.
    """
    shared = [Mark()] * max((len(marks) for marks in parts), default=0)
    for marks in parts:
        if len(marks) == len(shared):
            shared = [merge(mark, own) for mark, own in zip(shared, marks)]
    return [shared if len(marks) == len(shared) else marks for marks in parts]


def parse_endings(numbers: str) -> frozenset[int]:
    """Return the plays in a text such as "1,2" or "1-3"; other characters are ignored."""
    found: set[int] = set()
    for part in numbers.replace(" ", ",").replace(".", ",").split(","):
        first, _, last = part.partition("-")
        if first[:2].isdigit():
            end = int(last[:2]) if last[:2].isdigit() else int(first[:2])
            found.update(range(int(first[:2]), end + 1))
    return frozenset(found)


def play_order(marks: Sequence[Mark]) -> list[int]:
    """Return the indices of the bars in the order of play.

    After a jump back, repeats are not played again, and only the last ending is played.

    Args:
        marks: The mark before each bar, and the mark after the last bar.

    Raises:
        RejectedError: if a section is repeated too often.
    """
    return _Player(marks).play()


class _Player:
    def __init__(self, marks: Sequence[Mark]):
        self._marks = _with_to_coda(marks)
        self._section = 0  # the bar to which a backward repeat returns
        self._is_explicit = False  # whether the section began with a forward repeat
        self._ending: frozenset[int] = frozenset()
        self._play = 1
        self._has_jumped = False
        if max((mark.backward for mark in marks), default=0) >= MAX_PLAYS:
            raise RejectedError("too many repeats", f"{MAX_PLAYS} times or more")

    def play(self) -> list[int]:
        order: list[int] = []
        index = 0
        last = len(self._marks) - 1
        # The loop ends, because jumps are taken once and repeats a limited number of times.
        while True:
            index = self._next(index)
            if index >= last:
                return order
            order.append(index)
            index += 1

    def _next(self, index: int) -> int:
        """Return the bar to play next when play reaches the mark before bar `index`."""
        mark = self._marks[index]
        if self._repeats(mark):
            self._play += 1
            self._ending = frozenset()
            index = self._section
            return self._enter_ending(index)
        if self._has_jumped and mark.is_fine:
            return len(self._marks)
        if mark.jump and not self._has_jumped:
            target = self._find("is_segno", range(index, -1, -1)) if mark.jump == "segno" else 0
            if target is not None:
                self._has_jumped = True
                self._open_section(target)
                return self._enter_ending(target)
        if self._has_jumped and mark.is_to_coda:
            coda = self._find("is_coda", range(index + 1, len(self._marks)))
            if coda is not None:
                self._open_section(coda)
                return coda
        if mark.backward or mark.forward or self._is_new_section(mark):
            self._open_section(index)
        elif mark.closes_ending and not mark.endings:
            self._ending = frozenset()
        return self._enter_ending(index)

    def _repeats(self, mark: Mark) -> bool:
        if not mark.backward or self._has_jumped:
            return False
        return (
            self._play <= mark.backward
            or self._play + 1 in mark.endings
            or self._play < max(self._ending, default=0)
        )

    def _is_new_section(self, mark: Mark) -> bool:
        return mark.is_section and (bool(self._ending) or not self._is_explicit)

    def _open_section(self, index: int) -> None:
        self._section, self._play, self._ending = index, 1, frozenset()
        self._is_explicit = self._marks[index].forward

    def _enter_ending(self, index: int) -> int:
        """Return the first bar of the ending for this play, given the first bar of any ending."""
        if index >= len(self._marks) - 1 or not self._marks[index].endings:
            return index
        group: dict[int, int] = {}  # play -> first bar of its ending
        for later in range(index, len(self._marks) - 1):
            mark = self._marks[later]
            if mark.endings & group.keys():
                break
            group.update(dict.fromkeys(mark.endings, later))
            if mark.forward and later > index:
                break
        if self._has_jumped:
            self._play = max(group)
        index = group.get(self._play, index)
        self._ending = self._marks[index].endings
        return index

    def _find(self, sign: str, indices: Iterable[int]) -> int | None:
        return next((i for i in indices if getattr(self._marks[i], sign)), None)


def _with_to_coda(marks: Sequence[Mark]) -> list[Mark]:
    """Return the marks, with the first of several coda signs interpreted as "to coda"."""
    marks = list(marks)
    codas = [i for i, mark in enumerate(marks) if mark.is_coda]
    if len(codas) > 1 and not any(mark.is_to_coda for mark in marks):
        marks[codas[0]] = dataclasses.replace(marks[codas[0]], is_to_coda=True, is_coda=False)
    return marks
