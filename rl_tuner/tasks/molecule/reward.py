"""Rewards of molecules: the paper's sum, a score of components, or a user's own function."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence

import gin
import numpy as np

from rl_tuner.tasks.molecule import chemistry, tokens
from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.components import Component, ring_penalty
from rl_tuner.tasks.molecule.tokens import Encoding
from rl_tuner.tasks.molecule.user_function import UserFunction


@dataclasses.dataclass(frozen=True)
class MoleculeReward(abc.ABC):
    """A reward for whole strings: the task gives it at the step that ends the sequence.

    A string counts as valid if it ended before the horizon and is a valid molecule. A string that
    is shorter than every training string, or has a longer run of aliphatic C than any, loses
    w_short or w_carbon, valid or not.

    Attributes:
        w_short: what a string that is too short loses.
        w_carbon: what too long a run of aliphatic C loses.

    Raises:
        ValueError: a number is not finite.
    """

    w_short: float = 0.0
    w_carbon: float = 0.0

    @property
    def wanted(self) -> frozenset[str]:
        """The properties that the reward needs."""
        return frozenset()

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What has to be measured for it beside `wanted`."""
        return ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if field.type == "float" and not (is_number and math.isfinite(value)):
                name = f"{type(self).__name__}.{field.name}"
                raise ValueError(f"{name} is a finite number, not {value!r}")

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts, in the order in which they are shown."""
        return (*self._own_names(), "invalid", "short", "carbon")

    def parts(
        self,
        strings: Sequence[str],
        properties: Sequence[Properties | None],
        finished: np.ndarray,
        limits: Encoding,
    ) -> dict[str, np.ndarray]:
        """Return the reward of N sequences, part by part; r_T is the sum of the parts.

        Args:
            strings: their SMILES.
            properties: what is known of them, None for no valid molecule.
            finished: bool [N], whether each ended with the end token.
            limits: what the training strings were like: the shortest, the longest run of C.

        Returns:
            float32 [N] for each of `part_names`.

        Raises:
            ValueError: the arguments are not of one length.
        """
        if not len(strings) == len(properties) == len(finished):
            raise ValueError("a reward needs the properties and the end of every string")
        valid = np.array([p is not None for p in properties], bool) & np.asarray(finished, bool)
        molecules = [p for p, is_valid in zip(properties, valid) if p is not None and is_valid]
        own = self._own_parts(molecules)
        # A molecule that could not be rewarded counts as invalid.
        rewarded = valid.copy()
        rewarded[valid] = np.isfinite(np.sum([*own.values()], axis=0))
        parts = {}
        for name, values in own.items():
            parts[name] = np.zeros(len(strings))
            parts[name][valid] = values
            parts[name][~rewarded] = 0.0
        parts["invalid"] = np.where(rewarded, 0.0, self._invalid_reward())
        parts["short"] = -self.w_short * np.array([_is_short(s, limits) for s in strings], bool)
        parts["carbon"] = -self.w_carbon * np.array(
            [tokens.carbon_run(s) > limits.longest_carbon_run for s in strings], bool
        )
        return {name: parts[name].astype(np.float32) for name in self.part_names}

    @abc.abstractmethod
    def _own_names(self) -> tuple[str, ...]:
        """Return the parts that valid molecules get."""

    @abc.abstractmethod
    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        """float64 [M] of M valid molecules for each of those."""

    @abc.abstractmethod
    def _invalid_reward(self) -> float:
        """Return what a string that is not a valid molecule gets."""


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class PaperReward(MoleculeReward):
    """The sum of Jaques et al. (2017), section 6, whose weights the paper does not name.

    r_T = valid (w_valid + w_logp logP + w_qed QED - w_sa SA - w_ring max(0, L - 6))
          - (1 - valid) w_invalid - w_short [too short] - w_carbon [too long a run of C],
    L the atoms of the largest ring.

    Attributes:
        w_valid: what every valid molecule gets.
        w_logp: times the Crippen logP.
        w_qed: times the drug-likeness.
        w_sa: times the synthetic accessibility score, subtracted.
        w_ring: times the atoms that the largest ring has beyond six, subtracted.
        w_invalid: what an invalid string loses.
        w_short: what a string that is too short loses.
        w_carbon: what too long a run of aliphatic C loses.
    """

    w_valid: float = 4.0
    w_logp: float = 0.5
    w_qed: float = 6.0
    w_sa: float = 1.0
    w_ring: float = 1.0
    w_invalid: float = 0.0
    w_short: float = 4.0
    w_carbon: float = 4.0

    @property
    def wanted(self) -> frozenset[str]:
        """The properties of Table 2."""
        return chemistry.DEFAULT_WANTED

    def _own_names(self) -> tuple[str, ...]:
        return ("valid", "logp", "qed", "sa", "ring")

    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        return {
            "valid": np.full(len(molecules), self.w_valid, np.float64),
            "logp": self.w_logp * np.array([p.logp for p in molecules], np.float64),
            "qed": self.w_qed * np.array([p.qed for p in molecules], np.float64),
            "sa": -self.w_sa * np.array([p.sa for p in molecules], np.float64),
            "ring": -self.w_ring * ring_penalty(molecules),
        }

    def _invalid_reward(self) -> float:
        return -self.w_invalid


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class ComponentReward(MoleculeReward):
    """A score of components: a weighted mean, which stays in 0 .. 1 where all desirabilities do.

    With x_i the desirability of component i, its number after its transform, a valid molecule gets
    "sum": scale sum_i w_i x_i / sum_i w_i, a part a component;
    "geometric_mean": scale exp(sum_i w_i ln x_i / sum_i w_i), one part; 0 if any x_i <= 0.

    Attributes:
        components: what is scored.
        aggregation: "sum" or "geometric_mean".
        scale: what a perfect score is worth.
        invalid: what an invalid string gets.
        w_short: what a string that is too short loses.
        w_carbon: what too long a run of aliphatic C loses.

    Raises:
        ValueError: there is no component, two have one name, or the aggregation is unknown.
    """

    components: Sequence[Component] = ()
    aggregation: str = "sum"
    scale: float = 1.0
    invalid: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "components", tuple(self.components))
        if not self.components:
            raise ValueError("ComponentReward.components is empty: bind it to [@QED(), ...]")
        for component in self.components:
            if not isinstance(component, Component):
                hint = "write it as @Name()"
                raise ValueError(f"ComponentReward.components: no component {component!r}; {hint}")
        if self.aggregation not in ("sum", "geometric_mean"):
            raise ValueError(
                "ComponentReward.aggregation is 'sum' or 'geometric_mean', "
                f"not {self.aggregation!r}"
            )
        names = [component.name for component in self.components]
        taken = {"invalid", "short", "carbon"} | {n for n in names if names.count(n) > 1}
        if clashes := taken.intersection(names):
            raise ValueError(
                f"ComponentReward.components: give each its own name, not {sorted(clashes)}"
            )

    @property
    def wanted(self) -> frozenset[str]:
        """The properties that the components need."""
        return frozenset().union(*(component.wanted for component in self.components))

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What the components need beside them."""
        found = [component.probe for component in self.components if component.probe is not None]
        return tuple(dict.fromkeys(found))

    def _own_names(self) -> tuple[str, ...]:
        if self.aggregation == "geometric_mean":
            return ("score",)
        return tuple(component.name for component in self.components)

    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        weights = np.array([component.weight for component in self.components], np.float64)
        weights /= weights.sum()
        scores = [component.desirability(molecules) for component in self.components]
        if self.aggregation == "geometric_mean":
            with np.errstate(divide="ignore"):
                logs = np.log(np.maximum(scores, 0.0))
            return {"score": self.scale * np.exp(weights @ logs)}
        parts = self.scale * weights[:, np.newaxis] * scores
        return dict(zip(self._own_names(), parts))

    def _invalid_reward(self) -> float:
        return self.invalid


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class FunctionReward(MoleculeReward):
    """A user's own function from a list of SMILES to a list of floats.

    It is called with the canonical SMILES of the distinct valid molecules of a batch. Where it
    raises, returns another number of values, or one that is not finite, it is asked again for each
    molecule that it failed on; a molecule that still fails counts as invalid and is logged once.

    A file `my_reward.py` on the Python path with `def score(smiles): ...` needs nothing of gin:
    `--gin_param="FunctionReward.function = 'my_reward.score'"`. With `@gin.configurable` above
    the function, `--gin_param="import my_reward"` and `FunctionReward.function = @my_reward.score`
    say the same, and its own parameters can be bound too.

    Attributes:
        function: the function, or its dotted name.
        invalid: what an invalid string gets, and a molecule on which the function fails.
        w_short: what a string that is too short loses.
        w_carbon: what too long a run of aliphatic C loses.

    Raises:
        ValueError: there is no such function.
    """

    function: Callable[[list[str]], Sequence[float]] | str | None = None
    invalid: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "_guarded", UserFunction(self.function))

    def _own_names(self) -> tuple[str, ...]:
        return ("function",)

    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        guarded: UserFunction = self._guarded  # type: ignore[attr-defined]
        return {"function": guarded([p.canonical for p in molecules])}

    def _invalid_reward(self) -> float:
        return self.invalid


def _is_short(smiles: str, limits: Encoding) -> bool:
    try:
        return tokens.length(smiles, limits.vocabulary.representation) < limits.shortest_length
    except ValueError:
        # What has no SELFIES has no length either.
        return False
