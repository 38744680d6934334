"""Tunes to a dataset of melodies: the whole job behind `midi_to_tfrecord`."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterable
from typing import Any

import gin

from pipelines import parallel
from pipelines.melody import extraction, readers, tunes
from pipelines.melody.settings import MelodySettings
from pipelines.settings import builder
from rl_tuner.common.progress import track
from rl_tuner.common.workers import Outcome, available_processors
from rl_tuner.datasets import descriptions, sequence_examples, writer
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody import encoding

_PACKAGES = ("note-seq", "music21", "tensorflow", "numpy", "protobuf")


@dataclasses.dataclass(frozen=True)
class _Example:
    """A melody of the dataset; the split is its tune's."""

    id: str
    source: str
    split: str
    melody: extraction.Melody


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
@builder(MelodySettings)
def build_melody_dataset(
    inputs: list[str], output_dir: str, settings: MelodySettings
) -> dict[str, Any]:
    """Reads tunes, extracts their melodies and writes them as a dataset.

    The result depends on the tunes and the settings only, not on the number of processes, the
    order of the inputs or where they lie.

    Args:
        inputs: Files, folders and "music21:NAME" collections.
        output_dir: The folder to make.
        settings: What to do.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is wrong, or no tune yields
            a melody.
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
    examples, more_rejections, num_yielding = _collect(
        outcomes, settings.validation_ratio, settings.test_ratio
    )
    rejections += more_rejections
    if not examples:
        writer.refuse(output_dir, f"no melody in {len(found)} tunes", rejections)
    description = descriptions.describe(
        kind="melody",
        encoding=encoding.MELODY_ENCODING,
        source=inputs,
        settings=settings.to_json(),
        inputs=len(found),
        inputs_with_melody=num_yielding,
        melodies=len(examples),
        reasons=(rejection.reason for rejection in rejections),
        class_histogram=_histogram(examples),
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
    """Yields what `read_melodies` made of every tune."""
    names = [field.name for field in dataclasses.fields(extraction.ExtractionSettings)]
    wanted = extraction.ExtractionSettings(**{name: getattr(settings, name) for name in names})
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
) -> tuple[list[extraction.Melody], list[tuple[str, str]]]:
    """Returns the melodies of a tune and the (reason, detail) of what was rejected in it."""
    try:
        sequence = readers.read_tune(tune, max_bytes=max_bytes)
        melodies, rejections = extraction.extract_melodies(sequence, settings)
    except RejectedError as error:
        melodies, rejections = [], [error]
    return melodies, [(error.reason, error.detail) for error in rejections]


def _collect(
    outcomes: Any, validation_ratio: float, test_ratio: float
) -> tuple[list[_Example], list[writer.Rejection], int]:
    """Returns the examples by id, what was rejected, and how many tunes yielded a melody.

    Identical melodies of several tunes become one example, that of the first tune by name.
    """
    candidates: list[_Example] = []
    rejections: list[writer.Rejection] = []
    num_yielding = 0
    for outcome in outcomes:
        name = outcome.item.name
        if outcome.failure:
            rejections.append(writer.Rejection(name, outcome.failure, outcome.detail))
            continue
        melodies, refused = outcome.value
        rejections += [writer.Rejection(name, *reason) for reason in refused]
        num_yielding += bool(melodies)
        split = writer.split_of(
            b"".join(hashlib.sha256(melody.classes).digest() for melody in melodies),
            validation_ratio=validation_ratio,
            test_ratio=test_ratio,
        )
        candidates += [
            _Example(hashlib.sha256(melody.classes).hexdigest(), name, split, melody)
            for melody in melodies
        ]
    kept: dict[str, _Example] = {}
    # Order by id also shuffles the tunes, so that shards are alike.
    for example in sorted(
        candidates, key=lambda e: (e.id, e.source, e.split, e.melody.steps_per_bar)
    ):
        if kept.setdefault(example.id, example) is not example:
            rejections.append(
                writer.Rejection(example.source, "duplicate", f"of {kept[example.id].source}")
            )
    return list(kept.values()), rejections, num_yielding


def _serialise(examples: list[_Example], split: str) -> list[tuple[bytes, int]]:
    """Returns the serialised melodies of a split, each with its number of steps."""
    serialised = []
    for example in examples:
        if example.split == split:
            context: dict[str, str | int] = {
                "id": example.id,
                "source": example.source,
                "length": len(example.melody.classes),
                "steps_per_bar": example.melody.steps_per_bar,
            }
            record = sequence_examples.serialise(context, example.melody.classes)
            serialised.append((record, len(example.melody.classes)))
    return serialised


def _histogram(examples: list[_Example]) -> list[int]:
    counts = [0] * encoding.NUM_CLASSES
    for example in examples:
        for melody_class in example.melody.classes:
            counts[melody_class] += 1
    return counts
