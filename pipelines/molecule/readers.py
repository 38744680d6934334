"""Files of molecules to entries, the unit of work: a line of SMILES or a record of an SD file."""

import csv
import dataclasses
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator

from pipelines import errors
from pipelines.inputs import InputFile, list_files
from rl_tuner.common.errors import UserError
from rl_tuner.datasets.writer import Rejection

BUILTIN_SETS = {"nci": "NCI/first_5K.smi"}

_BUILTIN_PREFIX = "builtin:"
_FORMATS = {".smi": "smiles", ".smiles": "smiles", ".csv": "csv", ".tsv": "tsv", ".sdf": "sdf"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_HEADERS = {"smiles", "smi", "canonical_smiles", "isomeric_smiles"}
_END_OF_RECORD = "$$$$"
# No molecule that anyone would want to learn needs as much, and RDKit takes minutes over junk.
_MAX_CHARACTERS = 100_000


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """One molecule to read.

    Attributes:
        file: What a person calls its file.
        number: Its line in a text file (the first is 1), its record in an SD file.
        format: "smiles" or "sdf".
        text: The SMILES string or the record.
        name: What the file calls the molecule.
    """

    file: str
    number: int
    format: str
    text: str
    name: str = ""

    @property
    def source(self) -> str:
        """What a person calls this molecule."""
        return f"{self.file}#{self.number} {self.name}".rstrip()

    def reject(self, reason: str, detail: str = "") -> Rejection:
        """Returns why this molecule is left out: where it is, what it is, what is wrong with it."""
        place, what = ("record", self.name) if self.format == "sdf" else ("line", self.text)
        what = what if len(what) <= 200 else what[:200] + "..."
        where = f"{place} {self.number}: {what}".rstrip(": ")
        return Rejection(self.file, reason, f"{where} ({detail})" if detail else where)


def list_entries(
    inputs: Iterable[str], *, recursive: bool, column: str, max_bytes: int
) -> tuple[list[Entry], list[Rejection]]:
    """Returns the entries of all inputs, and the files, lines and rows that cannot be one.

    Args:
        inputs: Files, folders and "builtin:NAME" sets.
        recursive: Whether to look into folders within folders.
        column: The column of SMILES in .csv and .tsv files; "" for the one called smiles.
        max_bytes: Larger files, once unpacked, are rejected.

    Raises:
        UserError: if an input does not exist or is of no known kind, or a table has no such column.
    """
    entries: list[Entry] = []
    rejections: list[Rejection] = []
    for given in dict.fromkeys(inputs):
        for file in _list_files(given, recursive):
            try:
                for found in _entries_of(file, column, max_bytes):
                    if isinstance(found, Rejection):
                        rejections.append(found)
                    elif len(found.text) > _MAX_CHARACTERS:
                        detail = f"{len(found.text)} characters"
                        rejections.append(found.reject("too large", detail))
                    else:
                        entries.append(found)
            except errors.RejectedError as error:
                rejections.append(Rejection(file.name, error.reason, error.detail))
            except OSError as error:
                rejections.append(Rejection(file.name, "unreadable file", error.strerror or ""))
    return entries, rejections


def _list_files(given: str, recursive: bool) -> list[InputFile]:
    if given.startswith(_BUILTIN_PREFIX):
        return [InputFile(given, _builtin_path(given))]
    if os.path.isfile(given) and not _format(given):
        known = " ".join(_FORMATS)
        raise UserError(f"unknown file type: {given} (known: {known}, each also as .gz)")
    return list_files([given], recursive=recursive)


def _builtin_path(given: str) -> str:
    name = given.removeprefix(_BUILTIN_PREFIX)
    if name not in BUILTIN_SETS:
        known = ", ".join(_BUILTIN_PREFIX + known for known in BUILTIN_SETS)
        raise UserError(f"no such set: {given} (known: {known})")
    from rdkit import RDConfig

    path = os.path.join(RDConfig.RDDataDir, BUILTIN_SETS[name])
    if not os.path.isfile(path):
        raise UserError(f"this RDKit comes without {given}: pip install rdkit brings it")
    return path


def _format(path: str) -> str | None:
    return _FORMATS.get(os.path.splitext(path.lower().removesuffix(".gz"))[1])


def _entries_of(file: InputFile, column: str, max_bytes: int) -> Iterator[Entry | Rejection]:
    file_format = _format(file.path)
    if not file_format:
        raise errors.RejectedError("unknown file type", os.path.splitext(file.path)[1])
    text = _read_text(file.path, max_bytes)
    if file_format == "smiles":
        yield from _lines(file.name, text)
    elif file_format == "sdf":
        yield from _records(file.name, text)
    else:
        yield from _rows(file, text, _DELIMITERS[file_format], column)


def _read_text(path: str, max_bytes: int) -> io.TextIOWrapper:
    """Returns the text of a file, unpacked; what is not UTF-8 is read as Latin-1."""
    opener = gzip.open if path.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise errors.RejectedError("unreadable gzip", str(error)) from error
    if len(data) > max_bytes:
        raise errors.RejectedError("too large", f"more than {max_bytes} bytes")
    if not data.strip():
        raise errors.RejectedError("empty file")
    encoding = "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in data[:4096]:
        raise errors.RejectedError("no text file")
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "latin-1"
    return io.TextIOWrapper(io.BytesIO(data), encoding=encoding)


def _lines(file: str, text: Iterable[str]) -> Iterator[Entry]:
    is_first = True
    for number, line in enumerate(text, start=1):
        smiles, _, name = " ".join(line.split()).partition(" ")
        is_header = is_first and smiles.lstrip("#").lower() in _HEADERS
        if smiles and not is_header:
            yield Entry(file, number, "smiles", smiles, name)
        is_first = is_first and not smiles


def _rows(
    file: InputFile, text: Iterable[str], delimiter: str, column: str
) -> Iterator[Entry | Rejection]:
    # Strict: a quote that is never closed must not swallow the rows after it in silence.
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    index = None
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejection(file.name, "unreadable row", f"lines {number}-{rows.line_num}: {error}")
            continue
        if not any(cell.strip() for cell in row):
            continue
        if index is None:
            index = _column_index(file.path, row, column)
            continue
        smiles = row[index].strip().partition(" ")[0] if index < len(row) else ""
        if smiles:
            yield Entry(file.name, number, "smiles", smiles)
        else:
            yield Rejection(file.name, "no SMILES", f"line {number}")


def _column_index(path: str, header: list[str], column: str) -> int:
    wanted = column or "smiles"
    names = [name.strip() for name in header]
    if wanted in names:
        return names.index(wanted)
    folded = [name.lower() for name in names]
    if wanted.lower() in folded:
        return folded.index(wanted.lower())
    columns = ", ".join(names)[:300]
    remedy = "" if column else "; --column=NAME takes another"
    raise UserError(f"{path} has no column {wanted!r} (it has: {columns}){remedy}")


def _records(file: str, text: Iterable[str]) -> Iterator[Entry]:
    number, lines = 1, []
    for line in text:
        if line.startswith(_END_OF_RECORD):
            yield _record(file, number, lines)
            number, lines = number + 1, []
        else:
            lines.append(line)
    if any(line.strip() for line in lines):
        yield _record(file, number, lines)


def _record(file: str, number: int, lines: list[str]) -> Entry:
    name = lines[0].strip() if lines else ""
    return Entry(file, number, "sdf", "".join(lines), name)
