"""Common parts of the experiments: seeds, runs, mean and spread, tables and provenance of results."""

from __future__ import annotations

import os
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks import machine
from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError
from rl_tuner.common.tables import format_cell


def define_flags(values: flags.FlagValues, what: str, count_flag: str) -> None:
    """Define the flags that the tables of the paper share.

    Args:
        values: receives the flags.
        what: name of the sequences, such as "molecules".
        count_flag: name of the flag for the number of sequences drawn from each model.
    """
    command_line.define_work_dir(values)
    command_line.define_executor(values)
    flags.DEFINE_string(
        "data",
        None,
        f"File or folder of {what}; by default the corpus of the gin files.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "name",
        None,
        "Suffix of the names of the written files; by default the last part of --data.",
        flag_values=values,
    )
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the tuning runs.", flag_values=values)
    flags.DEFINE_integer(
        "steps",
        None,
        "Number of environment steps (tokens); by default that of the gin files.",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        count_flag, 100_000, f"Number of {what} drawn from each model.", 1, flag_values=values
    )
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding for all runs; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def data_name(values: flags.FlagValues) -> str:
    """Return --name, or else the last part of --data without its suffix, or else ""."""
    if not values.data:
        return values.name or ""
    return values.name or name_of(values.data)


def name_of(path: str) -> str:
    """Return the last part of a path without its suffix."""
    return os.path.splitext(os.path.basename(os.path.abspath(path)))[0]


def shared_bindings(
    builder: str, data: str | None, name: str, steps: int | None, count: int
) -> list[str]:
    """Return the gin bindings of all runs; the tuning runs of all seeds share one prior."""
    params = ["job.prior_seed = 0", f"job.evaluation_sequences = {count}"]
    if steps:
        params.append(f"tune.steps = {steps}")
    if data:
        params += [f"job.dataset_name = {name!r}", f"{builder}.inputs = [{data!r}]"]
    return params


def parse_seeds(texts: Sequence[str]) -> list[int]:
    """Return the whole numbers in `texts`.

    Raises:
        UserError: there are no numbers, one is not a whole number of at least 0, or one is repeated.
    """
    if not texts or not all(text.strip().isdigit() for text in texts):
        raise UserError(f"--seeds must be whole numbers such as 0,1,2, not {','.join(texts)!r}")
    seeds = [int(text) for text in texts]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds must not repeat a number: {','.join(texts)}")
    return seeds


def run_model(
    gin_file: str, params: Sequence[str], seed: int, work_dir: str, run_dir: str
) -> dict[str, Any]:
    """Tune and measure one model, or reuse it.

    Returns:
        `metrics` by model ("prior", "tuned"), `history` (evaluations during training), `settings`
        and `run_dir`.
    """
    from rl_tuner.jobs import configuration
    from rl_tuner.jobs.job import run_point
    from rl_tuner.tuning.history import read_history

    metrics = run_point([gin_file], [*params, f"job.seed = {seed}"], work_dir, run_dir)
    settings = {name: configuration.settings(name) for name in ("job", "tune", "RLTuner")}
    history = read_history(run_dir)
    return {"metrics": metrics, "history": history, "settings": settings, "run_dir": run_dir}


def make_runs(
    values: flags.FlagValues, models: Sequence[tuple[str, Sequence[str], int, str]]
) -> None:
    """Make all runs at the same time if --executor is given; `run_model` then finds them finished.

    Args:
        values: the flags.
        models: gin file, bindings, seed and folder of each run.
    """
    command_line.check_executor_flag(values)
    if values.executor:
        from rl_tuner.jobs.spreading import Point, make_all

        points = [
            Point([gin_file], [*params, f"job.seed = {seed}"], run_dir)
            for gin_file, params, seed, run_dir in models
        ]
        make_all(values.executor, points, values.work_dir)


def summarise(rows: Sequence[Mapping[str, float | None]]) -> dict[str, dict[str, Any]]:
    """Return the mean, standard deviation and values over seeds of each metric.

    Undefined values and what is not a number are left out; the deviation of a single value is None.
    """
    summary = {}
    for metric in rows[0]:
        values = [row[metric] for row in rows if isinstance(row.get(metric), (int, float))]
        if not values and any(row.get(metric) is not None for row in rows):
            continue
        summary[metric] = {
            "mean": statistics.fmean(values) if values else None,
            "std": statistics.stdev(values) if len(values) > 1 else None,
            "values": values,
        }
    return summary


def footer(facts: Mapping[str, Any]) -> list[str]:
    """Return the provenance of results as lines of Markdown."""
    data = facts["data"]
    splits = ", ".join(
        f"{name} {split['sequences']:,} sequences ({split['tokens']:,} tokens)"
        for name, split in (data["splits"] or {}).items()
    )
    return [
        f"- Command: `{facts['command']}`",
        f"- Data: {data['name']} ({', '.join(data['source'] or [])}): {splits}",
        f"- Prior: {format_scores(data['prior_scores'])}",
        f"- Seeds: {', '.join(map(str, facts['seeds']))}",
        *versions_and_machine(facts),
    ]


def versions_and_machine(facts: Mapping[str, Any]) -> list[str]:
    """Return what made the results as lines of Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    where = facts["machine"]
    return [f"- Versions: {versions}", f"- Machine: {where['cores']} cores, {where['cpu']}"]


def markdown_table(
    rows: Sequence[tuple[str, str, str]],
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]],
    published: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Return a table: one row per metric, one column per model (mean and spread), then published columns.

    Args:
        rows: metric, label and kind, see `format_cell`.
        columns: results of `summarise`, by model.
        published: column -> metric -> value; missing metrics stay empty.
    """
    header = ["Metric", *columns, *(f"paper {name}" for name in published)]
    lines = [f"| {' | '.join(header)} |", "|---" + "|---:" * (len(header) - 1) + "|"]
    for metric, label, kind in rows:
        cells = [
            format_cell(kind, model[metric]["mean"], model[metric]["std"])
            if metric in model
            else "n/a"
            for model in columns.values()
        ]
        paper = [
            format_cell(kind, column[metric]) if metric in column else ""
            for column in published.values()
        ]
        lines.append(f"| {label} | {' | '.join([*cells, *paper])} |")
    return lines


def format_scores(scores: Mapping[str, float] | None) -> str:
    """Return the prior's scores as text."""
    if not scores:
        return "given"
    return (
        f"validation {scores['validation_log_perplexity']:.3f} nats per step, "
        f"accuracy {scores['validation_accuracy']:.1%}"
    )


def provenance(program: str, run: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, Any]:
    """Return the provenance of the results: command, data, versions and machine."""

    from rl_tuner.priors.files import load_prior

    settings = run["settings"]
    prior = load_prior(run["run_dir"])
    made = prior.metadata.get("provenance", {})
    return {
        "command": command(program),
        "data": {
            "name": settings["job"]["dataset_name"],
            "source": made.get("source"),
            "splits": made.get("splits"),
            "prior_scores": made.get("scores"),
        },
        "steps": settings["tune"]["steps"],
        "sequences": settings["job"]["evaluation_sequences"],
        "seeds": list(seeds),
        "versions": machine.versions(),
        "machine": machine.machine(),
    }


def command(program: str) -> str:
    """Return the command line of a program of this folder, without the flags for folders."""
    kept = [a for a in sys.argv[1:] if not a.startswith(("--work_dir=", "--output_dir="))]
    return shlex.join(["python", "-m", f"benchmarks.paper.{program}", *kept])
