"""What a user can ask of molecules, in the units of the paper's Table 2."""

from __future__ import annotations

import dataclasses

import gin

from rl_tuner.core.features import NamedTargets, Pair


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class ComponentTargets(NamedTargets):
    """Targets for molecules: each a pair (low, high) with None for no bound; None asks for nothing.

    The names are those of the metrics, see `metrics.table2`.

    Attributes:
        valid: share of strings that are valid molecules.
        qed: mean QED of the valid molecules, as for the following.
        logp: mean Crippen logP.
        sa_penalty: mean of minus the SA score, -10 to -1.
        ring_penalty: mean of -max(0, L - 6), L the atoms of the largest ring.
        log_prior: mean log p(a|s) of the tokens under the prior, nats.
        others: targets for the mean number (before its transform) of components of the task's reward or
            of `MoleculeTask.measured`, name -> pair.

    Raises:
        ValueError: a target is not a pair of numbers or None, or asks for nothing.
    """

    valid: Pair = None
    qed: Pair = None
    logp: Pair = None
    sa_penalty: Pair = None
    ring_penalty: Pair = None
