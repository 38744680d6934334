"""The paper's music experiment: Table 1 and Figure 2, with mean and spread over seeds.

python -m benchmarks.paper.table1
python -m benchmarks.paper.table1 --data=data/nottingham
python -m benchmarks.paper.table1 --models=Targets=gin/psi_music.gin --seeds=0,1,2,3,4 --name=targets
python -m benchmarks.paper.table1 --steps=20000 --melodies=1000 --seeds=0 --output_dir=/tmp/table1

Tunes one prior with Q, Psi, G, only the reward, and to targets, once per seed, and writes table1.md,
table1.json and figure2.png. Finished models are reused, so rerunning an interrupted command resumes it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.paper.experiments import (
    data_name,
    define_flags,
    footer,
    make_runs,
    markdown_table,
    parse_seeds,
    provenance,
    run_model,
    shared_bindings,
    summarise,
)
from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError

MODELS = {
    "Q": "gin/paper_q_music.gin",
    "Psi": "gin/paper_psi_music.gin",
    "G": "gin/paper_g_music.gin",
    "Reward only": "gin/paper_reward_only_music.gin",
    "Targets": "gin/psi_music.gin",
}
PRIOR = "Prior"
# Rows in addition to the paper's: metric, label and number format.
COMMON_ROWS = (
    ("log_prior", "Mean log p(a given s), nats", "mean"),
    ("task_reward", "Task reward r_T per melody", "reward"),
    ("kl", "Exact KL from the prior, nats per step", "mean"),
    ("entropy", "Entropy, nats per step", "mean"),
    ("distinct", "Distinct melodies", "share"),
    ("commonest_opening_5", "Commonest opening of 5 notes", "share"),
    ("first_bar_entropy", "Entropy of the first bar, nats", "mean"),
    ("novelty", "Melodies not found in the corpus", "share"),
)
PANELS = (
    ("log_prior", "(a) mean log p(a|s) of the prior"),
    ("task_reward", "(b) mean task reward $r_T$ per melody"),
)


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    define_flags(values, "tunes", "melodies")
    flags.DEFINE_list(
        "models",
        [f"{model}={file}" for model, file in MODELS.items()],
        "Models to tune, each as NAME=GIN_FILE.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.progress import say

    seeds = parse_seeds(values.seeds)
    name = data_name(values)
    suffix = f"_{name}" if name else ""
    params = bindings(values.data, name, values.steps, values.melodies) + values.gin_param
    start = time.monotonic()
    models = parse_models(values.models)
    runs: dict[str, list[dict[str, Any]]] = {model: [] for model in models}
    jobs = [
        (
            seed,
            model,
            os.path.join(
                values.work_dir, f"table1{suffix}", f"{model.lower().replace(' ', '_')}_seed{seed}"
            ),
        )
        for seed in seeds
        for model in models
    ]
    make_runs(values, [(models[model], params, seed, folder) for seed, model, folder in jobs])
    for index, (seed, model, folder) in enumerate(jobs):
        minutes = (time.monotonic() - start) / 60
        say(f"table1: {index + 1} of {len(jobs)}: {model}, seed {seed} ({minutes:.1f} min so far)")
        runs[model].append(run_model(models[model], params, seed, values.work_dir, folder))
    paths = write_results(runs, seeds, values.output_dir, suffix)
    say(f"table1: {(time.monotonic() - start) / 60:.1f} min")
    print("\n".join(paths))


def parse_models(texts: Sequence[str]) -> dict[str, str]:
    """Return gin files by the name of their model, from texts such as Psi=gin/psi_music.gin.

    Raises:
        UserError: a text does not have this form, or a name is repeated.
    """
    pairs = [text.partition("=") for text in texts]
    models = {name.strip(): file.strip() for name, _, file in pairs}
    if not all(name and file for name, file in models.items()) or len(models) < len(pairs):
        raise UserError(
            f"--models must be NAME=GIN_FILE with distinct names, not {','.join(texts)!r}"
        )
    return models


def bindings(data: str | None, name: str, steps: int | None, melodies: int) -> list[str]:
    """Return the gin bindings of all runs."""
    return shared_bindings("build_melody_dataset", data, name, steps, melodies)


def write_results(
    runs: Mapping[str, Sequence[dict[str, Any]]],
    seeds: Sequence[int],
    output_dir: str,
    suffix: str,
) -> list[str]:
    """Write table, numbers and figure; return their paths."""
    from rl_tuner.common.files import write_text
    from rl_tuner.tuning.asked import shortfalls

    first = next(iter(runs.values()))
    columns = {PRIOR: [run["metrics"]["prior"] for run in first]}
    columns |= {model: [run["metrics"]["tuned"] for run in rows] for model, rows in runs.items()}
    summary = {model: summarise(rows) for model, rows in columns.items()}
    curves = {
        model: history_bands([run["history"] for run in rows]) for model, rows in runs.items()
    }
    facts = provenance("table1", first[0], seeds)
    missed = {
        model: [sorted(shortfalls(row.get("targets", {}))) for row in rows]
        for model, rows in columns.items()
        if any("targets" in row for row in rows)
    }
    table, numbers, figure = (
        os.path.join(output_dir, name)
        for name in (f"table1{suffix}.md", f"table1{suffix}.json", f"figure2{suffix}.png")
    )
    plot_figure2(curves, figure)
    settings = {model: rows[0]["settings"] for model, rows in runs.items()}
    content = facts | {
        "models": summary,
        "targets_missed": missed,
        "history": curves,
        "settings": settings,
    }
    write_text(numbers, json.dumps(content, indent=1) + "\n")
    write_text(table, format_markdown(summary, facts, os.path.basename(figure), missed))
    return [table, numbers, figure]


def history_bands(histories: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Return Figure 2's curves: the step of each evaluation, and mean and deviation over seeds."""
    return [
        {"step": rows[0]["step"]}
        | summarise([{name: row[name] for name, _ in PANELS} for row in rows])
        for rows in zip(*histories)
    ]


def plot_figure2(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: str) -> None:
    """Draw both panels; one line per model with a band of one standard deviation over seeds."""
    from rl_tuner.common.figures import new_figure, save_figure

    figure = new_figure(11, 4.5)
    for axes, (name, title) in zip(figure.subplots(1, len(PANELS)), PANELS):
        for model, rows in curves.items():
            steps = [row["step"] / 1e6 for row in rows]
            means = [row[name]["mean"] for row in rows]
            spread = [row[name]["std"] or 0.0 for row in rows]
            (line,) = axes.plot(steps, means, label=model)
            axes.fill_between(
                steps,
                [m - s for m, s in zip(means, spread)],
                [m + s for m, s in zip(means, spread)],
                color=line.get_color(),
                alpha=0.2,
                linewidth=0,
            )
        # The first rewards are a hundred times lower than all later ones.
        if name == "task_reward":
            axes.set_yscale("symlog", linthresh=100)
        axes.set_xlabel("environment steps, millions")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend()
    save_figure(figure, path)


def format_markdown(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]],
    facts: Mapping[str, Any],
    figure: str,
    missed: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> str:
    """Return a report with Table 1 and the paper's columns, the figure and the provenance.

    Args:
        summary: model -> metric -> mean, deviation and values over seeds.
        facts: result of `provenance`.
        figure: name of the figure's file.
        missed: model -> for every seed, the targets that it missed, in words.
    """
    from rl_tuner.tasks.melody.metrics import PAPER_TABLE1, TABLE1_ROWS

    seeds = facts["seeds"]
    spread = "± standard deviation over seeds" if len(seeds) > 1 else "one seed"
    return "\n".join(
        [
            "# Table 1 and Figure 2",
            "",
            f"Mean {spread}; {facts['sequences']:,} melodies per model and seed, {facts['steps']:,} "
            "environment steps of tuning. One prior for all seeds.",
            "",
            *markdown_table((*TABLE1_ROWS, *COMMON_ROWS), summary, PAPER_TABLE1),
            "",
            *_missed_lines(seeds, missed or {}),
            f"![Figure 2]({figure})",
            "",
            *footer(facts),
            "",
        ]
    )


def _missed_lines(seeds: Sequence[int], missed: Mapping[str, Sequence[Sequence[str]]]) -> list[str]:
    lines = []
    for model, rows in missed.items():
        met = sum(not row for row in rows)
        lines += [f"{model}: every target was met with {met} of {len(rows)} seeds.", ""]
        lines += [f"- seed {seed}: {'; '.join(row)}" for seed, row in zip(seeds, rows) if row]
        lines += [""] if met < len(rows) else []
    return lines


if __name__ == "__main__":
    main()
