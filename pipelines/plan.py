"""The steps of a pipeline, which two drivers follow: `local` on one machine and `beam_driver` on many.

Files hold items (tunes, molecules), items yield candidates (melodies, standardised molecules), and those of
equal content become one. What is decided about all of them together, such as the vocabulary, comes before the
examples are made.
"""

import abc
import dataclasses
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from pipelines.facts import Facts
from pipelines.inputs import Input, InputFile
from rl_tuner.common.workers import Outcome
from rl_tuner.datasets.writer import Rejection


class Example(NamedTuple):
    """A serialised example.

    Attributes:
        id: SHA-256 of its content in hexadecimal, by which the examples of a split are ordered.
        record: The serialised example.
        split: "train", "validation" or "test".
        length: Number of tokens.
    """

    id: str
    record: bytes
    split: str
    length: int


class Candidate(Protocol):
    """Something that may become examples of the dataset, see `Plan`."""

    @property
    def id(self) -> str:
        """SHA-256 of its content in hexadecimal; candidates with the same id are duplicates."""
        ...

    @property
    def preference(self) -> Any:
        """Sort key: of duplicates, the one with the smallest is kept."""
        ...

    def as_duplicate(self, kept: Any) -> Rejection:
        """Return the rejection of this duplicate of a candidate that is kept."""
        ...


@dataclasses.dataclass(frozen=True)
class Plan(abc.ABC):
    """The steps of a pipeline; its methods are called on parts of the data, wherever these are.

    Attributes:
        settings: Settings of the pipeline.
    """

    settings: Any

    # What an item is called in the progress line.
    unit = "items"

    @abc.abstractmethod
    def files(self, inputs: Iterable[str]) -> list[tuple[InputFile, Input]]:
        """Return the files of all inputs, each with the input it belongs to.

        Raises:
            UserError: if an input does not exist or has an unknown type.
        """

    @abc.abstractmethod
    def items(self, file: InputFile, given: Input, facts: Facts) -> list[Any]:
        """Return the items of a file and note what is rejected.

        Raises:
            UserError: if a file that was given by itself cannot be used.
        """

    @abc.abstractmethod
    def outcomes(self, items: list[Any], num_processes: int) -> Iterable[Outcome]:
        """Yield what is read of each item, in worker processes."""

    @abc.abstractmethod
    def candidates(self, outcome: Outcome, facts: Facts) -> Sequence[Candidate]:
        """Return the candidates of an item, and note what is rejected and changed."""

    def survey(self, candidate: Any) -> Hashable:
        """Return what is to be known of a candidate to decide about all; by default nothing."""
        del candidate
        return None

    def decide(self, surveys: dict[Hashable, int]) -> Any:
        """Return what `examples` needs to know of all candidates, from the number of each survey."""
        del surveys
        return None

    @abc.abstractmethod
    def examples(self, candidate: Any, decision: Any, facts: Facts) -> list[Example]:
        """Return the examples of a candidate, and note what is described of them."""

    @abc.abstractmethod
    def complaint(self, inputs: Sequence[str], facts: Facts) -> str | None:
        """Return why there is no dataset, given the facts of all parts; None if there is one."""

    @abc.abstractmethod
    def description(self, inputs: Sequence[str], decision: Any, facts: Facts) -> dict[str, Any]:
        """Return the description of the dataset, without its splits."""


def read_items(
    plan: Plan, items: list[Any], facts: Facts, outcomes: Iterable[Outcome]
) -> Iterable[Any]:
    """Yield the candidates of items, and count the items."""
    facts.count("inputs", {"": len(items)})
    for outcome in outcomes:
        yield from plan.candidates(outcome, facts)


def deduplicated(candidates: Iterable[Any], facts: Facts) -> list[Any]:
    """Return the candidates without duplicates, sorted by id, which also shuffles them; note the others."""
    kept: dict[str, Any] = {}
    for each in sorted(candidates, key=lambda each: (each.id, each.preference)):
        first = kept.setdefault(each.id, each)
        if first is not each:
            facts.rejections.append(each.as_duplicate(first))
    return list(kept.values())
