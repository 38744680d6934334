"""Measures the time of each stage of a whole job: installation, corpus, prior, tuning, evaluation, export.

python -m benchmarks.speed.whole_job                                        (five to ten minutes on two cores)
python -m benchmarks.speed.whole_job --gin_file=gin/psi_molecules.gin
python -m benchmarks.speed.whole_job --gin_param="tune.steps = 1000" --noinstall --output_dir=/tmp/whole

The job is started as a user would start it; a stage lasts from the line that announces it to the line that
announces the next. Writes whole_job_NAME.md and .json, where NAME.gin is the gin file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks import machine
from benchmarks.speed import measuring
from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError

_LABELS = {
    "install": "virtual environment and installation",
    "start": "start of the program",
    "dataset": "corpus",
    "prior": "prior",
    "tune": "tuning, including its first compilation",
    "evaluate": "evaluation, samples and pictures",
    "export": "export and end of the program",
}
_ANNOUNCED = re.compile(r"(\w+): making ")


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("gin_file", "gin/psi_music.gin", "gin file of the job.", flag_values=values)
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding; repeat it for several.", flag_values=values
    )
    flags.DEFINE_bool(
        "install",
        True,
        "Also measure an installation, which needs the package index.",
        flag_values=values,
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.files import write_text

    facts = {
        "command": shlex.join(
            ["python", "-m", "benchmarks.speed.whole_job"]
            + [given for given in sys.argv[1:] if not given.startswith("--output_dir")]
        ),
        "versions": machine.versions(),
        "machine": machine.machine(),
    }
    with tempfile.TemporaryDirectory() as folder:
        seconds = {"install": install_seconds(folder)} if values.install else {}
        command = [sys.executable, "-m", "rl_tuner.train", f"--gin_file={values.gin_file}"]
        command += [f"--work_dir={folder}/runs", f"--run_dir={folder}/runs/job"]
        command += [f"--gin_param={binding}" for binding in values.gin_param]
        seconds |= stage_seconds(command)
    name = os.path.splitext(os.path.basename(values.gin_file))[0]
    os.makedirs(values.output_dir, exist_ok=True)
    path = os.path.join(values.output_dir, f"whole_job_{name}")
    write_text(f"{path}.json", json.dumps(facts | {"seconds": seconds}, indent=2) + "\n")
    write_text(f"{path}.md", markdown(name, seconds, facts))
    print(f"{path}.md: {sum(seconds.values()) / 60:.1f} min")


def install_seconds(folder: str) -> float:
    """Return the seconds for making a virtual environment and installing this project."""
    venv = os.path.join(folder, "venv")
    pip = [os.path.join(venv, "bin", "python"), "-m", "pip", "install", "--quiet"]
    spent, _ = measuring.timed(
        lambda: [
            subprocess.run(command, check=True, stdout=sys.stderr)
            for command in ([sys.executable, "-m", "venv", venv], [*pip, "-e", ".[corpus,dev]"])
        ]
    )
    return spent


def stage_seconds(command: Sequence[str]) -> dict[str, float]:
    """Run a job; return the seconds of each of its stages, by the lines that announce them.

    Raises:
        UserError: the job failed.
    """
    seconds: dict[str, float] = {}
    stage, began = "start", time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            announced = _ANNOUNCED.match(line)
            if announced:
                now = time.monotonic()
                seconds[stage] = now - began
                stage, began = announced[1], now
    if process.returncode:
        raise UserError(f"{shlex.join(command)} ended with exit code {process.returncode}")
    seconds[stage] = time.monotonic() - began
    return seconds


def markdown(name: str, seconds: Mapping[str, float], facts: Mapping[str, Any]) -> str:
    """Return a report with one row per stage, their sum and the provenance."""
    total = sum(seconds.values())
    lines = [f"# The whole job `{name}`, from nothing", "", "| stage | seconds | share |"]
    lines.append("|---|---:|---:|")
    for stage, spent in seconds.items():
        lines.append(f"| {_LABELS.get(stage, stage)} | {spent:.0f} | {spent / total:.0%} |")
    made = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    where = facts["machine"]
    lines += [
        f"| all | {total:.0f} | 100% |",
        "",
        f"- Command: `{facts['command']}`",
        f"- Versions: {made}",
        f"- Machine: {where['cores']} cores, {where['cpu']}; load {where['load']} at the start",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
