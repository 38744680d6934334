"""Measures the growth of time and memory with length, batch, network, replay and corpus.

python -m benchmarks.speed.scaling          (some five minutes on two cores)

Every size is measured in a separate process. Prints one row per measurement, and writes scaling.md,
scaling.json and scaling.png with the exponent of each curve, cost ~ size^exponent (1 is linear), between its
two largest sizes.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks import machine
from benchmarks.speed import measuring, scaling_cases
from rl_tuner.common import command_line


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_bool("quick", False, "Measure only two sizes of each curve.", flag_values=values)
    flags.DEFINE_multi_enum(
        "curve",
        list(scaling_cases.CURVES),
        list(scaling_cases.CURVES),
        "Curve to measure; repeat it for several.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output_dir", "docs/results", "Folder for scaling.md, .json and .png.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    facts = {
        "command": shlex.join(
            ["python", "-m", "benchmarks.speed.scaling"]
            + [given for given in sys.argv[1:] if not given.startswith("--output_dir")]
        ),
        "versions": machine.versions(),
        "machine": machine.machine(),
    }
    curves = {}
    for name in values.curve:
        sizes = scaling_cases.CURVES[name].sizes
        sizes = sizes[:2] if values.quick else sizes
        curves[name] = [_point(name, size) for size in sizes]
    facts["load_at_end"] = machine.machine()["load"]
    for path in write_results(curves, facts, values.output_dir):
        print(path)


def _point(name: str, size: int) -> dict[str, float]:
    """Measure one size in a fresh process."""
    with tempfile.TemporaryDirectory() as work_dir:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.speed.scaling_cases", name, str(size), work_dir],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{name} at {size} failed: {done.stderr[-2000:]}")
    point = {"size": size, **json.loads(done.stdout.splitlines()[-1])}
    shown = ", ".join(f"{key} {measuring.number(value)}" for key, value in point.items())
    print(f"{name}: {shown}", flush=True)
    return point


def exponent(points: Sequence[Mapping[str, float]], quantity: str) -> float | None:
    """Return the slope of log cost over log size between the two largest sizes; None if undefined."""
    if len(points) < 2:
        return None
    (x0, y0), (x1, y1) = ((point["size"], point[quantity]) for point in points[-2:])
    if min(y0, y1) <= 0:
        return None
    return math.log(y1 / y0) / math.log(x1 / x0)


def write_results(
    curves: Mapping[str, Sequence[Mapping[str, float]]], facts: dict[str, Any], output_dir: str
) -> list[str]:
    """Write table, numbers and plots; return their paths."""
    from rl_tuner.common.files import replacing, write_text

    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, f"scaling.{ending}") for ending in ("md", "json", "png")]
    write_text(paths[0], markdown(curves, facts))
    write_text(paths[1], json.dumps({**facts, "curves": curves}, indent=2) + "\n")
    with replacing(paths[2]) as temporary:
        figure(curves).savefig(temporary, dpi=110, format="png")
    return paths


def markdown(curves: Mapping[str, Sequence[Mapping[str, float]]], facts: Mapping[str, Any]) -> str:
    """Return a report with one table per curve: one row per size, then the exponents."""
    lines = ["# Growth of cost", "", "![the curves](scaling.png)", ""]
    lines += [
        "The last row of each table is the exponent between the two largest sizes; 1 is linear."
    ]
    for name, points in curves.items():
        curve = scaling_cases.CURVES[name]
        quantities = [key for key in points[0] if key != "size"]
        lines += ["", f"## {curve.title}", "", f"| {' | '.join([curve.axis, *quantities])} |"]
        lines.append("|---:" * (len(quantities) + 1) + "|")
        for point in points:
            cells = [f"{point['size']:,}", *(measuring.number(point[key]) for key in quantities)]
            lines.append(f"| {' | '.join(cells)} |")
        slopes = [exponent(points, key) for key in quantities]
        shown = ["" if slope is None else f"{slope:.2f}" for slope in slopes]
        lines.append(f"| {' | '.join(['exponent', *shown])} |")
        if curve.note:
            lines += ["", curve.note]
    made = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    where = facts["machine"]
    lines += [
        "",
        f"- Command: `{facts['command']}`",
        f"- Versions: {made}",
        f"- Machine: {where['cores']} cores, {where['cpu']}; load {where['load']} at the start",
    ]
    return "\n".join(lines) + "\n"


def figure(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    """Draw every quantity over size, divided by its value at the smallest size, on log axes."""
    from rl_tuner.common.figures import new_figure

    rows = -(-len(curves) // 3)
    made = new_figure(14, 4.2 * rows)
    panels = made.subplots(rows, 3, squeeze=False).flat
    for (name, points), axes in zip(curves.items(), panels):
        sizes = [point["size"] for point in points]
        for key in (key for key in points[0] if key != "size"):
            first = points[0][key]
            if first > 0:
                axes.plot(sizes, [point[key] / first for point in points], "o-", label=key)
        linear = [size / sizes[0] for size in sizes]
        axes.plot(sizes, linear, "--", color="#999999", label="linear")
        axes.set(xscale="log", yscale="log", xlabel=scaling_cases.CURVES[name].axis)
        axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], fontsize=8)
        axes.minorticks_off()
        axes.set_title(scaling_cases.CURVES[name].title, fontsize=10)
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    for axes in list(panels):
        axes.set_visible(False)
    return made


if __name__ == "__main__":
    main()
