"""A task and an objective of a user's own: a folder outside the package, two gin files, nothing else."""

import json
import os
import subprocess
import sys

import pytest

TASK = '''
import gin
import tensorflow as tf

import rl_tuner


@gin.configurable(module="own", denylist=["output_dir", "overwrite"])
def build_numbers(output_dir, *, overwrite=False):
    rows = [[i % 5, (i + 1) % 5, (2 * i) % 5, i % 3] for i in range(60)]
    rows += [[i % 5, i // 5 % 5, (3 * i) % 5, (i + 2) % 5] for i in range(60)]
    rl_tuner.write_sequences(output_dir, rows, kind="numbers", num_classes=5, overwrite=overwrite)


@gin.configurable(module="own")
class EvenTask(rl_tuner.Task):
    kind, num_classes, horizon, part_names = "numbers", 5, 4, ("even",)

    def reward_parts(self, tokens, mask):
        return {"even": tf.where(tokens % 2 == 0, mask, 0.0)}


@gin.configurable(module="own")
class HalfPsi(rl_tuner.Psi):
    """Psi that trusts the prior's probabilities half as much."""

    def reward(self, task_reward, log_prior, c):
        return 0.5 * log_prior + task_reward / c
'''
PRIOR_GIN = """
import own_task

job.task = @EvenTask()
job.make_dataset = @build_numbers
job.dataset_name = 'numbers'
job.evaluation_sequences = 40
job.evaluation_batch = 20
job.samples = 3
pretrain.cells = [8]
pretrain.max_epochs = 1
pretrain.window = 0
"""
RUN_GIN = """
include 'prior.gin'

RLTuner.objective = @HalfPsi()
HalfPsi.loss = @OneStep()
RLTuner.collect_size = 8
RLTuner.learn_size = 8
UniformReplay.capacity = 64
tune.steps = 200
tune.evaluate_every = 100
tune.evaluation_sequences = 10
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    for name, text in (("own_task.py", TASK), ("prior.gin", PRIOR_GIN), ("run.gin", RUN_GIN)):
        (folder / name).write_text(text)
    return folder


def command(folder, *arguments):
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
    )


def test_a_third_task_and_an_own_objective_need_nothing_of_the_package(folder):
    done = command(folder, "rl_tuner.train", "--gin_file=run.gin")
    assert done.returncode == 0, done.stderr
    run = folder / "runs" / "run"
    assert "Task reward r_T per sequence" in done.stdout and "novelty" not in done.stderr
    assert len((run / "samples" / "tuned.txt").read_text().splitlines()) == 3
    card = (run / "MODEL_CARD.md").read_text()
    assert "a numbers model tuned with HalfPsi" in card and "samples/tuned.txt" in card
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["tuned"]["reward/even"] > 0
    assert (run / "export" / "saved_model.pb").exists()
    made = command(folder, "rl_tuner.generate", "runs/run", "--output_dir=out", "--prompt=4 1")
    assert made.returncode == 0, made.stderr
    lines = (folder / "out" / "tuned.txt").read_text().splitlines()
    assert len(lines) == 10 and all(line.startswith("4 1 ") for line in lines)


def test_a_wrong_name_in_an_own_file_is_one_line(folder):
    done = command(folder, "rl_tuner.train", "--gin_file=run.gin", "--gin_param=EvenTask.odd = 1")
    assert done.returncode == 1 and "odd" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
