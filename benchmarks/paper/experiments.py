"""What the experiments share: seeds, runs, mean and spread, tables, and how results were made."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from rl_tuner.common.errors import UserError

PACKAGES = ("tensorflow", "keras", "numpy", "gin-config", "note-seq", "rdkit")


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


def run_model(
    gin_file: str, params: Sequence[str], seed: int, work_dir: str, run_dir: str
) -> dict[str, Any]:
    """Tunes and measures one model, or reuses it.

    Returns:
        `metrics` by model ("prior", "tuned"), `history` (evaluations during training), `settings`,
        and the `run_dir`.
    """
    from rl_tuner.jobs import configuration
    from rl_tuner.jobs.job import run_point
    from rl_tuner.tuning.history import read_history

    metrics = run_point([gin_file], [*params, f"job.seed = {seed}"], work_dir, run_dir)
    settings = {name: configuration.settings(name) for name in ("job", "tune", "RLTuner")}
    history = read_history(run_dir)
    return {"metrics": metrics, "history": history, "settings": settings, "run_dir": run_dir}


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


def footer(facts: Mapping[str, Any]) -> list[str]:
    """How results were made, as lines of Markdown."""
    data, machine = facts["data"], facts["machine"]
    splits = ", ".join(
        f"{name} {split['sequences']:,} sequences ({split['tokens']:,} tokens)"
        for name, split in (data["splits"] or {}).items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return [
        f"- Command: `{facts['command']}`",
        f"- Data: {data['name']} ({', '.join(data['source'] or [])}): {splits}",
        f"- Prior: {format_scores(data['prior_scores'])}",
        f"- Seeds: {', '.join(map(str, facts['seeds']))}",
        f"- Versions: {versions}",
        f"- Machine: {machine['cores']} cores, {machine['cpu']}",
    ]


def markdown_table(
    rows: Sequence[tuple[str, str, str]],
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]],
    published: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """A row a metric, a column a model (mean and spread), then the published columns.

    Args:
        rows: metric, label and kind, see `format_cell`.
        columns: what `summarise` gave, by model.
        published: numbers by column; what they lack stays empty.
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


def format_cell(kind: str, mean: float | None, std: float | None = None) -> str:
    """One cell: a share as percent, more digits near zero; the deviation to as many digits."""
    if mean is None:
        return "n/a"
    scale, unit = (100.0, "%") if kind == "share" else (1.0, "")
    decimals = {"share": 1, "reward": 1, "score": 3, "count": 0}.get(kind, 2)
    if kind == "share" and 0 < mean < 0.01:
        decimals = 2 if mean > 0.000095 else 3
    # z: no minus sign before a number that rounds to zero.
    text = f"{scale * mean:z.{decimals}f}{unit}"
    return text if std is None else f"{text} ± {scale * std:.{decimals}f}"


def format_scores(scores: Mapping[str, float] | None) -> str:
    """The prior's quality in words."""
    if not scores:
        return "given"
    return (
        f"validation {scores['validation_log_perplexity']:.3f} nats a step, "
        f"accuracy {scores['validation_accuracy']:.1%}"
    )


def provenance(program: str, run: Mapping[str, Any], seeds: Sequence[int]) -> dict[str, Any]:
    """How the results were made: command, data, versions and machine."""

    from rl_tuner.priors.files import load_prior

    settings = run["settings"]
    prior = load_prior(run["run_dir"])
    made = prior.metadata.get("provenance", {})
    return {
        "command": shlex.join(["python", "-m", f"benchmarks.{program}", *_result_flags()]),
        "data": {
            "name": settings["job"]["dataset_name"],
            "source": made.get("source"),
            "splits": made.get("splits"),
            "prior_scores": made.get("scores"),
        },
        "steps": settings["tune"]["steps"],
        "sequences": settings["job"]["evaluation_sequences"],
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


def _result_flags() -> list[str]:
    """The command line without the flags that only say where files go."""
    return [a for a in sys.argv[1:] if not a.startswith(("--work_dir=", "--output_dir="))]
