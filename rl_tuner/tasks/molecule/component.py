"""Base class of the components of a molecule's score."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Iterable, Sequence

import gin
import numpy as np

from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.transforms import Transform


@dataclasses.dataclass(frozen=True)
class Component(abc.ABC):
    """One number of a valid molecule, with its weight and transform.

    Two components of the same kind are told apart by gin scopes: `@near/Similarity()` has settings of its
    own, such as `near/Similarity.reference`, and the name "near".

    Attributes:
        weight: weight among the components, above 0.
        transform: converts the number into a desirability; None uses the number itself.
        name: name in summaries and tables; empty is the gin scope, or else the usual name of the component.
        gate: whether the score of all other components is multiplied by the desirability of this one,
            so that a desirability of 0 makes the score 0; the weight of a gate does not matter.

    Raises:
        ValueError: the weight is not positive, the transform is not callable, or `gate` is not a bool.
    """

    weight: float = 1.0
    transform: Transform | None = None
    name: str = ""
    gate: bool = False

    usual_name = ""
    wanted = frozenset[str]()

    def __post_init__(self) -> None:
        kind = type(self).__name__
        is_number = isinstance(self.weight, (int, float)) and not isinstance(self.weight, bool)
        if not is_number or not 0 < self.weight < math.inf:
            raise ValueError(f"{kind}.weight must be a number above 0, not {self.weight!r}")
        if self.transform is not None and not callable(self.transform):
            raise ValueError(
                f"{kind}.transform must be a transform such as @Sigmoid(), not {self.transform!r}"
            )
        if not isinstance(self.gate, bool):
            raise ValueError(f"{kind}.gate must be True or False, not {self.gate!r}")
        if not self.name:
            object.__setattr__(self, "name", gin.current_scope_str() or self._name())

    def _name(self) -> str:
        """Return the name of a component that was not given one."""
        return self.usual_name

    @property
    def probe(self) -> Probe | None:
        """The probe that the component needs in addition to `wanted`; None for none."""
        return None

    @abc.abstractmethod
    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the number of each of N valid molecules, before the transform: float64 [N]."""

    def desirability(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return the number of each of N valid molecules after the transform: float64 [N]."""
        values = self.values(properties)
        return values if self.transform is None else self.transform(values)


@dataclasses.dataclass(frozen=True)
class ProbedComponent(Component):
    """A component whose number is measured on the molecule itself, by its probe in a worker."""

    @property
    @abc.abstractmethod
    def probe(self) -> Probe:
        """The probe that measures the number."""

    def values(self, properties: Sequence[Properties]) -> np.ndarray:
        """Return what the probe measured."""
        key = self.probe.key
        return array(p.probed[key] for p in properties)


def array(values: Iterable[float]) -> np.ndarray:
    """Return numbers as float64 [N]."""
    return np.array(list(values), np.float64)
