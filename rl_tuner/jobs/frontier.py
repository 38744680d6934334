"""The frontier of task reward against KL: one run for each objective and temperature."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from typing import Any

import gin

from rl_tuner.common.errors import UserError
from rl_tuner.common.figures import new_figure, save_figure
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import say, working
from rl_tuner.common.tables import aligned
from rl_tuner.core.objectives import Objective
from rl_tuner.jobs import configuration
from rl_tuner.jobs.job import run_point
from rl_tuner.jobs.points import check_names, parse_temperatures
from rl_tuner.jobs.spreading import Point, make_all

FRONTIER_CSV, FRONTIER_PNG = "frontier.csv", "frontier.png"
_FIRST_COLUMNS = ("objective", "c", "kl", "log_prior", "task_reward", "entropy", "distinct")


def sweep(
    gin_files: Sequence[str],
    gin_params: Sequence[str],
    temperatures: Sequence[str],
    objectives: Sequence[str] | None,
    *,
    work_dir: str,
    run_dir: str,
    executor: str | None = None,
) -> str:
    """Run or reuse every point, and write frontier.csv and frontier.png.

    Args:
        gin_files: gin files of the run; the sweep replaces their temperature and, if `objectives` are
            given, their objective.
        gin_params: bindings that override the files.
        temperatures: values of c, as text.
        objectives: names of gin configurables; None is the objective in the gin files.
        work_dir: receives the dataset and the prior, which all points share.
        run_dir: receives one folder OBJECTIVE_cC per point, and the frontier.
        executor: where the runs are made at the same time, see `rl_tuner.common.executors`; None makes them
            here, one after another.

    Returns:
        The frontier as a text table.

    Raises:
        UserError: a temperature or an objective is invalid, or a run fails.
    """
    values = parse_temperatures(temperatures)
    configuration.configure(gin_files, gin_params)
    if configuration.arguments("RLTuner", ["targets"])["targets"] is not None:
        raise UserError(
            "a sweep varies the temperature c, and targets need none; use a gin file without "
            "RLTuner.targets, such as paper_psi_music"
        )
    names = list(objectives or [configured_objective()])
    check_names(names, all_known=False)
    for name in names:
        check_objective(name)
    points = [(name, c) for name in names for c in values]
    runs = [
        Point(
            gin_files,
            [*gin_params, *_bindings(name, c)],
            os.path.join(run_dir, f"{name}_c{c:g}"),
        )
        for name, c in points
    ]
    if executor:
        make_all(executor, runs, work_dir)
    rows = []
    for index, ((name, c), run) in enumerate(zip(points, runs)):
        say(f"sweep: {index + 1} of {len(points)}: {name}, c = {c:g}")
        columns = run_point(run.gin_files, run.gin_params, work_dir, run.run_dir)
        rows.append({"objective": name, "c": c, **columns["tuned"]})
        write_frontier(rows, os.path.join(run_dir, FRONTIER_CSV))
    with working("sweep: drawing the frontier"):
        plot_frontier(rows, os.path.join(run_dir, FRONTIER_PNG))
    return format_frontier(rows)


def configured_objective() -> str:
    """Return the name of the objective in the current configuration.

    Raises:
        UserError: the configuration does not bind an objective.
    """
    try:
        reference = gin.query_parameter("RLTuner.objective")
    except ValueError as error:
        raise UserError(
            "the gin file does not bind RLTuner.objective; bind it or name objectives for the sweep"
        ) from error
    return reference.selector.rpartition(".")[2]


def check_objective(name: str) -> None:
    """Make sure that a name is the gin name of an objective.

    Raises:
        UserError: it is not.
    """
    if not (name.isidentifier() and isinstance(configuration.build(name), Objective)):
        raise UserError(f"objectives must be names such as Psi, Q or G, not {name!r}")


def write_frontier(rows: Sequence[dict[str, Any]], path: str) -> None:
    """Write a CSV with one row per point; undefined values stay empty."""
    # A point whose policy collapsed has one more column.
    names = list(dict.fromkeys([*_FIRST_COLUMNS, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def plot_frontier(rows: Sequence[dict[str, Any]], path: str) -> None:
    """Draw the task reward against the KL: one line per objective, one point per temperature."""
    figure = new_figure(7, 5)
    axes = figure.subplots()
    for name in dict.fromkeys(row["objective"] for row in rows):
        line = sorted((row for row in rows if row["objective"] == name), key=lambda row: row["c"])
        axes.plot([r["kl"] for r in line], [r["task_reward"] for r in line], "o-", label=name)
        for row in line:
            axes.annotate(
                f"c={row['c']:g}",
                (row["kl"], row["task_reward"]),
                textcoords="offset points",
                xytext=(5, -10),
                fontsize=8,
            )
    axes.set_xlabel("exact KL from the prior, nats per step")
    axes.set_ylabel("task reward $r_T$ per sequence")
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)


def format_frontier(rows: Sequence[dict[str, Any]]) -> str:
    """Return the first columns of the frontier as a text table."""
    table = [list(_FIRST_COLUMNS)]
    for row in rows:
        numbers = [f"{row[name]:.3f}" for name in _FIRST_COLUMNS[2:]]
        table.append([row["objective"], f"{row['c']:g}", *numbers])
    return aligned(table)


def _bindings(objective: str, c: float) -> list[str]:
    return [
        f"RLTuner.objective = @{objective}()",
        "RLTuner.temperature = @FixedTemperature()",
        f"FixedTemperature.c = {c!r}",
    ]
