"""Metrics of molecules: the paper's Table 2, and common metrics of generators such as novelty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from rdkit import Chem

from rl_tuner.common.tables import Row
from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.components import ring_penalty
from rl_tuner.tasks.molecule.probes import fingerprint_generator
from rl_tuner.tasks.molecule.scoring import ScoringPool

WANTED = chemistry.DEFAULT_WANTED

# The rows in the paper's order: metric, label and number format.
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
    Row("commonest_scaffold", "Commonest scaffold", "share"),
)
# Of the molecules rewarded in training, not of samples; empty for the prior.
CALL_ROWS = (
    Row("calls", "Distinct molecules rewarded", "count"),
    Row("top_1", "Reward of the best", "score"),
    Row("top_10", "Mean reward of the 10 best", "score"),
    Row("top_100", "Mean reward of the 100 best", "score"),
    Row("auc_1", "Area under the best, per call", "score"),
    Row("auc_10", "Area under the 10 best, per call", "score"),
    Row("auc_100", "Area under the 100 best, per call", "score"),
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
# Up to this number of scaffolds, starting worker processes takes longer than computing them here.
_FEW = 5_000


def table2_sums(properties: Sequence[Properties | None]) -> dict[str, float]:
    """Return the sums and counts from which `table2` computes its metrics.

    They are additive: the entries for two batches add up to the entries for both together.

    Args:
        properties: properties of each sampled molecule, with `WANTED`; None for an invalid one.

    Returns:
        the counts `molecules` and `valid`, and the sums over valid molecules `logp`, `qed`,
        `sa_penalty` (-SA) and `ring_penalty` (-max(0, L - 6), L the atoms of the largest ring).
    """
    valid = [found for found in properties if found is not None]
    counts = {"molecules": float(len(properties)), "valid": float(len(valid))}
    return counts | {
        name: float(sum(values.tolist())) for name, values in table2_values(valid).items()
    }


def table2_values(properties: Sequence[Properties]) -> dict[str, np.ndarray]:
    """Return what Table 2 averages over valid molecules, float64 [N] each.

    `logp`, `qed`, `sa_penalty` (-SA) and `ring_penalty` (-max(0, L - 6), L the atoms of the largest ring).

    Args:
        properties: properties of N valid molecules, with `WANTED`.
    """
    return {
        "logp": np.array([p.logp for p in properties], np.float64),
        "qed": np.array([p.qed for p in properties], np.float64),
        "sa_penalty": -np.array([p.sa for p in properties], np.float64),
        "ring_penalty": -np.asarray(ring_penalty(properties), np.float64),
    }


def table2(sums: Mapping[str, float]) -> dict[str, float | None]:
    """Return the metrics of the paper's Table 2.

    Args:
        sums: result of `table2_sums`, or its sums over several batches.

    Returns:
        for each of `TABLE2_METRICS`: the share of valid molecules, and means over valid molecules,
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
    properties: Sequence[Properties | None], training: Iterable[str] | None = None
) -> dict[str, float | None]:
    """Return metrics of a set of sampled molecules, by their canonical SMILES.

    - `unique_at_1000`, `unique_at_10000`: the share of distinct molecules among the first 1,000 or
      10,000 valid molecules; None if there are fewer.
    - `novelty`: the share of the distinct valid molecules that are not in the training set.
    - `internal_diversity`: see `internal_diversity`, of the first 5,000 valid molecules.
    - `scaffolds`: the number of distinct Bemis-Murcko scaffolds with at least one ring.
    - `commonest_scaffold`: the share of the valid molecules with the commonest of them; None if there are
      none.

    Args:
        properties: properties of each sampled molecule; None for an invalid one.
        training: canonical SMILES of the training set; None omits the novelty.

    Returns:
        the metrics by name; None for undefined ones.
    """
    valid = [found for found in properties if found is not None]
    smiles = [found.canonical for found in valid]
    metrics = {
        "unique_at_1000": unique_at(smiles, 1_000),
        "unique_at_10000": unique_at(smiles, 10_000),
        "novelty": None if training is None else novelty(smiles, training),
        "internal_diversity": internal_diversity(smiles[:DIVERSITY_SAMPLE]),
        **scaffold_metrics(valid),
    }
    if training is None:
        del metrics["novelty"]
    return metrics


def unique_at(smiles: Sequence[str], count: int) -> float | None:
    """Return the share of distinct SMILES among the first `count`; None if there are fewer."""
    return len(set(smiles[:count])) / count if len(smiles) >= count else None


def novelty(smiles: Collection[str], training: Iterable[str]) -> float | None:
    """Return the share of the distinct SMILES that are not in the training set; None without SMILES."""
    distinct = set(smiles)
    if not distinct:
        return None
    # The molecules that were drawn fit into memory; the training set need not.
    return len(distinct.difference(training)) / len(distinct)


def internal_diversity(smiles: Sequence[str]) -> float | None:
    """Return one minus the mean Tanimoto similarity of all pairs: IntDiv1 of MOSES.

    1 - (1 / N^2) sum_ij T(i, j), with Morgan fingerprints of radius 2 and 1,024 bits; as in MOSES, the
    pair of a molecule with itself counts, and a molecule counts as often as it occurs.

    Args:
        smiles: N valid molecules; memory is proportional to N, time to N^2.

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


def scaffold_metrics(properties: Sequence[Properties]) -> dict[str, float | None]:
    """Return `scaffolds` and `commonest_scaffold`, see `set_metrics`.

    Args:
        properties: properties of N valid molecules; missing scaffolds are computed, by several
            processes if there are many.
    """
    known = {p.canonical: p.scaffold for p in properties}
    missing = [smiles for smiles, scaffold in known.items() if scaffold is None]
    if len(missing) <= _FEW:
        known |= {smiles: chemistry.scaffold(Chem.MolFromSmiles(smiles)) for smiles in missing}
    else:
        with ScoringPool(wanted=frozenset([chemistry.SCAFFOLD])) as pool:
            measured = zip(missing, pool.score(missing))
            known |= {smiles: found.scaffold for smiles, found in measured if found is not None}
    counts = Counter(known[p.canonical] for p in properties)
    for without_ring in (None, ""):
        counts.pop(without_ring, None)
    return {
        "scaffolds": len(counts),
        "commonest_scaffold": max(counts.values(), default=0) / len(properties)
        if properties
        else None,
    }
