import json
import os
import subprocess
import sys

import pytest

from tests.tiny_job import error_of

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DATA = os.path.join("testdata", "melodies")


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipelines.midi_to_tfrecord", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_success(tmp_path):
    done = command(
        f"--input={DATA}/good/scale.abc,{DATA}/good/line.mid",
        f"--input={DATA}/bad/text.mid",
        f"--output_dir={tmp_path}/d",
    )
    assert done.returncode == 0, done.stderr
    assert "2 melodies" in done.stdout
    assert "1 unreadable midi" in done.stdout
    description = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert description["source"] == [
        f"{DATA}/good/scale.abc",
        f"{DATA}/good/line.mid",
        f"{DATA}/bad/text.mid",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--input"),
        (["--input=x"], "--output_dir"),
        (["--input=x", "--output_dir=y", "--bogus=1"], "bogus"),
        (["--input=x", "--output_dir=y", "--min_bars=many"], "min_bars"),
        (["--input=x", "--output_dir=y", "--polyphony=loudest"], "polyphony"),
        (["--input=x", "--output_dir=y", "--split=tempo"], "split"),
        (["--input=x", "--output_dir=y", "stray"], "stray"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(arguments, message):
    done = command(*arguments)
    assert done.returncode == 2
    assert message in error_of(done)


def test_errors_are_exit_code_1_and_one_line(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for arguments, message in [
        ([f"--input={tmp_path}/nowhere", f"--output_dir={tmp_path}/d"], f"{tmp_path}/nowhere"),
        (["--input=setup.cfg.xyz", f"--output_dir={tmp_path}/d"], "setup.cfg.xyz"),
        (["--input=pyproject.toml", f"--output_dir={tmp_path}/d"], "unknown file type"),
        (["--input=music21:essenFolksong", f"--output_dir={tmp_path}/d"], "non-commercial"),
        ([f"--input={DATA}/good", f"--output_dir={tmp_path}/full"], f"{tmp_path}/full"),
        ([f"--input={DATA}/bad/text.mid", f"--output_dir={tmp_path}/full/d"], "1 unreadable midi"),
        ([f"--input={DATA}/good", f"--output_dir={tmp_path}/d", "--test_ratio=2"], "test_ratio"),
    ]:
        done = command(*arguments)
        assert done.returncode == 1, arguments
        assert message in error_of(done)
    assert os.listdir(tmp_path) == ["full"]
    assert os.listdir(tmp_path / "full" / "d") == ["rejected.csv"]


def test_help_lists_the_flags():
    done = command("--help")
    assert done.returncode == 0
    for flag in (
        "--input",
        "--output_dir",
        "--polyphony",
        "--split",
        "--min_bars",
        "--num_processes",
    ):
        assert flag in done.stdout
