"""Several runs at once, on an executor: each in a process of its own, after what they share was made once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rl_tuner.common.errors import UserError
from rl_tuner.common.executors import SpreadFunction
from rl_tuner.common.progress import Progress, say


class Point(NamedTuple):
    """One run of several.

    Attributes:
        gin_files: its gin files.
        gin_params: bindings that override the files.
        run_dir: its folder.
    """

    gin_files: Sequence[str]
    gin_params: Sequence[str]
    run_dir: str


def make_all(executor: str, points: Iterable[Point], work_dir: str) -> None:
    """Make the runs of all points on an executor; the same runs one after another then find them finished.

    Dataset and prior are made here, where several runs share them. Working directory, work_dir and the
    folders of the runs must be the same on all machines.

    Args:
        executor: see `rl_tuner.common.executors`.
        points: the runs.
        work_dir: receives the datasets and priors.

    Raises:
        UserError: the executor cannot be used, or a run cannot be made.
    """
    from rl_tuner.jobs import configuration
    from rl_tuner.jobs.job import Job

    points = list(points)
    for gin_files, gin_params, _ in points:
        configuration.configure(gin_files, gin_params)
        Job(work_dir).prior()
    say(f"{len(points)} runs on {executor}")
    spread = SpreadFunction(executor, run_there, {}, memory_mb=0)
    arguments = [
        (os.getcwd(), list(p.gin_files), list(p.gin_params), work_dir, p.run_dir) for p in points
    ]
    wrong = []
    try:
        with Progress(len(points), "runs", "runs") as progress:
            for point, outcome in zip(points, spread.iterate(arguments, math.inf)):
                progress.update(1, point.run_dir)
                if outcome.failure:
                    wrong.append(f"{point.run_dir}: {outcome.failure}: {outcome.detail}")
    finally:
        spread.close()
    if wrong:
        raise UserError(*wrong)


def run_there(arguments: tuple[str, list[str], list[str], str, str]) -> None:
    """Make or reuse a run; called in a process of an executor's worker."""
    folder, gin_files, gin_params, work_dir, run_dir = arguments
    os.chdir(folder)
    from rl_tuner.jobs.job import run_point

    run_point(gin_files, gin_params, work_dir, run_dir)
