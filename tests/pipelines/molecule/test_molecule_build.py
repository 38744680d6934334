import collections
import functools
import json
import os
import shutil
import time

import gin
import pytest
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from pipelines import parallel
from pipelines.molecule import build
from pipelines.molecule.settings import SPLITTINGS
from rl_tuner.common import workers
from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import histograms, tokens
from tests.pipelines.molecule.molecules import (
    BAD,
    GOOD,
    ROOT,
    build_lines,
    files,
    make,
    nci_lines,
    read,
    rejected,
    smiles_of,
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Returns the dataset of all test data, good and bad, and its description."""
    folder = tmp_path_factory.mktemp("data") / "d"
    return folder, make([GOOD, BAD], folder, augment=3)


def test_the_exact_classes_of_a_molecule(tmp_path):
    description = build_lines(["OC(=O)CBr bromoacetic acid", "[O-]C([2H])Cl"], tmp_path)
    assert description["encoding"]["vocabulary"] == sorted(
        ["O", "C", "(", ")", "=", "Br", "[O-]", "[2H]", "Cl"]
    )
    by_smiles = {
        smiles: (classes, source) for _, smiles, _, classes, source in read(tmp_path / "d")
    }
    classes, source = by_smiles["O=C(O)CBr"]
    assert source == "in.smi#1 bromoacetic acid"
    number = {t: i + 1 for i, t in enumerate(description["encoding"]["vocabulary"])}
    assert classes == [number[t] for t in ("O", "=", "C", "(", "O", ")", "C", "Br")] + [0]


def test_everything_is_described(everything):
    folder, description = everything
    assert json.loads((folder / "dataset.json").read_text()) == description
    assert (description["format"], description["kind"]) == (1, "molecule")
    strings = read(folder)
    for split, content in description["splits"].items():
        classes = [c for s, _, _, c, _ in strings if s == split]
        assert content["sequences"] == len(classes)
        assert content["tokens"] == sum(map(len, classes))
    trained = [each for each in strings if each[0] == "train"]
    counts = collections.Counter(number for *_, classes, _ in trained for number in classes)
    encoding = description["encoding"]
    assert description["class_histogram"] == [counts[i] for i in range(encoding["num_classes"])]
    assert all(description["class_histogram"])
    texts = [text for _, _, text, _, _ in trained]
    assert encoding["longest"] == max(tokens.length(text, "atom") for text in texts) + 1
    assert encoding["shortest_length"] == min(tokens.length(text, "atom") for text in texts)
    assert encoding["longest_carbon_run"] == max(map(tokens.carbon_run, texts))
    assert description["molecules"] == len({smiles for _, smiles, *_ in strings})
    assert description["versions"]["rdkit"] != "absent"
    assert not any(ROOT in source for *_, source in strings)


def test_every_rejection_is_listed(everything):
    folder, description = everything
    rows = rejected(folder)
    assert collections.Counter(reason for _, reason, _ in rows) == description["rejections"]
    assert description["inputs"] == description["molecules"] + sum(
        " " in detail and detail.split()[0] in ("line", "record")
        for _, reason, detail in rows
        if reason not in ("no SMILES", "unreadable row")
    )
    for row in [
        ("bad/lines.smi", "duplicate", "line 2: OCC (of bad/lines.smi#1 ethanol)"),
        ("bad/lines.smi", "element not allowed", "line 11: CC[Hg]Cl (Hg)"),
        ("bad/lines.smi", "unreadable SMILES", "line 9: C(("),
        (
            "bad/lines.smi",
            "unreadable SMILES",
            "line 15: ünïcöde (has U+00FC, LATIN SMALL LETTER U WITH DIAERESIS)",
        ),
        ("bad/lines.smi", "reaction", "line 12: CCO>>CC=O"),
        ("bad/lines.smi", "R-group or dummy atom", "line 13: *CC (has *)"),
        ("bad/lines.smi", "too few heavy atoms", "line 14: [H][H] (0)"),
        ("bad/empty.smi", "empty file", ""),
        ("bad/junk.smi", "not a text file", ""),
        ("bad/cut.sdf", "unreadable record", "record 1: indole (no M  END)"),
        ("bad/notes.txt", "not a list of SMILES", ""),
        ("bad/quote.csv", "unreadable row", "line 3: a quote is never closed"),
        ("good/table.csv", "no SMILES", "line 5"),
    ]:
        assert row in rows
    reasons = {file: reason for file, reason, _ in rows}
    assert reasons["bad/truncated.smi.gz"] == "unreadable gzip"
    details = {detail.split(":")[0]: reason for f, reason, detail in rows if "lines" in f}
    assert [details[f"line {n}"] for n in (6, 7, 8)] == ["invalid molecule"] * 3
    assert details["line 16"] == "too long"


def test_result_does_not_depend_on_processes_order_or_place(everything, tmp_path):
    shutil.copytree(GOOD, tmp_path / "good")
    shutil.copytree(BAD, tmp_path / "bad")
    again = make([tmp_path / "bad", tmp_path / "good"], tmp_path / "d", num_processes=3, augment=3)
    first, second = files(everything[0]), files(tmp_path / "d")
    assert again | {"source": 0} == everything[1] | {"source": 0}
    for name in first:
        assert name == "dataset.json" or first[name] == second[name], name


def test_scaffolds_do_not_cross_splits(tmp_path):
    ratios = {"validation_ratio": 0.3, "test_ratio": 0.3, "property_histograms": False}
    splits = collections.defaultdict(set)
    for split in SPLITTINGS:
        folder = tmp_path / split
        folder.mkdir()
        build_lines(nci_lines(600), folder, split=split, **ratios)
        for name, smiles, *_ in read(folder / "d"):
            scaffold = MurckoScaffold.MurckoScaffoldSmiles(smiles)
            splits[split, scaffold].add(name)
    by_scaffold = [s for (split, scaffold), s in splits.items() if split == "scaffold" and scaffold]
    assert all(len(names) == 1 for names in by_scaffold)
    assert set.union(*by_scaffold) == {"train", "validation", "test"}
    # Molecules without a ring share no scaffold, and a random split tears scaffolds apart.
    assert len(splits["scaffold", ""]) == 3
    assert any(len(s) > 1 for (split, name), s in splits.items() if split == "random" and name)


def test_a_molecule_keeps_its_split_in_other_company(everything, tmp_path):
    make([os.path.join(GOOD, "drugs.smi")], tmp_path / "d", num_shards=2)
    everywhere = {smiles: split for split, smiles, *_ in read(everything[0])}
    here = read(tmp_path / "d")
    assert all(everywhere[smiles] == split for split, smiles, *_ in here)
    assert len([n for n in os.listdir(tmp_path / "d") if n.startswith("train")]) == 2


def test_rare_tokens_go_until_none_is_left(tmp_path):
    # Without CBr there is only one I, and without CI(N) only one N.
    lines = ["CCO", "CCCO", "BrCI", "NCI", "NCC"]
    description = build_lines(lines, tmp_path, min_token_count=2)
    assert smiles_of(tmp_path / "d") == {"CCO", "CCCO"}
    assert description["rejections"] == {"token too rare": 3}
    assert description["encoding"]["vocabulary"] == ["C", "O"]


def test_held_out_molecules_need_no_token_that_training_lacks(tmp_path):
    description = build_lines(
        nci_lines(600), tmp_path, validation_ratio=0.4, test_ratio=0.4, property_histograms=False
    )
    strings = read(tmp_path / "d")
    trained = {
        t for split, _, text, *_ in strings for t in tokens.split(text, "atom") if split == "train"
    }
    assert sorted(trained) == description["encoding"]["vocabulary"]
    lost = [d for _, reason, d in rejected(tmp_path / "d") if "training data" in reason]
    assert lost
    for detail in lost:
        assert set(detail.rsplit("(", 1)[1].rstrip(")").split(", ")).isdisjoint(trained)


def test_properties_are_those_of_the_training_molecules(everything):
    folder, description = everything
    trained = {smiles for split, smiles, *_ in read(folder) if split == "train"}
    mols = {smiles: Chem.MolFromSmiles(smiles) for smiles in trained}
    expected = {
        "logP": [Crippen.MolLogP(mol) for mol in mols.values()],
        "QED": [QED.qed(mol) for mol in mols.values()],
        "weight": [Descriptors.MolWt(mol) for mol in mols.values()],
        "heavy_atoms": [rdMolDescriptors.CalcNumHeavyAtoms(mol) for mol in mols.values()],
        "length": [tokens.length(smiles, "atom") for smiles in mols],
        "largest_ring": [
            max([len(ring) for ring in Chem.GetSSSR(mol)], default=0) for mol in mols.values()
        ],
    }
    assert set(description["properties"]) == {*expected, "SA"}
    assert 1 <= description["properties"]["SA"]["mean"] <= 10
    for name, values in expected.items():
        found = description["properties"][name]
        assert sum(found["counts"]) == len(trained)
        assert found["mean"] == pytest.approx(sum(values) / len(values))
        assert found["edges"][0] <= min(values) and max(values) < found["edges"][-1]
        for low, high, count in zip(found["edges"], found["edges"][1:], found["counts"]):
            assert count == sum(low <= value < high for value in values)


def test_histogram_of_numbers_a_person_can_count():
    found = histograms.histogram([0.3, 0.1, 0.2, -0.1, 0.11], 0.1)
    assert found["edges"] == [-0.1, 0.0, 0.1, 0.2, 0.3, 0.4]
    assert found["counts"] == [1, 0, 2, 1, 1]
    assert found["mean"] == pytest.approx(0.122)
    assert histograms.histograms([(), ()]) == {} == histograms.histograms([])


def test_what_fails_in_a_chunk_fails_alone():
    items = ["a", "crash", "b", "hang", "c", "raise", "d"]
    start = time.monotonic()
    outcomes = parallel.map_in_chunks(
        functools.partial(eval_in, {"crash": "os.abort()", "hang": "time.sleep(9e9)"}),
        items,
        chunk_size=3,
        num_processes=2,
        timeout_seconds=1.5,
    )
    found = {outcome.item: (outcome.value, outcome.failure) for outcome in outcomes}
    assert found == {
        **{item: (item.upper(), None) for item in "abcd"},
        "crash": (None, workers.CRASHED),
        "hang": (None, workers.TIMED_OUT),
        "raise": (None, workers.FAILED),
    }
    assert time.monotonic() - start < 30


def test_builtin_molecules_need_no_files(tmp_path):
    description = make(["builtin:nci"], tmp_path / "d", property_histograms=False, num_processes=2)
    assert description["molecules"] > 4_500
    assert description["properties"] == {}
    assert description["encoding"]["num_classes"] < 60


def test_nothing_to_train_on_says_why(tmp_path):
    with pytest.raises(UserError, match=r"no molecules in .*1 empty file.*d/rejected.csv lists"):
        make([os.path.join(BAD, "empty.smi")], tmp_path / "d")
    assert os.listdir(tmp_path / "d") == ["rejected.csv"]
    # What that left is not in the way.
    with pytest.raises(UserError, match=r"no molecule to train on in 2 entries.*2 unreadable"):
        build_lines(["((", "(("], tmp_path)
    assert rejected(tmp_path / "d") == [
        ("in.smi", "unreadable SMILES", f"line {number}: ((") for number in (1, 2)
    ]
    build_lines(["CCO"], tmp_path)
    assert smiles_of(tmp_path / "d") == {"CCO"}


def test_nothing_to_train_on_leaves_an_older_dataset_alone(tmp_path):
    build_lines(["CCO", "C(("], tmp_path)
    before = files(tmp_path / "d")
    with pytest.raises(UserError, match=r"d\.rejected\.csv lists"):
        build_lines(["(("], tmp_path, overwrite=True)
    assert files(tmp_path / "d") == before
    assert "((" in (tmp_path / "d.rejected.csv").read_text()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("split", "whim"),
        ("representation", "words"),
        ("max_length", 0),
        ("min_heavy_atoms", -1),
        ("augment", -1),
        ("min_token_count", 0),
        ("num_shards", 0),
        ("timeout_seconds", 0),
        ("num_processes", -1),
        ("elements", ["C", "Unobtainium"]),
        ("elements", []),
        ("test_ratio", 0.95),
        ("min_length", 121),
    ],
)
def test_wrong_settings_are_named(tmp_path, setting, value):
    with pytest.raises(UserError, match=setting):
        make([GOOD], tmp_path / "d", **{setting: value})
    assert not os.listdir(tmp_path)


def test_gin_binds_the_settings(tmp_path):
    with gin.unlock_config():
        gin.parse_config(
            f"pipelines.build_molecule_dataset.inputs = ['{GOOD}/drugs.smi']\n"
            "pipelines.build_molecule_dataset.max_length = 12\n"
        )
    try:
        description = build.build_molecule_dataset(output_dir=str(tmp_path / "d"))
    finally:
        gin.clear_config()
    assert description["settings"]["max_length"] == 12
    assert description["encoding"]["longest"] <= 13


def eval_in(deeds, item):
    """Returns the item in capitals, unless the item asks for worse."""
    if item in deeds:
        exec(f"import os, time; {deeds[item]}")
    if item == "raise":
        raise ValueError(item)
    return item.upper()
