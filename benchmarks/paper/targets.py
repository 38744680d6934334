"""Targets on several priors and corpora: what was asked, what every run has, and what it cost.

python -m benchmarks.paper.targets --data=builtin,data/nottingham --priors=0,1 --seeds=0,1,2,3,4
python -m benchmarks.paper.targets --gin_file=gin/targets_molecules.gin --beside=gin/psi_molecules.gin
python -m benchmarks.paper.targets --priors=0 --seeds=0 --steps=20000 --count=1000 --output_dir=/tmp/targets

Tunes every prior to the targets of a gin file, once per seed, and writes targets.md and targets.json. With
--beside, the same priors are tuned with another gin file too. Finished models are reused, so rerunning an
interrupted command resumes it.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

from benchmarks import machine
from benchmarks.paper.experiments import (
    command,
    make_runs,
    name_of,
    parse_seeds,
    run_model,
    shared_bindings,
    summarise,
    versions_and_machine,
)
from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError
from rl_tuner.common.tables import format_cell

BUILT_IN = "builtin"
TARGETS, BESIDE = "targets", "beside"
# Rows below those of the targets, where a task has them.
ROWS = (
    ("kl", "Exact KL from the prior, nats per step", "score"),
    ("log_prior", "Mean log p(a given s), nats", "score"),
    ("entropy", "Entropy, nats per step", "mean"),
    ("distinct", "Distinct sequences", "share"),
    ("commonest_opening_5", "Commonest opening of 5 notes", "share"),
    ("commonest_scaffold", "Commonest scaffold", "share"),
    ("unique_10000", "Unique of 10,000", "share"),
    ("internal_diversity", "Internal diversity", "score"),
    ("novelty", "Not found in the corpus", "share"),
)


class Column(NamedTuple):
    """The runs of one recipe on one prior.

    Attributes:
        label: heading of the column.
        runs: results of `run_model`, by seed.
    """

    label: str
    runs: dict[int, dict[str, Any]]


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_work_dir(values)
    command_line.define_executor(values)
    flags.DEFINE_string(
        "gin_file", "gin/psi_music.gin", "gin file with the targets.", flag_values=values
    )
    flags.DEFINE_string("beside", None, "gin file of a recipe to compare with.", flag_values=values)
    flags.DEFINE_list(
        "data", [BUILT_IN], f"Corpora: files, folders, or {BUILT_IN!r}.", flag_values=values
    )
    flags.DEFINE_list("priors", ["0", "1"], "Seeds of the priors.", flag_values=values)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the tuning runs.", flag_values=values)
    flags.DEFINE_integer(
        "steps", None, "Environment steps; by default those of the gin file.", 1, flag_values=values
    )
    flags.DEFINE_integer(
        "count", 100_000, "Sequences that measure each model.", 1, flag_values=values
    )
    flags.DEFINE_multi_string("gin_param", [], "A gin binding for all runs.", flag_values=values)
    flags.DEFINE_string("name", "targets", "Name of the written files.", flag_values=values)
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.progress import say

    files = {TARGETS: values.gin_file} | ({BESIDE: values.beside} if values.beside else {})
    seeds, priors = parse_seeds(values.seeds), parse_seeds(values.priors)
    models = {}
    for data, prior, (recipe, file) in itertools.product(values.data, priors, files.items()):
        params = bindings(file, data, prior, values.steps, values.count) + values.gin_param
        group = f"{values.work_dir}/{values.name}/{name_of(data)}_{prior}"
        heading = label(data, prior, file if len(files) > 1 else None)
        for seed in seeds:
            models[heading, seed] = (file, params, seed, f"{group}/{recipe}_{seed}")
    make_runs(values, list(models.values()))
    start, columns = time.monotonic(), {}
    for number, ((heading, seed), (file, params, _, folder)) in enumerate(models.items(), 1):
        minutes = (time.monotonic() - start) / 60
        say(f"targets: {number} of {len(models)}: {heading}, seed {seed} ({minutes:.1f} min)")
        column = columns.setdefault(heading, Column(heading, {}))
        column.runs[seed] = run_model(file, params, seed, values.work_dir, folder)
    from rl_tuner.common.files import write_text

    made = list(columns.values())
    facts = {
        "versions": machine.versions(),
        "machine": machine.machine(),
        "command": command("targets"),
    }
    page, numbers = (os.path.join(values.output_dir, f"{values.name}.{e}") for e in ("md", "json"))
    write_text(numbers, json.dumps(facts | _numbers(made), indent=1) + "\n")
    write_text(page, format_page(made, facts))
    print(f"{page}\n{numbers}")


def label(data: str, prior: int, file: str | None) -> str:
    """Return the heading of a column."""
    recipe = f", {os.path.splitext(os.path.basename(file))[0]}" if file else ""
    return f"{'built-in' if data == BUILT_IN else name_of(data)}, prior {prior}{recipe}"


def bindings(file: str, data: str, prior: int, steps: int | None, count: int) -> list[str]:
    """Return the gin bindings of the runs on one prior."""
    builder = f"build_{'molecule' if 'molecule' in os.path.basename(file) else 'melody'}_dataset"
    own = None if data == BUILT_IN else data
    params = shared_bindings(builder, own, name_of(data), steps, count)
    return [f"job.prior_seed = {prior}", *(p for p in params if "prior_seed" not in p)]


def _numbers(columns: Sequence[Column]) -> dict[str, Any]:
    runs = {c.label: {seed: run["metrics"] for seed, run in c.runs.items()} for c in columns}
    return {"runs": runs}


def format_page(columns: Sequence[Column], facts: Mapping[str, Any]) -> str:
    """Return the page: a row per target and per further metric, then the runs that missed something.

    Raises:
        UserError: the runs have no targets.
    """
    asked = _asked(columns)
    first = next(iter(columns[0].runs.values()))["settings"]
    lines = [
        "# Targets",
        "",
        f"{sum(len(c.runs) for c in columns)} runs, {first['tune']['steps']:,} steps of tuning each,"
        f" {first['job']['evaluation_sequences']:,} sequences measured of each policy. Mean ± standard"
        " deviation over seeds; in brackets the prior.",
        "",
        f"| | asked | {' | '.join(c.label for c in columns)} |",
        "|---|---:" + "|---:" * len(columns) + "|",
    ]
    for metric, (low, high) in asked.items():
        lines.append(_row(metric, metric.replace("_", " "), "score", _pair(low, high), columns))
    known = next(iter(columns[0].runs.values()))["metrics"]["tuned"]
    for metric, title, kind in ROWS:
        if metric in known and metric not in asked:
            lines.append(_row(metric, title, kind, "", columns))
    made = [f"- Command: `{facts['command']}`", *versions_and_machine(facts)]
    return "\n".join([*lines, "", *_missed(columns), "", *made, ""])


def _asked(columns: Sequence[Column]) -> dict[str, tuple[float | None, float | None]]:
    for column in columns:
        for run in column.runs.values():
            if targets := run["metrics"]["tuned"].get("targets"):
                return {name: (each["low"], each["high"]) for name, each in targets.items()}
    raise UserError("--gin_file must have targets (RLTuner.targets)")


def _pair(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"≥ {low:g}" if high is None else f"≤ {high:g}"


def _row(metric: str, title: str, kind: str, asked: str, columns: Sequence[Column]) -> str:
    cells = []
    for column in columns:
        tuned, prior = (
            summarise([_scores(run["metrics"], model) for run in column.runs.values()])
            for model in ("tuned", "prior")
        )
        if metric not in tuned or metric not in prior:
            cells.append("n/a")
            continue
        # Shares of a hundredth of a percent need more digits than a table of means has.
        small = max(abs(tuned[metric]["mean"]), abs(prior[metric]["mean"])) < 0.05
        digits = 5 if kind == "score" and small else None
        cells.append(_cell(kind, digits, tuned[metric], prior[metric]["mean"]))
    return f"| {title} | {asked} | {' | '.join(cells)} |"


def _scores(metrics: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return the metrics of a model, and the asked features that are no metrics."""
    asked = metrics["tuned"].get("targets", {})
    return {name: each[model] for name, each in asked.items()} | metrics[model]


def _cell(kind: str, digits: int | None, tuned: Mapping[str, Any], prior: float) -> str:
    if digits is None:
        return f"{format_cell(kind, tuned['mean'], tuned['std'])} ({format_cell(kind, prior)})"
    spread = "" if tuned["std"] is None else f" ± {tuned['std']:.{digits}f}"
    return f"{tuned['mean']:z.{digits}f}{spread} ({prior:z.{digits}f})"


def _missed(columns: Sequence[Column]) -> list[str]:
    from rl_tuner.tuning.asked import shortfalls

    lines, runs, met = [], 0, 0
    for column in columns:
        for seed, run in column.runs.items():
            tuned = run["metrics"]["tuned"]
            if "targets" in tuned:
                missed = shortfalls(tuned["targets"])
                runs, met = runs + 1, met + (not missed)
                lines += [f"- {column.label}, seed {seed}: {'; '.join(missed)}"] if missed else []
            if complaint := tuned.get("collapse"):
                lines.append(f"- {column.label}, seed {seed}: collapsed: {complaint}")
    return [f"{met} of {runs} runs meet every target.", *([""] if lines else []), *lines]


if __name__ == "__main__":
    main()
