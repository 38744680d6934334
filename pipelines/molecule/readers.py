"""Reading of files of molecules into entries: lines of SMILES or records of an SD file."""

import functools
import os
from collections.abc import Iterable, Iterator, Sequence

from pipelines.inputs import Input, InputFile, expand, files_of
from pipelines.molecule import layouts, sd_files, text_files
from pipelines.molecule.entries import Entry, smiles_entry
from pipelines.molecule.rows import join_rows
from rl_tuner.common.errors import UserError
from rl_tuner.datasets.writer import RejectedError, Rejection

BUILTIN_SETS = {"nci": "NCI/first_5K.smi"}
# A .txt file is only read if it is a list of molecules: many folders contain a README.txt.
FORMATS = {
    ".smi": "smiles",
    ".smiles": "smiles",
    ".txt": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".sdf": "sdf",
    ".sd": "sdf",
    ".mol": "sdf",
}

BUILTIN_PREFIX = "builtin:"
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_MISSING = {"", "-", "nan", "na", "n/a", "#n/a", "<na>", "null", "none"}
# No useful molecule is this long, and RDKit can take minutes to parse junk.
_MAX_CHARACTERS = 100_000


def list_entries(
    inputs: Iterable[str], *, recursive: bool, column: str, max_bytes: int
) -> tuple[list[Entry], list[Rejection]]:
    """Return the entries of all inputs, and the rejected files, lines and rows.

    Args:
        inputs: Files, folders and "builtin:NAME" sets.
        recursive: Whether to include subfolders.
        column: Name or number of the column of SMILES in .csv and .tsv files; "" finds it.
        max_bytes: Size, uncompressed, above which a file is rejected.

    Raises:
        UserError: if an input does not exist or has an unknown type, or a table that is itself an input
            has no such column.
    """
    entries: list[Entry] = []
    rejections: list[Rejection] = []
    for file, given in list_files(inputs, recursive=recursive):
        found, refused = entries_of(file, given, column=column, max_bytes=max_bytes)
        entries += found
        rejections += refused
    return entries, rejections


def list_files(inputs: Iterable[str], *, recursive: bool) -> list[tuple[InputFile, Input]]:
    """Return the files of all inputs, each with its input.

    Raises:
        UserError: if an input does not exist or has an unknown type.
    """
    return [
        (file, given)
        for given in expand(inputs, BUILTIN_PREFIX)
        for file in _list_files(given, recursive)
    ]


def entries_of(
    file: InputFile, given: Input, *, column: str, max_bytes: int
) -> tuple[list[Entry], list[Rejection]]:
    """Return the entries of a file, and what is rejected of it; see `list_entries`.

    Raises:
        UserError: if a table that is itself an input has no such column.
    """
    entries: list[Entry] = []
    rejections: list[Rejection] = []
    try:
        for found in _entries_of(file, column, max_bytes):
            if isinstance(found, Rejection):
                rejections.append(found)
            elif len(found.text) > _MAX_CHARACTERS:
                rejections.append(found.reject("too large", f"{len(found.text)} characters"))
            else:
                entries.append(found)
    except RejectedError as error:
        rejections.append(Rejection(file.name, error.reason, error.detail))
    except OSError as error:
        rejections.append(Rejection(file.name, "unreadable file", error.strerror or ""))
    except UserError as error:
        # One table of many must not cost the others.
        if given.is_single and not os.path.isdir(given.path):
            raise
        rejections.append(Rejection(file.name, "unknown columns", str(error)))
    if not entries and not rejections:
        rejections.append(Rejection(file.name, "no molecule"))
    return entries, rejections


def _list_files(given: Input, recursive: bool) -> list[InputFile]:
    if given.path.startswith(BUILTIN_PREFIX):
        return [InputFile(given.name, _builtin_path(given.path))]
    if given.is_single and os.path.isfile(given.path) and not _format(given.path):
        known = " ".join(FORMATS)
        raise UserError(f"{given.path} has an unknown file type; use one of {known}, also as .gz")
    return files_of(given, recursive)


def _builtin_path(given: str) -> str:
    name = given.removeprefix(BUILTIN_PREFIX)
    if name not in BUILTIN_SETS:
        known = ", ".join(BUILTIN_PREFIX + known for known in BUILTIN_SETS)
        raise UserError(f"{given} is not a built-in set; use one of {known}")
    from rdkit import RDConfig

    path = os.path.join(RDConfig.RDDataDir, BUILTIN_SETS[name])
    if not os.path.isfile(path):
        raise UserError(
            f"this installation of RDKit does not contain {given}; run pip install rdkit"
        )
    return path


def _format(path: str) -> str | None:
    return FORMATS.get(os.path.splitext(path.lower().removesuffix(".gz"))[1])


def _entries_of(file: InputFile, column: str, max_bytes: int) -> Iterator[Entry | Rejection]:
    file_format = _format(file.path)
    if not file_format:
        raise RejectedError("unknown file type", os.path.splitext(file.path)[1])
    lines = text_files.read_lines(file.path, max_bytes)
    if file_format == "sdf":
        yield from sd_files.records(file.name, lines)
    elif file_format in _DELIMITERS:
        layout = layouts.table_layout(file.path, lines, column, _DELIMITERS[file_format])
        yield from _rows(file.name, lines, layout)
    elif file_format == "text" and not layouts.is_list(lines):
        raise RejectedError("not a list of SMILES")
    else:
        layout = layouts.list_layout(lines)
        if layout.delimiter:
            yield from _rows(file.name, lines, layout)
        else:
            yield from _lines(file.name, lines, layout)


def _lines(file: str, lines: Sequence[str], layout: layouts.Layout) -> Iterator[Entry]:
    for number, line in enumerate(lines[layout.first :], start=layout.first + 1):
        if not line.strip():
            continue
        words = line.split()
        column = min(layout.column, len(words) - 1) % len(words)
        yield smiles_entry(file, number, " ".join(words[column:]), " ".join(words[:column]))


def _rows(file: str, lines: Sequence[str], layout: layouts.Layout) -> Iterator[Entry | Rejection]:
    is_row = functools.partial(_is_row, layout)
    for row in join_rows(lines, layout.delimiter, layout.first, is_row):
        cells = [cell.strip() for cell in row.cells]
        if row.problem:
            yield Rejection(file, "unreadable row", f"line {row.number}: {row.problem}")
        elif not any(cells):
            continue
        elif layout.width and any(cells[layout.width :]):
            detail = f"line {row.number}: {len(cells)} cells, not {layout.width}"
            yield Rejection(file, "unreadable row", detail)
        else:
            yield _entry_of(file, row.number, cells, layout)


def _entry_of(
    file: str, number: int, cells: list[str], layout: layouts.Layout
) -> Entry | Rejection:
    text = cells[layout.column] if layout.column < len(cells) else ""
    if text.lower() in _MISSING:
        return Rejection(file, "no SMILES", f"line {number}")
    others = [cell for cell in cells if cell != text]
    # The other columns are data in a table, but the molecule's name in a list.
    return smiles_entry(file, number, text, "" if layout.width else " ".join(others))


def _is_row(layout: layouts.Layout, cells: Sequence[str]) -> bool:
    """Return whether the cells are a complete row, with a molecule in its column."""
    return len(cells) == layout.width and layouts.holds_molecule(cells[layout.column])
