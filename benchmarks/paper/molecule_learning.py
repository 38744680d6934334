"""Speed of learning a molecule score: mean score against molecules scored, for several losses.

python -m benchmarks.paper.molecule_learning --data=data/zinc_24k.smi

The score is the mean of QED and normalised SA, 0 for an invalid molecule (gin/score_molecules.gin). Each
point is the mean over the latest 512 molecules sampled in tuning. Writes molecule_learning.md, .json and
.png. Finished runs are reused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.paper.experiments import data_name, footer, parse_seeds, provenance, run_model
from benchmarks.paper.table2 import bindings
from rl_tuner.common import command_line

POINTS = (512, 1_000, 2_000, 5_000, 10_000)
WINDOW = 512
# Name, folder, gin bindings.
VARIANTS = (
    ("whole strings", "whole", []),
    ("lambda = 1, from every step", "lambda1", ["Psi.loss = @Paths()", "Paths.lambda_ = 1.0"]),
    ("lambda = 0 (the paper's one step)", "lambda0", ["Psi.loss = @OneStep()"]),
)


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_work_dir(values)
    flags.DEFINE_string(
        "data",
        None,
        "File of molecules; by default the corpus of the gin file.",
        flag_values=values,
    )
    flags.DEFINE_string("name", None, "Name of the data, used for folders.", flag_values=values)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the tuning runs.", flag_values=values)
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding for all runs; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    seeds = parse_seeds(values.seeds)
    name = data_name(values)
    shared = [*bindings(values.data, name, None, 1_000), *values.gin_param, "tune.chunk = 1"]
    runs: dict[str, list[dict[str, Any]]] = {}
    for variant, short, params in VARIANTS:
        for seed in seeds:
            folder = os.path.join(
                values.work_dir, f"learning_{name or 'builtin'}", f"{short}_{seed}"
            )
            run = run_model(
                "gin/score_molecules.gin", [*shared, *params], seed, values.work_dir, folder
            )
            runs.setdefault(variant, []).append(run | {"batches": read_batches(folder)})
    print("\n".join(write_results(runs, seeds, values.output_dir)))


def read_batches(run_dir: str) -> list[dict[str, float]]:
    """Return the batches of a run (learning.csv), each with the seconds since the first was scored."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from rl_tuner.tasks.molecule.journal import read_learning

    events = EventAccumulator(os.path.join(run_dir, "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    times = [event.wall_time for event in events.Tensors("collect/task_reward")]
    rows = read_learning(run_dir)
    return [row | {"seconds": time - times[0]} for row, time in zip(rows, times, strict=True)]


def at_points(batches: Sequence[Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Return the means over the latest `WINDOW` molecules at each of `POINTS` that was reached."""
    found = {}
    for point in POINTS:
        if batches[-1]["sequences"] < point:
            continue
        last = next(i for i, row in enumerate(batches) if row["sequences"] >= point)
        size = batches[0]["sequences"]
        rows = batches[max(0, last + 1 - -(-WINDOW // int(size))) : last + 1]
        found[point] = {
            metric: sum(row[metric] for row in rows) / len(rows)
            for metric in ("reward", "valid", "unique", "nll_prior")
        } | {
            "distinct": batches[last]["molecules"]
            / sum(row["valid"] * size for row in batches[: last + 1]),
            "seconds": batches[last]["seconds"],
        }
    return found


def write_results(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], seeds: Sequence[int], output_dir: str
) -> list[str]:
    """Write table, numbers and plot; return their paths."""
    from rl_tuner.common.files import write_text

    first = next(iter(runs.values()))[0]
    points = {name: [at_points(run["batches"]) for run in rows] for name, rows in runs.items()}
    facts = provenance("molecule_learning", first, seeds)
    paths = [
        os.path.join(output_dir, f"molecule_learning{ending}")
        for ending in (".md", ".json", ".png")
    ]
    plot(runs, paths[2])
    content = facts | {"points": points, "settings": first["settings"]}
    write_text(paths[1], json.dumps(content, indent=1) + "\n")
    write_text(paths[0], format_markdown(points, facts, os.path.basename(paths[2])))
    return paths


def plot(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str) -> None:
    """Draw score, validity and uniqueness; one thin line per seed, one colour per variant."""
    from rl_tuner.common.figures import new_figure, save_figure

    figure = new_figure(12, 4)
    panels = (("reward", "mean score"), ("valid", "share valid"), ("unique", "share unique"))
    for axes, (metric, label) in zip(figure.subplots(1, len(panels)), panels):
        for index, (name, rows) in enumerate(runs.items()):
            for seed, run in enumerate(rows):
                axes.plot(
                    [row["sequences"] for row in run["batches"]],
                    [row[metric] for row in run["batches"]],
                    color=f"C{index}",
                    linewidth=0.8,
                    label=None if seed else name,
                )
        axes.set_xlabel("molecules scored")
        axes.set_title(f"{label} of a batch", fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    save_figure(figure, path)


def format_markdown(
    points: Mapping[str, Sequence[Mapping[int, Mapping[str, float]]]],
    facts: Mapping[str, Any],
    picture: str,
) -> str:
    """Return a table with one row per variant and seed, and one column per number of molecules scored."""
    header = ["Variant", "Seed", *(f"{point:,}" for point in POINTS)]
    header += ["valid", "unique", "distinct of all valid", "seconds"]
    lines = [f"| {' | '.join(header)} |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for name, rows in points.items():
        for seed, found in zip(facts["seeds"], rows):
            scores = [f"{found[p]['reward']:.3f}" if p in found else "n/a" for p in POINTS]
            last = found[max(found)]
            lines.append(
                f"| {name} | {seed} | {' | '.join(scores)} | {last['valid']:.1%} | "
                f"{last['unique']:.1%} | {last['distinct']:.1%} | {last['seconds']:.0f} |"
            )
    return "\n".join(
        [
            "# Mean score against molecules scored",
            "",
            "The score of a molecule is the mean of QED and (10 - SA)/9, or 0 if it is invalid; the table "
            f"shows means over the latest {WINDOW} sampled molecules. The last four columns are measured at "
            "the last point: `distinct` is the share of distinct molecules among all valid ones sampled so "
            "far, and seconds are counted from the first batch, including TensorBoard.",
            "",
            *lines,
            "",
            f"![Learning curves]({picture})",
            "",
            *footer(facts),
            "",
        ]
    )


if __name__ == "__main__":
    main()
