"""The paper's molecule experiment: Table 2 and common metrics of generators.

python -m benchmarks.paper.table2
python -m benchmarks.paper.table2 --data=data/zinc_24k.smi
python -m benchmarks.paper.table2 --steps=20000 --molecules=500 --seeds=0 --output_dir=/tmp/table2

Tunes one prior with Psi-learning, once per seed, and writes table2.md, table2.json, and pictures of the
first seed's molecules and their properties. Finished models are reused, so rerunning an interrupted
command resumes it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.paper.experiments import (
    data_name,
    define_flags,
    footer,
    make_runs,
    markdown_table,
    parse_seeds,
    provenance,
    run_model,
    shared_bindings,
    summarise,
)
from rl_tuner.common import command_line

COMMON_ROWS = (
    ("log_prior", "Mean log p(a given s), nats per token", "mean"),
    ("nll_prior", "NLL under the prior, nats per molecule", "reward"),
    ("kl", "Exact KL from the prior, nats per token", "mean"),
    ("kl_sequence", "Exact KL from the prior, nats per molecule", "mean"),
    ("task_reward", "Task reward r_T per molecule", "mean"),
    ("length", "Tokens per molecule", "reward"),
)
PICTURES = ("properties", "best", "samples")


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    define_flags(values, "molecules", "molecules")
    flags.DEFINE_string(
        "gin_file", "gin/psi_molecules.gin", "gin file of the tuning runs.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.progress import say

    seeds = parse_seeds(values.seeds)
    name = data_name(values)
    suffix = f"_{name}" if name else ""
    params = bindings(values.data, name, values.steps, values.molecules) + values.gin_param
    start = time.monotonic()
    runs = []
    folders = {
        seed: os.path.join(values.work_dir, f"table2{suffix}", f"seed{seed}") for seed in seeds
    }
    make_runs(values, [(values.gin_file, params, seed, folders[seed]) for seed in seeds])
    for seed in seeds:
        say(f"table2: seed {seed} ({(time.monotonic() - start) / 60:.1f} min so far)")
        runs.append(run_model(values.gin_file, params, seed, values.work_dir, folders[seed]))
    paths = write_results(runs, seeds, values.output_dir, suffix)
    say(f"table2: {(time.monotonic() - start) / 60:.1f} min")
    print("\n".join(paths))


def bindings(data: str | None, name: str, steps: int | None, molecules: int) -> list[str]:
    """Return the gin bindings of all runs."""
    return shared_bindings("build_molecule_dataset", data, name, steps, molecules)


def write_results(
    runs: Sequence[Mapping[str, Any]], seeds: Sequence[int], output_dir: str, suffix: str
) -> list[str]:
    """Write table, numbers and pictures; return their paths."""
    from rl_tuner.common.files import write_text

    summary = {
        label: summarise([per_molecule(run["metrics"][model]) for run in runs])
        for label, model in (("Prior", "prior"), ("Tuned", "tuned"))
    }
    facts = provenance("table2", runs[0], seeds)
    paths = [os.path.join(output_dir, f"table2{suffix}{ending}") for ending in (".md", ".json")]
    pictures = {}
    os.makedirs(output_dir, exist_ok=True)
    for picture in PICTURES:
        source = os.path.join(runs[0]["run_dir"], "plots", f"{picture}.png")
        pictures[picture] = f"table2{suffix}_{picture}.png"
        shutil.copyfile(source, os.path.join(output_dir, pictures[picture]))
    content = facts | {"models": summary, "settings": runs[0]["settings"]}
    write_text(paths[1], json.dumps(content, indent=1) + "\n")
    write_text(paths[0], format_markdown(summary, facts, pictures))
    return [*paths, *(os.path.join(output_dir, name) for name in pictures.values())]


def per_molecule(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of a model, with NLL and KL per molecule in addition to those per token."""
    return {
        **metrics,
        "nll_prior": -metrics["log_prior"] * metrics["length"],
        "kl_sequence": metrics["kl"] * metrics["length"],
    }


def format_markdown(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]],
    facts: Mapping[str, Any],
    pictures: Mapping[str, str],
) -> str:
    """Return a report with Table 2 and the paper's columns, the pictures and the provenance."""
    from rl_tuner.tasks.molecule.metrics import PAPER_TABLE2, SET_ROWS, TABLE2_ROWS

    rows = (*TABLE2_ROWS, *SET_ROWS)
    seeds = facts["seeds"]
    spread = "± standard deviation over seeds" if len(seeds) > 1 else "one seed"
    return "\n".join(
        [
            "# Table 2",
            "",
            f"Mean {spread}; {facts['sequences']:,} molecules per model and seed, {facts['steps']:,} "
            "environment steps (tokens) of tuning. One prior for all seeds. Means of properties are over "
            "valid molecules; a molecule counts as novel if its canonical SMILES is not in the training "
            "split; internal diversity is of 5,000 molecules.",
            "",
            *markdown_table((*rows, *COMMON_ROWS), summary, PAPER_TABLE2),
            "",
            *(f"![{name} of the first seed]({file})" for name, file in pictures.items()),
            "",
            *footer(facts),
            "",
        ]
    )


if __name__ == "__main__":
    main()
