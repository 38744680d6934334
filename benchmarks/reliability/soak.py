"""Long runs: memory, open files, processes and speed must stay flat to the end."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import time

from benchmarks.reliability.kills import SmallJob, start_job
from rl_tuner.common.progress import Progress

_SECONDS_BETWEEN = 5.0
_STEPS = re.compile(r"^tune: ([\d,]+)/[\d,]+ steps, ([\d,.]+)/s", re.MULTILINE)
# Compiling, and filling replay and caches, belong to the first part.
_WARM_UP = 0.25


@dataclasses.dataclass
class Sample:
    """What a run used at a moment.

    Attributes:
        seconds: since the start.
        megabytes: memory of the process and of its workers.
        files: open files of the process.
        processes: the process and its workers.
        steps: environment steps done.
    """

    seconds: float
    megabytes: float
    files: int
    processes: int
    steps: int


def soak(job: SmallJob, minutes: float, folder: str) -> list[Sample]:
    """Run a job that would never end, and measure it until it is told to stop.

    Raises:
        RuntimeError: the job ended by itself, or did not save and stop when it was told to.
    """
    forever = ("tune.steps = 1_000_000_000_000", "tune.evaluate_every = 500_000")
    slow = ("tune.checkpoint_seconds = 20", "tune.listen_every = 1000")
    job = dataclasses.replace(job, params=(*job.params, *forever, *slow))
    own = os.path.join(folder, "soak")
    process = start_job(job, own)
    start = time.monotonic()
    samples: list[Sample] = []
    with Progress(round(60 * minutes), f"soak {job.name}", "seconds") as progress:
        while time.monotonic() - start < 60 * minutes:
            time.sleep(_SECONDS_BETWEEN)
            if process.poll() is not None:
                raise RuntimeError(f"{job.name} ended with exit code {process.returncode}")
            samples.append(_sample(process.pid, time.monotonic() - start, f"{own}.log"))
            progress.update(round(_SECONDS_BETWEEN), f"{samples[-1].megabytes:,.0f} MB")
    process.send_signal(signal.SIGTERM)
    if process.wait(timeout=120) != 128 + signal.SIGTERM:
        raise RuntimeError(f"{job.name} ended with exit code {process.returncode}, not 143")
    return samples


def drift(samples: list[Sample]) -> dict[str, tuple[float, float]]:
    """Return the means over the second and the last quarter of memory, files, processes and steps/s."""
    warm = samples[int(_WARM_UP * len(samples)) :]
    third = max(1, len(warm) // 3)
    early, late = warm[:third], warm[-third:]
    found = {
        name: (_mean(early, name), _mean(late, name))
        for name in ("megabytes", "files", "processes")
    }
    return found | {"steps/s": (_speed(early), _speed(late))}


def _mean(samples: list[Sample], name: str) -> float:
    return sum(getattr(sample, name) for sample in samples) / len(samples)


def _speed(samples: list[Sample]) -> float:
    first, last = samples[0], samples[-1]
    return (last.steps - first.steps) / max(1e-9, last.seconds - first.seconds)


def _sample(pid: int, seconds: float, log: str) -> Sample:
    workers = _children(pid)
    memory = sum(_megabytes(each) for each in (pid, *workers))
    files = len(os.listdir(f"/proc/{pid}/fd"))
    with open(log, encoding="utf-8") as file:
        found = _STEPS.findall(file.read())
    steps = int(found[-1][0].replace(",", "")) if found else 0
    return Sample(seconds, memory, files, 1 + len(workers), steps)


def _children(pid: int) -> list[int]:
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="utf-8") as file:
            found += [int(child) for child in file.read().split()]
    return found


def _megabytes(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        return int(lines["VmRSS"].split()[0]) / 1024
    except (OSError, KeyError):
        # A worker may have ended in the meantime.
        return 0.0
