"""The molecule task: SMILES strings, rewarded when they end by what RDKit says of the molecule."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import gin
import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.core.task import HostTask, Scored
from rl_tuner.tasks.molecule import metrics, rendering, tokens
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.graph_codec import ServedMolecule
from rl_tuner.tasks.molecule.journal import (
    LEARNING_FILE,
    MOLECULES_FILE,
    MoleculeJournal,
    learning_figure,
    read_learning,
)
from rl_tuner.tasks.molecule.reward import PaperReward
from rl_tuner.tasks.molecule.scoring import ScoringPool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 12
_PICTURED = 16


@dataclasses.dataclass(frozen=True)
class ScoredMolecules:
    """What is known of a batch of B sequences.

    Attributes:
        strings: the SMILES of each, whether valid or not.
        properties: of each; None for an invalid one.
        rewards: part name -> float32 [B].
    """

    strings: list[str]
    properties: list[Properties | None]
    rewards: dict[str, np.ndarray]


@gin.configurable(module="rl_tuner")
class MoleculeTask(HostTask):
    """Composes molecules as strings that end with an end token.

    Vocabulary, limits and horizon come from the training data (`adopt`). A sequence that reaches the
    horizon without an end token is no molecule.

    Args:
        reward: the task reward of whole molecules; None is `PaperReward()`.
        horizon: T, longest string in tokens with its end token; None takes the longest training string.
        num_processes: processes that score molecules; 0 for one a processor.
        timeout_seconds: the time that one molecule may take; after it, it counts as invalid.
        cache_size: strings whose score is remembered.

    Raises:
        ValueError: the horizon leaves no room for a molecule.
    """

    kind = "molecule"
    end_token = tokens.END
    corpus_feature = "smiles"
    run_files = (MOLECULES_FILE, LEARNING_FILE)

    def __init__(
        self,
        reward: Any = None,
        horizon: int | None = None,
        num_processes: int = 0,
        timeout_seconds: float = 5.0,
        cache_size: int = 500_000,
    ) -> None:
        if horizon is not None and horizon < 2:
            raise ValueError(f"MoleculeTask.horizon must be at least 2 tokens, not {horizon}")
        self.reward = reward or PaperReward()
        self.part_names = tuple(self.reward.part_names)
        self._given_horizon = horizon
        self._pool_arguments = {
            "num_processes": num_processes,
            "timeout_seconds": timeout_seconds,
            "cache_size": cache_size,
        }
        self._pool: ScoringPool | None = None
        self._training_histograms: dict[str, Any] | None = None

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Takes vocabulary, limits and property histograms of the training data; see `Task.adopt`."""
        self.encoding = tokens.Encoding.from_json(metadata.get("encoding") or {})
        self.vocabulary = self.encoding.vocabulary
        self.num_classes = self.vocabulary.num_classes
        self.horizon = self._given_horizon or self.encoding.longest
        self._training_histograms = (metadata.get("provenance") or {}).get("properties")

    def submit(self, sequences: np.ndarray, mask: np.ndarray) -> Any:
        """Starts scoring the molecules of int [B, T] sequences; see `HostTask.submit`."""
        strings, finished = self.decode(sequences, mask)
        chosen = [text if done else "" for text, done in zip(strings, finished)]
        return strings, finished, np.asarray(mask), self._scoring().submit(chosen)

    def result(self, ticket: Any) -> Scored:
        """The reward at the step that ends each sequence, Table 2's sums and the molecules."""
        strings, finished, mask, work = ticket
        properties = self._scoring().result(work)
        rewards = self.reward.parts(strings, properties, finished, self.encoding)
        last = np.maximum(mask.sum(axis=1).astype(int) - 1, 0)
        parts = {}
        for name in self.part_names:
            parts[name] = np.zeros(mask.shape, np.float32)
            parts[name][np.arange(len(last)), last] = rewards[name]
        valid = [found.canonical for found in properties if found]
        return Scored(
            parts,
            metrics.table2_sums(properties),
            {
                "valid": len(valid) / max(1, len(properties)),
                "unique": len(set(valid)) / max(1, len(valid)),
            },
            ScoredMolecules(strings, properties, rewards),
        )

    def decode(self, sequences: np.ndarray, mask: np.ndarray) -> tuple[list[str], np.ndarray]:
        """SMILES of int [B, T] sequences and whether each came to its end: (B strings, bool [B])."""
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
        """Properties of the molecules of int [N, T] sequences, 0 past their end."""
        pool = self._scoring()
        found: list[Properties | None] = []
        for first in range(0, len(sequences), 5_000):
            rows = sequences[first : first + 5_000]
            strings, finished = self.decode(rows, self._mask(rows))
            ticket = pool.submit([text if done else "" for text, done in zip(strings, finished)])
            found += pool.result(ticket)
        return found

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """The paper's Table 2."""
        return metrics.table2(sums)

    def format_metrics(self, columns: dict[str, dict[str, float | None]]) -> str:
        """Table 2 as text beside the paper's columns."""
        return metrics.format_table2(columns)

    def set_metrics(self, sequences: np.ndarray, corpus: list[Any] | None) -> dict[str, Any]:
        """Uniqueness, novelty, internal diversity and scaffolds of int [N, T] sequences."""
        training = None if corpus is None else set(corpus)
        return metrics.set_metrics(self.properties_of(sequences), training)

    def journal(self, run_dir: str) -> MoleculeJournal:
        """Keeps molecules.csv and learning.csv."""
        return MoleculeJournal(run_dir, self.part_names)

    def read_primer(self, path: str) -> list[int]:
        """The classes of the first string in a file of SMILES, as a beginning to go on from."""
        try:
            with open(path, encoding="utf-8") as file:
                words = file.read().split()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"primer {path}: {error}") from error
        if not words:
            raise UserError(f"primer {path} holds no SMILES")
        return self.read_prompt(words[0])

    def read_prompt(self, text: str) -> list[int]:
        """The classes of the beginning of a SMILES string, such as "c1ccc2"."""
        try:
            classes = self.vocabulary.encode(text)[:-1]
        except (UserError, ValueError) as error:
            raise UserError(f"prompt {text!r}: {error}") from error
        if not 0 < len(classes) < self.horizon:
            raise UserError(f"prompt {text!r} must be of 1 to {self.horizon - 1} tokens")
        return classes

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """PREFIX.smi with every string, PREFIX.sdf with the valid molecules."""
        strings, _ = self.decode(sequences, self._mask(sequences))
        properties = self.properties_of(sequences)
        paths = [os.path.join(directory, f"{prefix}{ending}") for ending in (".smi", ".sdf")]
        rendering.write_smi(paths[0], strings, properties)
        rendering.write_sdf(paths[1], properties)
        return paths

    def figures(self, columns: dict[str, np.ndarray]) -> dict[str, Figure]:
        """Molecules drawn at random, the best-rewarded ones, and histograms of their properties."""
        found = {name: self.properties_of(rows) for name, rows in columns.items()}
        some = {
            name: [one.canonical for one in molecules if one][:_SHOWN]
            for name, molecules in found.items()
        }
        best = {name: self._best(rows) for name, rows in columns.items()}
        return {
            "samples": rendering.grid_figure(some),
            "best": rendering.grid_figure(best),
            "properties": rendering.histogram_figure(found, self._training_histograms),
        }

    def run_figures(self, run_dir: str) -> dict[str, Figure]:
        """Reward, validity and uniqueness against molecules scored."""
        return {"learning": learning_figure({"tuned": read_learning(run_dir)})}

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """One picture with some of the molecules."""
        valid = [one.canonical for one in self.properties_of(sequences[:_PICTURED]) if one]
        return rendering.grid_image(valid)[np.newaxis]

    def served_form(self) -> ServedMolecule:
        """Strings beside the classes."""
        return ServedMolecule(self.vocabulary)

    def _best(self, sequences: np.ndarray) -> list[str]:
        scored = self.result(self.submit(sequences, self._mask(sequences)))
        totals = sum(scored.details.rewards.values())
        ranked: dict[str, None] = {}
        for index in np.argsort(-totals, kind="stable"):
            if (one := scored.details.properties[index]) is not None:
                ranked.setdefault(one.canonical)
            if len(ranked) == _SHOWN:
                break
        return list(ranked)

    def _mask(self, sequences: np.ndarray) -> np.ndarray:
        # The first end token belongs to the sequence.
        ended = np.cumsum(sequences == tokens.END, axis=1) - (sequences == tokens.END)
        return (ended == 0).astype(np.float32)

    def _scoring(self) -> ScoringPool:
        if self._pool is None:
            wanted = metrics.WANTED | frozenset(self.reward.wanted)
            self._pool = ScoringPool(
                wanted=wanted, probes=tuple(self.reward.probes), **self._pool_arguments
            )
        return self._pool
