"""What a run folder of somebody else may do: nothing but be read."""

import os

import pytest

from rl_tuner.common import trust
from rl_tuner.common.errors import UserError
from tests.tiny_job import early_error, pretend_run

OWN = "import my_reward\njob.task = @MoleculeTask()\n"


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run_with(tmp_path, text):
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    (folder / "config.gin").write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (OWN, "module my_reward"),
        ("import os\n", "module os"),
        (
            "from __gin__ import dynamic_registration\nimport os\n",
            "dynamic_registration, module os",
        ),
        ("import rl_tuner_evil.task\n", "module rl_tuner_evil.task"),
        ("FunctionReward.function = 'os.system'\n", "function os.system"),
        ("a/b/FunctionReward.function = 'os.system'\n", "function os.system"),
        ("f = 'os.system'\nFunctionReward.function = %f\n", "function os.system"),
        ("g = 'os.system'\nf = %g\nFunctionReward.function = %f\n", "function os.system"),
    ],
)
def test_code_from_elsewhere_needs_trust_and_is_named(tmp_path, text, named):
    folder = run_with(tmp_path, text)
    with pytest.raises(UserError) as error:
        trust.check(folder, False)
    assert named in str(error.value) and "--trust" in str(error.value)
    assert f"{folder}/config.gin would execute" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "RLTuner.gamma = 1.0\n",
        "import rl_tuner.tasks.melody.task\nimport pipelines.melody.build\n",
        "include 'psi_music.gin'\n",
        "FunctionReward.function = %nowhere\n",
        "f = %f\nFunctionReward.function = %f\n",
    ],
)
def test_this_programs_own_code_needs_none(tmp_path, text):
    trust.check(run_with(tmp_path, text), False)
    assert not (tmp_path / "state").exists()


def test_a_run_that_was_made_or_trusted_here_is_remembered_until_it_changes(tmp_path):
    trust.remember(OWN)
    trust.remember(OWN)
    trust.check(run_with(tmp_path, OWN), False)
    changed = run_with(tmp_path, OWN + "import other\n")
    with pytest.raises(UserError, match="module my_reward, module other"):
        trust.check(changed, False)
    trust.check(changed, True)
    trust.check(changed, False)
    assert len((tmp_path / "state/sequence-tutor/trusted").read_text().split()) == 2


def test_a_state_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    trust.remember(OWN)
    assert "opening this run will need --trust" in capsys.readouterr().err


def test_only_files_of_the_run_and_of_this_program_are_included(tmp_path):
    (tmp_path / "secret.gin").write_text("RLTuner.gamma = 1.0\n")
    folder = run_with(tmp_path, f"include 'psi_music'\ninclude '{tmp_path}/run/own.gin'\n")
    own = tmp_path / "run" / "own.gin"
    own.write_text("RLTuner.gamma = 1.0\n")
    trust.check(folder, False)
    own.write_text(f"include '{tmp_path}/secret.gin'\n")
    with pytest.raises(UserError, match=r"own\.gin line 1: a run includes only files of its own"):
        trust.check(folder, True)
    own.unlink()
    own.symlink_to(tmp_path / "secret.gin")
    with pytest.raises(UserError, match=r"config\.gin line 2: a run includes only files"):
        trust.check(folder, True)
    own.unlink()
    own.write_text(f"include '{own}'\n")
    with pytest.raises(UserError, match="includes itself"):
        trust.check(folder, True)


@pytest.mark.parametrize("command", ["evaluate", "generate", "export"])
def test_the_commands_refuse_before_tensorflow(tmp_path, command):
    folder = pretend_run(tmp_path / "run", "melody", {})
    with open(os.path.join(folder, "config.gin"), "w", encoding="utf-8") as file:
        file.write("import evil\n")
    (tmp_path / "evil.py").write_text("open('executed', 'w')\n")
    flags = [] if command == "evaluate" else ["--output_dir=o"]
    line = early_error(f"rl_tuner.{command}", folder, *flags, cwd=tmp_path)
    assert "module evil" in line and "add --trust" in line
    assert not (tmp_path / "executed").exists()
