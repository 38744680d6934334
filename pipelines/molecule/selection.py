"""Selection of the molecules of a dataset: no duplicates, and no tokens missing from the training data."""

import collections
import dataclasses
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from pipelines.facts import Facts
from pipelines.molecule.entries import Entry
from rl_tuner.datasets import writer

if TYPE_CHECKING:
    from pipelines.molecule.standard import Molecule

# The sets of tokens of a training molecule's strings, the canonical one first; None for other molecules.
TokenSets = tuple[frozenset[str], ...] | None


@dataclasses.dataclass(frozen=True)
class Found:
    """A molecule of the dataset and the entry it was read from."""

    entry: Entry
    molecule: "Molecule"
    strings: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, entry: Entry, molecule: "Molecule") -> "Found":
        """Return a molecule with its spellings split into tokens."""
        return cls(entry, molecule, tuple(tuple(s.split(" ")) for s in molecule.spellings))

    @property
    def id(self) -> str:
        """A hash of the molecule."""
        return writer.digest(self.molecule.smiles)

    @property
    def preference(self) -> Entry:
        """Of equal molecules, the first entry is kept."""
        return self.entry

    def as_duplicate(self, kept: "Found") -> writer.Rejection:
        """Return the rejection of this entry, whose molecule is that of another one."""
        return self.entry.reject("duplicate", f"of {kept.entry.source}")

    def tokens(self, min_count: int) -> TokenSets:
        """Return the tokens of its strings if it is for training; the strings apart if a count matters."""
        if self.molecule.split != "train":
            return None
        sets = [frozenset(string) for string in self.strings]
        return tuple(sets) if min_count > 1 else (frozenset().union(*sets),)

    def keep(self, known: frozenset[str]) -> "Found | None":
        """Return the molecule without spellings that need other tokens; None if the first one does."""
        if not known.issuperset(self.strings[0]):
            return None
        strings = tuple(string for string in self.strings if known.issuperset(string))
        return dataclasses.replace(self, strings=strings)


@dataclasses.dataclass(frozen=True)
class TokenFilter:
    """The tokens of the dataset.

    Attributes:
        rounds: The tokens that are frequent enough, after each round of dropping molecules without them.
        trained: The tokens of the training strings that are left.
    """

    rounds: tuple[frozenset[str], ...]
    trained: frozenset[str]

    def keep(self, found: Found, facts: Facts) -> Found | None:
        """Return what is left of a molecule; None and a rejection if it needs a token that is missing."""
        left: Found | None = found
        is_trained = found.molecule.split == "train"
        reason = "token too rare" if is_trained else "token not in the training data"
        for known in self.rounds if is_trained else (self.trained,):
            left = found.keep(known)
            if left is None:
                unknown = ", ".join(sorted(set(found.strings[0]) - known))
                facts.rejections.append(found.entry.reject(reason, unknown))
                return None
            found = left
        return left


def token_filter(surveys: Mapping[Hashable, int], min_count: int) -> TokenFilter:
    """Return the tokens that remain when training molecules with a rarer one are dropped.

    Args:
        surveys: How many molecules have each `Found.tokens`.
        min_count: In how many training molecules a token must occur.
    """
    trained: dict[TokenSets, int] = {sets: n for sets, n in surveys.items() if sets is not None}  # type: ignore[misc]
    rounds: list[frozenset[str]] = []
    while True:
        counts: collections.Counter[str] = collections.Counter()
        for sets, number in trained.items():
            counts.update(dict.fromkeys(frozenset().union(*sets or ()), number))
        common = frozenset(token for token, count in counts.items() if count >= min_count)
        if len(common) == len(counts):
            return TokenFilter(tuple(rounds), common)
        # Dropping a molecule may make another of its tokens rare, so the count is repeated.
        rounds.append(common)
        left: collections.Counter[TokenSets] = collections.Counter()
        for sets, number in trained.items():
            if sets and sets[0] <= common:
                left[tuple(each for each in sets if each <= common)] += number
        trained = left
