"""Components of a molecule's score, to be combined in gin; those of one property each are here."""

from __future__ import annotations

from collections.abc import Sequence

import gin
import numpy as np

from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.component import Component as Component
from rl_tuner.tasks.molecule.component import array
from rl_tuner.tasks.molecule.descriptors import Descriptor as Descriptor
from rl_tuner.tasks.molecule.descriptors import Formula as Formula
from rl_tuner.tasks.molecule.similarity import Similarity as Similarity
from rl_tuner.tasks.molecule.substructures import Alerts as Alerts
from rl_tuner.tasks.molecule.substructures import Scaffold as Scaffold
from rl_tuner.tasks.molecule.substructures import Substructure as Substructure
from rl_tuner.tasks.molecule.substructures import SubstructureCount as SubstructureCount

USUAL_RING = 6


@gin.configurable(module="rl_tuner")
class Validity(Component):
    """The number 1 for every valid molecule."""

    usual_name = "valid"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return ones."""
        return np.ones(len(properties))


@gin.configurable(module="rl_tuner")
class LogP(Component):
    """Crippen logP."""

    usual_name, wanted = "logp", frozenset([chemistry.LOGP])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the logP."""
        return array(p.logp for p in properties)


@gin.configurable(module="rl_tuner")
class QED(Component):
    """Quantitative estimate of drug-likeness, 0 .. 1."""

    usual_name, wanted = "qed", frozenset([chemistry.QED])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the QED."""
        return array(p.qed for p in properties)


@gin.configurable(module="rl_tuner")
class SyntheticAccessibility(Component):
    """The SA score, 1 (easy) to 10 (hard)."""

    usual_name, wanted = "sa", frozenset([chemistry.SA])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the SA score."""
        return array(p.sa for p in properties)


@gin.configurable(module="rl_tuner")
class NormalisedSA(Component):
    """(10 - SA) / 9: 1 for molecules that are easy to make, 0 for those that are hard to make."""

    usual_name, wanted = "normalised_sa", frozenset([chemistry.SA])

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the normalised score."""
        return (10.0 - array(p.sa for p in properties)) / 9.0


@gin.configurable(module="rl_tuner")
class RingPenalty(Component):
    """max(0, L - 6) for a largest ring of L atoms; use a transform for which less is better."""

    usual_name = "ring_penalty"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the penalty, at least 0."""
        return ring_penalty(properties)


@gin.configurable(module="rl_tuner")
class MolecularWeight(Component):
    """Average molecular weight in dalton."""

    usual_name = "molecular_weight"

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the weight."""
        return array(p.molecular_weight for p in properties)


def ring_penalty(properties: Sequence[Properties]) -> np.ndarray:
    """Return max(0, L - 6) for the L atoms of each molecule's largest ring: float64 [N]."""
    return array(max(0, p.largest_ring - USUAL_RING) for p in properties)
