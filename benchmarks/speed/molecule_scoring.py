"""Measures the speed of scoring molecules, and compares the values with those of RDKit.

python -m benchmarks.speed.molecule_scoring --input=builtin:nci
python -m benchmarks.speed.molecule_scoring --input=zinc.smi --processes=1,2 --output=rows.json

Prints the cost of each property on one core, next to that of RDKit's own functions; molecules per second for
parsing, canonical SMILES, logP, QED, SA and rings with each number of processes; and the number of molecules
whose values are not equal to RDKit's, bit for bit.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError

WARM_UP = 64


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("input", "builtin:nci", "SMILES file, or builtin:nci.", flag_values=values)
    flags.DEFINE_list("processes", ["1", "2"], "Numbers of processes.", flag_values=values)
    flags.DEFINE_integer("count", 5_000, "Number of molecules.", flag_values=values)
    flags.DEFINE_integer(
        "cost_count", 1_000, "Number of molecules for the costs of properties.", flag_values=values
    )
    flags.DEFINE_string("output", None, "JSON file for the results.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.files import write_text
    from rl_tuner.common.workers import available_processors
    from rl_tuner.tasks.molecule import chemistry

    chemistry.prepare()
    strings = read(values.input)
    strings = strings[:: max(1, len(strings) // values.count)][: values.count]
    print(f"{len(strings):,} strings of {values.input}, {available_processors()} cores")
    rows = []
    for case, ours, rdkits in costs(strings[: values.cost_count]):
        rows.append({"case": case, "microseconds": ours, "rdkit_microseconds": rdkits})
        shown = f"{rdkits:>10,.0f} us by RDKit's own function" if rdkits else ""
        print(f"{case:<44}{ours:>10,.0f} us{shown}", flush=True)
    for number in values.processes:
        rate = throughput(strings, _whole(number))
        rows.append({"case": "pool", "processes": int(number), "molecules_per_second": rate})
        print(f"{f'all of it, {number} processes':<44}{rate:>10,.0f} molecules/s", flush=True)
    unequal = [smiles for smiles in strings if not is_equal(smiles)]
    rows.append({"case": "unequal", "molecules": len(strings), "unequal": len(unequal)})
    print(f"not equal to RDKit's values: {len(unequal)} of {len(strings):,} {unequal[:3]}")
    if values.output:
        write_text(values.output, json.dumps(rows, indent=2) + "\n")


def read(source: str) -> list[str]:
    """Return the SMILES strings of a file or set: the first word of every line."""
    from rdkit import RDConfig

    if source == "builtin:nci":
        source = os.path.join(RDConfig.RDDataDir, "NCI", "first_5K.smi")
    try:
        with open(source, encoding="utf-8") as file:
            strings = [line.split()[0] for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--input {source}: {error}") from error
    if not strings:
        raise UserError(f"--input {source} contains no SMILES")
    return strings


def costs(strings: Sequence[str]) -> list[tuple[str, float, float | None]]:
    """Return (case, microseconds per molecule, those of RDKit's own function), in this process."""
    from rdkit import Chem
    from rdkit.Chem import QED, Crippen

    from rl_tuner.tasks.molecule import chemistry, drug_likeness

    strings = [smiles for smiles in strings if chemistry.parse(smiles)]
    made = [chemistry.parse(smiles) for smiles in strings]
    again = [chemistry.parse(smiles) for smiles in strings]
    names = [Chem.MolToSmiles(mol) for mol in made]
    rings = [mol.GetRingInfo().AtomRings() for mol in made]
    logp = each(Crippen.MolLogP, made)
    values = [Crippen.MolLogP(mol) for mol in made]
    largest = [max(map(len, ring), default=0) for ring in rings]
    return [
        ("parse", each(chemistry.parse, strings), None),
        ("canonical SMILES", each(Chem.MolToSmiles, made), None),
        ("logP", logp, None),
        (
            "QED, of known logP",
            each(drug_likeness.qed, made, names, values, rings),
            each(QED.default, made),
        ),
        (
            "SA",
            each(chemistry.synthetic_accessibility, made, largest),
            each(chemistry.sascorer().calculateScore, again),
        ),
        ("rings", each(lambda mol: mol.GetRingInfo().AtomRings(), made), None),
        ("all of it", each(chemistry.properties, strings), each(by_rdkit, strings)),
    ]


def each(function: Callable[..., Any], *columns: Sequence[Any]) -> float:
    """Return the microseconds per call."""
    start = time.perf_counter()
    for arguments in zip(*columns, strict=True):
        function(*arguments)
    return 1e6 * (time.perf_counter() - start) / len(columns[0])


def throughput(strings: Sequence[str], num_processes: int) -> float:
    """Return the molecules per second of a pool without cached molecules."""
    from rl_tuner.tasks.molecule.scoring import ScoringPool

    with ScoringPool(num_processes) as pool:
        # The first call waits until the workers have started.
        pool.score([f"{'C' * number}O" for number in range(1, WARM_UP)])
        start = time.perf_counter()
        pool.score(strings)
        return len(strings) / (time.perf_counter() - start)


def by_rdkit(smiles: str) -> tuple[Any, ...] | None:
    """Return canonical SMILES, logP, QED, SA and the largest ring by RDKit's own functions."""
    from rdkit import Chem
    from rdkit.Chem import QED, Crippen

    from rl_tuner.tasks.molecule import chemistry

    mol = Chem.MolFromSmiles(smiles)
    if mol is None or not mol.GetNumHeavyAtoms():
        return None
    return (
        Chem.MolToSmiles(mol),
        Crippen.MolLogP(mol),
        QED.default(mol),
        chemistry.sascorer().calculateScore(mol),
        max(map(len, mol.GetRingInfo().AtomRings()), default=0),
    )


def is_equal(smiles: str) -> bool:
    """Return whether the properties of a string equal those of RDKit's own functions exactly."""
    from rl_tuner.tasks.molecule import chemistry

    ours, rdkits = chemistry.properties(smiles), by_rdkit(smiles)
    if ours is None or rdkits is None:
        return ours is rdkits
    return (ours.canonical, ours.logp, ours.qed, ours.sa, ours.largest_ring) == rdkits


def _whole(number: str) -> int:
    if not number.isdigit() or not int(number):
        raise UserError(f"--processes must be whole numbers above 0, not {number!r}")
    return int(number)


if __name__ == "__main__":
    main()
