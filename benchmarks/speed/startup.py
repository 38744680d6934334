"""Cases of a fresh process: time until its help and until its first update, and its memory.

python -m benchmarks.speed.startup GIN_FILE WORK_DIR ITERATIONS [BINDING ...]   (started by the cases)
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.speed.measuring import Row, peak_memory_mb, timed

_GROUP = "A process"
_ITERATIONS = 10


class _Enough(Exception):
    """Raised when a job has made the requested number of iterations."""


def cases(work_dir: str, jobs: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    """Measure the help, then jobs until a few iterations after their first update, given their bindings."""
    spent, _ = timed(lambda: _start("-m", "rl_tuner.train", "--help"))
    yield Row(_GROUP, "python -m rl_tuner.train --help", spent, "seconds")
    for name, bindings in jobs.items():
        yield from job_cases(name, work_dir, bindings)


def job_cases(name: str, work_dir: str, bindings: Sequence[str]) -> Iterator[Row]:
    """Measure the start and the memory of one job."""
    from benchmarks.speed.data import runner

    gin_file = f"gin/psi_{name}.gin"
    runner(gin_file, bindings, work_dir).prior()
    start = time.time()
    arguments = [gin_file, work_dir, str(_ITERATIONS), *bindings]
    printed = _start("-m", "benchmarks.speed.startup", *arguments)
    found = json.loads(printed.splitlines()[-1])
    note = f"of which imports {found['imported'] - start:.1f} s"
    case = f"{name} job, process start to first update"
    yield Row(_GROUP, case, found["updated"] - start, "seconds", note=note)
    case = f"{name} job, peak memory of the process"
    yield Row(_GROUP, case, found["memory_mb"], "MB", note=f"{_ITERATIONS} iterations")


def _start(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments} failed: {done.stderr[-2000:]}")
    return done.stdout


def run_job(
    gin_file: str, work_dir: str, iterations: int, bindings: Sequence[str]
) -> dict[str, Any]:
    """Run a job for some iterations; return its times (seconds since the epoch) and its memory."""
    from rl_tuner.jobs import (
        configuration,
        job,
    )

    found = {"imported": time.time()}
    from rl_tuner.core.tuner import RLTuner

    iterate = RLTuner.train_iterations

    def watched(tuner: Any, count: int, observer: Any = None) -> dict[str, float]:
        metrics = iterate(tuner, count, observer)
        found.setdefault("updated", time.time())
        if int(tuner.iteration) >= iterations:
            raise _Enough
        return metrics

    RLTuner.train_iterations = watched
    configuration.configure([gin_file], [*bindings, "tune.chunk = 1"])
    run_dir = os.path.join(work_dir, f"start_{os.getpid()}")
    with contextlib.suppress(_Enough):
        job.Job(work_dir, run_dir).run()
    return found | {"memory_mb": peak_memory_mb()}


if __name__ == "__main__":
    print(json.dumps(run_job(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])))
