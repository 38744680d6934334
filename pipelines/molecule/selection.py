"""Selection of the molecules of a dataset: no duplicates, and no tokens missing from the training data."""

import collections
import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipelines.molecule.entries import Entry
from rl_tuner.common.workers import Outcome
from rl_tuner.datasets import writer

if TYPE_CHECKING:
    from pipelines.molecule.standard import Molecule


@dataclasses.dataclass(frozen=True)
class Found:
    """A molecule of the dataset and the entry it was read from."""

    entry: Entry
    molecule: "Molecule"
    strings: tuple[tuple[str, ...], ...]

    @property
    def order(self) -> tuple[str, Entry]:
        """Sort key: a hash of the molecule, which also shuffles the molecules, so that shards are similar."""
        return writer.digest(self.molecule.smiles), self.entry

    def keep(self, known: frozenset[str]) -> "Found | None":
        """Return the molecule without spellings that need other tokens; None if the first one does."""
        if not known.issuperset(self.strings[0]):
            return None
        strings = tuple(string for string in self.strings if known.issuperset(string))
        return dataclasses.replace(self, strings=strings)


def select(
    outcomes: Iterable[Outcome], min_token_count: int
) -> tuple[list[Found], list[writer.Rejection]]:
    """Return the molecules of the dataset in their final order, and the rejections."""
    found, rejections = collect(outcomes)
    found, rare = drop_rare_tokens(found, min_token_count)
    found, untrained = drop_untrained_tokens(found)
    return found, rejections + rare + untrained


def collect(
    outcomes: Iterable[Outcome],
) -> tuple[list[Found], list[writer.Rejection]]:
    """Return the molecules without duplicates, each from the first of its entries, and the rejections."""
    found: list[Found] = []
    rejections: list[writer.Rejection] = []
    for outcome in outcomes:
        if outcome.failure:
            rejections.append(outcome.item.reject(outcome.failure, outcome.detail))
        elif isinstance(outcome.value, writer.Rejection):
            rejections.append(outcome.value)
        else:
            strings = tuple(tuple(text.split(" ")) for text in outcome.value.spellings)
            found.append(Found(outcome.item, outcome.value, strings))
    kept: dict[str, Found] = {}
    for each in sorted(found, key=lambda each: each.order):
        first = kept.setdefault(each.molecule.smiles, each)
        if first is not each:
            rejections.append(each.entry.reject("duplicate", f"of {first.entry.source}"))
    return list(kept.values()), rejections


def drop_rare_tokens(
    found: list[Found], min_count: int
) -> tuple[list[Found], list[writer.Rejection]]:
    """Drop training molecules with a token that fewer than min_count training molecules contain."""
    rejections: list[writer.Rejection] = []
    while True:
        trained = [each for each in found if each.molecule.split == "train"]
        counts = collections.Counter(
            token for each in trained for token in {t for s in each.strings for t in s}
        )
        common = frozenset(token for token, count in counts.items() if count >= min_count)
        if len(common) == len(counts):
            return found, rejections
        # Dropping a molecule may make another of its tokens rare, so the count is repeated.
        found, more = _drop(found, common, "token too rare", {"train"})
        rejections += more


def drop_untrained_tokens(found: list[Found]) -> tuple[list[Found], list[writer.Rejection]]:
    """Drop validation and test molecules with a token that no training string contains."""
    trained = (each for each in found if each.molecule.split == "train")
    known = frozenset(token for each in trained for string in each.strings for token in string)
    return _drop(found, known, "token not in the training data", {"validation", "test"})


def _drop(
    found: list[Found], known: frozenset[str], reason: str, splits: set[str]
) -> tuple[list[Found], list[writer.Rejection]]:
    kept: list[Found] = []
    rejections: list[writer.Rejection] = []
    for each in found:
        remaining = each.keep(known) if each.molecule.split in splits else each
        if remaining:
            kept.append(remaining)
        else:
            unknown = ", ".join(sorted(set(each.strings[0]) - known))
            rejections.append(each.entry.reject(reason, unknown))
    return kept, rejections
