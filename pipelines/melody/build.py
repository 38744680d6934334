"""Building of a dataset of melodies from tunes, the work of `midi_to_tfrecord`."""

import collections
import dataclasses
import functools
import hashlib
from collections.abc import Iterable
from typing import Any

import gin

from pipelines import parallel
from pipelines.inputs import check_inputs
from pipelines.melody import extraction, keys, readers, tunes
from pipelines.melody.settings import MelodySettings
from pipelines.settings import builder
from rl_tuner.common.progress import track
from rl_tuner.common.workers import Outcome, available_processors
from rl_tuner.datasets import descriptions, sequence_examples, writer
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody.grid import Grid

_PACKAGES = ("note-seq", "music21", "tensorflow", "numpy", "protobuf")


@dataclasses.dataclass(frozen=True)
class _Example:
    """A melody of the dataset; all melodies of a tune are in the same split."""

    id: str
    source: str
    split: str
    melody: extraction.Melody


@dataclasses.dataclass
class _Collection:
    """The results of all tunes.

    Attributes:
        examples: The melodies, sorted by id.
        rejections: The rejections.
        num_yielding: Number of tunes with at least one melody.
        changes: Numbers of repairs, moved notes and omissions in the tunes that were read.
    """

    examples: list[_Example] = dataclasses.field(default_factory=list)
    rejections: list[writer.Rejection] = dataclasses.field(default_factory=list)
    num_yielding: int = 0
    changes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
@builder(MelodySettings, functools.partial(check_inputs, prefix=tunes.MUSIC21_PREFIX))
def build_melody_dataset(
    inputs: list[str], output_dir: str, settings: MelodySettings
) -> dict[str, Any]:
    """Read tunes, extract their melodies and write them as a dataset.

    The result depends only on the tunes and the settings, not on the number of processes, the order of
    the inputs or their folders.

    Args:
        inputs: Files, folders and "music21:NAME" collections.
        output_dir: Folder for the dataset.
        settings: Settings of the pipeline.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is invalid, or no tune yields a melody.
    """
    writer.prepare_output(output_dir, overwrite=settings.overwrite)
    max_bytes = int(settings.max_file_mb * 2**20)
    found, rejections = tunes.list_tunes(
        inputs,
        recursive=settings.recursive,
        max_bytes=max_bytes,
        allow_any_music21_collection=settings.allow_any_music21_collection,
    )
    if not found:
        writer.refuse(output_dir, f"no tunes in {', '.join(inputs)}", rejections)
    outcomes = track(_read(found, settings, max_bytes), total=len(found), description="tunes")
    collection = _collect(outcomes, settings.validation_ratio, settings.test_ratio)
    examples = collection.examples
    rejections += collection.rejections
    if not examples:
        writer.refuse(output_dir, f"no melody in {len(found)} tunes", rejections)
    description = descriptions.describe(
        kind="melody",
        encoding=_encoding(settings),
        source=inputs,
        settings=settings.to_json(),
        inputs=len(found),
        inputs_with_melody=collection.num_yielding,
        melodies=len(examples),
        metres=descriptions.count("{}/{}".format(*e.melody.metre) for e in examples),
        modes=descriptions.count(example.melody.key[1] for example in examples),
        changes=dict(sorted(collection.changes.items())),
        reasons=(rejection.reason for rejection in rejections),
        class_histogram=_histogram(examples, settings.grid()),
        packages=_PACKAGES,
    )
    writer.write_dataset(
        output_dir,
        description,
        {name: _serialise(examples, name) for name in writer.SPLITS},
        rejections,
        num_shards=settings.num_shards,
        overwrite=settings.overwrite,
    )
    return description


def _read(found: list[tunes.Tune], settings: MelodySettings, max_bytes: int) -> Iterable[Outcome]:
    """Yield the outcome of `read_melodies` for every tune."""
    fields = dataclasses.fields(extraction.ExtractionSettings)
    values = {f.name: getattr(settings, f.name) for f in fields if f.name != "grid"}
    wanted = extraction.ExtractionSettings(**values, grid=settings.grid())
    return parallel.map_isolated(
        functools.partial(read_melodies, settings=wanted, max_bytes=max_bytes),
        found,
        num_processes=settings.num_processes or available_processors(),
        timeout_seconds=settings.timeout_seconds,
        memory_mb=settings.worker_memory_mb,
        preload=["note_seq", "pipelines.melody.readers"],
    )


def read_melodies(
    tune: tunes.Tune, settings: extraction.ExtractionSettings, max_bytes: int
) -> tuple[list[extraction.Melody], list[tuple[str, str]], dict[str, int]]:
    """Read one tune.

    Returns:
        Its melodies, the (reason, detail) of each rejection, and the numbers of repairs, moved notes and
        omissions.
    """
    try:
        reading = readers.read_tune(tune, max_bytes=max_bytes)
    except RejectedError as error:
        return [], [(error.reason, error.detail)], {}
    melodies: list[extraction.Melody] = []
    rejections: list[RejectedError] = []
    mended = ", ".join(f"{count} {what}" for what, count in sorted(reading.counts.items()))
    for sequence in reading.sequences:
        result = extraction.extract_melodies(sequence, settings)
        melodies += result.melodies
        # In a file of several songs, a song without notes only sets the tempo.
        if sequence.notes or len(reading.sequences) == 1:
            rejections += result.rejections
        reading.counts.update(result.counts)
    changes = {name: count for name, count in reading.counts.items() if count}
    details = [", ".join(filter(None, (error.detail, mended))) for error in rejections]
    return melodies, [(e.reason, detail) for e, detail in zip(rejections, details)], changes


def _collect(
    outcomes: Iterable[Outcome], validation_ratio: float, test_ratio: float
) -> _Collection:
    """Return the results of all tunes.

    Identical melodies of several tunes become one example, with the first of these tunes as its source.
    """
    kept: dict[str, _Example] = {}
    repeated: dict[str, list[str]] = {}  # id -> the sources that are not kept
    collection = _Collection()
    for outcome in outcomes:
        name = outcome.item.name
        if outcome.failure:
            rejection = writer.Rejection(name, outcome.failure, outcome.detail)
            collection.rejections.append(rejection)
            continue
        melodies, refused, changes = outcome.value
        collection.rejections += [writer.Rejection(name, *reason) for reason in refused]
        collection.changes.update(changes)
        collection.num_yielding += bool(melodies)
        digests = [hashlib.sha256(melody.classes) for melody in melodies]
        split = writer.split_of(
            b"".join(digest.digest() for digest in digests),
            validation_ratio=validation_ratio,
            test_ratio=test_ratio,
        )
        for digest, melody in zip(digests, melodies):
            example = _Example(digest.hexdigest(), name, split, melody)
            other = kept.setdefault(example.id, example)
            if other is not example:
                first, second = sorted((other, example), key=_preference)
                kept[example.id] = first
                repeated.setdefault(example.id, []).append(second.source)
    for identity, sources in repeated.items():
        detail = f"of {kept[identity].source}"
        collection.rejections += [writer.Rejection(s, "duplicate", detail) for s in sources]
    # Sorting by id also shuffles the tunes, so that shards are similar.
    collection.examples = sorted(kept.values(), key=lambda example: example.id)
    return collection


def _preference(example: _Example) -> tuple[str, str, int]:
    return example.source, example.split, example.melody.steps_per_bar


def _serialise(examples: list[_Example], split: str) -> list[tuple[bytes, int]]:
    """Return the serialised melodies of a split, each with its number of steps."""
    serialised = []
    for example in examples:
        if example.split == split:
            context: dict[str, str | int] = {
                "id": example.id,
                "source": example.source,
                "length": len(example.melody.classes),
                "steps_per_bar": example.melody.steps_per_bar,
                "metre": "{}/{}".format(*example.melody.metre),
                "key": keys.name_of(example.melody.key),
            }
            record = sequence_examples.serialise(context, example.melody.classes)
            serialised.append((record, len(example.melody.classes)))
    return serialised


def _encoding(settings: MelodySettings) -> dict[str, Any]:
    encoding = settings.grid().to_json()
    return (
        encoding if settings.transpose == "major" else encoding | {"transpose": settings.transpose}
    )


def _histogram(examples: list[_Example], grid: Grid) -> list[int]:
    counts = [0] * grid.num_classes
    for example in examples:
        for melody_class in example.melody.classes:
            counts[melody_class] += 1
    return counts
