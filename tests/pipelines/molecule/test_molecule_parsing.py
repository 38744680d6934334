"""What is a molecule, what is none, and why."""

import pytest
from rdkit import Chem

from pipelines.molecule import parsing
from pipelines.molecule.entries import Entry, smiles_entry
from rl_tuner.datasets.writer import RejectedError


def refusal(text):
    """Returns the (reason, detail) why a line is refused."""
    with pytest.raises(RejectedError) as caught:
        parsing.parse(smiles_entry("a.smi", 1, text))
    return caught.value.reason, caught.value.detail


def canonical(text):
    return Chem.MolToSmiles(parsing.parse(smiles_entry("a.smi", 1, text)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("OCC~N", "query"),
        ("C1CC~1", "query"),
        ("OCC[#7]", "query"),
        ("[#6]c1ccccc1", "query"),
        ("[N,O]CC", "query"),
        ("[C;H2]C", "query"),
        ("[!N]CC", "query"),
        ("[A]CC", "query"),
        ("C:O", "query"),
        ("*c1ccccc1", "R-group or dummy atom"),
        ("OC[*:2]", "R-group or dummy atom"),
        ("[3*]CCN", "R-group or dummy atom"),
        ("[R2]CCN", "R-group or dummy atom"),
        ("[R]CCN", "R-group or dummy atom"),
        ("CC(=O)O.OCC>>CC(=O)OCC", "reaction"),
        ("CCBr>[OH-]>CCO", "reaction"),
        ("InChI=1S/CH4O/c1-2/h2H,1H3", "InChI"),
        ("[Qq]", "unreadable SMILES"),
        ("# made by hand", "unreadable SMILES"),
        ('"OCCN"', "unreadable SMILES"),
        ("'OCCN'", "unreadable SMILES"),
        ("c1ccnc1", "invalid molecule"),
        ("CC(C)(C)(C)N", "invalid molecule"),
    ],
)
def test_what_is_no_single_molecule_is_refused_with_its_reason(text, reason):
    assert refusal(text)[0] == reason


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("OCCN\u200b", "U+200B, ZERO WIDTH SPACE"),
        ("\ufeffOCCN", "U+FEFF, ZERO WIDTH NO-BREAK SPACE"),
        ("OC\u00adCN", "U+00AD, SOFT HYPHEN"),
        ("CC(=O)\u2013O", "U+2013, EN DASH"),
        ("[NH3\u207a]C", "U+207A, SUPERSCRIPT PLUS SIGN"),
        ("\u041e\u0421\u0421", "U+041E, CYRILLIC CAPITAL LETTER O"),
        ("OCC\x07", "U+0007, a control character"),
    ],
)
def test_invisible_and_foreign_characters_are_named(text, character):
    assert refusal(text) == ("unreadable SMILES", f"has {character}")


def test_blanks_of_all_kinds_end_a_string():
    assert canonical("OCCN\u00a0name") == canonical("OCCN\u3000name") == "NCCO"


@pytest.mark.parametrize(
    "text",
    [
        "[2H]C([2H])O",
        "[13CH3]N",
        "C[N+](C)(C)CC([O-])=O",
        "C[N+]([O-])=O",
        "[CH2]C",
        "F/C=C\\Br",
        "C[C@@H](O)N",
        "c1ccc(cc1)-c1ccccc1",
        "C%12CC%12",
        "[CH3:5][OH:1]",
        "[C-]#[O+]",
        "CP(C)(C)=O",
        "c1cc[o+]cc1",
    ],
)
def test_unusual_molecules_are_molecules(text):
    assert canonical(text) == Chem.CanonSmiles(text)


def test_cxsmiles_that_leave_the_molecule_as_it_is():
    for extension in (
        *("|&1:1|", "|o1:1,&2:3|", "|a:1|", "|w:1.0|", "|r|", "|c:1|", "|f:0.1|"),
        *("|$start;;end$|", "|$H:;C:;m:$|", "|(0,0,;1,0,;2,1,;3,0,)|", "|SgD:1:name:value:::|"),
    ):
        entry = smiles_entry("a.smi", 1, f"C[C@H](O)N {extension} a name")
        assert (entry.text, entry.name) == ("C[C@H](O)N", "a name")
        assert canonical(f"C[C@H](O)N {extension}") == Chem.CanonSmiles("C[C@H](O)N")


@pytest.mark.parametrize(
    ("extension", "meaning"),
    [
        ("|^1:0|", "a radical"),
        ("|(0,0,;1,0,),^2:1|", "a radical"),
        ("|$a;b$,C:0.0|", "a coordinate bond"),
        ("|H:0.0|", "a hydrogen bond"),
        ("|Sg:n:0:n:ht|", "a polymer"),
        ("|m:0:1.2|", "a bond to several atoms"),
    ],
)
def test_cxsmiles_without_which_it_is_another_molecule(extension, meaning):
    reason, detail = refusal(f"CN {extension} a name")
    assert reason == "CXSMILES beyond SMILES"
    assert detail == f"{meaning}: {extension}"
    assert refusal("CN |&1:0 a name")[0] == "unreadable CXSMILES"


def block(atoms, bonds, extra="M  END\n", counts="{:3d}{:3d}  0  0  0  0  0  0  0  0999 V2000"):
    """Returns a molfile of elements, and of bonds as (from, to, type)."""
    lines = ["name", "  by hand", "", counts.format(len(atoms), len(bonds))]
    lines += [f"    0.0000    0.0000    0.0000 {atom:<3} 0  0" for atom in atoms]
    lines += ["".join(f"{number:3d}" for number in bond) + "  0" for bond in bonds]
    return "\n".join(lines) + "\n" + extra


def of_record(text):
    return Chem.MolToSmiles(parsing.parse(Entry("a.sdf", 1, "sdf", text)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((block([atom, "C"], [(1, 2, 1)]), "R-group or dummy atom") for atom in ("*", "R#", "R1")),
        *((block([atom, "C"], [(1, 2, 1)]), "query") for atom in ("A", "Q")),
        *((block(["C", "O"], [(1, 2, kind)]), "query") for kind in (4, 5, 6, 7, 8)),
        (block(["L", "C"], [(1, 2, 1)], "M  ALS   1  2 F C   N   \nM  END\n"), "query"),
        (block(["C", "C"], [(1, 2, 1)], "M  SUB  1   1   2\nM  END\n"), "query"),
        (
            block(["C", "C"], [(1, 2, 1)], "M  STY  1   1 SRU\nM  SAL   1  1   1\nM  END\n"),
            "polymer or mixture",
        ),
        (block([], []), "no atoms"),
        (block(["C", "O"], [(1, 2, 1)], ""), "unreadable record"),
        (block(["C", "O"], [(1, 3, 1)]), "unreadable record"),
        (block(["C"] * 6, [(1, n, 1) for n in range(2, 7)]), "invalid molecule"),
        ("$RXN\n\n\n\n  1  1\n", "reaction"),
    ],
)
def test_records_that_are_no_single_molecule_are_refused(text, reason):
    with pytest.raises(RejectedError) as caught:
        of_record(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "smiles"),
    [
        (block(["C", "O"], [(1, 2, 1)], "M  CHG  1   2  -1\nM  END\n"), "C[O-]"),
        (block(["C", "O"], [(1, 2, 1)], "M  RAD  1   1   2\nM  END\n"), "[CH2]O"),
        (block(["C", "O"], [(1, 2, 1)], "M  ISO  1   1  13\nM  END\n"), "[13CH3]O"),
        (block(["D", "O"], [(1, 2, 1)]), "[2H]O"),
        (block(["C", "N", "O", "O"], [(1, 2, 1), (2, 3, 2), (2, 4, 2)]), "C[N+](=O)[O-]"),
        (block(["C"] * 6, [(n + 1, (n + 1) % 6 + 1, 4) for n in range(6)]), "c1ccccc1"),
    ],
)
def test_records_are_read_as_drawn(text, smiles):
    assert of_record(text) == Chem.CanonSmiles(smiles)
