"""The molecule task: strings such as SMILES, rewarded at their end for properties from RDKit."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gin
import numpy as np

from rl_tuner.common.settings import Cosmetic
from rl_tuner.core.features import Feature
from rl_tuner.core.ledger import Ledger
from rl_tuner.core.rollout import mask_of
from rl_tuner.core.task import HostTask, Scored
from rl_tuner.tasks.molecule import (
    component_reward,  # noqa: F401  (gin knows `ComponentReward` by importing it)
    metrics,
    tokens,
)
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.component import Component
from rl_tuner.tasks.molecule.diversity import Buckets, DiversityFilter
from rl_tuner.tasks.molecule.journal import DIVERSITY
from rl_tuner.tasks.molecule.memory import Memory
from rl_tuner.tasks.molecule.presentation import MoleculePresentation
from rl_tuner.tasks.molecule.reward import PaperReward
from rl_tuner.tasks.molecule.scoring import ScoringPool


@dataclasses.dataclass(frozen=True)
class ScoredMolecules:
    """Molecules and rewards of a batch of B sequences.

    Attributes:
        strings: the SMILES of each sequence, valid or not.
        properties: the properties of each molecule; None for an invalid one.
        rewards: part name -> float32 [B].
        values: component name -> its number, float64 [B]; NaN for an invalid molecule.
        desirabilities: component name -> its desirability, float64 [B]; NaN for an invalid molecule.
        calls: the ledger's numbers after this batch, see `Ledger.numbers`.
    """

    strings: list[str]
    properties: list[Properties | None]
    rewards: dict[str, np.ndarray]
    values: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    desirabilities: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    calls: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def means(self) -> dict[str, float]:
        """Return the mean number and desirability of each component over the valid molecules, 0 for none."""
        columns = {f"value/{name}": column for name, column in self.values.items()}
        columns |= {f"desirability/{name}": c for name, c in self.desirabilities.items()}
        finite = {name: column[np.isfinite(column)] for name, column in columns.items()}
        return {name: float(np.mean(some)) if len(some) else 0.0 for name, some in finite.items()}


@gin.configurable(module="rl_tuner")
class MoleculeTask(HostTask):
    """The task of composing molecules as strings with an end token.

    Vocabulary, limits and horizon come from the training data (`adopt`). A sequence that reaches the
    horizon without an end token counts as invalid.

    Args:
        reward: the task reward of molecules; None is `PaperReward()`.
        horizon: T, length of the longest string in tokens with its end token; None takes that of the
            training strings.
        num_processes: number of processes that score molecules; 0 for one per processor.
        timeout_seconds: time limit for one molecule, which counts as invalid if it takes longer.
        cache_size: number of strings whose properties are remembered.
        diversity: filter that lowers the reward of molecules like many others; None for none.
        memory: memory of the best molecules of a run; None for none.
        measured: components whose mean number targets can bound, beside those of the reward.

    Raises:
        ValueError: the horizon leaves no room for a molecule.
    """

    kind = "molecule"
    end_token = tokens.END

    def __init__(
        self,
        reward: Any = None,
        horizon: int | None = None,
        num_processes: Cosmetic[int] = 0,
        timeout_seconds: float = 5.0,
        cache_size: Cosmetic[int] = 500_000,
        measured: Sequence[Component] = (),
        memory: Memory | None = None,
        diversity: DiversityFilter | None = None,
    ) -> None:
        if horizon is not None and horizon < 2:
            raise ValueError(f"MoleculeTask.horizon must be at least 2 tokens, not {horizon}")
        self.reward = reward or PaperReward()
        self.part_names = tuple(self.reward.part_names)
        if diversity:
            self.part_names = (*self.part_names, DIVERSITY)
        self.measured = (*getattr(self.reward, "components", ()), *measured)
        self.memory, self.diversity = memory, diversity
        self._buckets = Buckets(diversity) if diversity else None
        self._given_horizon = horizon
        self._pool_arguments: dict[str, Any] = {
            "num_processes": num_processes,
            "timeout_seconds": timeout_seconds,
            "cache_size": cache_size,
        }
        self._pool: ScoringPool | None = None
        self.training_histograms: dict[str, Any] | None = None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The metrics of Table 2, and the components of the reward and of `measured`."""
        own = (component.name for component in self.measured)
        return tuple(dict.fromkeys((*metrics.TABLE2_METRICS, *own)))

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Adopt vocabulary, limits and property histograms of the training data; see `Task.adopt`."""
        self.encoding = tokens.Encoding.from_json(metadata.get("encoding") or {})
        self.vocabulary = self.encoding.vocabulary
        self.num_classes = self.vocabulary.num_classes
        self.horizon = self._given_horizon or self.encoding.longest
        self.training_histograms = (metadata.get("provenance") or {}).get("properties")

    def submit(self, sequences: np.ndarray, mask: np.ndarray) -> Any:
        """Start scoring the molecules of int [B, T] sequences; see `HostTask.submit`."""
        strings, finished = self.decode(sequences, mask)
        chosen = [text if done else "" for text, done in zip(strings, finished)]
        return strings, finished, np.asarray(mask), self._scoring().submit(chosen)

    def result(self, ticket: Any) -> Scored:
        """Return the reward at the step that ends each sequence, Table 2's sums and the molecules."""
        strings, finished, mask, work = ticket
        properties = self._scoring().result(work)
        rewards = self._rewards(strings, properties, finished)
        return self._scored(strings, properties, finished, mask, rewards)

    def counted_result(self, ticket: Any, ledger: Ledger) -> Scored:
        """Return what `result` does; every distinct molecule that is new to the ledger is a call.

        Molecules beyond its budget are not rewarded: other sequences of the batch take their places.
        """
        strings, finished, mask, work = ticket
        properties = self._scoring().result(work)
        keys = [found.canonical if found else "" for found in properties]
        admitted = ledger.admit(keys)
        rows = None
        if not admitted.all():
            rows = np.resize(np.flatnonzero(admitted), len(keys))
            strings, keys = [strings[row] for row in rows], [keys[row] for row in rows]
            properties = [properties[row] for row in rows]
            finished, mask = np.asarray(finished)[rows], mask[rows]
        rewards = self._rewards(strings, properties, finished)
        # The ledger has the molecules' own rewards, whatever their neighbours are.
        own = np.sum([*rewards.values()], axis=0)
        if self._buckets:
            rewards[DIVERSITY] = self._penalties(properties, own)
        scored = self._scored(strings, properties, finished, mask, rewards)
        ledger.record(zip(keys, own))
        details = dataclasses.replace(scored.details, calls=ledger.numbers())
        return scored._replace(rows=rows, details=details)

    def _rewards(
        self, strings: list[str], properties: list[Properties | None], finished: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return the parts of the reward; what the diversity filter takes is added in training only."""
        rewards = dict(self.reward.parts(strings, properties, finished, self.encoding))
        if self.diversity:
            rewards[DIVERSITY] = np.zeros(len(strings), np.float32)
        return rewards

    def _penalties(self, properties: list[Properties | None], rewards: np.ndarray) -> np.ndarray:
        """Return what the diversity filter takes from positive rewards: float32 [B]."""
        penalties = np.zeros(len(rewards), np.float32)
        places = [i for i, found in enumerate(properties) if found is not None]
        molecules = [
            (found.canonical, float(rewards[i])) for i, found in enumerate(properties) if found
        ]
        factors = self._buckets.factors(molecules) if self._buckets else np.ones(len(places))
        penalties[places] = (factors - 1.0) * np.maximum(rewards[places], 0.0)
        return penalties

    def state(self) -> Any:
        """Return the buckets of the diversity filter; see `HostTask.state`."""
        return self._buckets.state() if self._buckets else None

    def restore(self, state: Any) -> None:
        """Restore the buckets of the diversity filter, or empty them."""
        if self.diversity:
            self._buckets = Buckets(self.diversity)
            if state:
                self._buckets.restore(state)

    def propose(self, ledger: Ledger, seed: Sequence[int]) -> np.ndarray | None:
        """Return what the memory proposes, the rest of [N, T] repeats it; see `HostTask.propose`."""
        if self.memory is None:
            return None
        found = self.memory.propose(ledger.leaders(), ledger, self.vocabulary, seed)
        # A sequence that is too long would not end, and count as invalid.
        found = [classes for classes in found if len(classes) <= self.horizon]
        if not found:
            return None
        rows = np.zeros((self.memory.most, self.horizon), np.int32)
        for row, place in enumerate(np.resize(np.arange(len(found)), len(rows))):
            rows[row, : len(found[place])] = found[place]
        return rows

    def _scored(
        self,
        strings: list[str],
        properties: list[Properties | None],
        finished: np.ndarray,
        mask: np.ndarray,
        rewards: dict[str, np.ndarray],
    ) -> Scored:
        """Return measured molecules with their rewards."""
        last = np.maximum(mask.sum(axis=1).astype(int) - 1, 0)
        parts = {}
        for name in self.part_names:
            parts[name] = np.zeros(mask.shape, np.float32)
            parts[name][np.arange(len(last)), last] = rewards[name]
        valid = [found.canonical for found in properties if found]
        details = ScoredMolecules(strings, properties, rewards, *self._columns(properties))
        return Scored(
            parts,
            metrics.table2_sums(properties),
            {
                "valid": len(valid) / max(1, len(properties)),
                "unique": len(set(valid)) / max(1, len(valid)),
                **details.means(),
            },
            details,
            self._features(properties, finished, mask, last),
        )

    def columns(self, molecules: list[Properties]) -> dict[str, np.ndarray]:
        """Return the numbers and desirabilities of the components for M valid molecules, float64 [M]."""
        values, desirabilities = self._columns([*molecules])
        found = {f"value_{name}": column for name, column in values.items()}
        return found | {f"desirability_{name}": column for name, column in desirabilities.items()}

    def _columns(
        self, properties: list[Properties | None]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the numbers and the desirabilities of the components, NaN for an invalid molecule."""
        valid = np.array([found is not None for found in properties], bool)
        molecules = [found for found in properties if found is not None]

        def placed(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            result = {name: np.full(len(valid), np.nan) for name in columns}
            for name, column in columns.items():
                result[name][valid] = column
            return result

        # A reward may also be an object of another class with the same parts.
        desirabilities = self.reward.columns(molecules) if hasattr(self.reward, "columns") else {}
        return placed({c.name: c.values(molecules) for c in self.measured}), placed(desirabilities)

    def _features(
        self,
        properties: list[Properties | None],
        finished: np.ndarray,
        mask: np.ndarray,
        last: np.ndarray,
    ) -> dict[str, Feature]:
        """Return the features of scored molecules: all at the last step, means over the valid ones."""
        valid = np.array([p is not None for p in properties]) & np.asarray(finished, bool)
        molecules = [p for p, is_valid in zip(properties, valid) if p is not None and is_valid]
        numbers = metrics.table2_values(molecules)
        numbers |= {c.name: c.values(molecules) for c in self.measured if c.name not in numbers}
        rows = np.arange(len(last))

        def at_end(values: np.ndarray) -> np.ndarray:
            result = np.zeros(mask.shape, np.float32)
            result[rows, last] = values
            return result

        def of_valid(values: np.ndarray) -> np.ndarray:
            result = np.zeros(len(valid))
            result[valid] = values
            return at_end(result)

        is_valid = at_end(valid)
        means = {name: Feature(of_valid(values), is_valid) for name, values in numbers.items()}
        return {"valid": Feature(is_valid, at_end(np.ones(len(valid))))} | means

    def decode(self, sequences: np.ndarray, mask: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Return SMILES of int [B, T] sequences, and whether each has an end token: bool [B]."""
        sequences, sizes = np.asarray(sequences), np.asarray(mask).sum(axis=1).astype(int)
        strings = []
        for row, size in zip(sequences, sizes):
            try:
                strings.append(self.vocabulary.decode(row[:size].tolist()))
            except ValueError:
                strings.append("")
        last = sequences[np.arange(len(sizes)), np.maximum(sizes - 1, 0)]
        return strings, (last == tokens.END) & (sizes > 0)

    def properties_of(self, sequences: np.ndarray) -> list[Properties | None]:
        """Return properties of the molecules of int [N, T] sequences, 0 past their end."""
        pool = self._scoring()
        found: list[Properties | None] = []
        for first in range(0, len(sequences), 5_000):
            rows = sequences[first : first + 5_000]
            strings, finished = self.decode(rows, self.mask_of(rows))
            ticket = pool.submit([text if done else "" for text, done in zip(strings, finished)])
            found += pool.result(ticket)
        return found

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Return the paper's Table 2."""
        return metrics.table2(sums)

    def presentation(self) -> MoleculePresentation:
        """Return the presentation of molecules."""
        return MoleculePresentation(self)

    def mask_of(self, sequences: np.ndarray) -> np.ndarray:
        """Return float32 [N, T], 1 up to and including the end token of int [N, T] sequences."""
        return mask_of(sequences, tokens.END)

    def remarks(self) -> list[str]:
        """Return what the reward says at the end of a run."""
        # A reward may also be an object of another class with the same parts.
        return self.reward.remarks() if hasattr(self.reward, "remarks") else []

    def _scoring(self) -> ScoringPool:
        if self._pool is None:
            wanted = (
                metrics.WANTED,
                frozenset(self.reward.wanted),
                *(c.wanted for c in self.measured),
            )
            probes = [c.probe for c in self.measured if c.probe is not None]
            self._pool = ScoringPool(
                wanted=frozenset().union(*wanted),
                probes=tuple(dict.fromkeys((*self.reward.probes, *probes))),
                **self._pool_arguments,
            )
        return self._pool
