"""Parsing of one entry into an RDKit molecule, or rejection with a reason."""

import re
import unicodedata

from rdkit import Chem, rdBase

from pipelines.molecule.entries import Entry
from rl_tuner.datasets.writer import RejectedError

rdBase.DisableLog("rdApp.*")

# Text that ordinary molecules do not contain, so that one search is enough to accept them.
_UNUSUAL = re.compile(r"[^!-~]|[*~>$?!;,&|{}\"'`]|\[[^\]]*#|\[[RQXMaA]|InChI")
_QUERY = re.compile(r"~|\[[^\]]*(?:[,;&!]|#\d|\$\()|\[[aA]\]")
_DUMMY = re.compile(r"\*|\[(?:R[#\d]*|[QXM]\d*)\]")
_REACTION_FILES = ("$RXN", "$RDFILE")
_POLYMER_TYPES = {"SRU", "MON", "MER", "COP", "CRO", "MOD", "GRA", "ANY", "MIX", "FOR"}
_BOND_TYPES = {
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
    Chem.BondType.QUADRUPLE,
    Chem.BondType.AROMATIC,
    Chem.BondType.DATIVE,
}
# Features of CXSMILES that SMILES cannot express, by the beginning of their part of the extension.
_CXSMILES_LABELS = re.compile(r"\$[^$]*\$|\([^)]*\)|SgD:[^|]*?(?=,[A-Za-z]+:|\||$)")
_CXSMILES_REFUSED = {
    "^": "a radical",
    "C:": "a coordinate bond",
    "H:": "a hydrogen bond",
    "Sg:": "a polymer",
    "m:": "a bond to several atoms",
    "LN:": "a repeated link",
    "RG:": "R-groups",
}
_CXSMILES_PART = re.compile(r"(?:^|,)\s*(\^|[A-Za-z]+:)")


def parse(entry: Entry) -> Chem.Mol:
    """Return the sanitised molecule of an entry.

    Raises:
        RejectedError: if the entry cannot be read, violates the rules of valence or is empty, or if it
            is a query, a reaction or a molecule with a variable part.
    """
    if entry.format == "sdf":
        mol = _parse_record(entry.text)
        _check_record(mol)
    else:
        mol = _parse_smiles(entry.text)
        if entry.extension:
            _check_extension(entry.extension)
    if not mol.GetNumAtoms():
        raise RejectedError("no atoms")
    return mol


def _parse_smiles(text: str) -> Chem.Mol:
    is_unusual = _UNUSUAL.search(text)
    if is_unusual:
        _check_text(text)
    mol = _read(Chem.MolFromSmiles, text, "unreadable SMILES")
    if is_unusual or ":" in text:
        _check_open_parts(mol)
    return mol


def _parse_record(text: str) -> Chem.Mol:
    if text.lstrip().startswith(_REACTION_FILES):
        raise RejectedError("reaction")
    # A truncated record may lack charges and would then be read as a different molecule.
    if "\nM  END" not in text:
        raise RejectedError("unreadable record", "no M  END")
    return _read(Chem.MolFromMolBlock, text, "unreadable record", strictParsing=False)


def _read(read, text: str, reason: str, **options: bool) -> Chem.Mol:
    # RDKit stops reading at a NUL and would treat the text before it as the whole.
    if "\0" in text:
        raise RejectedError(reason, "contains a NUL")
    mol = read(text, **options)
    if mol is not None:
        return mol
    mol = read(text, sanitize=False, **options)
    problems = Chem.DetectChemistryProblems(mol) if mol is not None else []
    if not problems:
        raise RejectedError(reason)
    raise RejectedError("invalid molecule", " ".join(problems[0].Message().split()))


def _check_text(text: str) -> None:
    """Reject strings that RDKit would misread."""
    for character in text:
        if not "!" <= character <= "~":
            name = unicodedata.name(character, "a control character")
            raise RejectedError("unreadable SMILES", f"has U+{ord(character):04X}, {name}")
    if text.startswith("InChI"):
        raise RejectedError("InChI")
    if text.replace("->", "").count(">") >= 2:
        raise RejectedError("reaction")
    if match := _QUERY.search(text):
        raise RejectedError("query", f"has {match[0]}")
    if match := _DUMMY.search(text):
        raise RejectedError("R-group or dummy atom", f"has {match[0]}")


def _check_record(mol: Chem.Mol) -> None:
    _check_open_parts(mol)
    for group in Chem.GetMolSubstanceGroups(mol):
        if group.HasProp("TYPE") and group.GetProp("TYPE") in _POLYMER_TYPES:
            raise RejectedError(
                "polymer or mixture", f"has a group of type {group.GetProp('TYPE')}"
            )


def _check_open_parts(mol: Chem.Mol) -> None:
    """Reject molecules with a variable atom or bond."""
    for atom in mol.GetAtoms():
        if not atom.GetAtomicNum() and not atom.HasQuery():
            raise RejectedError("R-group or dummy atom", f"atom {atom.GetIdx() + 1}")
        if atom.HasQuery():
            is_list = atom.GetAtomicNum() or atom.DescribeQuery().count("Atom") > 1
            reason = "query" if is_list else "R-group or dummy atom"
            raise RejectedError(reason, f"atom {atom.GetIdx() + 1}")
    for bond in mol.GetBonds():
        is_query = bond.HasQuery() or bond.GetBondType() not in _BOND_TYPES
        # An aromatic bond between atoms that are not aromatic can be drawn but has no meaning.
        is_loose = bond.GetBondType() == Chem.BondType.AROMATIC and not bond.GetIsAromatic()
        if is_query or is_loose or (bond.GetIsAromatic() and not bond.IsInRing()):
            raise RejectedError("query", f"bond {bond.GetIdx() + 1}")


def _check_extension(extension: str) -> None:
    """Reject a CXSMILES extension without which the string would be a different molecule.

    Labels, coordinates, stereo groups and similar parts do not change the molecule.
    """
    if extension.count("|") < 2:
        raise RejectedError("unreadable CXSMILES", extension)
    parts = _CXSMILES_LABELS.sub("", extension.strip("|"))
    for match in _CXSMILES_PART.finditer(parts):
        if meaning := _CXSMILES_REFUSED.get(match[1]):
            raise RejectedError("CXSMILES beyond SMILES", f"{meaning}: {extension}")
