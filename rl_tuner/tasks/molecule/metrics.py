"""Metrics of molecules: the paper's Table 2, and what else people judge a generator by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from rdkit import Chem

from rl_tuner.common.tables import Row
from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.components import USUAL_RING
from rl_tuner.tasks.molecule.probes import fingerprint_generator
from rl_tuner.tasks.molecule.scoring import ScoringPool

WANTED = chemistry.DEFAULT_WANTED

# The rows in the paper's order: metric, label, and how it is written.
TABLE2_ROWS = (
    Row("valid", "Percent valid", "share"),
    Row("logp", "Mean logP", "mean"),
    Row("qed", "Mean QED", "score"),
    Row("sa_penalty", "Mean SA penalty", "mean"),
    Row("ring_penalty", "Mean ring penalty", "score"),
)
SET_ROWS = (
    Row("unique_at_1000", "Unique of 1,000", "share"),
    Row("unique_at_10000", "Unique of 10,000", "share"),
    Row("novelty", "Novel", "share"),
    Row("internal_diversity", "Internal diversity", "score"),
    Row("scaffolds", "Scaffolds", "count"),
)
TABLE2_METRICS = tuple(metric for metric, _, _ in TABLE2_ROWS)

# Jaques et al. (2017), Table 2: 100,000 samples per model.
PAPER_TABLE2 = {
    "MLE": dict(zip(TABLE2_METRICS, (0.303, 2.07, 0.678, -2.77, -0.096), strict=True)),
    "tuned": dict(zip(TABLE2_METRICS, (0.358, 4.21, 0.417, -1.79, -0.001), strict=True)),
}

DIVERSITY_SAMPLE = 5_000
_DIVERSITY_RADIUS, _DIVERSITY_BITS = 2, 1024
_BLOCK = 1_000
# So many scaffolds take one process about as long as others take to start.
_FEW = 5_000


def table2_sums(properties: Sequence[Properties | None]) -> dict[str, float]:
    """Return the sums and counts from which `table2` makes its metrics.

    Those of two batches add up, entry by entry, to those of both.

    Args:
        properties: of each sampled molecule, with `WANTED`; None for one that is not valid.

    Returns:
        `molecules` and `valid` counted, and over the valid ones the sums `logp`, `qed`,
        `sa_penalty` (-SA) and `ring_penalty` (-max(0, L - 6), L the atoms of the largest ring).
    """
    valid = [found for found in properties if found is not None]
    return {
        "molecules": float(len(properties)),
        "valid": float(len(valid)),
        "logp": float(sum(p.logp for p in valid)),
        "qed": float(sum(p.qed for p in valid)),
        "sa_penalty": -float(sum(p.sa for p in valid)),
        "ring_penalty": -float(sum(max(0, p.largest_ring - USUAL_RING) for p in valid)),
    }


def table2(sums: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics of the paper's Table 2.

    Args:
        sums: what `table2_sums` returned, or the sums of that over several batches.

    Returns:
        for each of `TABLE2_METRICS`: the share of valid molecules, and means over the valid ones,
        None if there are none.

    Raises:
        ValueError: if no molecule was counted.
    """
    sums = {name: float(value) for name, value in sums.items()}
    if not sums["molecules"]:
        raise ValueError("Table 2 needs at least one molecule.")
    means: dict[str, float | None] = {
        metric: sums[metric] / sums["valid"] if sums["valid"] else None for metric in TABLE2_METRICS
    }
    return means | {"valid": sums["valid"] / sums["molecules"]}


def set_metrics(
    properties: Sequence[Properties | None], training: Collection[str] | None = None
) -> dict[str, float | None]:
    """Return metrics of a whole set of sampled molecules, by their canonical SMILES.

    - `unique_at_1000`, `unique_at_10000`: the share of different ones among the first so many valid
      molecules; None if there are fewer.
    - `novelty`: the share of the different valid molecules that are not in the training set.
    - `internal_diversity`: see `internal_diversity`, of the first 5,000 valid molecules.
    - `scaffolds`: the number of different Bemis-Murcko scaffolds, that of no rings not counted.

    Args:
        properties: of each sampled molecule; None for one that is not valid.
        training: canonical SMILES of the training set; None leaves the novelty out.

    Returns:
        the metrics by name, None where one is undefined.
    """
    valid = [found for found in properties if found is not None]
    smiles = [found.canonical for found in valid]
    metrics = {
        "unique_at_1000": unique_at(smiles, 1_000),
        "unique_at_10000": unique_at(smiles, 10_000),
        "novelty": None if training is None else novelty(smiles, training),
        "internal_diversity": internal_diversity(smiles[:DIVERSITY_SAMPLE]),
        "scaffolds": count_scaffolds(valid),
    }
    if training is None:
        del metrics["novelty"]
    return metrics


def unique_at(smiles: Sequence[str], count: int) -> float | None:
    """Share of different ones among the first `count` SMILES; None if there are fewer."""
    return len(set(smiles[:count])) / count if len(smiles) >= count else None


def novelty(smiles: Collection[str], training: Collection[str]) -> float | None:
    """Share of the different SMILES that are not in the training set; None if there is none."""
    distinct = set(smiles)
    if not distinct:
        return None
    return len(distinct - set(training)) / len(distinct)


def internal_diversity(smiles: Sequence[str]) -> float | None:
    """One minus the mean Tanimoto similarity of all pairs: IntDiv1 of MOSES.

    1 - (1 / N^2) sum_ij T(i, j), with Morgan fingerprints of radius 2 and 1,024 bits; as in MOSES a
    molecule's pair with itself counts, and a molecule counts as often as it occurs.

    Args:
        smiles: N valid molecules; memory grows as N, time as N^2.

    Returns:
        the diversity, 0 .. 1; None if N is 0.
    """
    if not smiles:
        return None
    distinct = {s: i for i, s in enumerate(dict.fromkeys(smiles))}
    counts = np.bincount([distinct[s] for s in smiles]).astype(np.float64)
    generator = fingerprint_generator(_DIVERSITY_RADIUS, _DIVERSITY_BITS)
    bits = np.array(
        [generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(s)) for s in distinct], np.float32
    )
    sizes = bits.sum(axis=1)
    total = 0.0
    for first in range(0, len(bits), _BLOCK):
        block = slice(first, first + _BLOCK)
        both = bits[block] @ bits.T
        similarity = both / (sizes[block, np.newaxis] + sizes - both)
        total += float(counts[block] @ similarity.astype(np.float64) @ counts)
    return 1.0 - total / len(smiles) ** 2


def count_scaffolds(properties: Sequence[Properties]) -> int:
    """Return the number of different Bemis-Murcko scaffolds that have a ring.

    Args:
        properties: of valid molecules; where they lack scaffolds these are found now, by several
            processes if it is worth it.
    """
    scaffolds = {p.scaffold for p in properties}
    missing = list(dict.fromkeys(p.canonical for p in properties if p.scaffold is None))
    if len(missing) <= _FEW:
        scaffolds |= {chemistry.scaffold(Chem.MolFromSmiles(smiles)) for smiles in missing}
    else:
        with ScoringPool(wanted=frozenset([chemistry.SCAFFOLD])) as pool:
            scaffolds |= {found.scaffold for found in pool.score(missing) if found is not None}
    return len(scaffolds - {None, ""})
