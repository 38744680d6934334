"""SD files as programs and people leave them."""

import pytest
from rdkit import Chem

from pipelines.molecule import parsing, readers
from rl_tuner.datasets.writer import RejectedError
from tests.pipelines.molecule.test_molecule_parsing import block

PROPANOL = block(["C", "C", "C", "O"], [(1, 2, 1), (2, 3, 1), (3, 4, 1)])
THIOL = block(["C", "C", "S"], [(1, 2, 1), (2, 3, 1)]).replace("name", "other")
V3000 = """
  by hand

  0  0  0     0  0            999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 4 3 0 0 1
M  V30 BEGIN ATOM
M  V30 1 F -1.2 -0.7 0 0
M  V30 2 C 0 0 0 0 CFG=2
M  V30 3 Cl 1.2 -0.7 0 0
M  V30 4 Br 0 1.4 0 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 2 1
M  V30 2 1 2 3
M  V30 3 1 2 4 CFG=1
M  V30 END BOND
M  V30 END CTAB
M  END
"""


def read(folder, text, name="a.sdf", encoding="utf-8"):
    """Returns what stands in each record: its SMILES, or why there is none."""
    (folder / name).write_bytes(text.encode(encoding))
    entries, rejections = readers.list_entries(
        [str(folder / name)], recursive=True, column="", max_bytes=10**6
    )
    found = {rejection.detail: rejection.reason for rejection in rejections}
    for entry in entries:
        try:
            found[f"record {entry.number}"] = Chem.MolToSmiles(parsing.parse(entry))
        except RejectedError as error:
            found[f"record {entry.number}"] = error.reason
    return [found[f"record {number}"] for number in range(1, len(found) + 1)]


@pytest.mark.parametrize(
    "text",
    [
        f"{PROPANOL}$$$$\n{THIOL}$$$$\n",
        f"{PROPANOL}$$$$\n{THIOL}",
        f"\n{PROPANOL}$$$$\n\n\n{THIOL}\n$$$$\n\n\n",
        f"{PROPANOL}$$$$  \n{THIOL}$$$$",
        f"{PROPANOL}{THIOL}",
        f"{PROPANOL}> <price>\n$$$$ is not the end\n\n> <SMILES>\nCCCC\n\n$$$$\n{THIOL}$$$$\n",
        f"{PROPANOL}> <other>\n{THIOL}\n$$$$\n{THIOL}$$$$\n",
        f"{PROPANOL}$$$$\n{THIOL}$$$$\n".replace("M  END", "M END"),
        f"{PROPANOL}$$$$\n{THIOL}$$$$\n".replace("\n  by hand\n\n", "\n\n"),
        f"{PROPANOL}$$$$\n{THIOL}$$$$\n".replace("name\n", "\n"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\r\r\n"])
def test_records_are_told_apart(tmp_path, text, ends):
    assert read(tmp_path, text.replace("\n", ends)) == ["CCCO", "CCS"]


def test_empty_and_broken_records_cost_themselves_only(tmp_path):
    cut = PROPANOL.replace("M  END\n", "")
    short = PROPANOL.replace("  3  4  1  0\n", "")
    text = "$$$$\n".join([PROPANOL, "", "\n\n", cut, short, block([], []), "words\n", THIOL])
    assert read(tmp_path, text) == [
        "CCCO",
        *["empty record"] * 2,
        *["unreadable record"] * 2,
        "no atoms",
        "unreadable record",
        "CCS",
    ]


def test_a_molfile_is_an_sd_file_of_one_record(tmp_path):
    assert read(tmp_path, PROPANOL, "a.mol") == ["CCCO"]
    assert read(tmp_path, f"{PROPANOL}$$$$\n{THIOL}", "a.sd", "utf-16") == ["CCCO", "CCS"]


def test_v3000_keeps_its_stereochemistry(tmp_path):
    (found, other) = read(tmp_path, f"{V3000}$$$$\n{PROPANOL}$$$$\n")
    centres = Chem.FindMolChiralCenters(Chem.MolFromSmiles(found), useLegacyImplementation=False)
    # Br is in front, hydrogen behind: from Br at the top over Cl at the right to F is clockwise.
    assert [label for _, label in centres] == ["R"]
    assert other == "CCCO"
