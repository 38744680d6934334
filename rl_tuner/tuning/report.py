"""What a person looks at after a run: the table, the curves, the samples."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from rl_tuner.common.files import replacing, write_text
from rl_tuner.common.tables import aligned
from rl_tuner.core.task import Task

METRICS_JSON, METRICS_TEXT = "metrics.json", "metrics.txt"
_COMMON_ROWS = (
    ("log_prior", "Mean log p(a|s), nats", "{:z.2f}"),
    ("kl", "Exact KL from the prior, nats a step", "{:z.2f}"),
    ("entropy", "Entropy, nats a step", "{:z.2f}"),
    ("task_reward", "Task reward r_T a sequence", "{:z.1f}"),
    ("distinct", "Distinct sequences", "{:.1%}"),
    ("novelty", "Sequences not found in the corpus", "{:.1%}"),
)


def format_report(task: Task, columns: dict[str, dict[str, Any]]) -> str:
    """The task's table, then what is measured of every policy: a row a metric, a column a model."""
    rows = [["", *columns]]
    for metric, label, form in _COMMON_ROWS:
        values = [column.get(metric) for column in columns.values()]
        rows.append([label, *("n/a" if v is None else form.format(v) for v in values)])
    return task.format_metrics(columns) + "\n\n" + aligned(rows) + "\n"


def write_metrics(run_dir: str, task: Task, columns: dict[str, dict[str, Any]]) -> str:
    """Writes metrics.json and metrics.txt; returns the text."""
    text = format_report(task, columns)
    write_text(os.path.join(run_dir, METRICS_JSON), json.dumps(columns, indent=2) + "\n")
    write_text(os.path.join(run_dir, METRICS_TEXT), text)
    return text


def plot_history(histories: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Draws log p(a|s) and r_T over training, like the paper's Figure 2; a line a model.

    Args:
        histories: rows of history.csv by model.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (
        ("log_prior", "log p(a|s) of the prior, nats a step"),
        ("task_reward", "task reward r_T, a sequence"),
        ("kl", "exact KL from the prior, nats a step"),
    )
    for axes, (name, label) in zip(figure.subplots(1, len(panels)), panels):
        for model, rows in histories.items():
            axes.plot([r["step"] / 1e6 for r in rows], [r[name] for r in rows], label=model)
        axes.set_xlabel("environment steps, millions")
        axes.set_title(label, fontsize=10)
        axes.grid(alpha=0.3)
        if len(histories) > 1:
            axes.legend()
    save_figure(figure, path)


def save_figure(figure: Any, path: str) -> None:
    """Writes a matplotlib figure as a PNG, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def write_samples(
    run_dir: str, task: Task, sequences: dict[str, np.ndarray], count: int
) -> list[str]:
    """Writes `count` samples a model into samples/ and the task's figures into plots/; returns the paths."""
    folder = os.path.join(run_dir, "samples")
    with replacing(folder) as temporary:
        os.makedirs(temporary)
        names = [
            os.path.basename(path)
            for name, rows in sequences.items()
            for path in task.write_samples(rows[:count], temporary, name)
        ]
    pictures = write_figures(run_dir, task.figures(sequences))
    return [*(os.path.join(folder, name) for name in names), *pictures]


def write_figures(run_dir: str, figures: dict[str, Any]) -> list[str]:
    """Writes matplotlib figures as plots/NAME.png; returns the paths."""
    paths = []
    for name, figure in figures.items():
        paths.append(os.path.join(run_dir, "plots", f"{name}.png"))
        save_figure(figure, paths[-1])
    return paths
