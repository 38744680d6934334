"""The score of a molecule, made of components."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import gin
import numpy as np

from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.component import Component
from rl_tuner.tasks.molecule.reward import MoleculeReward

ARITHMETIC, GEOMETRIC, PRODUCT = "arithmetic_mean", "geometric_mean", "product"
_AGGREGATIONS = (ARITHMETIC, GEOMETRIC, PRODUCT)


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class ComponentReward(MoleculeReward):
    """A score made of components, which is within 0 .. 1 times `scale` if all desirabilities are.

    With x_i the desirability of component i, that is, its number after its transform, and g the product
    of the desirabilities of all gates, the reward of a valid molecule is, depending on the aggregation,
    "arithmetic_mean": scale g sum_i w_i x_i / sum_i w_i, one part per component,
    "geometric_mean": scale g exp(sum_i w_i ln x_i / sum_i w_i), one part; 0 if any x_i <= 0,
    "product": scale g prod_i x_i^w_i, one part; 0 if any x_i <= 0.

    Attributes:
        components: the components.
        aggregation: "arithmetic_mean", "geometric_mean" or "product".
        scale: reward of a molecule whose desirabilities are all 1.
        invalid: reward of an invalid string.
        w_short: penalty for a string that is too short.
        w_carbon: penalty for too long a run of aliphatic C.

    Raises:
        ValueError: there are no components, or only gates; two have the same name; or the aggregation is
            unknown.
    """

    components: Sequence[Component] = ()
    aggregation: str = ARITHMETIC
    scale: float = 1.0
    invalid: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "components", tuple(self.components))
        if not self.components:
            raise ValueError("ComponentReward.components is empty: bind it to [@QED(), ...]")
        for component in self.components:
            if not isinstance(component, Component):
                raise ValueError(
                    f"ComponentReward.components: {component!r} is not a component; write it as @Name()"
                )
        if all(component.gate for component in self.components):
            raise ValueError(
                "ComponentReward.components has only gates; add a component that is none"
            )
        if self.aggregation not in _AGGREGATIONS:
            hint = "; 'sum' is now 'arithmetic_mean'" if self.aggregation == "sum" else ""
            raise ValueError(
                f"ComponentReward.aggregation must be one of {', '.join(map(repr, _AGGREGATIONS))}, "
                f"not {self.aggregation!r}{hint}"
            )
        names = [component.name for component in self.components]
        taken = {"invalid", "short", "carbon"} | {n for n in names if names.count(n) > 1}
        if clashes := taken.intersection(names):
            raise ValueError(
                f"ComponentReward.components: names {sorted(clashes)} are taken; give each component its"
                " own name or gin scope"
            )

    @property
    def wanted(self) -> frozenset[str]:
        """The properties that the components need."""
        return frozenset().union(*(component.wanted for component in self.components))

    @property
    def probes(self) -> tuple[Probe, ...]:
        """The probes that the components need in addition to `wanted`."""
        found = [component.probe for component in self.components if component.probe is not None]
        return tuple(dict.fromkeys(found))

    def columns(self, molecules: Sequence[Properties]) -> dict[str, np.ndarray]:
        """Return the desirability of each component for M valid molecules: its name -> float64 [M]."""
        return {c.name: np.asarray(c.desirability(molecules)) for c in self.components}

    @property
    def _averaged(self) -> list[Component]:
        return [component for component in self.components if not component.gate]

    def _own_names(self) -> tuple[str, ...]:
        if self.aggregation != ARITHMETIC:
            return ("score",)
        return tuple(component.name for component in self._averaged)

    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        weights = np.array([component.weight for component in self._averaged], np.float64)
        if self.aggregation != PRODUCT:
            weights /= weights.sum()
        scores = np.array([component.desirability(molecules) for component in self._averaged])
        scale = self.scale * np.ones(len(molecules))
        for gate in self.components:
            if gate.gate:
                scale = scale * gate.desirability(molecules)
        if self.aggregation == ARITHMETIC:
            return dict(zip(self._own_names(), scale * weights[:, np.newaxis] * scores))
        with np.errstate(divide="ignore"):
            logs = np.log(np.maximum(scores, 0.0))
        return {"score": scale * np.exp(weights @ logs)}

    def _invalid_reward(self) -> float:
        return self.invalid
