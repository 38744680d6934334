"""report.html: one page, without any other file, that shows what a run did, learned and makes."""

from __future__ import annotations

import base64
import datetime
import glob
import importlib.resources
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import markupsafe
import numpy as np

from rl_tuner.common.files import write_text
from rl_tuner.common.run_folder import CONFIG_FILE, METRICS_JSON, PLOTS, REPORT_FILE
from rl_tuner.common.tables import metric_rows
from rl_tuner.core.tuner import RLTuner
from rl_tuner.pages.charts import line_chart
from rl_tuner.pages.gallery import gallery
from rl_tuner.pages.templating import environment
from rl_tuner.serving.card_head import REPEAT
from rl_tuner.serving.description import describe
from rl_tuner.serving.model_card import CARD_FILE
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning.asked import asked_rows, shortfalls
from rl_tuner.tuning.evaluation import COLLAPSE, PRIOR, TARGETS, TUNED
from rl_tuner.tuning.history import read_history
from rl_tuner.tuning.report import COMMON_ROWS

# Metrics of which less is a loss, whatever the reward.
_LESS_IS_WORSE = ("log_prior", "entropy", "distinct", "novelty")
_CURVES = (
    ("task_reward", "Task reward", "r_T per sequence"),
    ("kl", "Departure from the prior", "exact KL, nats per step"),
    ("log_prior", "Likelihood under the prior", "log p(a|s), nats per step"),
    ("entropy", "Entropy of the policy", "nats per step"),
    ("distinct", "Distinct sequences", "share"),
)
# Figures that the page draws itself, with numbers to read off.
_DRAWN_HERE = {"training.png", "samples.png"}


def write_page(run_dir: str, tuner: RLTuner, sequences: Mapping[str, np.ndarray], seed: int) -> str:
    """Write report.html into the folder of a run whose metrics are written; return its path.

    Args:
        run_dir: folder of the run.
        tuner: its tuner.
        sequences: int [N, T] sequences of each model, drawn at random.
        seed: the seed they were drawn with.
    """
    description = describe(tuner, run_dir)
    with open(os.path.join(run_dir, METRICS_JSON), encoding="utf-8") as file:
        columns = json.load(file)
    rows = read_history(run_dir)
    task = description["task"]
    context = {
        "title": f"{task['kind'].capitalize()}: {description['objective']['name']}, "
        f"{os.path.basename(os.path.abspath(run_dir))}",
        "facts": _facts(description),
        "warnings": warnings_of(columns[TUNED]),
        "tables": tables(tuner, columns),
        "charts": charts({TUNED: rows}, {PRIOR: columns[PRIOR], TUNED: columns[TUNED]}),
        "models": gallery(tuner.task, sequences),
        "seed": seed,
        "pictures": _pictures(run_dir),
        "texts": _texts(run_dir),
        "versions": description["versions"],
    }
    path = os.path.join(run_dir, REPORT_FILE)
    write_text(path, rendered("run.html", context))
    return path


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """Return a template of this package with its values, everything that is no SVG of ours escaped."""
    files = importlib.resources.files("rl_tuner.pages") / "templates"
    own = {
        name.replace(".", "_"): markupsafe.Markup((files / name).read_text(encoding="utf-8"))
        for name in ("page.css", "page.js")
    }
    made = datetime.datetime.now().astimezone().isoformat(" ", "minutes")
    return (
        environment("rl_tuner.pages")
        .get_template(template)
        .render({**own, "made": made, **context})
    )


def charts(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], ends: Mapping[str, Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Return curves over training, and reward against departure: title and SVG of each.

    Args:
        histories: rows of history.csv by run.
        ends: final metrics by model, drawn as points of the last chart.
    """

    def points(rows: Sequence[Mapping[str, Any]], x: str, y: str, unit: float) -> list[Any]:
        return [(row[x] / unit, row[y]) for row in rows if row.get(y) is not None]

    found = []
    for metric, title, unit in _CURVES:
        lines = {name: points(rows, "step", metric, 1e6) for name, rows in histories.items()}
        found.append((title, line_chart(lines, title, "million environment steps", unit)))
    paths = {name: points(rows, "kl", "task_reward", 1.0) for name, rows in histories.items()}
    marks = {
        name: (column["kl"], column["task_reward"])
        for name, column in ends.items()
        if column.get("kl") is not None and column.get("task_reward") is not None
    }
    title = "Reward against departure from the prior"
    chart = line_chart(paths, title, "exact KL, nats per step", "r_T per sequence", marks)
    return [(title, chart) for title, chart in [*found, (title, chart)] if chart]


def tables(tuner: RLTuner, columns: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the tables of a run: caption, heading, rows, and which rows of the tuned model are worse."""
    presentation = presentation_of(tuner.task)
    rows = [*(presentation.rows or ()), *COMMON_ROWS]
    made = metric_rows(rows, columns, presentation.published)
    by_label = {row.label: row.metric for row in rows}
    worse = [label for label, metric in by_label.items() if _is_worse(metric, columns)]
    found = [{"caption": "What was measured", "heading": made[0], "rows": made[1:], "worse": worse}]
    if targets := columns[TUNED].get(TARGETS):
        heading, *asked = asked_rows(targets)
        missed = [row[0] for row, entry in zip(asked, targets.values()) if not entry["met"]]
        caption = "What was asked and got; the cost of .01 is in nats per sequence"
        found.append({"caption": caption, "heading": heading, "rows": asked, "worse": missed})
    return found


def warnings_of(tuned: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know before anything else."""
    found = [f"The tuned policy collapsed: {tuned[COLLAPSE]}"] if tuned.get(COLLAPSE) else []
    if missed := shortfalls(tuned.get(TARGETS, {})):
        found.append(f"Targets not met: {'; '.join(missed)}")
    return found


def _is_worse(metric: str, columns: Mapping[str, Mapping[str, Any]]) -> bool:
    before, after = (columns[name].get(metric) for name in (PRIOR, TUNED))
    if metric not in _LESS_IS_WORSE or before is None or after is None:
        return False
    return after < before


def _facts(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    task, prior, tuning = (description[name] for name in ("task", "prior", "tuning"))
    sources = prior.get("source") or ["not named by the prior's file"]
    # Only the names of files: a page may be sent to a stranger, local paths should not be.
    names = [os.path.basename(str(source).rstrip("/")) for source in sources]
    licences = prior.get("licence") or {}
    data = ", ".join(names) + (f" ({'; '.join(licences.values())})" if licences else "")
    temperature = tuning["temperature"]
    return [
        (
            "Task",
            f"{task['name']}, {task['horizon']} tokens at most, {task['num_classes']} classes",
        ),
        ("Rewarded for", ", ".join(task["rewarded_for"])),
        ("Objective", description["objective"]["name"]),
        ("Temperature", f"c = {temperature['c']}" if temperature else "targets instead"),
        ("Training data of the prior", data),
        ("Prior", f"LSTM of {', '.join(map(str, prior['cells']))} cells"),
        ("Tuned for", f"{tuning['steps']:,} environment steps, seed {tuning['seed']}"),
    ]


def _pictures(run_dir: str) -> list[tuple[str, str]]:
    """Return the run's figures that the page does not draw itself: name and base64."""
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(run_dir), PLOTS, "*.png"))):
        name = os.path.basename(path)
        if name not in _DRAWN_HERE:
            with open(path, "rb") as file:
                content = base64.b64encode(file.read()).decode()
            found.append((name.removesuffix(".png").replace("_", " "), content))
    return found


def _texts(run_dir: str) -> list[tuple[str, str]]:
    found = [("The command that repeats it", REPEAT)]
    for title, name in (("Settings", CONFIG_FILE), ("Model card", CARD_FILE)):
        path = os.path.join(run_dir, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                found.append((f"{title} ({name})", file.read()))
    return found
