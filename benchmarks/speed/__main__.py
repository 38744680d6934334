"""Measures the speed of every part, compared with the speed of matrix products on this machine.

python -m benchmarks.speed            (some four minutes on two cores)
python -m benchmarks.speed --quick    (under a minute)

Prints one row per case and writes speed.md and speed.json. The weights of the music cases are random, since
speed does not depend on them. The molecule prior is trained for a few epochs, so that some strings are
molecules; --molecule_prior and --data give an existing prior and its molecules.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator

from absl import flags

from benchmarks import machine
from benchmarks.speed import data, measuring, melodies, molecules, startup
from rl_tuner.common import command_line

GROUPS = ("melodies", "data", "molecules", "process")


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_bool("quick", False, "Shorter measurements.", flag_values=values)
    flags.DEFINE_string(
        "data", "builtin:nci", "SMILES file of molecules, or builtin:nci.", flag_values=values
    )
    flags.DEFINE_string(
        "molecule_prior",
        None,
        "A trained molecule prior; by default one is trained.",
        flag_values=values,
    )
    flags.DEFINE_multi_enum(
        "group", GROUPS, GROUPS, "Cases to measure; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string(
        "output_dir", "docs/results", "Folder for speed.md and speed.json.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.files import write_text

    start = time.monotonic()
    facts = {
        "command": shlex.join(["python", "-m", "benchmarks.speed", *_telling_flags()]),
        "versions": machine.versions(),
        "machine": machine.machine(),
    }
    seconds = 0.2 if values.quick else 5.0
    peak = measuring.matrix_product_peak(seconds)
    print(f"{facts['machine']['cpu']}, matrix product {peak / 1e9:,.0f} GFLOP/s", flush=True)
    rows: list[measuring.Row] = []
    with tempfile.TemporaryDirectory() as work_dir:
        for group in values.group:
            for row in _cases(group, values, work_dir, seconds):
                print(measuring.text_line(row, peak), flush=True)
                rows.append(row)
            # The peak is the highest measurement, since other work on the machine only lowers it.
            if not values.quick:
                peak = max(peak, measuring.matrix_product_peak(seconds))
    facts |= {
        "load_at_end": machine.machine()["load"],
        "minutes": (time.monotonic() - start) / 60,
    }
    os.makedirs(values.output_dir, exist_ok=True)
    path = os.path.join(values.output_dir, "speed.md")
    write_text(path, measuring.markdown(rows, peak, facts))
    content = json.dumps(measuring.as_json(rows, peak, facts), indent=2)
    write_text(os.path.join(values.output_dir, "speed.json"), content + "\n")
    print(f"{path}, matrix product {peak / 1e9:,.0f} GFLOP/s, {facts['minutes']:.1f} minutes")


def _cases(
    group: str, values: flags.FlagValues, work_dir: str, seconds: float
) -> Iterator[measuring.Row]:
    music_bindings = data.music_bindings(work_dir, values.quick)
    molecule_bindings = data.molecule_bindings(
        work_dir, values.data, values.molecule_prior, values.quick
    )
    if group == "melodies":
        return melodies.cases(seconds, values.quick)
    if group == "data":
        return data.cases(work_dir, music_bindings, molecule_bindings)
    if group == "molecules":
        return molecules.cases(work_dir, values.data, molecule_bindings, values.quick)
    jobs = {"music": music_bindings}
    if not values.quick:
        jobs["molecules"] = molecule_bindings
    return startup.cases(work_dir, jobs)


def _telling_flags() -> list[str]:
    return [given for given in sys.argv[1:] if not given.startswith("--output_dir")]


if __name__ == "__main__":
    main()
