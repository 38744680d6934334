"""Memory of the best molecules of a run: they are replayed in other spellings, and have offspring."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import gin
import numpy as np
from rdkit import Chem, rdBase

from rl_tuner.common.errors import UserError
from rl_tuner.common.ranges import Range, check
from rl_tuner.tasks.molecule import breeding, chemistry
from rl_tuner.tasks.molecule.tokens import Vocabulary

_COUNT = Range(least=0, whole=True)
_RANGES = {
    "Memory": {
        "best": Range(least=1, most=100, whole=True),
        "spellings": _COUNT,
        "offspring": _COUNT,
        "mutation_rate": Range(least=0, most=1),
        "pressure": Range(above=0),
    }
}
# Attempts for each offspring that is wanted; some cannot be written with the vocabulary.
_TRIES = 4


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Memory:
    """The best molecules so far, from which every iteration adds sequences to the replay.

    The losses of Psi and G need no importance weights, so that the policy learns from sequences that it did
    not sample. Other spellings of the best molecules cost no call of the reward (as in Augmented Memory,
    Guo & Schwaller 2023); each offspring that is new is a call, and counts in `tune.budget`.

    A molecule of rank r, 0 for the best, is chosen with a probability proportional to
    1 / (pressure n + r), n the number of molecules in the memory.

    Attributes:
        best: number of molecules in the memory, at most 100.
        spellings: random spellings of molecules of the memory that each iteration adds.
        offspring: children of molecules of the memory that each iteration adds, by crossover of their
            graphs (Jensen 2019).
        mutation_rate: share of the children that are also mutated.
        pressure: the smaller, the more often the very best are chosen.
        seeds: file with a SMILES at the start of each line; they take the places of the first offspring and
            are calls as these are. None for no seeds.

    Raises:
        ValueError: a number is out of range, nothing is added, or the seeds cannot be read.
    """

    best: int = 100
    spellings: int = 32
    offspring: int = 16
    mutation_rate: float = 0.5
    pressure: float = 0.1
    seeds: str | None = None

    def __post_init__(self) -> None:
        check(_RANGES, "Memory", **{name: getattr(self, name) for name in _RANGES["Memory"]})
        if self.seeds is not None and not self.offspring:
            raise ValueError(
                "Memory.seeds take the places of offspring; set Memory.offspring above 0"
            )
        object.__setattr__(self, "_seeds", () if self.seeds is None else _read(self.seeds))
        if not self.spellings + self.offspring:
            raise ValueError("Memory.spellings and Memory.offspring are both 0; remove the memory")

    def propose(
        self, leaders: Sequence[str], known: object, vocabulary: Vocabulary, seed: Sequence[int]
    ) -> list[list[int]]:
        """Return spellings of the best molecules, then offspring, as classes with the end token.

        Args:
            leaders: canonical SMILES of the best molecules, best first.
            known: a container of the canonical SMILES that were rewarded before; they are no offspring.
            vocabulary: vocabulary that the sequences must be written with.
            seed: numbers that determine every random choice, the number of the iteration last.

        Raises:
            UserError: the vocabulary cannot write a seed.
        """
        leaders = leaders[: self.best]
        seeds = self._seeds_of(seed[-1], vocabulary)
        if not leaders:
            return seeds
        generator = np.random.default_rng(seed)
        ranks = np.arange(len(leaders))
        chances = 1.0 / (self.pressure * len(leaders) + ranks)
        chances /= chances.sum()

        def chosen(count: int) -> list[str]:
            return [leaders[i] for i in generator.choice(len(leaders), count, p=chances)]

        found = [_spelled(smiles, vocabulary, generator) for smiles in chosen(self.spellings)]
        found += seeds or self._children(chosen, known, vocabulary, generator)
        return [classes for classes in found if classes is not None]

    def _seeds_of(self, iteration: int, vocabulary: Vocabulary) -> list[list[int]]:
        """Return the seeds of an iteration, as classes."""
        first = iteration * self.offspring
        rows = []
        for smiles in self._seeds[first : first + self.offspring]:  # type: ignore[attr-defined]
            try:
                rows.append(vocabulary.encode(smiles))
            except (UserError, ValueError) as error:
                raise UserError(
                    f"Memory.seeds {self.seeds}: {smiles}: {error}; remove it"
                ) from error
        return rows

    def _children(self, chosen, known, vocabulary, generator) -> list[list[int] | None]:
        children: dict[str, list[int]] = {}
        for _ in range(_TRIES * self.offspring):
            if len(children) == self.offspring:
                break
            first, second = chosen(2)
            child = breeding.offspring(first, second, self.mutation_rate, generator)
            if child is None or child in children or child in known:
                continue
            classes = _encoded(child, vocabulary)
            if classes is not None:
                children[child] = classes
        return list(children.values())

    @property
    def most(self) -> int:
        """The largest number of sequences that an iteration adds."""
        return self.spellings + self.offspring


def _read(path: str) -> tuple[str, ...]:
    """Return the SMILES of a file of seeds.

    Raises:
        ValueError: the file cannot be read, or a line does not begin with a molecule.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"Memory.seeds {path!r} cannot be read: {error}") from error
    seeds = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        with rdBase.BlockLogs():
            mol = chemistry.parse(line.split()[0])
        if mol is None:
            raise ValueError(
                f"Memory.seeds {path!r} line {number}: {line.split()[0]!r} is no molecule"
            )
        seeds.append(Chem.MolToSmiles(mol))
    return tuple(seeds)


def _spelled(
    smiles: str, vocabulary: Vocabulary, generator: np.random.Generator
) -> list[int] | None:
    """Return a random spelling of a molecule; None if the vocabulary cannot write it."""
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return None
    seed = int(generator.integers(1, 2**31 - 1))
    return _encoded(Chem.MolToRandomSmilesVect(mol, 1, randomSeed=seed)[0], vocabulary)


def _encoded(smiles: str, vocabulary: Vocabulary) -> list[int] | None:
    try:
        return vocabulary.encode(smiles)
    except (UserError, ValueError):
        return None
