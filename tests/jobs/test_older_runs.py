"""Run folders of earlier versions: gin files without imports, and with losses said in other words."""

import os
import re
import shutil

import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.jobs.older_runs import in_todays_names
from tests.tiny_job import command


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Psi.lambda_ = 0.9\n", "Psi.loss = @Paths()\nPaths.lambda_ = 0.9\n"),
        ("rl_tuner.G.lambda_ = 1.0\nG.whole = True\n", "G.loss = @WholeSequences()\n"),
        ("Psi.lambda_ = 0.0\nPsi.whole = False\n", "Psi.loss = @OneStep()\n"),
        ("tune.steps = 3\n", "tune.steps = 3\n"),
    ],
)
def test_losses_are_said_in_todays_names(before, after):
    assert in_todays_names(before).split() == after.split()


def test_a_run_made_before_gin_files_imported_what_they_bind_is_opened(finished, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(finished.run_dir, old)
    path = old / "config.gin"
    text = re.sub(r"^(import|from) .*\n", "", path.read_text(), flags=re.MULTILINE)
    assert "import" not in text
    path.write_text(text + "\nPsi.lambda_ = 0.0\nPsi.whole = False\n")
    done = command("rl_tuner.generate", str(old), f"--output_dir={tmp_path}/out", "--count=1")
    assert os.path.exists(done.stdout.strip())


def test_an_unknown_kind_is_one_line(tmp_path, monkeypatch):
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.jobs import older_runs

    network = SequenceNetwork(3, [2], metadata={"kind": "dances"})
    network.save(tmp_path / "prior.keras")
    (tmp_path / "config.gin").write_text("tune.steps = 3\n")
    with pytest.raises(UserError, match="'dances' sequences; add the `import` lines"):
        older_runs.configure(str(tmp_path))
