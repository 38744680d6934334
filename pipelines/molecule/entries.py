"""Entries of input files, the unit of work: one molecule as written in a file."""

import dataclasses

from rl_tuner.datasets.writer import Rejection

_SHOWN_CHARACTERS = 200


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """One molecule to read.

    Attributes:
        file: Name of the file.
        number: Number of the line in a text file, or of the record in an SD file, from 1.
        format: "smiles" or "sdf".
        text: The SMILES string or the record.
        name: Name of the molecule in the file.
        extension: CXSMILES extension with its two bars; "" for none.
    """

    file: str
    number: int
    format: str
    text: str
    name: str = ""
    extension: str = ""

    @property
    def source(self) -> str:
        """File, number and name of the molecule."""
        return f"{self.file}#{self.number} {self.name}".rstrip()

    def reject(self, reason: str, detail: str = "") -> Rejection:
        """Return the rejection of this molecule, with its place and text."""
        place, what = ("record", self.name) if self.format == "sdf" else ("line", self.text)
        what = what if len(what) <= _SHOWN_CHARACTERS else what[:_SHOWN_CHARACTERS] + "..."
        where = f"{place} {self.number}: {what}".rstrip(": ")
        return Rejection(self.file, reason, f"{where} ({detail})" if detail else where)


def smiles_entry(file: str, number: int, text: str, name: str = "") -> Entry:
    """Return the entry for a text that begins with a SMILES string.

    The string may be followed by a CXSMILES extension, between two bars, and by a name.

    Args:
        file: Name of the file.
        number: Number of the line.
        text: The string with its extension and name.
        name: Name of the molecule if it is not in the text.
    """
    smiles, _, rest = " ".join(text.split()).partition(" ")
    extension = ""
    if rest.startswith("|"):
        inside, bar, after = rest[1:].partition("|")
        # An extension without its second bar has no end, and the parser will reject it.
        extension, rest = (f"|{inside}|", after.strip()) if bar else (rest, "")
    return Entry(file, number, "smiles", smiles, name or rest, extension)
