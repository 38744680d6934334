import json
import os
import subprocess
import sys

import pytest

from tests.tiny_job import error_of

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DATA = os.path.join("testdata", "molecules")


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipelines.smiles_to_tfrecord", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_success(tmp_path):
    done = command(
        f"--input={DATA}/good/drugs.smi,{DATA}/good/table.csv",
        f"--input={DATA}/bad/lines.smi",
        f"--output_dir={tmp_path}/d",
        "--elements=C,H,N,O,Cl",
        "--augment=2",
        "--min_token_count=2",
        "--split=scaffold",
        "--nokeep_stereo",
    )
    assert done.returncode == 0, done.stderr
    assert "3 unreadable SMILES" in done.stdout
    description = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert f"{description['molecules']} molecules" in done.stdout
    assert description["source"] == [
        f"{DATA}/good/drugs.smi",
        f"{DATA}/good/table.csv",
        f"{DATA}/bad/lines.smi",
    ]
    settings = description["settings"]
    assert settings["elements"] == ["C", "Cl", "H", "N", "O"]
    assert (settings["split"], settings["keep_stereo"]) == ("scaffold", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--input"),
        (["--input=x"], "--output_dir"),
        (["--input=x", "--output_dir=y", "--bogus=1"], "bogus"),
        (["--input=x", "--output_dir=y", "--max_length=many"], "max_length"),
        (["--input=x", "--output_dir=y", "--split=whim"], "split"),
        (["--input=x", "--output_dir=y", "stray"], "stray"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(arguments, message):
    done = command(*arguments)
    assert done.returncode == 2
    assert message in error_of(done)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input=nowhere.smi"], "nowhere.smi"),
        (["--input=pyproject.toml"], "unknown file type"),
        (["--input=builtin:everything"], "builtin:nci"),
        ([f"--input={DATA}/good/table.csv", "--column=structure"], "id, SMILES, remark"),
        ([f"--input={DATA}/good", "--test_ratio=2"], "test_ratio"),
        ([f"--input={DATA}/good", "--elements=C,Xx"], "Xx"),
    ],
)
def test_errors_are_exit_code_1_and_one_line(tmp_path, arguments, message):
    done = command(*arguments, f"--output_dir={tmp_path}/d")
    assert done.returncode == 1
    assert message in error_of(done)
    assert not os.listdir(tmp_path)


def test_a_loss_of_everything_is_exit_code_1_one_line_and_a_list(tmp_path):
    (tmp_path / "x.smi").write_text("C1CC never closed\nOCC~N query\n")
    done = command(f"--input={tmp_path}/x.smi", f"--output_dir={tmp_path}/d")
    assert done.returncode == 1
    (line,) = (text for text in done.stderr.splitlines() if not text.startswith("molecules: "))
    assert line.startswith("error: no molecule to train on in 2 entries")
    assert f"{tmp_path}/d/rejected.csv" in line
    assert (tmp_path / "d" / "rejected.csv").read_text().splitlines() == [
        "file,reason,detail",
        "x.smi,query,line 2: OCC~N (has ~)",
        "x.smi,unreadable SMILES,line 1: C1CC",
    ]


def test_help_lists_the_flags():
    done = command("--help")
    assert done.returncode == 0
    for flag in ("--input", "--output_dir", "--augment", "--split", "--column", "--elements"):
        assert flag in done.stdout
