"""Splitting of SD files and molfiles into records, normalised for RDKit."""

import re
from collections.abc import Iterator, Sequence

from pipelines.molecule.entries import Entry
from rl_tuner.datasets.writer import Rejection

_END_OF_RECORD = "$$$$"
_END_OF_TABLE = "M  END\n"
_HEADER_LINES = 3
_COUNTS = re.compile(r"\s*\d.*V[23]000\s*$")
_TABLE_END = re.compile(r"M\s+END\s*$")


def records(file: str, lines: Sequence[str]) -> Iterator[Entry | Rejection]:
    """Yield the records of a file, with empty ones as rejections; the last may lack its end.

    A record ends with a line of $$$$ or, if that is missing, where the next molfile begins.
    """
    number = 0
    for record, is_ended in _split(lines):
        if any(line.strip() for line in record):
            for part in _part(record):
                number += 1
                yield _entry(file, number, part)
        elif is_ended:
            number += 1
            yield Rejection(file, "empty record", f"record {number}")


def _split(lines: Sequence[str]) -> Iterator[tuple[list[str], bool]]:
    record: list[str] = []
    for line in lines:
        if line.rstrip() == _END_OF_RECORD:
            yield record, True
            record = []
        else:
            record.append(line)
    yield record, False


def _part(record: list[str]) -> Iterator[list[str]]:
    """Yield the molfiles of a record: several if the ends of records are missing."""
    start, is_ended = 0, False
    for index, line in enumerate(record):
        if is_ended and _COUNTS.match(line):
            yield record[start : index - _HEADER_LINES]
            start, is_ended = index - _HEADER_LINES, False
        elif _TABLE_END.match(line):
            is_ended = True
        elif line.startswith(">"):
            # The value of a property may be a molfile, which is not a record.
            break
    yield record[start:]


def _entry(file: str, number: int, record: list[str]) -> Entry:
    counts = next((i for i, line in enumerate(record) if _COUNTS.match(line)), None)
    if counts is not None:
        record = [*_header(record[:counts]), *_body(record[counts:])]
    name = record[0].strip() if record else ""
    return Entry(file, number, "sdf", "".join(record), name)


def _header(lines: list[str]) -> list[str]:
    """Return the three lines of the header, without preceding blank lines."""
    while len(lines) > _HEADER_LINES and not lines[0].strip():
        lines = lines[1:]
    return [*lines, *["\n"] * (_HEADER_LINES - len(lines))]


def _body(lines: list[str]) -> list[str]:
    """Return the counts line and all following lines, with the end of the table as RDKit expects it."""
    return [_END_OF_TABLE if _TABLE_END.match(line) else line for line in lines]
