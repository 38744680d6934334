"""History of a run: its evaluations during training, as history.csv and as curves."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.figures import new_figure, save_figure
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import warn
from rl_tuner.common.run_folder import HISTORY_FILE


def write_history(run_dir: str, rows: Sequence[Mapping[str, float | None]]) -> None:
    """Write history.csv, one row per evaluation; what is None or NaN stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(
        {name: None if value is None or math.isnan(value) else value for name, value in row.items()}
        for row in rows
    )
    write_text(os.path.join(run_dir, HISTORY_FILE), text.getvalue())


def read_history(run_dir: str) -> list[dict[str, Any]]:
    """Return the evaluations of a run in order of environment steps: one dict of numbers for each.

    A metric that was not defined is NaN.

    Raises:
        UserError: the run has no readable history.
    """
    path = os.path.join(run_dir, HISTORY_FILE)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [
                # What was not defined, such as a mean over no molecules, is empty.
                {name: float(value or "nan") for name, value in row.items()}
                for row in csv.DictReader(file)
            ]
        return [{**row, "step": int(row["step"])} for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def rows_up_to(run_dir: str, step: int) -> list[dict[str, Any]]:
    """Return the evaluations of a run up to an environment step.

    Raises:
        UserError: the run has no readable history.
    """
    return [row for row in read_history(run_dir) if row["step"] <= step]


def mend_history(run_dir: str, rows: Sequence[Mapping[str, float | None]]) -> None:
    """Write history.csv from a checkpoint's evaluations, with a warning if it does not contain them.

    Args:
        run_dir: folder of the run.
        rows: the evaluations up to the checkpoint; later ones in the file are repeated by the run.
    """
    try:
        wrong = "lacks evaluations" if not _contains(read_history(run_dir), rows) else ""
    except UserError:
        wrong = "is missing or damaged"
    if wrong:
        path = os.path.join(run_dir, HISTORY_FILE)
        warn(f"{path} {wrong}; it is written again from the checkpoint")
    write_history(run_dir, rows)


def _contains(
    found: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, float | None]]
) -> bool:
    def numbers(row: Mapping[str, Any]) -> dict[str, float]:
        return {name: float("nan" if value is None else value) for name, value in row.items()}

    # NaN is not equal to itself, but its text is.
    return [str(numbers(row)) for row in found[: len(rows)]] == [str(numbers(row)) for row in rows]


def plot_history(histories: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Draw log p(a|s), r_T and KL over training, like the paper's Figure 2; one line per model.

    Args:
        histories: rows of history.csv by model.
        path: path of the PNG.
    """
    figure = new_figure(11, 4)
    panels = (
        ("log_prior", "log p(a|s) of the prior, nats per step"),
        ("task_reward", "task reward r_T per sequence"),
        ("kl", "exact KL from the prior, nats per step"),
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
