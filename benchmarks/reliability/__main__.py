"""Measures how much the program survives: kills at random moments, hostile files, random text, long runs.

python -m benchmarks.reliability --kills=100 --hostile=5000 --fuzz=1000000 --soak_minutes=30
python -m benchmarks.reliability --kills=3 --hostile=200 --fuzz=20000 --soak_minutes=0   (some minutes)

Kills, hostile files and minutes are for melodies and for molecules each. Writes reliability.md and
reliability.json into the output folder. Parts that its reliability.json has already are not measured again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from absl import flags

from benchmarks import machine
from benchmarks.reliability import fuzz, hostile, jobs, kills, soak
from rl_tuner.common import command_line
from rl_tuner.common.figures import new_figure, save_figure
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import say

_SOAK_FIGURE = "reliability_soak.png"


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("kills", 100, "Number of kills of each job.", 0, flag_values=values)
    flags.DEFINE_integer(
        "hostile", 5_000, "Number of damaged files of each kind.", 0, flag_values=values
    )
    flags.DEFINE_integer("fuzz", 1_000_000, "Number of random cases.", 0, flag_values=values)
    flags.DEFINE_float(
        "soak_minutes", 30.0, "Minutes of the long run of each job.", 0.0, flag_values=values
    )
    flags.DEFINE_bool("xla", False, "Whether the jobs use XLA.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of all random choices.", 0, flag_values=values)
    flags.DEFINE_string(
        "output_dir", "runs/reliability", "Folder for the report.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    path = f"{values.output_dir}/reliability.json"
    found = _found(path, {"seed": values.seed, "xla": values.xla})
    found |= {"command": shlex.join(sys.argv[1:]), "machine": _machine()}
    with tempfile.TemporaryDirectory() as folder:
        for part, name, measure in _parts(values, folder):
            if name in found.setdefault(part, {}):
                say(f"reliability: {part} of {name}: reusing {path}")
                continue
            found[part][name] = measure()
            os.makedirs(values.output_dir, exist_ok=True)
            write_text(path, json.dumps(found, indent=1) + "\n")
    if found.get("soak"):
        _draw(found["soak"], f"{values.output_dir}/{_SOAK_FIGURE}")
    text = report(found)
    write_text(f"{values.output_dir}/reliability.md", text)
    print(text)
    wrong = [line for part in ("kills", "hostile", "fuzz") for line in _wrong(found.get(part, {}))]
    if wrong:
        sys.exit("\n".join(["error: not everything was survived:", *wrong]))


def _found(path: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the parts that an earlier command with the same settings measured."""
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if found.get("settings") == settings:
            return found
        say(f"reliability: {path} was measured with other settings and is replaced")
    return {"settings": settings}


Part = tuple[str, str, Callable[[], dict[str, Any]]]


def _parts(values: flags.FlagValues, folder: str) -> Iterator[Part]:
    """Return part, name and measurement of everything that is asked."""
    for make in (jobs.melodies, jobs.molecules):
        yield from _parts_of(make, values, os.path.join(folder, make.__name__))
    if values.fuzz:
        yield "fuzz", "all", lambda: vars(fuzz.fuzz(values.fuzz, values.seed))


def _parts_of(
    make: Callable[[str, bool], kills.SmallJob], values: flags.FlagValues, own: str
) -> Iterator[Part]:
    os.makedirs(own)
    name, job, files = make.__name__, make(own, values.xla), os.path.join(own, "hostile")
    if values.kills:
        yield "kills", name, lambda: vars(kills.kill_runs(job, values.kills, own, values.seed))
    if values.hostile:
        yield (
            "hostile",
            name,
            lambda: vars(hostile.hostile_files(name, values.hostile, files, values.seed)),
        )
    if values.soak_minutes:
        yield "soak", name, lambda: _soaked(job, values.soak_minutes, own)


def _soaked(job: kills.SmallJob, minutes: float, folder: str) -> dict[str, Any]:
    samples = soak.soak(job, minutes, folder)
    return {
        "drift": soak.drift(samples),
        "samples": [dataclasses.asdict(sample) for sample in samples],
    }


def _draw(found: dict[str, Any], path: str) -> None:
    """Draw what every long run used, from its start to its end."""
    figure = new_figure(11, 3)
    panels = {"megabytes": "memory, MB", "files": "open files", "processes": "processes"}
    axes = figure.subplots(1, 4)
    for name, each in found.items():
        minutes = [sample["seconds"] / 60 for sample in each["samples"]]
        for place, (key, title) in zip(axes, panels.items()):
            place.plot(minutes, [sample[key] for sample in each["samples"]], label=name)
            place.set_title(title)
            place.set_ylim(bottom=0)
        axes[3].plot(minutes, [sample["steps"] / 1e6 for sample in each["samples"]], label=name)
    axes[3].set_title("environment steps, millions")
    for place in axes:
        place.set_xlabel("minutes")
        place.grid(alpha=0.3)
    axes[0].legend()
    save_figure(figure, path)


def _machine() -> str:
    facts, versions = machine.machine(), machine.versions()
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start; {packages}."


def _wrong(part: Any) -> list[str]:
    """Return everything that went wrong, from the lists of that name in a part of the report."""
    if not isinstance(part, dict):
        return []
    own = [
        line
        for name in ("differences", "unnamed", "tracebacks", "wrong")
        for line in part.get(name, [])
    ]
    return own + [line for item in part.values() for line in _wrong(item)]


def report(found: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = ["# Reliability", "", f"`python -m benchmarks.reliability {found['command']}`", ""]
    lines += [found["machine"], ""]
    if "kills" in found:
        lines += [
            "## Kills",
            "",
            "Jobs killed by SIGKILL at random moments, started again until they end, and",
        ]
        lines += [
            "compared with one that was never killed: prior, checkpoint, history, metrics, to the bit.",
            "",
        ]
        lines += ["| job | kills | during | runs finished | differences |", "|---|---|---|---|---|"]
        for name, each in found["kills"].items():
            during = ", ".join(f"{stage} {count}" for stage, count in sorted(each["kills"].items()))
            total = sum(each["kills"].values())
            lines.append(
                f"| {name} | {total} | {during} | {each['finished']} | {len(each['differences'])} |"
            )
        lines.append("")
    if "hostile" in found:
        lines += [
            "## Hostile files",
            "",
            "Copies of good and bad files with one to four random damages each.",
            "",
        ]
        lines += [
            "| kind | files | with a rejection | neither read nor rejected | tracebacks | seconds | MB |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, each in found["hostile"].items():
            lines.append(
                f"| {name} | {each['files']:,} | {each['rejected']:,} | {len(each['unnamed'])} |"
                f" {len(each['tracebacks'])} | {each['seconds']:.0f} | {each['megabytes']:.0f} |"
            )
        lines.append("")
    for each in found.get("fuzz", {}).values():
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(each["cases"].items()))
        lines += [
            "## Random cases",
            "",
            f"{sum(each['cases'].values()):,} cases in {each['seconds']:.0f} s and {each['megabytes']:.0f} MB"
            f" ({kinds}): {len(each['wrong'])} wrong.",
            "",
        ]
    if "soak" in found:
        lines += ["## Long runs", "", "Means over the second and the last quarter of each run.", ""]
        lines += [
            "| job | minutes | memory, MB | open files | processes | steps/s |",
            "|---|---|---|---|---|---|",
        ]
        for name, each in found["soak"].items():
            cells = [f"{early:,.0f} → {late:,.0f}" for early, late in each["drift"].values()]
            lines.append(
                f"| {name} | {each['samples'][-1]['seconds'] / 60:.0f} | {' | '.join(cells)} |"
            )
        lines += ["", f"![what the long runs used]({_SOAK_FIGURE})", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
