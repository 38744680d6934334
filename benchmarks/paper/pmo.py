"""The benchmark PMO (Gao et al. 2022): area under the ten best molecules in 10,000 calls, task by task.

python -m benchmarks.paper.pmo --data=data/zinc_250k.smi
python -m benchmarks.paper.pmo --data=data/zinc_250k.smi --tasks=perindopril_mpo,median1 --seeds=0

Trains one prior, tunes it for each of the 20 tasks that need only RDKit (gin/pmo), once per seed, and writes
pmo.md, pmo.json and pmo.png. --published names a CSV file with a column "task" and a column of areas for each
method, to be shown beside ours. Finished runs are reused, so rerunning an interrupted command resumes it.
"""

from __future__ import annotations

import csv
import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.paper.experiments import footer, make_runs, parse_seeds, provenance, run_model
from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError, did_you_mean

BEST = 10
TASKS = (
    "albuterol_similarity",
    "amlodipine_mpo",
    "celecoxib_rediscovery",
    "deco_hop",
    "fexofenadine_mpo",
    "isomers_c7h8n2o2",
    "isomers_c9h10n2o2pf2cl",
    "median1",
    "median2",
    "mestranol_similarity",
    "osimertinib_mpo",
    "perindopril_mpo",
    "qed",
    "ranolazine_mpo",
    "scaffold_hop",
    "sitagliptin_mpo",
    "thiothixene_rediscovery",
    "troglitazone_rediscovery",
    "valsartan_smarts",
    "zaleplon_mpo",
)
Runs = Mapping[str, Sequence[Mapping[str, Any]]]
Published = Mapping[str, Mapping[str, float]]


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_work_dir(values)
    command_line.define_executor(values)
    flags.DEFINE_string("data", "data/zinc_250k.smi", "File of molecules.", flag_values=values)
    flags.DEFINE_list("tasks", list(TASKS), "Tasks of gin/pmo.", flag_values=values)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds of the tuning runs.", flag_values=values)
    flags.DEFINE_string(
        "published",
        None,
        "CSV file of published areas: task, one column per method.",
        flag_values=values,
    )
    flags.DEFINE_string("name", "pmo", "Name of the result files.", flag_values=values)
    flags.DEFINE_multi_string(
        "gin_param", [], "A gin binding for all runs; repeat it for several.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.progress import say

    seeds = parse_seeds(values.seeds)
    for task in values.tasks:
        if task not in TASKS:
            raise UserError(f"--tasks: there is no task {task!r}{did_you_mean(task, TASKS)}")
    published = read_published(values.published) if values.published else {}
    params = ["job.prior_seed = 0", f"build_molecule_dataset.inputs = [{values.data!r}]"]
    params += values.gin_param
    start = time.monotonic()
    runs: dict[str, list[dict[str, Any]]] = {}
    folders = {
        (task, seed): os.path.join(values.work_dir, values.name, f"{task}_{seed}")
        for task in values.tasks
        for seed in seeds
    }
    make_runs(
        values,
        [(f"gin/pmo/{t}.gin", params, seed, folder) for (t, seed), folder in folders.items()],
    )
    for task in values.tasks:
        for seed in seeds:
            folder = folders[task, seed]
            run = run_model(f"gin/pmo/{task}.gin", params, seed, values.work_dir, folder)
            runs.setdefault(task, []).append(run | measure(folder, budget_of(run)))
            areas = ", ".join(f"{one['auc']:.3f}" for one in runs[task])
            minutes = (time.monotonic() - start) / 60
            say(f"pmo: {task}: {areas} ({minutes:.1f} min so far)")
    print("\n".join(write_results(runs, published, seeds, values.output_dir, values.name)))


def read_published(path: str) -> dict[str, dict[str, float]]:
    """Return published areas, method -> task -> area, of a CSV file; other columns are left out.

    Raises:
        UserError: the file cannot be read or has no column "task".
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError) as error:
        raise UserError(f"--published: {path} cannot be read: {error}") from error
    if not rows or "task" not in rows[0]:
        raise UserError(f'--published: {path} has no column "task"')
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        for method, text in row.items():
            try:
                found.setdefault(method, {})[row["task"]] = float(text)
            except (TypeError, ValueError):
                continue
    return {method: areas for method, areas in found.items() if areas}


def budget_of(run: Mapping[str, Any]) -> int:
    """Return the calls that a run was allowed."""
    return int(run["settings"]["tune"]["budget"])


def measure(run_dir: str, budget: int) -> dict[str, Any]:
    """Return the area of a run, its calls, its best molecule and the curve of its ten best.

    The area is divided by the budget; if a run made fewer calls, its last mean counts for the rest.
    """
    from rl_tuner.core.ledger import Ledger
    from rl_tuner.tasks.molecule.journal import MoleculeJournal, read_best

    journal = MoleculeJournal(run_dir, ())
    journal.restore(2**62)
    ledger, curve = Ledger(), [(0, 0.0)]
    for number, call in enumerate(journal.calls(), start=1):
        ledger.restore([call])
        if number % 100 == 0:
            curve.append((number, ledger.best(BEST)))
    best = read_best(run_dir, 1)
    return {
        "auc": ledger.auc(BEST, budget),
        "calls": ledger.calls,
        "top": ledger.best(BEST),
        "best": {name: best[0][name] for name in ("smiles", "reward")} if best else None,
        "curve": curve,
    }


def write_results(
    runs: Runs, published: Published, seeds: Sequence[int], output_dir: str, name: str
) -> list[str]:
    """Write table, numbers and curves; return their paths."""
    from rl_tuner.common.files import write_text

    first = next(iter(runs.values()))[0]
    facts = provenance("pmo", first, seeds)
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, f"{name}{ending}") for ending in (".md", ".json", ".png")]
    plot(runs, paths[2])
    kept = ("auc", "calls", "top", "best")
    numbers = {
        task: [{key: run[key] for key in kept} for run in rows] for task, rows in runs.items()
    }
    content = facts | {"tasks": numbers, "settings": first["settings"]}
    write_text(paths[1], json.dumps(content, indent=1) + "\n")
    write_text(paths[0], format_markdown(runs, published, facts, os.path.basename(paths[2])))
    return paths


def plot(runs: Runs, path: str) -> None:
    """Draw the mean of the ten best against calls, one panel per task and one line per seed."""
    from rl_tuner.common.figures import new_figure, save_figure

    columns = min(5, len(runs))
    rows = math.ceil(len(runs) / columns)
    figure = new_figure(3.0 * columns, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, (task, found) in zip(grid, runs.items()):
        for run in found:
            axes.plot(*zip(*run["curve"]), linewidth=0.9)
        axes.set_title(task, fontsize=8)
        axes.set_ylim(0, 1)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    for axes in list(grid)[len(runs) :]:
        axes.axis("off")
    save_figure(figure, path)


def format_markdown(
    runs: Runs, published: Published, facts: Mapping[str, Any], picture: str
) -> str:
    """Return the report: areas beside the published ones, the best molecules and the provenance."""
    lines = [
        "# PMO: area under the ten best molecules in 10,000 calls",
        "",
        "The mean reward of the ten best molecules so far, averaged over the calls of the reward; larger is",
        "better. Ours is the mean over seeds ± standard deviation. Calls are distinct molecules rewarded.",
        "",
        _row(["task", "ours", "calls", *published]),
        "|" + "---|" * (3 + len(published)),
    ]
    for task, rows in runs.items():
        calls = " ".join(f"{run['calls']:,}" for run in rows)
        theirs = [_number(areas.get(task)) for areas in published.values()]
        lines.append(_row([task, _spread(rows), calls, *theirs]))
    ours = sum(statistics.fmean(run["auc"] for run in rows) for rows in runs.values())
    sums = [
        _number(sum(areas[task] for task in runs) if set(runs) <= set(areas) else None)
        for areas in published.values()
    ]
    lines.append(_row([f"**sum of {len(runs)}**", f"**{ours:.3f}**", "", *sums]))
    lines += ["", f"![Mean of the ten best against calls, by task]({picture})", ""]
    lines += ["| task | best reward | molecule |", "|---|---|---|"]
    for task, rows in runs.items():
        best = max((run["best"] for run in rows if run["best"]), key=lambda one: one["reward"])
        lines.append(f"| {task} | {best['reward']:.3f} | `{best['smiles']}` |")
    return "\n".join([*lines, "", *footer(facts)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _spread(rows: Sequence[Mapping[str, Any]]) -> str:
    areas = [run["auc"] for run in rows]
    text = f"{statistics.fmean(areas):.3f}"
    return f"{text} ± {statistics.stdev(areas):.3f}" if len(areas) > 1 else text
