import gzip
import os
import pathlib

import pytest
from rdkit import Chem

from pipelines.molecule import readers
from rl_tuner.common.errors import UserError
from tests.pipelines.molecule.molecules import ALL_TRAIN, GOOD, make, read, rejected, smiles_of


def test_every_format_is_read(tmp_path):
    names = ["table.csv", "table.tsv", "records.sdf", "spellings.smiles"]
    make([os.path.join(GOOD, name) for name in names], tmp_path / "d", **ALL_TRAIN)
    found = smiles_of(tmp_path / "d")
    for smiles in [
        *("Oc1ccccc1", "Nc1ccccc1", "CC(N)=O", "c1ccsc1"),
        *("c1ccoc1", "c1cc[nH]c1", "C1CCNCC1"),
        *("c1ccc2[nH]ccc2c1", "C[C@H](O)C(=O)O", "C1COCCN1"),
        *("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "C/C=C/C", "[2H]OC", "CO", "C1CCCCC1"),
    ]:
        assert Chem.CanonSmiles(smiles) in found
    assert len(found) == 4 + 3 + 3 + 10


def test_packed_files_are_the_same(tmp_path):
    plain, packed = tmp_path / "plain" / "x", tmp_path / "packed" / "x"
    plain.mkdir(parents=True)
    packed.mkdir(parents=True)
    for name in ("drugs.smi", "table.csv", "table.tsv", "records.sdf"):
        data = pathlib.Path(GOOD, name).read_bytes()
        (plain / name).write_bytes(data)
        (packed / f"{name}.gz").write_bytes(gzip.compress(data))
    make([plain], tmp_path / "d", **ALL_TRAIN)
    make([packed], tmp_path / "e", **ALL_TRAIN)
    strip = [(smiles, classes) for _, smiles, _, classes, _ in read(tmp_path / "d")]
    assert strip == [(smiles, classes) for _, smiles, _, classes, _ in read(tmp_path / "e")]
    assert {s.replace(".gz", "") for *_, s in read(tmp_path / "e")} == {
        s for *_, s in read(tmp_path / "d")
    }


def test_columns_are_found_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("a,Smiles,b\nCC,CCC,CCCC\n")
    for column, smiles in [("", "CCC"), ("a", "CC"), ("B", "CCCC")]:
        make([tmp_path / "t.csv"], tmp_path / "d", column=column, overwrite=True, **ALL_TRAIN)
        assert smiles_of(tmp_path / "d") == {smiles}
    with pytest.raises(UserError, match=r"t\.csv has no column 'c' \(it has: a, Smiles, b\)"):
        make([tmp_path / "t.csv"], tmp_path / "d", column="c", overwrite=True)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfCCO\r\nCCN\r\n",
        "CCO caf\xe9\nCCN\n".encode("latin-1"),
        "CCO\nCCN\n".encode("utf-16"),
        b"#SMILES\n\n  CCO\tname \nCCN",
        b"smiles id\rCCO 1\rCCN 2\r",
        b"CCO\nCCN\n\xff\xfe\x00\x01 junk\nC\x00C\nC\x00\n" + bytes(range(128, 256)) + b"\n",
    ],
)
def test_lines_are_decoded_whatever_they_are(tmp_path, data):
    # Room before the junk, which else would make it no text file at all.
    is_junk = b"\x00\x01" in data
    (tmp_path / "x.smi").write_bytes((b"\n" * 5000 if is_junk else b"") + data)
    make([tmp_path / "x.smi"], tmp_path / "d", **ALL_TRAIN)
    assert smiles_of(tmp_path / "d") == {"CCO", "CCN"}
    assert bool(rejected(tmp_path / "d")) == is_junk


def test_entries_know_where_they_stand():
    entries, _ = readers.list_entries(
        [os.path.join(GOOD, "records.sdf"), os.path.join(GOOD, "spellings.smiles")],
        recursive=True,
        column="",
        max_bytes=10**6,
    )
    sources = [entry.source for entry in entries]
    assert sources[:3] == [
        "records.sdf#1 indole",
        "records.sdf#2 lactic acid",
        "records.sdf#3 morpholine",
    ]
    assert sources[3] == "spellings.smiles#1 L-alanine"
    assert sources[5] == "spellings.smiles#4 trans-2-butene"


def test_large_files_are_rejected(tmp_path):
    (tmp_path / "bomb.smi.gz").write_bytes(gzip.compress(b"C" * 10_000_000))
    inputs = [os.path.join(GOOD, "drugs.smi"), tmp_path / "bomb.smi.gz"]
    description = make(inputs, tmp_path / "d", max_file_mb=1.0)
    assert description["rejections"] == {"too large": 1}


def test_folders_within_folders_are_optional(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.smi").write_text("CCO\n")
    (tmp_path / "in" / "deep" / "b.smi").write_text("CCN\n")
    assert make([tmp_path / "in"], tmp_path / "d", **ALL_TRAIN)["inputs"] == 2
    assert make([tmp_path / "in"], tmp_path / "e", recursive=False, **ALL_TRAIN)["inputs"] == 1


def test_one_table_of_a_folder_does_not_cost_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("id,what\n1,x\n2,y\n")
    (tmp_path / "b.smi").write_text("CCO\nCCN\n")
    (tmp_path / "c.smi").write_text("\n\n")
    entries, rejections = readers.list_entries(
        [str(tmp_path)], recursive=False, column="", max_bytes=10**6
    )
    assert len(entries) == 2
    assert [(os.path.basename(r.file), r.reason) for r in rejections] == [
        ("a.csv", "unknown columns"),
        ("c.smi", "empty file"),
    ]
    with pytest.raises(UserError, match="column"):
        readers.list_entries([str(tmp_path / "a.csv")], recursive=False, column="", max_bytes=10**6)
