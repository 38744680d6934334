"""Rewards of molecules: the paper's sum, a score of components, or a user's own function."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Callable, Sequence

import gin
import numpy as np

from rl_tuner.common.executors import ExecutorLike, check_executor
from rl_tuner.common.ranges import check
from rl_tuner.common.settings import Cosmetic
from rl_tuner.tasks.molecule import chemistry, tokens
from rl_tuner.tasks.molecule.chemistry import Probe, Properties
from rl_tuner.tasks.molecule.components import ring_penalty
from rl_tuner.tasks.molecule.ranges import RANGES
from rl_tuner.tasks.molecule.tokens import Encoding
from rl_tuner.tasks.molecule.user_function import UserFunction


@dataclasses.dataclass(frozen=True)
class MoleculeReward(abc.ABC):
    """Base class of rewards for complete strings, given at the step that ends the sequence.

    A string counts as valid if it has an end token and is a valid molecule. Whether it is valid or
    not, it loses w_short if it is shorter than every training string, and w_carbon if it has a longer
    run of aliphatic C than every training string.

    Attributes:
        w_short: penalty for a string that is too short.
        w_carbon: penalty for too long a run of aliphatic C.

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
        """The probes that the reward needs in addition to `wanted`."""
        return ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if field.type == "float" and not (is_number and math.isfinite(value)):
                name = f"{type(self).__name__}.{field.name}"
                raise ValueError(f"{name} must be a finite number, not {value!r}")

    def columns(self, molecules: Sequence[Properties]) -> dict[str, np.ndarray]:
        """Return further numbers of M valid molecules for tables: column name -> float64 [M]."""
        del molecules
        return {}

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names of the parts, in the order in which they are shown."""
        return (*self._own_names(), "invalid", "short", "carbon")

    def remarks(self) -> list[str]:
        """Return what is to be said at the end of a run; by default nothing."""
        return []

    def parts(
        self,
        strings: Sequence[str],
        properties: Sequence[Properties | None],
        finished: np.ndarray,
        limits: Encoding,
    ) -> dict[str, np.ndarray]:
        """Return the reward of N sequences, part by part; r_T is the sum of the parts.

        Args:
            strings: SMILES of the sequences.
            properties: properties of the molecules, None for an invalid one.
            finished: bool [N], whether each sequence ended with the end token.
            limits: limits of the training strings: shortest length and longest run of C.

        Returns:
            float32 [N] for each of `part_names`.

        Raises:
            ValueError: the arguments differ in length.
        """
        if not len(strings) == len(properties) == len(finished):
            raise ValueError(
                "strings, properties and finished must have one entry for every string"
            )
        valid = np.array([p is not None for p in properties], bool) & np.asarray(finished, bool)
        molecules = [p for p, is_valid in zip(properties, valid) if p is not None and is_valid]
        own = self._own_parts(molecules)
        # A molecule whose reward is not finite counts as invalid.
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
        """Return the names of the parts for valid molecules."""

    @abc.abstractmethod
    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        """Return float64 [M] for M valid molecules, for each of `_own_names`."""

    @abc.abstractmethod
    def _invalid_reward(self) -> float:
        """Return the reward of a string that is not a valid molecule."""


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class PaperReward(MoleculeReward):
    """The sum of Jaques et al. (2017), section 6, whose weights the paper does not give.

    r_T = valid (w_valid + w_logp logP + w_qed QED - w_sa SA - w_ring max(0, L - 6))
          - (1 - valid) w_invalid - w_short [too short] - w_carbon [too long a run of C],
    L the atoms of the largest ring.

    Attributes:
        w_valid: reward of every valid molecule.
        w_logp: weight of the Crippen logP.
        w_qed: weight of the drug-likeness QED.
        w_sa: weight of the synthetic accessibility score, which is subtracted.
        w_ring: weight of the number of atoms beyond six in the largest ring, which is subtracted.
        w_invalid: penalty for an invalid string.
        w_short: penalty for a string that is too short.
        w_carbon: penalty for too long a run of aliphatic C.
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
class FunctionReward(MoleculeReward):
    """A reward computed by a user's own function from a list of SMILES to a list of floats.

    The function is called with the canonical SMILES of the distinct valid molecules of a batch that it has
    not seen before, in a process of its own; what it prints is not shown. If it raises, takes too long,
    ends its process or returns a wrong number of values, it is called again for each molecule alone; if
    a value is not a finite float32, it is called again for that molecule. A molecule that fails again
    counts as invalid, with a warning; a function that fails on all molecules of a batch stops the run.

    A file `my_reward.py` on the Python path with `def score(smiles): ...` does not need to use gin:
    `--gin_param="FunctionReward.function = 'my_reward.score'"`. If the function is decorated with
    `@gin.configurable`, it can also be bound by `--gin_param="import my_reward"` and
    `FunctionReward.function = @my_reward.score`, and its own parameters can be bound too.

    Attributes:
        function: the function, or its dotted name.
        invalid: reward of an invalid string, and of a molecule on which the function fails.
        w_short: penalty for a string that is too short.
        w_carbon: penalty for too long a run of aliphatic C.
        num_processes: number of processes among which a batch is divided; 0 calls the function in this
            process, without limits.
        timeout_seconds: time limit for one molecule.
        memory_mb: limit on the address space of a process in MiB; 0 for no limit, which libraries for GPUs
            need.
        max_failures: largest share of molecules on which the function may fail, once there are 100.
        executor: where the function runs instead of in processes of this machine: an object with the
            interface of `concurrent.futures.Executor`, a function that returns one, or a name such as
            'dask://host:8786', see `rl_tuner.common.executors`. There it has the same limits.
        batch_size: molecules per call of the executor.

    Raises:
        ValueError: there is no such function or executor, or a number is out of range.
    """

    function: Callable[[list[str]], Sequence[float]] | str | None = None
    invalid: float = 0.0
    num_processes: Cosmetic[int] = 1
    timeout_seconds: float = 60.0
    memory_mb: int = 8_192
    max_failures: float = 1.0
    executor: Cosmetic[str | ExecutorLike | None] = None
    batch_size: Cosmetic[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = ("num_processes", "timeout_seconds", "memory_mb", "max_failures")
        given = {name: getattr(self, name) for name in (*numbers, "batch_size")}
        check(RANGES, "FunctionReward", **given)
        try:
            check_executor(self.executor)
        except ValueError as error:
            raise ValueError(f"FunctionReward.{error}") from error
        guarded = UserFunction(self.function, executor=self.executor, **given)
        object.__setattr__(self, "_guarded", guarded)
        # The function itself is the setting, so that a change of its source is noticed.
        object.__setattr__(self, "function", guarded.function)

    def _own_names(self) -> tuple[str, ...]:
        return ("function",)

    def _own_parts(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        guarded: UserFunction = self._guarded  # type: ignore[attr-defined]
        return {"function": guarded([p.canonical for p in molecules])}

    def _invalid_reward(self) -> float:
        return self.invalid

    def remarks(self) -> list[str]:
        """Return on how many molecules the function failed, if on any."""
        return self._guarded.remarks()  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the processes of the function."""
        self._guarded.close()  # type: ignore[attr-defined]


def _is_short(smiles: str, limits: Encoding) -> bool:
    try:
        return tokens.length(smiles, limits.vocabulary.representation) < limits.shortest_length
    except ValueError:
        # A molecule without SELFIES has no length in tokens.
        return False
