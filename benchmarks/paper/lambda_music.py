"""Effect of lambda on learning melodies: reward and KL over training, for gamma = 0.5 and 1.

python -m benchmarks.paper.lambda_music
python -m benchmarks.paper.lambda_music --steps=20000 --output_dir=/tmp/lambda

Writes lambda_music.md, .json and .png. With gamma = 1 the reward of the whole melody reaches every note,
about ten times as much as with gamma = 0.5, so c is ten times as large. Finished runs are reused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.paper.experiments import footer, provenance, run_model
from rl_tuner.common import command_line

# Pairs of gamma and the temperature c used with it.
DISCOUNTS = ((0.5, 0.5), (1.0, 5.0))
LAMBDAS = (0.0, 0.5, 0.9, 1.0)
PANELS = (
    ("task_reward", "task reward $r_T$ per melody"),
    ("kl", "exact KL from the prior, nats per step"),
)
ROWS = ("task_reward", "kl", "log_prior", "entropy", "distinct")


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_work_dir(values)
    flags.DEFINE_integer("steps", 1_000_000, "Environment steps per run.", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the runs.", 0, flag_values=values)
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding for all runs; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    runs = {}
    for gamma, c in DISCOUNTS:
        for lambda_ in LAMBDAS:
            params = [
                "job.prior_seed = 0",
                f"RLTuner.gamma = {gamma}",
                f"FixedTemperature.c = {c}",
                "Psi.loss = @Paths()",
                f"Paths.lambda_ = {lambda_}",
                f"tune.steps = {values.steps}",
                f"tune.evaluate_every = {max(1, values.steps // 20)}",
                "tune.evaluation_sequences = 500",
                "job.evaluation_sequences = 5_000",
                *values.gin_param,
            ]
            folder = os.path.join(values.work_dir, "lambda_music", f"gamma{gamma}_lambda{lambda_}")
            runs[gamma, lambda_] = run_model(
                "gin/paper_psi_music.gin", params, values.seed, values.work_dir, folder
            )
    print("\n".join(write_results(runs, [values.seed], values.output_dir)))


def write_results(
    runs: Mapping[tuple[float, float], Mapping[str, Any]], seeds: Sequence[int], output_dir: str
) -> list[str]:
    """Write table, numbers and plot; return their paths."""
    from rl_tuner.common.files import write_text

    facts = provenance("lambda_music", next(iter(runs.values())), seeds)
    paths = [
        os.path.join(output_dir, f"lambda_music{ending}") for ending in (".md", ".json", ".png")
    ]
    plot({key: run["history"] for key, run in runs.items()}, paths[2])
    rows = [
        {"gamma": gamma, "lambda": lambda_, "history": run["history"], **run["metrics"]["tuned"]}
        for (gamma, lambda_), run in runs.items()
    ]
    write_text(paths[1], json.dumps(facts | {"runs": rows}, indent=1) + "\n")
    write_text(paths[0], format_markdown(rows, facts, os.path.basename(paths[2])))
    return paths


def plot(histories: Mapping[tuple[float, float], Sequence[Mapping[str, float]]], path: str) -> None:
    """Draw reward and KL over training: one row of panels per gamma, one line per lambda."""
    from rl_tuner.common.figures import new_figure, save_figure

    figure = new_figure(11, 8)
    grid = figure.subplots(len(DISCOUNTS), len(PANELS))
    for row, (gamma, c) in zip(grid, DISCOUNTS):
        for axes, (metric, label) in zip(row, PANELS):
            for lambda_ in LAMBDAS:
                rows = histories[gamma, lambda_]
                axes.plot(
                    [r["step"] / 1e6 for r in rows],
                    [r[metric] for r in rows],
                    label=f"lambda = {lambda_:g}",
                )
            axes.set_title(f"gamma = {gamma:g}, c = {c:g}: {label}", fontsize=10)
            axes.set_xlabel("environment steps, millions")
            axes.grid(alpha=0.3)
            axes.legend(fontsize=8)
    save_figure(figure, path)


def format_markdown(
    rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], picture: str
) -> str:
    """Return a report with the final metrics of each run, the curves and their provenance."""
    header = ["gamma", "lambda", "r_T", "KL", "log p", "entropy", "distinct"]
    lines = [f"| {' | '.join(header)} |", "|---:" * len(header) + "|"]
    for row in rows:
        cells = [f"{row['gamma']:g}", f"{row['lambda']:g}", *(f"{row[name]:.2f}" for name in ROWS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(
        [
            "# Effect of lambda on melodies",
            "",
            f"Psi-learning, {facts['steps']:,} environment steps, one seed; {facts['sequences']:,} melodies "
            "measured at the end. KL, log p and entropy in nats per step.",
            "",
            *lines,
            "",
            f"![Reward and KL over training]({picture})",
            "",
            *footer(facts),
            "",
        ]
    )


if __name__ == "__main__":
    main()
