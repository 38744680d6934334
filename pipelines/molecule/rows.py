"""Splitting of lines into rows of cells; an unclosed quote affects only its own row."""

import csv
import dataclasses
from collections.abc import Callable, Iterator, Sequence

# Largest number of lines of a row, whose quoted cells may contain line ends.
_MAX_LINES = 200


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        number: Number of its first line, from 1.
        cells: The cells; empty if the row cannot be read.
        problem: The reason if the row cannot be read.
        size: Number of lines of the row.
    """

    number: int
    cells: tuple[str, ...]
    problem: str = ""
    size: int = 1


def split_line(line: str, delimiter: str | None) -> list[str]:
    """Return the cells of one line, ignoring quotes; None splits at any number of blanks."""
    return line.split() if delimiter is None else line.strip("\n").split(delimiter)


def join_rows(
    lines: Sequence[str],
    delimiter: str | None,
    first: int,
    is_row: Callable[[Sequence[str]], bool] = lambda cells: False,
) -> Iterator[Row]:
    """Yield the rows of the lines, starting at an index.

    Args:
        lines: All lines of the file.
        delimiter: Delimiter of the cells; None for any number of blanks, with quotes ignored.
        first: Index of the first line to read.
        is_row: Returns whether cells are a complete row; such a line ends an unclosed quote.
    """
    index = first
    while index < len(lines):
        if delimiter is not None and '"' in lines[index]:
            row = _quoted_row(lines, delimiter, index, is_row)
        else:
            row = Row(index + 1, tuple(split_line(lines[index], delimiter)))
        yield row
        index += row.size


def _quoted_row(
    lines: Sequence[str], delimiter: str, first: int, is_row: Callable[[Sequence[str]], bool]
) -> Row:
    text = ""
    for index in range(first, min(first + _MAX_LINES, len(lines))):
        line = lines[index]
        if index > first and is_row(split_line(line, delimiter)):
            break
        text += line
        # Only another quote can close an open one.
        if index > first and '"' not in line:
            continue
        try:
            (cells,) = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
        except csv.Error as error:
            if "unexpected end" in str(error):
                continue
            if index == first:
                return Row(first + 1, (), str(error))
            break
        return Row(first + 1, tuple(cells), size=index - first + 1)
    return Row(first + 1, (), "a quote is never closed")
