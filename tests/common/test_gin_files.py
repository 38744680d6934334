"""gin files: where they are found, and mistakes that are told of before anything heavy is imported."""

import glob
import os
import subprocess
import sys
import time

import pytest

from rl_tuner.common import gin_checks, gin_files
from rl_tuner.common.errors import UserError
from rl_tuner.jobs import catalogue
from tests.small_data import ROOT


def test_the_list_of_configurables_is_today_s():
    code = "from rl_tuner.jobs import catalogue; print(catalogue.text(), end='')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    with open(gin_files.CATALOGUE, encoding="utf-8") as file:
        assert done.stdout == file.read(), "run python -m rl_tuner.jobs.catalogue"
    assert catalogue.CATALOGUE == gin_files.CATALOGUE


def test_shipped_files_are_found_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = gin_files.shipped()
    assert {"psi_music", "psi_molecules", "paper_q_music"} <= set(names)
    for name in ("psi_music", "psi_music.gin", "gin/psi_music", "gin/psi_music.gin"):
        assert gin_files.find(name).endswith("gin/psi_music.gin")
    (tmp_path / "psi_music.gin").write_text("")
    assert gin_files.find("psi_music") == "psi_music.gin"


def test_every_shipped_file_is_right():
    pmo = glob.glob(os.path.join(ROOT, "gin", "pmo", "*.gin"))
    assert len(pmo) == 21
    for name in (*gin_files.shipped(), *pmo):
        assert gin_checks.check([name])


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("RLTuner.gama = 0.5", "RLTuner has no setting 'gama'; did you mean gamma?"),
        ("RLTunr.gamma = 0.5", "unknown name 'RLTunr'; did you mean RLTuner?"),
        ("RLTuner.objective = @Psy()", "unknown name 'Psy'; did you mean Psi?"),
        ("RLTuner.replay = [@Psi(), @UniformRepla()]", "did you mean UniformReplay?"),
        ("job.dataset_name = mine", "a string needs quotes: job.dataset_name = 'mine'"),
        ("job.prior = priors/mine", "a string needs quotes: job.prior = 'priors/mine'"),
        ("RLTuner.objective = Psi", "an object needs @ and (): RLTuner.objective = @Psi()"),
        ("tune.steps = 'many'", "tune.steps must be a whole number, not 'many'"),
        ("tune.steps = True", "tune.steps must be a whole number, not True"),
        ("MelodyTask.qpm = 'fast'", "MelodyTask.qpm must be a number, not 'fast'"),
        ("tune.steps = (1", "a ( is not closed: tune.steps = (1; add )"),
        ("tune.steps", "cannot read 'tune.steps'; a binding has the form NAME.setting = value"),
        ("tune.steps: 3", "a setting is bound with =: tune.steps = 3"),
        ("tune.steps = 1,000", "such as tune.steps = 1_000"),
        ("job.prior = 'mine", "a string is not closed: job.prior = 'mine; add '"),
        ("job.dataset_name = my data", "quotes: job.dataset_name = 'my data'"),
        ("build_melody_dataset.inputs = [a/b]", "quotes: build_melody_dataset.inputs = ['a/b']"),
        ("build_melody_dataset.inputs = ['a', b]", "inputs = ['a', 'b']"),
        ("build_melody_dataset.inputs = ['a'", "a [ is not closed"),
        ("include psi_music", "a string needs quotes: include 'psi_music'"),
        ("pretrain.cells = 100", "pretrain.cells must be a list of whole numbers such as [100]"),
        ("pretrain.cells = ['a']", "must be a list of whole numbers such as [100], not ['a']"),
        ("RLTuner.huber = 'no'", "RLTuner.huber must be a number or None, not 'no'"),
        ("RLTuner.objective = 'Psi'", "must be an object, written @NAME(), not 'Psi'"),
        ("build_molecule_dataset.inputs = ['a']", "did you mean build_melody_dataset?"),
        ("import my_tsk", "there is no module 'my_tsk'; did you mean my_task?"),
        ("import rl_tuner.tasks.nothing", "there is no module 'rl_tuner.tasks.nothing'"),
        ("gamma = 1.5", "no setting reads 'gamma'; did you mean RLTuner.gamma?"),
        ("tempo = 90", "no setting reads 'tempo'; write %tempo where it is wanted"),
        ("RLTuner.gamma = %discount", "%discount is nowhere set; add discount = ..."),
        ("RLTuner.objective = @Psi", "an object needs brackets: RLTuner.objective = @Psi()"),
        (
            "RLTuner.objective = (@Psi(), @Q())",
            "must be an object, written @NAME(), not (@Psi(), @Q())",
        ),
        ("RLTuner.gamma = @Psi()", "RLTuner.gamma must be a number, not @Psi()"),
        ("pretrain.cells = @Psi()", "must be a list of whole numbers such as [100], not @Psi()"),
        ("job.task = None", "job.task must be an object, written @NAME(), not None"),
    ],
)
def test_mistakes_are_named_with_the_remedy(tmp_path, monkeypatch, param, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_task.py").write_text("")
    with pytest.raises(UserError) as error:
        gin_checks.check(["psi_music"], [param])
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_macro_that_is_set_and_read_is_right():
    assert gin_checks.check(["psi_music"], ["discount = 1.0", "RLTuner.gamma = %discount"])
    assert gin_checks.check(["psi_music"], ["d/macro.value = 1.0", "RLTuner.gamma = %d"])
    with pytest.raises(UserError, match="did you mean discount"):
        gin_checks.check(["psi_music"], ["discount = 1.0", "RLTuner.gamma = %discont"])


def test_settings_of_a_scope_in_which_nothing_is_made_are_wrong():
    two = ["ComponentReward.components = [@hetero/Descriptor(), @rings/Descriptor()]"]
    settings = [
        "rings/Descriptor.descriptor = 'RingCount'",
        "hetero/Descriptor.descriptor = 'TPSA'",
    ]
    files = ["score_molecules"]
    assert gin_checks.check(files, [*two, *settings])
    with pytest.raises(UserError, match=r"scope 'ring'; did you mean rings\?"):
        gin_checks.check(files, [*two, *settings, "ring/Descriptor.weight = 2.0"])
    with pytest.raises(UserError, match=r"write @odd/Psi\(\) where it is wanted"):
        gin_checks.check(["psi_music"], ["odd/Psi.calibrated = False"])


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(UserError) as error:
        gin_checks.check(["psi_music"], ["RLTuner.gama = 1.0", "tune.steps = 'x'", "speed = 3"])
    first, second, third = error.value.lines
    assert "gama" in first and "'x'" in second and "'speed'" in third


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path):
    (tmp_path / "base.gin").write_text("include 'psi_music.gin'\n\nRLTuner.gama = 1.0\n")
    (tmp_path / "top.gin").write_text(f"include '{tmp_path}/base.gin'\n")
    with pytest.raises(UserError, match=r"base\.gin line 3: RLTuner has no setting 'gama'"):
        gin_checks.check([str(tmp_path / "top.gin")])
    (tmp_path / "base.gin").write_text(f"include '{tmp_path}/top.gin'\n")
    with pytest.raises(UserError, match="includes itself"):
        gin_checks.check([str(tmp_path / "top.gin")])
    (tmp_path / "base.gin").write_text("\ninclude 'psi_musik'\n")
    with pytest.raises(UserError, match=r"base\.gin line 2: gin file psi_musik does not exist"):
        gin_checks.check([str(tmp_path / "top.gin")])
    (tmp_path / "base.gin").write_text("job.seed = 1\nbuild_melody_dataset.inputs = [\n  'a',\n")
    with pytest.raises(UserError, match=r"base\.gin line 2: a \[ is not closed"):
        gin_checks.check([str(tmp_path / "top.gin")])
    (tmp_path / "base.gin").write_text(
        "job.seed = 1\nbuild_melody_dataset.inputs = [\n  'a',\n  b]\n"
    )
    with pytest.raises(UserError, match=r"base\.gin line 4: a string needs quotes: 'b'"):
        gin_checks.check([str(tmp_path / "top.gin")])
    with pytest.raises(UserError, match="did you mean psi_molecules"):
        gin_checks.check(["psi_molecule"])
    (tmp_path / "bytes.gin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        gin_checks.check([str(tmp_path / "bytes.gin")])


def test_modules_of_ones_own_may_configure_what_is_unknown_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_task.py").write_text("raise RuntimeError('only looked for, not run')")
    path = tmp_path / "own.gin"
    path.write_text("import my_task\njob.task = @MyTask()\nMyTask.size = 3\n")
    assert gin_checks.check([str(path)])
    with pytest.raises(UserError, match="gama"):
        gin_checks.check([str(path)], ["RLTuner.gama = 1.0"])


def test_a_command_says_so_without_importing_tensorflow():
    code = (
        "import sys\nfrom rl_tuner import train\nsys.argv = ['train', '--gin_file=psi_musik']\n"
        "try:\n    train.main()\nfinally:\n    assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and time.monotonic() - started < 60
    assert done.stderr == ("error: gin file psi_musik does not exist; did you mean psi_music?\n")
