"""One page that compares several runs: what they reached, in what they differ, what they make."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rl_tuner.common import gin_files
from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.run_folder import METRICS_JSON, OPERATIVE_CONFIG_FILE
from rl_tuner.common.tables import metric_rows
from rl_tuner.core.tuner import RLTuner
from rl_tuner.pages.gallery import at_random
from rl_tuner.pages.run_page import charts, rendered, warnings_of
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning.evaluation import PRIOR, TUNED
from rl_tuner.tuning.history import read_history
from rl_tuner.tuning.report import COMMON_ROWS


class Compared(NamedTuple):
    """A run that is compared.

    Attributes:
        run_dir: its folder, with metrics.
        tuner: its tuner.
        sequences: int [N, T], drawn from its tuned policy at random, 0 past their end.
    """

    run_dir: str
    tuner: RLTuner
    sequences: np.ndarray


def write_comparison(path: str, runs: Sequence[Compared], seed: int) -> str:
    """Write a page that compares runs of one kind; return its path.

    Args:
        path: the page.
        runs: the runs, in the order of the page's columns.
        seed: the seed of their sequences.

    Raises:
        UserError: the runs are not of one kind, or one has no metrics.
    """
    kinds = {run.tuner.task.kind for run in runs}
    if len(kinds) > 1:
        raise UserError(
            f"runs of {' and '.join(sorted(kinds))} sequences cannot be compared; choose one kind"
        )
    names = names_of([run.run_dir for run in runs])
    metrics = {name: _metrics(run.run_dir) for name, run in zip(names, runs)}
    tuned = {name: found[TUNED] for name, found in metrics.items()}
    context = {
        "title": f"Comparison of {len(runs)} {kinds.pop()} runs",
        "names": names,
        "warnings": [f"{n}: {line}" for n, column in tuned.items() for line in warnings_of(column)],
        "table": _table(runs[0].tuner, metrics),
        "settings": differing_settings(dict(zip(names, (run.run_dir for run in runs)))),
        "charts": charts(
            {name: read_history(run.run_dir) for name, run in zip(names, runs)}, tuned
        ),
        "models": [
            {"name": name, "items": at_random(run.tuner.task, run.sequences)}
            for name, run in zip(names, runs)
        ],
        "seed": seed,
    }
    write_text(path, rendered("comparison_of_runs.html", context))
    return path


def names_of(folders: Sequence[str]) -> list[str]:
    """Return short, different names of folders: as few of their last parts as tell them apart."""
    parts = [os.path.abspath(folder).split(os.sep) for folder in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError("a run is given twice; give each once")


def differing_settings(folders: Mapping[str, str]) -> dict[str, Any]:
    """Return a table of the settings that runs used and that are not the same in all of them.

    Args:
        folders: the folder of each run by its name.
    """
    used = {name: _settings(folder) for name, folder in folders.items()}
    every = dict.fromkeys(setting for found in used.values() for setting in found)
    rows = []
    for setting in sorted(every):
        values = [found.get(setting, "not used") for found in used.values()]
        if len(set(values)) > 1:
            rows.append([setting, *values])
    caption = "Settings used by the runs"
    return {"caption": caption, "heading": ["Setting", *folders], "rows": rows, "worse": []}


def _settings(run_dir: str) -> dict[str, str]:
    path = os.path.join(run_dir, OPERATIVE_CONFIG_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            statements = gin_files.parse(file.read(), path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    return {
        "/".join(filter(None, (s.scope, f"{s.name}.{s.parameter}"))): str(s.value)
        for s in statements
        if s.parameter
    }


def _table(tuner: RLTuner, metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    presentation = presentation_of(tuner.task)
    # Runs of one prior, measured with one seed, share its column.
    priors = {name: found[PRIOR] for name, found in metrics.items()}
    shared = all(column == next(iter(priors.values())) for column in priors.values())
    columns = {"prior": next(iter(priors.values()))} if shared else {}
    for name, found in metrics.items():
        columns |= {} if shared else {f"prior of {name}": found[PRIOR]}
        columns[name] = found[TUNED]
    rows = [*(presentation.rows or ()), *COMMON_ROWS]
    heading, *made = metric_rows(rows, columns, presentation.published)
    return {"caption": "What was measured", "heading": heading, "rows": made, "worse": []}


def _metrics(run_dir: str) -> dict[str, Any]:
    path = os.path.join(run_dir, METRICS_JSON)
    try:
        with open(path, encoding="utf-8") as file:
            return dict(json.load(file))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read; `python -m rl_tuner.evaluate` with --output_dir writes it"
        ) from error
