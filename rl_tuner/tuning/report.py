"""Report of a run: table of metrics, figures and samples."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from rl_tuner.common.figures import save_figure, save_pixels
from rl_tuner.common.files import replacing_folder, write_text
from rl_tuner.common.run_folder import METRICS_JSON, METRICS_TEXT, PLOTS, SAMPLES
from rl_tuner.common.tables import Row, aligned, metric_rows
from rl_tuner.core.task import Task
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning.asked import asked_table
from rl_tuner.tuning.evaluation import COLLAPSE, TARGETS, TUNED

COMMON_ROWS = (
    Row("log_prior", "Mean log p(a|s), nats"),
    Row("kl", "Exact KL from the prior, nats per step"),
    Row("entropy", "Entropy, nats per step"),
    Row("task_reward", "Task reward r_T per sequence", "reward"),
    Row("distinct", "Distinct sequences", "share"),
    Row("novelty", "Sequences not found in the corpus", "share"),
)
_COMMON = {
    *(row.metric for row in COMMON_ROWS),
    *("log_policy", "length", "sequences"),
    *(TARGETS, COLLAPSE),
}


def format_report(task: Task, columns: dict[str, dict[str, Any]]) -> str:
    """Return the tables of the task's metrics, of those common to all tasks, and of the targets."""
    own = {
        name: {metric: value for metric, value in column.items() if metric not in _COMMON}
        for name, column in columns.items()
    }
    presentation = presentation_of(task)
    shown = own if presentation.rows is None else columns
    parts = [presentation.format_metrics(shown), aligned(metric_rows(COMMON_ROWS, columns))]
    tuned = columns.get(TUNED, {})
    if targets := tuned.get(TARGETS):
        parts.append(asked_table(targets))
    if complaint := tuned.get(COLLAPSE):
        parts.append(f"COLLAPSED: {complaint}")
    return "\n\n".join(parts) + "\n"


def write_metrics(run_dir: str, task: Task, columns: dict[str, dict[str, Any]]) -> str:
    """Write metrics.json and metrics.txt; return the text."""
    text = format_report(task, columns)
    write_text(os.path.join(run_dir, METRICS_JSON), json.dumps(columns, indent=2) + "\n")
    write_text(os.path.join(run_dir, METRICS_TEXT), text)
    return text


def write_samples(
    run_dir: str, task: Task, sequences: dict[str, np.ndarray], count: int
) -> list[str]:
    """Write `count` samples per model into samples/ and figures into plots/; return the paths."""
    presentation = presentation_of(task)
    folder = os.path.join(run_dir, SAMPLES)
    with replacing_folder(folder) as temporary:
        names = [
            os.path.basename(path)
            for name, rows in sequences.items()
            for path in presentation.write_samples(rows[:count], temporary, name)
        ]
    pictures = write_figures(run_dir, presentation.figures(sequences))
    for name, rows in sequences.items():
        sheets = presentation.sheets(rows, name)
        if sheets is not None:
            pictures.append(os.path.join(run_dir, PLOTS, f"sheet_{name}.png"))
            save_pixels(sheets, pictures[-1])
    return [*(os.path.join(folder, name) for name in names), *pictures]


def write_figures(run_dir: str, figures: dict[str, Any]) -> list[str]:
    """Write matplotlib figures as plots/NAME.png; return the paths."""
    paths = []
    for name, figure in figures.items():
        paths.append(os.path.join(run_dir, PLOTS, f"{name}.png"))
        save_figure(figure, paths[-1])
    return paths
