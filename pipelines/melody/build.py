"""Tunes to a dataset of melodies: the whole job behind `midi_to_tfrecord`."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
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


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
def build_melody_dataset(
    inputs: Sequence[str],
    output_dir: str,
    *,
    recursive: bool = True,
    polyphony: str = "skyline",
    gap_bars: float = 1.0,
    min_bars: int = 7,
    min_unique_pitches: int = 5,
    max_steps: int = 512,
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
        gap_bars: A silence of this many bars ends a melody.
        min_bars: Shorter melodies are rejected.
        min_unique_pitches: Melodies with fewer pitch classes are rejected.
        max_steps: Longer melodies are cut to the whole bars that fit; 0 for no limit.
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
            a melody.
    """
    settings = {
        name: value
        for name, value in locals().items()
        if name not in ("inputs", "output_dir", "num_processes", "worker_memory_mb", "overwrite")
    }
    _check(settings, num_processes)
    if isinstance(inputs, str):
        inputs = [inputs]
    writer.prepare_output(output_dir, overwrite=overwrite)
    max_bytes = int(max_file_mb * 2**20)
    found, rejections = tunes.list_tunes(
        inputs,
        recursive=recursive,
        max_bytes=max_bytes,
        allow_any_music21_collection=allow_any_music21_collection,
    )
    if not found:
        raise UserError(f"no tunes in {', '.join(inputs)}{writer.why(rejections)}")
    extraction_settings = extraction.ExtractionSettings(
        polyphony, gap_bars, min_bars, min_unique_pitches, max_steps
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
    examples, more_rejections, num_yielding = _collect(outcomes, validation_ratio, test_ratio)
    rejections += more_rejections
    if not examples:
        raise UserError(f"no melody in {len(found)} tunes{writer.why(rejections)}")
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
        "inputs_with_melody": num_yielding,
        "melodies": len(examples),
        "rejections": writer.count_reasons(rejections),
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
) -> tuple[list[extraction.Melody], list[tuple[str, str]]]:
    """Returns the melodies of a tune and the (reason, detail) of what was rejected in it."""
    try:
        sequence = readers.read_tune(tune, max_bytes=max_bytes)
        melodies, rejections = extraction.extract_melodies(sequence, settings)
    except errors.RejectedError as error:
        melodies, rejections = [], [error]
    return melodies, [(error.reason, error.detail) for error in rejections]


def _check(settings: dict[str, Any], num_processes: int) -> None:
    choices = extraction.POLYPHONY_CHOICES
    if settings["polyphony"] not in choices:
        raise UserError(f"polyphony must be one of {', '.join(choices)}")
    at_least = dict.fromkeys(("gap_bars", "min_bars", "min_unique_pitches", "max_steps"), 0)
    writer.check_settings(
        settings | {"num_processes": num_processes},
        at_least=at_least | {"num_shards": 1, "num_processes": 0},
        above_zero=("timeout_seconds", "max_file_mb"),
    )


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
