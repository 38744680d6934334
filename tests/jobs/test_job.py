"""The whole job as a user runs it: what it leaves behind, what it reuses, how it goes on."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner import train
from rl_tuner.common import command_line, locks
from tests.event_series import read_events
from tests.tiny_job import ROOT, Job, command, early_error, error_of


def test_a_run_folder_holds_what_a_person_wants(finished):
    names = {
        os.path.relpath(path, finished.run_dir)
        for path in glob.glob(f"{finished.run_dir}/**", recursive=True)
    }
    wanted = {
        "config.gin",
        "operative_config.gin",
        "history.csv",
        "metrics.json",
        "metrics.txt",
        "prior.keras",
        "checkpoints",
        "tensorboard",
        "plots/samples.png",
        "plots/training.png",
        "samples/prior_000.mid",
        "samples/tuned_001.mid",
        "export/saved_model.pb",
    }
    assert wanted <= names
    assert "Repeated notes" in finished.output.stdout and "paper Psi" in finished.output.stdout
    with open(f"{finished.run_dir}/metrics.json", encoding="utf-8") as file:
        metrics = json.load(file)
    assert set(metrics) == {"prior", "tuned"}
    assert metrics["prior"]["kl"] == pytest.approx(0.0, abs=1e-6)
    assert metrics["tuned"]["task_reward"] > metrics["prior"]["task_reward"]
    assert 0.0 <= metrics["tuned"]["novelty"] <= 1.0


def test_tensorboard_shows_every_promised_series(finished):
    events = read_events(finished.run_dir)
    tags = set(events.Tags()["tensors"])
    wanted = {
        "learn/loss",
        "learn/target_value",
        "collect/log_prior",
        "collect/kl",
        "collect/entropy",
        "collect/epsilon",
        "evaluate/distinct",
        "reward/motif",
        "reward/leap",
        "pictures/prior",
        "pictures/tuned",
        "sound/prior",
        "sound/tuned",
    }
    assert wanted <= tags, wanted - tags
    # One tag for a picture and a sound would hide both.
    kinds = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in wanted}
    assert kinds["pictures/tuned"] == "images" and kinds["sound/tuned"] == "audio"
    about = {tag: events.SummaryMetadata(tag) for tag in tags}
    # Charts of several series, and the settings that are compared, are no series.
    beside = {
        tag for tag in tags if about[tag].plugin_data.plugin_name in ("custom_scalars", "hparams")
    }
    assert beside == {"custom_scalars__config__", "_hparams_/session_start_info"}
    assert all(about[tag].summary_description for tag in tags - beside)
    (settings,) = events.Tensors("settings")
    assert b"RLTuner.objective" in settings.tensor_proto.string_val[0]
    steps = [event.step for event in events.Tensors("learn/loss")]
    assert steps == sorted(set(steps)) and steps[-1] >= 20_000


def copy_of(finished, tmp_path):
    """The same job with its output in another folder."""
    job = Job(tmp_path)
    job.book = finished.book
    shutil.copytree(finished.work_dir, job.work_dir)
    return job


def stages(output):
    """Stage -> "making" or "reusing", from what the command said."""
    return dict(re.findall(r"^(\w+): (making|reusing) ", output.stderr, re.MULTILINE))


def assert_same_file(job, other, name):
    with open(f"{job.run_dir}/{name}") as new, open(f"{other.run_dir}/{name}") as old:
        assert new.read() == old.read(), name


def test_a_second_run_reuses_everything_and_a_missing_output_is_remade(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    assert set(stages(job.train()).values()) == {"reusing"}
    os.remove(f"{job.run_dir}/metrics.txt")
    again = job.train()
    assert stages(again) == {
        "dataset": "reusing",
        "prior": "reusing",
        "tune": "reusing",
        "evaluate": "making",
        "export": "making",
    }
    assert_same_file(job, finished, "metrics.json")
    (prior,) = glob.glob(f"{job.work_dir}/priors/*/prior.keras")
    os.remove(prior)
    assert stages(job.train()) == {
        "dataset": "reusing",
        "prior": "making",
        "tune": "making",
        "evaluate": "making",
        "export": "making",
    }
    # Everything depends on one seed: made anew, it is the same.
    assert_same_file(job, finished, "metrics.json")


def test_a_changed_setting_remakes_what_depends_on_it(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    output = job.train("--gin_param=MusicTheoryReward.motif=30.0")
    assert stages(output)["prior"] == "reusing" and stages(output)["tune"] == "making"
    assert "motif: 3.0 -> 30.0" in output.stderr
    # What the other settings had made is still there.
    with (
        open(f"{finished.run_dir}/history.csv") as old,
        open(f"{job.run_dir}/previous/history.csv") as kept,
    ):
        assert kept.read() == old.read()


def test_a_refused_setting_leaves_a_finished_run_as_it_was(finished, capsys):
    before = sorted(os.listdir(finished.run_dir))
    arguments = ["train", *finished.flags("--gin_param=RLTuner.gamma=2.0")]
    with pytest.raises(SystemExit) as stopped:
        command_line.run(train._define_flags, train._run, usage="", argv=arguments)
    assert stopped.value.code == 1 and "gamma" in capsys.readouterr().err.splitlines()[-1]
    assert sorted(os.listdir(finished.run_dir)) == before
    with open(f"{finished.run_dir}/config.gin", encoding="utf-8") as file:
        assert "RLTuner.gamma = 0.5" in file.read()


def weights(run_dir):
    path = tf.train.latest_checkpoint(f"{run_dir}/checkpoints")
    reader = tf.train.load_checkpoint(path)
    # Names in the object graph count the optimizers of a process; they are no state of the run.
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


def stopped_by(number, job, seen):
    """Starts a run, and stops it by a signal once a file is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rl_tuner.train", *job.flags()],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 200
    while not glob.glob(f"{job.run_dir}/{seen}"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert not os.path.exists(f"{job.run_dir}/metrics.txt")
    return process.returncode, said


def assert_same_run(job, other):
    for name, value in weights(other.run_dir).items():
        np.testing.assert_array_equal(weights(job.run_dir)[name], value, err_msg=name)
    for name in ("history.csv", "metrics.json"):
        assert_same_file(job, other, name)


def test_a_terminated_and_then_killed_run_ends_as_if_it_had_never_stopped(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    shutil.rmtree(job.run_dir)
    code, said = stopped_by(signal.SIGTERM, job, "checkpoints/ckpt-1.index")
    assert code == 143 and said.splitlines()[-1].startswith("error: interrupted; ")
    assert "tune: finishing the current iterations and saving" in said
    code, said = stopped_by(signal.SIGKILL, job, "checkpoints/ckpt-4.index")
    assert code == -signal.SIGKILL and "tune: resuming after" in said
    # Whatever else was damaged is mended from the last checkpoint that is whole.
    # The kill may come before TensorFlow's own list of checkpoints names the newest.
    newest = f"{job.run_dir}/checkpoints/ckpt-4"
    os.truncate(f"{newest}.data-00000-of-00001", 100)
    for name in ("history.csv", "checkpoints/checkpoint"):
        os.remove(f"{job.run_dir}/{name}")
    output = job.train()
    assert f"checkpoint {newest} is damaged" in output.stderr
    assert "history.csv is missing or damaged; it is written again" in output.stderr
    assert "tune: resuming after" in output.stderr
    assert_same_run(job, finished)
    assert points(job) == points(finished)


def points(job):
    """The steps of the points of every series in TensorBoard."""
    events = read_events(job.run_dir)
    return {tag: [e.step for e in events.Tensors(tag)] for tag in events.Tags()["tensors"]}


def test_a_finished_run_with_a_torn_checkpoint_is_finished_again(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    newest = tf.train.latest_checkpoint(f"{job.run_dir}/checkpoints")
    os.truncate(f"{newest}.index", 10)
    opened = command("rl_tuner.evaluate", f"--run_dir={job.run_dir}", "--count=20")
    assert f"checkpoint {newest} is damaged" in opened.stderr
    assert "tune: resuming after" in job.train().stderr
    assert_same_run(job, finished)


def test_a_run_with_code_of_ones_own_opens_here_and_elsewhere_only_if_it_is_trusted(
    finished, tmp_path, monkeypatch
):
    own = str(tmp_path / "own")
    os.makedirs(own)
    with open(f"{own}/my_code.py", "w", encoding="utf-8") as file:
        file.write("def nothing():\n    pass\n")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{own}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "here"))
    job = copy_of(finished, tmp_path)
    command("rl_tuner.train", *job.flags("--gin_param=import my_code"))
    flags = [f"--run_dir={job.run_dir}", "--count=5"]
    assert "Leaps resolved" in command("rl_tuner.evaluate", *flags).stdout
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))
    refused = command("rl_tuner.evaluate", *flags, check=False)
    assert refused.returncode == 1 and "module my_code" in error_of(refused)
    assert "Leaps resolved" in command("rl_tuner.evaluate", "--trust", *flags).stdout
    assert "Leaps resolved" in command("rl_tuner.evaluate", *flags).stdout


def test_a_second_process_on_a_run_is_refused_before_tensorflow(finished, tmp_path):
    with locks.only_writer(finished.run_dir):
        line = early_error("rl_tuner.train", *finished.flags())
    assert f"{finished.run_dir} is being written by process {os.getpid()} on" in line


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--gin_param=RLTuner.gama=1"], "gama"),
        (["--gin_param=Nothing.x=1"], "Nothing"),
        (["--gin_param=RLTuner.objective=@Psy()"], "Psy"),
        (["--gin_param=RLTuner.gamma=2.0"], "gamma"),
        (["--gin_param=tune.steps='many'"], "tune.steps must be a whole number, not 'many'"),
        (["--gin_param=RLTuner.learning_rate='x'"], "RLTuner.learning_rate must be a number"),
        (["--gin_param=MelodyTask.horizon=2.5"], "MelodyTask.horizon must be a whole number"),
        (["--gin_param=Psi.calibrated=1"], "Psi.calibrated must be True or False"),
        (["--gin_param=FixedTemperature.c=-1"], "FixedTemperature.c must be a number above 0"),
        (
            ["--gin_param=job.evaluation_batch=0"],
            "evaluation_batch must be a whole number of at least 1",
        ),
        (["--gin_param=RLTuner.seed=3"], "seed"),
        (["--gin_param=device.placement='gpu:7'"], "device.placement"),
        (["--gin_param=device.precision='double'"], "device.precision"),
        (["--gin_param=job.prior='nowhere.keras'"], "nowhere.keras does not exist"),
        (["--gin_param=job.seed="], "gin cannot read"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_1(finished, tmp_path, capsys, extra, message):
    arguments = ["train", *finished.flags(f"--run_dir={tmp_path}/other", *extra)]
    with pytest.raises(SystemExit) as stopped:
        command_line.run(train._define_flags, train._run, usage="", argv=arguments)
    last = capsys.readouterr().err.splitlines()[-1]
    assert stopped.value.code == 1
    assert last.startswith("error: ") and message in last
    assert not os.path.exists(tmp_path / "other" / "metrics.txt")


ASKED = (
    "--gin_param=RLTuner.targets = {'unique_min': (0.999, None), 'log_prior': (-9.0, None)}",
    "--gin_param=RLTuner.temperature = None",
    "--gin_param=RLTuner.gamma = 1.0",
    "--gin_param=DualController.window = 64",
)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def test_a_job_with_targets_says_what_was_asked_and_what_it_got(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    path = tmp_path / "asked.gin"
    # The temperature of the paper's settings, which the tiny job includes, is not used.
    kept = [line for line in read(f"{ROOT}/gin/paper_music.gin") if "Temperature" not in line]
    path.write_text("\n".join([*kept, "RLTuner.objective = @Psi()"]))
    tiny = "\n".join(read(f"{ROOT}/tests/jobs/tiny.gin"))
    (tmp_path / "tiny.gin").write_text(tiny.replace("gin/paper_psi_music.gin", str(path)))
    flags = [f"--gin_file={tmp_path}/tiny.gin", *job.flags(*ASKED)[1:]]
    output = command("rl_tuner.train", *flags, f"--run_dir={tmp_path}/asked")
    assert "targets met, KL" in output.stderr
    last = output.stderr.strip().splitlines()[-1]
    assert last.startswith("warning: targets not met: unique_min is ")
    with open(f"{tmp_path}/asked/metrics.json", encoding="utf-8") as file:
        tuned = json.load(file)["tuned"]
    assert not tuned["targets"]["unique_min"]["met"] and tuned["targets"]["log_prior"]["met"]
    assert tuned["targets"]["unique_min"]["multiplier"] > 0
    header = read(f"{tmp_path}/asked/history.csv")[0]
    assert "targets/multiplier_unique_min_low" in header and "feature/unique_min" in header
    card = "\n".join(read(f"{tmp_path}/asked/MODEL_CARD.md"))
    assert "unique_min at least 0.999" in card and "temperature c" not in card


def test_a_collapsed_final_policy_is_exit_code_3(finished, tmp_path):
    job = copy_of(finished, tmp_path)
    flags = job.flags(
        "--gin_param=tune.collapse = @Collapse()",
        "--gin_param=Collapse.entropy_floor = 9.0",
        "--gin_param=job.evaluation_sequences = 120",
    )
    output = command("rl_tuner.train", *flags, check=False)
    assert output.returncode == 3
    last = output.stderr.strip().splitlines()[-1]
    assert last.startswith("warning: the tuned policy collapsed: ") and "entropy" in last
    for name in ("metrics.txt", "MODEL_CARD.md"):
        assert any("COLLAPSED" in line for line in read(f"{job.run_dir}/{name}"))
    assert os.path.exists(f"{job.run_dir}/export/saved_model.pb")


def test_wrong_usage_is_exit_code_2():
    for module in ("train", "pretrain", "evaluate", "generate", "export"):
        done = command(f"rl_tuner.{module}", "--no_such_flag=1", check=False)
        assert done.returncode == 2 and "no_such_flag" in done.stderr
        assert "Traceback" not in done.stderr
    done = command("rl_tuner.train", "--gin_file=no.gin", check=False)
    assert done.returncode == 1 and "no.gin does not exist" in done.stderr


def test_help_needs_nothing_heavy():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['rl_tuner.train', '--help']\n"
        "try:\n    runpy.run_module('rl_tuner.train', run_name='__main__')\n"
        "except SystemExit as done:\n    assert done.code == 0\n"
        "assert not {'tensorflow', 'keras', 'note_seq', 'matplotlib'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--gin_param" in done.stdout
