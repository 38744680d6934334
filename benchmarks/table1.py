"""The paper's music experiment: Table 1 and Figure 2, mean and spread over seeds.

python -m benchmarks.table1
python -m benchmarks.table1 --data=../shared/data/nottingham
python -m benchmarks.table1 --steps=20000 --melodies=1000 --seeds=0 --output_dir=/tmp/table1

Tunes one prior with Q, Psi, G and the reward alone, once a seed, and writes table1.md, table1.json and
figure2.png. Finished models are reused: the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from absl import flags

from rl_tuner import commandline
from rl_tuner.errors import UserError

MODELS = {
    "Q": "gin/q_music.gin",
    "Psi": "gin/psi_music.gin",
    "G": "gin/g_music.gin",
    "Reward only": "gin/rl_only_music.gin",
}
PRIOR = "Prior"
# What is measured of every policy besides the paper's rows: metric, label, and how it is written.
COMMON_ROWS = (
    ("log_prior", "Mean log p(a given s), nats", "mean"),
    ("task_reward", "Task reward r_T, a melody", "reward"),
    ("kl", "Exact KL from the prior, nats a step", "mean"),
    ("entropy", "Entropy, nats a step", "mean"),
    ("distinct", "Distinct melodies", "share"),
    ("novelty", "Melodies that are no excerpt of the corpus", "share"),
)
PANELS = (
    ("log_prior", "(a) mean log p(a|s) of the prior"),
    ("task_reward", "(b) mean task reward $r_T$, a melody"),
)
PACKAGES = ("tensorflow", "keras", "numpy", "gin-config", "note-seq")


def main() -> None:
    """Runs the command."""
    commandline.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    commandline.define_work_dir(values)
    flags.DEFINE_string(
        "data",
        None,
        "A file or folder of tunes; by default the corpus of the gin files.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "name",
        None,
        "Ends the names of what is written; by default the last part of --data.",
        flag_values=values,
    )
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the tuning runs.", flag_values=values)
    flags.DEFINE_integer(
        "steps",
        None,
        "Environment steps; by default those of the gin files.",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "melodies", 100_000, "Melodies drawn from each model.", 1, flag_values=values
    )
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding for every run; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.progress import say

    seeds = parse_seeds(values.seeds)
    name = values.name or (os.path.basename(os.path.abspath(values.data)) if values.data else "")
    suffix = f"_{name}" if name else ""
    params = bindings(values.data, name, values.steps, values.melodies) + values.gin_param
    start = time.monotonic()
    runs: dict[str, list[dict[str, Any]]] = {model: [] for model in MODELS}
    jobs = [(seed, model) for seed in seeds for model in MODELS]
    for index, (seed, model) in enumerate(jobs):
        minutes = (time.monotonic() - start) / 60
        say(f"table1: {index + 1} of {len(jobs)}: {model}, seed {seed} ({minutes:.1f} min so far)")
        folder = os.path.join(
            values.work_dir, f"table1{suffix}", f"{model.lower().replace(' ', '_')}_seed{seed}"
        )
        runs[model].append(run_model(MODELS[model], params, seed, values.work_dir, folder))
    paths = write_results(runs, seeds, values.output_dir, suffix)
    say(f"table1: {(time.monotonic() - start) / 60:.1f} min")
    print("\n".join(paths))


def parse_seeds(texts: Sequence[str]) -> list[int]:
    """The whole numbers in `texts`.

    Raises:
        UserError: there is none, or one is no whole number from 0 on, or comes twice.
    """
    if not texts or not all(text.strip().isdigit() for text in texts):
        raise UserError(f"--seeds takes whole numbers such as 0,1,2, not {','.join(texts)!r}")
    seeds = [int(text) for text in texts]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds holds a number twice: {','.join(texts)}")
    return seeds


def bindings(data: str | None, name: str, steps: int | None, melodies: int) -> list[str]:
    """gin bindings that every run shares; one prior serves the tuning runs of every seed."""
    params = ["job.prior_seed = 0", f"job.evaluation_sequences = {melodies}"]
    if steps:
        params.append(f"tune.steps = {steps}")
    if data:
        params += [f"job.dataset_name = {name!r}", f"build_melody_dataset.inputs = [{data!r}]"]
    return params


def run_model(
    gin_file: str, params: Sequence[str], seed: int, work_dir: str, run_dir: str
) -> dict[str, Any]:
    """Tunes and measures one model, or reuses it.

    Returns:
        `metrics` by model ("prior", "tuned"), `history` (evaluations during training), `settings`,
        and the `run_dir`.
    """
    from rl_tuner.runtime import configuration, registry, sweeping, tuning  # noqa: F401

    metrics = sweeping.run_point([gin_file], [*params, f"job.seed = {seed}"], work_dir, run_dir)
    settings = {name: configuration.settings(name) for name in ("job", "tune", "RLTuner")}
    history = tuning.read_history(run_dir)
    return {"metrics": metrics, "history": history, "settings": settings, "run_dir": run_dir}


def write_results(
    runs: Mapping[str, Sequence[dict[str, Any]]],
    seeds: Sequence[int],
    output_dir: str,
    suffix: str,
) -> list[str]:
    """Writes table, numbers and figure; returns their paths."""
    from rl_tuner.runtime.files import write_text

    first = next(iter(runs.values()))
    columns = {PRIOR: [run["metrics"]["prior"] for run in first]}
    columns |= {model: [run["metrics"]["tuned"] for run in rows] for model, rows in runs.items()}
    summary = {model: summarise(rows) for model, rows in columns.items()}
    curves = {
        model: history_bands([run["history"] for run in rows]) for model, rows in runs.items()
    }
    facts = provenance(first[0], seeds)
    table, numbers, figure = (
        os.path.join(output_dir, name)
        for name in (f"table1{suffix}.md", f"table1{suffix}.json", f"figure2{suffix}.png")
    )
    plot_figure2(curves, figure)
    settings = {model: rows[0]["settings"] for model, rows in runs.items()}
    content = facts | {"models": summary, "history": curves, "settings": settings}
    write_text(numbers, json.dumps(content, indent=1) + "\n")
    write_text(table, format_markdown(summary, facts, os.path.basename(figure)))
    return [table, numbers, figure]


def summarise(rows: Sequence[Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    """Mean, standard deviation and values over seeds, metric by metric.

    A metric that is undefined for a seed is left out; the deviation of one value is None.
    """
    summary = {}
    for metric in rows[0]:
        values = [row[metric] for row in rows if row[metric] is not None]
        summary[metric] = {
            "mean": statistics.fmean(values) if values else None,
            "std": statistics.stdev(values) if len(values) > 1 else None,
            "values": values,
        }
    return summary


def history_bands(histories: Sequence[Sequence[Mapping[str, float]]]) -> list[dict[str, Any]]:
    """Figure 2's curves: at each evaluation the step, and mean and deviation over seeds."""
    return [
        {"step": rows[0]["step"]}
        | summarise([{name: row[name] for name, _ in PANELS} for row in rows])
        for rows in zip(*histories)
    ]


def plot_figure2(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: str) -> None:
    """Draws both panels; a line a model, a band of one standard deviation over seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rl_tuner.runtime import report

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
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
        # The first rewards lie a hundred times lower than all that follow.
        if name == "task_reward":
            axes.set_yscale("symlog", linthresh=100)
        axes.set_xlabel("environment steps, millions")
        axes.set_title(title)
        axes.grid(alpha=0.3)
        axes.legend()
    report.save_figure(figure, path)


def format_markdown(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]], facts: Mapping[str, Any], figure: str
) -> str:
    """Table 1 beside the paper's columns, the figure, and how both were made."""
    from rl_tuner.tasks.melody.metrics import PAPER_TABLE1, TABLE1_ROWS

    header = ["Metric", *summary, *(f"paper {name}" for name in PAPER_TABLE1)]
    lines = [f"| {' | '.join(header)} |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for metric, label, kind in (*TABLE1_ROWS, *COMMON_ROWS):
        cells = [
            format_cell(kind, model[metric]["mean"], model[metric]["std"])
            if metric in model
            else "n/a"
            for model in summary.values()
        ]
        paper = [
            format_cell(kind, column[metric]) if metric in column else ""
            for column in PAPER_TABLE1.values()
        ]
        lines.append(f"| {label} | {' | '.join([*cells, *paper])} |")
    data, machine = facts["data"], facts["machine"]
    splits = ", ".join(
        f"{name} {split['sequences']:,} melodies ({split['tokens']:,} steps)"
        for name, split in (data["splits"] or {}).items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    seeds = facts["seeds"]
    spread = "± standard deviation over seeds" if len(seeds) > 1 else "one seed"
    return "\n".join(
        [
            "# Table 1 and Figure 2",
            "",
            f"Mean {spread}; {facts['melodies']:,} melodies a model and seed, {facts['steps']:,} "
            "environment steps of tuning. One prior for all seeds.",
            "",
            *lines,
            "",
            f"![Figure 2]({figure})",
            "",
            f"- Command: `{facts['command']}`",
            f"- Data: {data['name']} ({', '.join(data['source'] or [])}): {splits}",
            f"- Prior: {format_scores(data['prior_scores'])}",
            f"- Seeds: {', '.join(map(str, seeds))}",
            f"- Versions: {versions}",
            f"- Machine: {machine['cores']} cores, {machine['cpu']}",
            "",
        ]
    )


def format_cell(kind: str, mean: float | None, std: float | None = None) -> str:
    """One cell: a share as percent, more digits near zero; the deviation to as many digits."""
    if mean is None:
        return "n/a"
    scale, unit = (100.0, "%") if kind == "share" else (1.0, "")
    decimals = {"share": 1, "reward": 1}.get(kind, 2)
    if kind == "share" and 0 < mean < 0.01:
        decimals = 2 if mean > 0.000095 else 3
    text = f"{scale * mean:.{decimals}f}{unit}"
    return text if std is None else f"{text} ± {scale * std:.{decimals}f}"


def format_scores(scores: Mapping[str, float] | None) -> str:
    """The prior's quality in words."""
    if not scores:
        return "given"
    return (
        f"validation {scores['validation_log_perplexity']:.3f} nats a step, "
        f"accuracy {scores['validation_accuracy']:.1%}"
    )


def provenance(run: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, Any]:
    """How the results were made: command, data, versions and machine."""
    from rl_tuner.runtime import pretraining

    settings = run["settings"]
    prior = pretraining.load_prior(run["run_dir"])
    made = prior.metadata.get("provenance", {})
    return {
        "command": shlex.join(["python", "-m", "benchmarks.table1", *sys.argv[1:]]),
        "data": {
            "name": settings["job"]["dataset_name"],
            "source": made.get("source"),
            "splits": made.get("splits"),
            "prior_scores": made.get("scores"),
        },
        "steps": settings["tune"]["steps"],
        "melodies": settings["job"]["evaluation_sequences"],
        "seeds": list(seeds),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
        "machine": {"cores": os.cpu_count(), "cpu": cpu_model()},
    }


def cpu_model() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
