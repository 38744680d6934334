"""Detection of the delimiter, the header and the column of SMILES strings in a text file.

The column is found by a known name in the header or else by the content of the first lines.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from pipelines.molecule.rows import Row, join_rows, split_line
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import warn
from rl_tuner.datasets.writer import RejectedError

# Usual names of a column of SMILES, the first choice first; case, blanks and punctuation are ignored.
_USUAL_NAMES = ("smiles", "canonicalsmiles", "isomericsmiles", "cxsmiles", "smi")
# Further names, accepted if the content of the column agrees.
_POSSIBLE_NAMES = {"structure", "molecule", "mol", "compound", "drug", "ligand"}
_BLANKS = None
_SAMPLE = 100
# Longer strings are not probed, since parsing them may take long.
_MAX_PROBED_CHARACTERS = 1_000
_SEPARATOR_LINE = re.compile(r"sep=([,;\t ])\s*$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The place of the SMILES strings in a file.

    Attributes:
        delimiter: Delimiter of the cells; None for any number of blanks.
        column: Index of the cell with the SMILES string; -1 for the last cell.
        first: Index of the first line after the header.
        width: Number of cells of a row; 0 if it may vary.
    """

    delimiter: str | None
    column: int
    first: int
    width: int = 0


def list_layout(lines: Sequence[str]) -> Layout:
    """Return the layout of a list of molecules, one per line.

    By default, a line has a SMILES string and then a name, separated by blanks. If most lines do not
    fit this, but do fit another delimiter or column, the list has that layout.
    """
    sample = _sample(lines)
    header = _list_header(sample)
    first = sample[0][0] + 1 if header else 0
    texts = [text for _, text in sample[1 if header else 0 :]]
    usual = Layout(_BLANKS, 0, first)
    candidates = [usual]
    for delimiter in ("\t", ",", ";", _BLANKS):
        rows = [split_line(text, delimiter) for text in texts]
        columns = range(max(map(len, rows), default=0))
        candidates += [Layout(delimiter, column, first) for column in [*columns, -1]]
    if header:
        delimiter, column = header
        # Blanks before the string are not an empty first cell.
        is_usual = (delimiter, column) == ("\t", 0)
        candidates.insert(0, usual if is_usual else Layout(delimiter, column, first))
    counts = [_count(texts, candidate) for candidate in candidates]
    for candidate, count in zip(candidates[:2], counts):
        if 2 * count >= len(texts):
            return candidate
    best = counts.index(max(counts))
    return candidates[best] if 2 * counts[best] >= len(texts) else candidates[0]


def is_list(lines: Sequence[str]) -> bool:
    """Return whether most of the first lines of a text contain a molecule."""
    layout = list_layout(lines)
    texts = [text for index, text in _sample(lines) if index >= layout.first]
    return 2 * _count(texts, layout) > len(texts)


def table_layout(path: str, lines: Sequence[str], column: str, delimiter: str) -> Layout:
    """Return the layout of a table of molecules, one per row.

    Args:
        path: Name of the file in messages.
        lines: Lines of the file.
        column: Name of the column of SMILES, or its number from 1; "" finds it.
        delimiter: Delimiter implied by the suffix of the file.

    Raises:
        UserError: if there is no such column, or several columns qualify.
        RejectedError: if the header cannot be read.
    """
    start = 0
    delimiters = [delimiter, *(each for each in (",", "\t", ";", _BLANKS) if each != delimiter)]
    if lines and (match := _SEPARATOR_LINE.match(lines[0])):
        start, delimiters = 1, [match[1]]
    tried = [(each, _rows(lines, each, start)) for each in delimiters]
    samples = [(each, rows) for each, rows in tried if rows]
    if column:
        return _asked(path, samples, column)
    for find in (_named, _likely, _bare):
        for each, rows in samples:
            if found := find(path, each, rows):
                return found
    if delimiters[0] not in dict(samples):
        raise RejectedError("unreadable header")
    raise UserError(_no_column(path, "smiles", samples))


def holds_molecule(text: str) -> bool:
    """Return whether a text begins with the SMILES string of a molecule."""
    from rdkit import Chem, rdBase

    smiles = text.split(maxsplit=1)[0] if text.strip() else ""
    if not 0 < len(smiles) <= _MAX_PROBED_CHARACTERS or not smiles.isascii():
        return False
    # RDKit would print a message for every text that is not a SMILES string.
    with rdBase.BlockLogs():
        try:
            return Chem.MolFromSmiles(smiles) is not None
        except (RuntimeError, ValueError):
            # Some invalid strings violate an invariant of RDKit instead of failing in its parser.
            return False


def _sample(lines: Iterable[str]) -> list[tuple[int, str]]:
    """Return the first non-blank lines, each with its index."""
    found = []
    for index, line in enumerate(lines):
        if line.strip():
            found.append((index, line))
            if len(found) > _SAMPLE:
                break
    return found


def _list_header(sample: list[tuple[int, str]]) -> tuple[str | None, int] | None:
    """Return the delimiter and the column of SMILES if the first line is a header with a usual name."""
    for delimiter in ("\t", ",", ";", _BLANKS) if sample else ():
        names = _names(split_line(sample[0][1].strip(), delimiter))
        for usual in _USUAL_NAMES:
            if usual in names:
                return delimiter, names.index(usual)
    return None


def _count(texts: Sequence[str], layout: Layout) -> int:
    cells = (_cell(split_line(text, layout.delimiter), layout.column) for text in texts)
    return sum(map(holds_molecule, cells))


def _cell(cells: Sequence[str], column: int) -> str:
    return cells[column] if column < len(cells) and cells else ""


def _rows(lines: Sequence[str], delimiter: str | None, start: int) -> list[Row]:
    """Return the first non-empty rows of a table; none if the first row cannot be read."""
    rows: list[Row] = []
    for row in join_rows(lines, delimiter, start):
        if row.problem and not rows:
            break
        if any(cell.strip() for cell in row.cells):
            rows.append(row)
            if len(rows) > _SAMPLE:
                break
    return rows


def _named(path: str, delimiter: str | None, rows: Sequence[Row]) -> Layout | None:
    """Return the layout if the header has a usual name; the first choice of several is taken."""
    names = [name.strip() for name in rows[0].cells]
    folded = _names(names)
    several = [name for name, fold in zip(names, folded) if fold in _USUAL_NAMES]
    for usual in _USUAL_NAMES:
        if usual not in folded:
            continue
        column = names.index(usual) if usual in names else folded.index(usual)
        if usual not in names and folded.count(usual) > 1:
            raise UserError(_ambiguous(path, several))
        layout = _below_header(delimiter, column, rows)
        # A column name of two words does not mean two columns.
        if delimiter is _BLANKS and _share(rows[1:], layout.column) < 0.5:
            continue
        if len(several) > 1:
            warn(f"{_ambiguous(path, several)}; {names[column]!r} is read")
        return layout
    return None


def _likely(path: str, delimiter: str | None, rows: Sequence[Row]) -> Layout | None:
    """Return the layout if exactly one column of molecules has a name that suggests SMILES."""
    names = _names(rows[0].cells)
    likely = [
        column
        for column, name in enumerate(names)
        if ("smiles" in name or name in _POSSIBLE_NAMES)
        and _share(rows[1:], _below_header(delimiter, column, rows).column) >= 0.5
    ]
    if len(likely) > 1:
        raise UserError(_ambiguous(path, [rows[0].cells[column].strip() for column in likely]))
    return _below_header(delimiter, likely[0], rows) if likely else None


def _bare(path: str, delimiter: str | None, rows: Sequence[Row]) -> Layout | None:
    """Return the layout of a table without a header if only one column contains molecules, from line 1."""
    width = len(rows[0].cells)
    columns = [column for column in range(width) if _share(rows, column) >= 0.8]
    if len(columns) != 1 or not holds_molecule(rows[0].cells[columns[0]]):
        return None
    return Layout(delimiter, columns[0], rows[0].number - 1, width if delimiter else 0)


def _asked(path: str, samples: list[tuple[str | None, list[Row]]], column: str) -> Layout:
    """Return the layout with the column of a given name or, if there is no such name, number."""
    for fold in (str.strip, lambda name: name.strip().lower()):
        for delimiter, rows in samples:
            names = [fold(name) for name in rows[0].cells]
            if fold(column) in names:
                return _below_header(delimiter, names.index(fold(column)), rows)
    number = int(column) - 1 if column.isdigit() else -1
    for delimiter, rows in samples:
        if 0 <= number < len(rows[0].cells):
            first = rows[0].number - holds_molecule(rows[0].cells[number])
            return Layout(delimiter, number, first, len(rows[0].cells) if delimiter else 0)
    raise UserError(_no_column(path, column, samples))


def _below_header(delimiter: str | None, column: int, rows: Sequence[Row]) -> Layout:
    width = len(rows[0].cells)
    body = [row.cells for row in rows[1:]]
    # R writes a column of row names without a name in the header.
    if body and all(len(cells) == width + 1 and cells[-1].strip() for cells in body):
        column, width = column + 1, width + 1
    first = rows[0].number - 1 + rows[0].size
    return Layout(delimiter, column, first, width if delimiter else 0)


def _share(rows: Sequence[Row], column: int) -> float:
    """Return the share of molecules among the non-empty cells of a column."""
    cells = [cell for row in rows if (cell := _cell(row.cells, column)).strip()]
    return sum(map(holds_molecule, cells)) / len(cells) if cells else 0.0


def _names(cells: Iterable[str]) -> list[str]:
    return [re.sub(r"[\W_]", "", cell).lower() for cell in cells]


def _ambiguous(path: str, names: Sequence[str]) -> str:
    several = ", ".join(" ".join(name.split()) for name in names)
    return f"{path} has several columns of SMILES ({several}); set column to the name of one"


def _no_column(path: str, wanted: str, samples: list[tuple[str | None, list[Row]]]) -> str:
    headers = [rows[0].cells for delimiter, rows in samples if delimiter is not _BLANKS]
    names = max(headers, key=len, default=())
    columns = ", ".join(" ".join(name.split()) for name in names)[:300]
    return f"{path} has no column {wanted!r} (it has: {columns}); set column to one of these names"
