"""The unit of work: one molecule as a file writes it."""

import dataclasses

from rl_tuner.datasets.writer import Rejection

_SHOWN_CHARACTERS = 200


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """One molecule to read.

    Attributes:
        file: What a person calls its file.
        number: Its line in a text file (the first is 1), its record in an SD file.
        format: "smiles" or "sdf".
        text: The SMILES string or the record.
        name: What the file calls the molecule.
        extension: What CXSMILES adds to the string, with its two bars; "" without.
    """

    file: str
    number: int
    format: str
    text: str
    name: str = ""
    extension: str = ""

    @property
    def source(self) -> str:
        """What a person calls this molecule."""
        return f"{self.file}#{self.number} {self.name}".rstrip()

    def reject(self, reason: str, detail: str = "") -> Rejection:
        """Return why this molecule is left out: where it is, what it is, what is wrong with it."""
        place, what = ("record", self.name) if self.format == "sdf" else ("line", self.text)
        what = what if len(what) <= _SHOWN_CHARACTERS else what[:_SHOWN_CHARACTERS] + "..."
        where = f"{place} {self.number}: {what}".rstrip(": ")
        return Rejection(self.file, reason, f"{where} ({detail})" if detail else where)


def smiles_entry(file: str, number: int, text: str, name: str = "") -> Entry:
    """Return the entry of a text that begins with a SMILES string.

    What follows the string is its CXSMILES extension, between two bars, and its name.

    Args:
        file: What a person calls its file.
        number: Its line.
        text: The string and what follows it.
        name: Its name, where that stands elsewhere.
    """
    smiles, _, rest = " ".join(text.split()).partition(" ")
    extension = ""
    if rest.startswith("|"):
        inside, bar, after = rest[1:].partition("|")
        # Without its second bar the extension has no end: the parser is to refuse it.
        extension, rest = (f"|{inside}|", after.strip()) if bar else (rest, "")
    return Entry(file, number, "smiles", smiles, name or rest, extension)
