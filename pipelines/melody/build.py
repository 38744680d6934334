"""Tunes to a dataset of melodies: the whole job behind `midi_to_tfrecord`."""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import gin

from pipelines import errors, parallel
from pipelines.melody import extraction, readers, tunes
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import track
from rl_tuner.datasets import sequence_examples, writer
from rl_tuner.tasks.melody import encoding

_FORMAT = 1
_PACKAGES = ("note-seq", "music21", "tensorflow", "numpy", "protobuf")


@dataclasses.dataclass(frozen=True)
class _Example:
    """A melody of the dataset; the split is its tune's."""

    id: str
    source: str
    split: str
    melody: extraction.Melody


@dataclasses.dataclass
class _Collection:
    """What became of all tunes.

    Attributes:
        examples: The melodies, by id.
        rejections: What was left out.
        num_yielding: How many tunes yielded a melody.
        changes: How often something was mended, moved or left out in the tunes that were read.
    """

    examples: list[_Example] = dataclasses.field(default_factory=list)
    rejections: list[writer.Rejection] = dataclasses.field(default_factory=list)
    num_yielding: int = 0
    changes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
def build_melody_dataset(
    inputs: Sequence[str],
    output_dir: str,
    *,
    recursive: bool = True,
    polyphony: str = "skyline",
    split: str = "none",
    gap_bars: float = 1.0,
    min_bars: int = 7,
    min_unique_pitches: int = 5,
    max_steps: int = 512,
    max_moved: float = 0.03,
    validation_ratio: float = 0.1,
    test_ratio: float = 0.1,
    num_shards: int = 1,
    num_processes: int = 0,
    timeout_seconds: float = 60.0,
    max_file_mb: float = 20.0,
    worker_memory_mb: int = 4096,
    allow_any_music21_collection: bool = False,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Reads tunes, extracts their melodies and writes them as a dataset.

    The result depends on the tunes and the settings only, not on the number of processes, the
    order of the inputs or where they lie.

    Args:
        inputs: Files, folders and "music21:NAME" collections.
        output_dir: The folder to make.
        recursive: Whether to look into folders within folders.
        polyphony: "skyline" keeps the highest line of a track, "skip" rejects tracks whose notes
            start together.
        split: "none" keeps a tune whole where its metre changes, "metre" cuts it there.
        gap_bars: A silence of this many bars ends a melody.
        min_bars: Shorter melodies are rejected.
        min_unique_pitches: Melodies with fewer pitch classes are rejected.
        max_steps: Longer melodies are cut to the whole bars that fit; 0 for no limit.
        max_moved: Melodies with a larger share of notes outside three octaves are rejected; a smaller
            share is moved by octaves.
        validation_ratio: The share of tunes for validation.
        test_ratio: The share of tunes for testing.
        num_shards: Files per split.
        num_processes: Worker processes; 0 for one a processor.
        timeout_seconds: The time limit of one tune.
        max_file_mb: Larger files, and larger records of a TFRecord, are rejected.
        worker_memory_mb: The address space of a worker; 0 for no limit.
        allow_any_music21_collection: Take collections whose licence is not known to be free.
        overwrite: Replace an existing dataset, once the new one is complete.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is wrong, or no tune yields
            a melody; rejected.csv then says why.
    """
    settings = {
        name: value
        for name, value in locals().items()
        if name not in ("inputs", "output_dir", "num_processes", "worker_memory_mb", "overwrite")
    }
    _check(settings, num_processes)
    if isinstance(inputs, str):
        inputs = [inputs]
    _forget_rejections(output_dir)
    writer.prepare_output(output_dir, overwrite=overwrite)
    max_bytes = int(max_file_mb * 2**20)
    found, rejections = tunes.list_tunes(
        inputs,
        recursive=recursive,
        max_bytes=max_bytes,
        allow_any_music21_collection=allow_any_music21_collection,
    )
    if not found:
        raise _nothing_survives(f"no tunes in {', '.join(inputs)}", output_dir, rejections)
    extraction_settings = extraction.ExtractionSettings(
        polyphony, gap_bars, min_bars, min_unique_pitches, max_steps, split, max_moved
    )
    outcomes = parallel.map_isolated(
        functools.partial(read_melodies, settings=extraction_settings, max_bytes=max_bytes),
        found,
        num_processes=num_processes or parallel.available_processors(),
        timeout_seconds=timeout_seconds,
        memory_mb=worker_memory_mb,
        preload=["note_seq", "pipelines.melody.readers"],
    )
    outcomes = track(outcomes, total=len(found), description="tunes")
    collection = _collect(outcomes, validation_ratio, test_ratio)
    examples = collection.examples
    rejections += collection.rejections
    if not examples:
        raise _nothing_survives(f"no melody in {len(found)} tunes", output_dir, rejections)
    description = {
        "format": _FORMAT,
        "kind": "melody",
        "encoding": {
            "min_note": encoding.MIN_NOTE,
            "max_note": encoding.MAX_NOTE,
            "num_classes": encoding.NUM_CLASSES,
            "steps_per_quarter": encoding.STEPS_PER_QUARTER,
            "transpose_to_key": encoding.TRANSPOSE_TO_KEY,
        },
        "splits": {},
        "source": list(inputs),
        "settings": settings,
        "inputs": len(found),
        "inputs_with_melody": collection.num_yielding,
        "melodies": len(examples),
        "rejections": writer.count_reasons(rejections),
        "changes": dict(sorted(collection.changes.items())),
        "class_histogram": _histogram(examples),
        "versions": writer.versions(_PACKAGES),
    }
    writer.write_dataset(
        output_dir,
        description,
        {name: _serialise(examples, name) for name in writer.SPLITS},
        rejections,
        num_shards=num_shards,
        overwrite=overwrite,
    )
    return description


def read_melodies(
    tune: tunes.Tune, settings: extraction.ExtractionSettings, max_bytes: int
) -> tuple[list[extraction.Melody], list[tuple[str, str]], dict[str, int]]:
    """Reads one tune.

    Returns:
        Its melodies, the (reason, detail) of what was rejected in it, and how often something was
        mended, moved or left out.
    """
    try:
        reading = readers.read_tune(tune, max_bytes=max_bytes)
    except errors.RejectedError as error:
        return [], [(error.reason, error.detail)], {}
    melodies: list[extraction.Melody] = []
    rejections: list[errors.RejectedError] = []
    mended = ", ".join(f"{count} {what}" for what, count in sorted(reading.counts.items()))
    for sequence in reading.sequences:
        result = extraction.extract_melodies(sequence, settings)
        melodies += result.melodies
        # Of several songs, one without notes only sets the tempo.
        if sequence.notes or len(reading.sequences) == 1:
            rejections += result.rejections
        reading.counts.update(result.counts)
    changes = {name: count for name, count in reading.counts.items() if count}
    details = [", ".join(filter(None, (error.detail, mended))) for error in rejections]
    return melodies, [(e.reason, detail) for e, detail in zip(rejections, details)], changes


def _check(settings: dict[str, Any], num_processes: int) -> None:
    choices = {"polyphony": extraction.POLYPHONY_CHOICES, "split": extraction.SPLIT_CHOICES}
    for name, known in choices.items():
        if settings[name] not in known:
            raise UserError(f"{name} must be one of {', '.join(known)}, not {settings[name]}")
    numbers = ("gap_bars", "min_bars", "min_unique_pitches", "max_steps", "max_moved")
    at_least = dict.fromkeys(numbers, 0)
    writer.check_settings(
        settings | {"num_processes": num_processes},
        at_least=at_least | {"num_shards": 1, "num_processes": 0},
        above_zero=("timeout_seconds", "max_file_mb"),
    )


def _collect(
    outcomes: Iterable[parallel.Outcome], validation_ratio: float, test_ratio: float
) -> _Collection:
    """Returns what became of all tunes.

    Identical melodies of several tunes become one example, that of the first tune by name.
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
    # Order by id also shuffles the tunes, so that shards are alike.
    collection.examples = sorted(kept.values(), key=lambda example: example.id)
    return collection


def _preference(example: _Example) -> tuple[str, str, int]:
    return example.source, example.split, example.melody.steps_per_bar


def _nothing_survives(
    message: str, output_dir: str, rejections: Sequence[writer.Rejection]
) -> UserError:
    """Writes rejected.csv all the same, and returns the error that says where it is."""
    folder = output_dir
    if os.path.exists(os.path.join(output_dir, writer.DESCRIPTION_FILE)):
        # The dataset that was to be replaced stays as it is.
        folder = f"{output_dir.rstrip(os.sep)}.rejected"
    path = os.path.join(folder, writer.REJECTED_FILE)
    try:
        os.makedirs(folder, exist_ok=True)
        writer.write_rejections(folder, rejections)
    except OSError as error:
        return UserError(f"cannot write {path}: {error.strerror}")
    return UserError(f"{message}{writer.why(rejections)}; see {path}")


def _forget_rejections(output_dir: str) -> None:
    """Removes what an earlier run left that found nothing, so that this one may write there."""
    with contextlib.suppress(OSError):
        if os.listdir(output_dir) == [writer.REJECTED_FILE]:
            os.remove(os.path.join(output_dir, writer.REJECTED_FILE))
            os.rmdir(output_dir)


def _serialise(examples: list[_Example], split: str) -> list[tuple[bytes, int]]:
    """Returns the serialised melodies of a split, each with its number of steps."""
    serialised = []
    for example in examples:
        if example.split == split:
            context = {
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
