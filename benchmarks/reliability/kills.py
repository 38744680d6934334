"""Random SIGKILLs: jobs that are killed again and again must end as if they had never stopped."""

from __future__ import annotations

import collections
import dataclasses
import filecmp
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from rl_tuner.common.progress import Progress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STAGES = ("dataset", "prior", "tune", "evaluate", "export")


@dataclasses.dataclass(frozen=True)
class SmallJob:
    """A job small enough to be run hundreds of times.

    Attributes:
        name: name of the job.
        gin_file: its gin file.
        params: bindings on top of it.
        same: text files of a run that must be the same to the byte.
    """

    name: str
    gin_file: str
    params: tuple[str, ...]
    same: tuple[str, ...] = ("history.csv", "metrics.json")


@dataclasses.dataclass
class Outcome:
    """What the kills of one job came to.

    Attributes:
        kills: number of kills, by what the job was doing.
        finished: number of runs that were killed and then finished.
        differences: what was not as without a kill, or an error message.
    """

    kills: collections.Counter[str]
    finished: int
    differences: list[str]


def kill_runs(job: SmallJob, count: int, folder: str, seed: int = 0) -> Outcome:
    """Kill runs of a job at random moments, `count` times in all, and compare each with one never killed.

    Args:
        job: the job.
        count: number of kills.
        folder: a folder for the runs.
        seed: seed of the moments.
    """
    rng = random.Random(seed)
    whole = os.path.join(folder, "whole")
    start = time.monotonic()
    process = start_job(job, whole)
    if process.wait() != 0:
        raise RuntimeError(f"{job.name} fails without any kill; see {whole}.log")
    seconds = time.monotonic() - start
    outcome = Outcome(collections.Counter(), 0, [])
    number = 0
    with Progress(count, f"kill {job.name}", "kills") as progress:
        while sum(outcome.kills.values()) < count:
            number += 1
            own = os.path.join(folder, f"run_{number}")
            for code, stage in _until_done(job, own, rng, seconds):
                if code == -9:
                    outcome.kills[stage] += 1
                    progress.update(1, f"last during {stage}")
                elif code:
                    outcome.differences.append(f"run {number} ended with exit code {code}")
            outcome.finished += 1
            outcome.differences += [
                f"run {number}: {line}" for line in differences(job, whole, own)
            ]
            if not outcome.differences:
                shutil.rmtree(own)
    return outcome


def _until_done(
    job: SmallJob, own: str, rng: random.Random, seconds: float
) -> Iterator[tuple[int, str]]:
    """Start a job until it ends by itself; yield its exit codes, and what it was doing."""
    while True:
        process = start_job(job, own)
        try:
            code = process.wait(timeout=rng.uniform(0.1, 0.9) * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        yield code, _stage(own)
        if code != -9:
            return


def start_job(job: SmallJob, own: str) -> subprocess.Popen[bytes]:
    """Start a job in a folder of its own; its output goes to a file beside."""
    flags = [f"--gin_param={param}" for param in job.params]
    command = [sys.executable, "-m", "rl_tuner.train", f"--gin_file={job.gin_file}", *flags]
    os.makedirs(own, exist_ok=True)
    with open(f"{own}.log", "w", encoding="utf-8") as log:
        return subprocess.Popen(
            [*command, f"--work_dir={own}", f"--run_dir={own}/run"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=os.environ | {"PYTHONPATH": ROOT},
        )


def _stage(own: str) -> str:
    """Return the stage that was being made, from what a run said last."""
    with open(f"{own}.log", encoding="utf-8") as log:
        said = [line.split(":")[0] for line in log if ": making " in line or ": reusing " in line]
    return next((name for name in reversed(said) if name in _STAGES), "start")


def differences(job: SmallJob, whole: str, own: str) -> list[str]:
    """Return in what a run differs from one that was never killed."""
    found = []
    for name in job.same:
        pair = (f"{whole}/run/{name}", f"{own}/run/{name}")
        if not all(map(os.path.exists, pair)) or not filecmp.cmp(*pair, shallow=False):
            found.append(f"{name} differs")
    try:
        found += _unequal("prior", _weights(f"{whole}/run"), _weights(f"{own}/run"))
        found += _unequal("checkpoint", _tensors(f"{whole}/run"), _tensors(f"{own}/run"))
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
    left = [
        os.path.join(parent, name)
        for parent, folders, names in os.walk(own)
        for name in [*folders, *names]
        if name.startswith(".") and name not in (".lock",) and not name.endswith(".lock")
    ]
    return found + [f"{path} was left behind" for path in left]


def _unequal(what: str, first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    names = first.keys() | second.keys()
    return [
        f"{what}: {name} differs"
        for name in sorted(names)
        if name not in first
        or name not in second
        or not np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f")
    ]


def _weights(run_dir: str) -> dict[str, np.ndarray]:
    import h5py

    found = {}
    with (
        zipfile.ZipFile(f"{run_dir}/prior.keras") as archive,
        archive.open("model.weights.h5") as member,
        h5py.File(member, "r") as file,
    ):
        file.visititems(
            lambda name, item: found.update({name: item[...]}) if hasattr(item, "shape") else None
        )
    return found


def _tensors(run_dir: str) -> dict[str, np.ndarray]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(f"{run_dir}/checkpoints"))
    # The object graph numbers the optimizers of a process, and saves are counted: no state of the run.
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    # Which datasets and priors were made when is in the digest of the settings.
    return {
        name: np.asarray(reader.get_tensor(name))
        for name in names
        if not name.startswith(("save_counter", "settings/"))
    }
