"""The transforms of the Beam driver, as functions of their elements.

Whole numbers are the keys of every grouping: the hash of a string differs between the processes of some
runners. No transform has a side input or several outputs, which not all runners have.
"""

import contextlib
import dataclasses
import os
import pickle
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from apache_beam.io.filesystems import FileSystems

from pipelines import plan as plans
from pipelines.facts import Facts, total
from pipelines.inputs import Input, InputFile
from pipelines.places import is_remote
from rl_tuner.common.errors import UserError
from rl_tuner.datasets import checksums, tfrecords, writer

# Contents are divided by their hash; a part of them must fit into the memory of a worker.
NUM_BUCKETS = 256
_FACTS, _ALL = -1, 0


@dataclasses.dataclass(frozen=True)
class Work:
    """A part of the reading.

    Attributes:
        number: Number of this part.
        files: Files, each with the input it belongs to.
        part: Which of the `parts` of each file's items to take.
        parts: Number of parts.
    """

    number: int
    files: tuple[tuple[InputFile, Input], ...]
    part: int = 0
    parts: int = 1


class Bucket(NamedTuple):
    """The candidates, or the examples, whose hash falls into a bucket, and the facts noted with them."""

    contents: list[Any]
    facts: Facts


class Decided(NamedTuple):
    """What is decided about all candidates."""

    decision: Any


class Offsets(NamedTuple):
    """The place of a bucket's first example in each split, by split."""

    first: dict[str, int]


class Placed(NamedTuple):
    """An example with its place in its split."""

    place: int
    record: bytes
    length: int


class Shard(NamedTuple):
    """A shard that is written."""

    split: str
    name: str
    sequences: int
    tokens: int
    checksum: dict[str, Any]


class Result(NamedTuple):
    """The result of a pipeline, apart from the shards' contents."""

    shards: list[Shard]
    facts: Facts
    decision: Any


def read(work: Work, plan: plans.Plan) -> Iterator[tuple[int, Any]]:
    """Yield the candidates of a part of the work, by bucket, and then its facts."""
    facts = Facts()
    with contextlib.ExitStack() as stack:
        items = []
        for file, given in work.files:
            noted = Facts()
            try:
                found = plan.items(_at_hand(file, stack), given, noted)
            except UserError as error:
                facts.errors += error.lines
                continue
            items += found[work.part :: work.parts]
            if work.part == 0:
                facts.add(noted)
        outcomes = plan.outcomes(items, num_processes=1)
        for candidate in plans.read_items(plan, items, facts, outcomes):
            yield bucket_of(candidate.id), candidate
    yield work.number % NUM_BUCKETS, facts


def bucket_of(digest: str) -> int:
    """Return the bucket of a SHA-256 in hexadecimal; buckets follow the order of the digests."""
    return int(digest[:8], 16) * NUM_BUCKETS >> 32


def deduplicate(group: tuple[int, Iterable[Any]]) -> tuple[int, Bucket]:
    """Return the candidates of a bucket without duplicates."""
    bucket, elements = group
    candidates, facts = _parted(elements)
    kept = plans.deduplicated(candidates, facts)
    return bucket, Bucket(kept, facts)


def survey(group: tuple[int, Bucket], plan: plans.Plan) -> tuple[int, Counter]:
    """Return the surveys of a bucket, under one key for all."""
    return _ALL, Counter(map(plan.survey, group[1].contents))


def decide(group: tuple[int, Iterable[Counter]], plan: plans.Plan) -> Iterator[tuple[int, Decided]]:
    """Yield what is decided, once for every bucket."""
    surveys: Counter = Counter()
    for part in group[1]:
        surveys.update(part)
    decided = Decided(plan.decide(surveys))
    for bucket in range(NUM_BUCKETS):
        yield bucket, decided


def make_examples(
    group: tuple[int, Iterable[Bucket | Decided]], plan: plans.Plan
) -> Iterator[tuple[int, Any]]:
    """Yield the examples of a bucket of candidates, by the bucket of their own hash, and the facts."""
    number, elements = group
    elements = list(elements)
    (decided,) = (each for each in elements if isinstance(each, Decided))
    facts = Facts()
    for bucket in elements:
        if isinstance(bucket, Bucket):
            facts.add(bucket.facts)
            for candidate in bucket.contents:
                for example in plan.examples(candidate, decided.decision, facts):
                    yield bucket_of(example.id), example
    yield number, facts
    # The description of the dataset needs it too.
    if number == 0:
        yield number, decided


def sort(group: tuple[int, Iterable[Any]]) -> tuple[int, Bucket]:
    """Return the examples of a bucket in order; what was decided goes with the facts."""
    number, elements = group
    contents, facts = _parted(elements)
    decided = [each for each in contents if isinstance(each, Decided)]
    examples = sorted(each for each in contents if not isinstance(each, Decided))
    return number, Bucket([*decided, *examples], facts)


def sizes(group: tuple[int, Bucket]) -> tuple[int, tuple[int, Counter]]:
    """Return the number of examples of each split in a bucket, under one key for all."""
    number, bucket = group
    return _ALL, (number, Counter(e.split for e in bucket.contents if not isinstance(e, Decided)))


def offsets(
    group: tuple[int, Iterable[tuple[int, Counter]]],
) -> Iterator[tuple[int, Offsets]]:
    """Yield the offsets of every bucket."""
    before: Counter = Counter()
    for number, counts in sorted(group[1], key=lambda pair: pair[0]):
        yield number, Offsets(dict(before))
        before.update(counts)


def place(
    group: tuple[int, Iterable[Bucket | Offsets]], num_shards: int
) -> Iterator[tuple[int, Any]]:
    """Yield the examples of a bucket by shard, each with its place in its split, and the facts."""
    number, elements = group
    if number == 0:
        # A shard without examples is a file too.
        for shard in range(len(writer.SPLITS) * num_shards):
            yield shard, None
    elements = list(elements)
    (first,) = (each.first for each in elements if isinstance(each, Offsets))
    places = Counter(first)
    for bucket in elements:
        if isinstance(bucket, Bucket):
            yield _FACTS, bucket.facts
            for each in bucket.contents:
                if isinstance(each, Decided):
                    yield _FACTS, each
                    continue
                shard = places[each.split] % num_shards
                key = writer.SPLITS.index(each.split) * num_shards + shard
                yield key, Placed(places[each.split], each.record, each.length)
                places[each.split] += 1


def write_shard(
    group: tuple[int, Iterable[Any]], folder: str, num_shards: int
) -> tuple[int, Shard | Result]:
    """Write a shard and return what is described of it, or else the facts, under one key for all."""
    key, elements = group
    if key == _FACTS:
        elements = list(elements)
        decided = [each for each in elements if isinstance(each, Decided)]
        facts = total(each for each in elements if isinstance(each, Facts))
        return _ALL, Result([], facts, decided[0].decision)
    split = writer.SPLITS[key // num_shards]
    name = writer.shard_name(split, key % num_shards, num_shards)
    placed = sorted(each for each in elements if each is not None)
    with tempfile.TemporaryDirectory() as local:
        path = os.path.join(local, name)
        tfrecords.write_records(path, (each.record for each in placed))
        checksum = checksums.of_file(path)
        with open(path, "rb") as file:
            write(f"{folder}/{name}", file.read())
    return _ALL, Shard(split, name, len(placed), sum(each.length for each in placed), checksum)


def note_result(group: tuple[int, Iterable[Shard | Result]], path: str) -> tuple[int, Any]:
    """Write the result of the whole pipeline, for the process that started it."""
    elements = list(group[1])
    shards = sorted(each for each in elements if isinstance(each, Shard))
    (rest,) = (each for each in elements if isinstance(each, Result))
    write(path, pickle.dumps(rest._replace(shards=shards)))
    return _ALL, None


def write(path: str, data: bytes) -> None:
    """Write a file of any file system whole: a worker that is tried again may write it a second time."""
    if is_remote(path):
        # Object stores show a file only once it is closed.
        with FileSystems.create(path, compression_type="uncompressed") as file:
            file.write(data)
        return
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(data)
    os.replace(temporary, path)


def _parted(elements: Iterable[Any]) -> tuple[list[Any], Facts]:
    elements = list(elements)
    contents = [each for each in elements if not isinstance(each, Facts)]
    return contents, total(each for each in elements if isinstance(each, Facts))


def _at_hand(file: InputFile, stack: contextlib.ExitStack) -> InputFile:
    """Return a file that can be opened here: one of a remote file system is copied."""
    if not is_remote(file.path):
        return file
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path = os.path.join(folder, os.path.basename(file.path))
    with (
        FileSystems.open(file.path, compression_type="uncompressed") as remote,
        open(path, "wb") as copy,
    ):
        while data := remote.read(1 << 20):
            copy.write(data)
    return InputFile(file.name, path)
