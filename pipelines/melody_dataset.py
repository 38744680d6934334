"""Tunes to a dataset of melodies: the whole job behind `midi_to_tfrecord`."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

import gin
from absl import logging

from pipelines import (
    errors,
    melody_extraction,
    parallel,
    records,
    score_readers,
    sequence_examples,
    tunes,
)
from rl_tuner.errors import UserError
from rl_tuner.progress import track
from rl_tuner.tasks.melody import encoding

_FORMAT = 1
_PACKAGES = ("note-seq", "music21", "tensorflow", "numpy", "protobuf")


@dataclasses.dataclass(frozen=True)
class _Example:
    """A melody of the dataset; the split is its tune's."""

    id: str
    source: str
    split: str
    melody: melody_extraction.Melody


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
    records.prepare_output(output_dir, overwrite=overwrite)
    max_bytes = int(max_file_mb * 2**20)
    found, rejections = tunes.list_tunes(
        inputs,
        recursive=recursive,
        max_bytes=max_bytes,
        allow_any_music21_collection=allow_any_music21_collection,
    )
    if not found:
        raise UserError(f"no tunes in {', '.join(inputs)}{_why(rejections)}")
    extraction = melody_extraction.ExtractionSettings(
        polyphony, gap_bars, min_bars, min_unique_pitches, max_steps
    )
    outcomes = parallel.map_isolated(
        functools.partial(read_melodies, settings=extraction, max_bytes=max_bytes),
        found,
        num_processes=num_processes or parallel.available_processors(),
        timeout_seconds=timeout_seconds,
        memory_mb=worker_memory_mb,
        preload=["note_seq", "pipelines.score_readers"],
    )
    outcomes = track(outcomes, total=len(found), description="tunes")
    examples, more_rejections, num_yielding = _collect(outcomes, validation_ratio, test_ratio)
    rejections += more_rejections
    if not examples:
        raise UserError(f"no melody in {len(found)} tunes{_why(rejections)}")
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
        "rejections": records.count_reasons(rejections),
        "class_histogram": _histogram(examples),
        "versions": _versions(),
    }
    with records.whole_folder(output_dir, overwrite=overwrite) as folder:
        for split in records.SPLITS:
            chosen = [example for example in examples if example.split == split]
            serialised = [_serialise(example) for example in chosen]
            description["splits"][split] = {
                "sequences": len(chosen),
                "tokens": sum(len(example.melody.classes) for example in chosen),
                "shards": records.write_shards(folder, split, serialised, num_shards),
            }
        records.write_rejections(folder, rejections)
        records.write_description(folder, description)
    for split, content in description["splits"].items():
        if not content["sequences"]:
            logging.warning("the %s split of %s is empty", split, output_dir)
    return description


def read_melodies(
    tune: tunes.Tune, settings: melody_extraction.ExtractionSettings, max_bytes: int
) -> tuple[list[melody_extraction.Melody], list[tuple[str, str]]]:
    """Returns the melodies of a tune and the (reason, detail) of what was rejected in it."""
    try:
        sequence = score_readers.read_tune(tune, max_bytes=max_bytes)
        melodies, rejections = melody_extraction.extract_melodies(sequence, settings)
    except errors.RejectedError as error:
        melodies, rejections = [], [error]
    return melodies, [(error.reason, error.detail) for error in rejections]


def _check(settings: dict[str, Any], num_processes: int) -> None:
    choices = melody_extraction.POLYPHONY_CHOICES
    if settings["polyphony"] not in choices:
        raise UserError(f"polyphony must be one of {', '.join(choices)}")
    minimum = {"gap_bars": 0, "min_bars": 0, "min_unique_pitches": 0, "max_steps": 0}
    minimum |= {"validation_ratio": 0, "test_ratio": 0, "num_shards": 1}
    for name, least in minimum.items():
        if settings[name] < least:
            raise UserError(f"{name} must be at least {least}, not {settings[name]}")
    for name in ("timeout_seconds", "max_file_mb"):
        if settings[name] <= 0:
            raise UserError(f"{name} must be above 0, not {settings[name]}")
    if num_processes < 0:
        raise UserError(f"num_processes must be at least 0, not {num_processes}")
    if settings["validation_ratio"] + settings["test_ratio"] >= 1:
        raise UserError("validation_ratio and test_ratio leave nothing to train on")


def _collect(
    outcomes: Any, validation_ratio: float, test_ratio: float
) -> tuple[list[_Example], list[records.Rejection], int]:
    """Returns the examples by id, what was rejected, and how many tunes yielded a melody.

    Identical melodies of several tunes become one example, that of the first tune by name.
    """
    candidates: list[_Example] = []
    rejections: list[records.Rejection] = []
    num_yielding = 0
    for outcome in outcomes:
        name = outcome.item.name
        if outcome.failure:
            rejections.append(records.Rejection(name, outcome.failure, outcome.detail))
            continue
        melodies, refused = outcome.value
        rejections += [records.Rejection(name, *reason) for reason in refused]
        num_yielding += bool(melodies)
        split = records.split_of(
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
                records.Rejection(example.source, "duplicate", f"of {kept[example.id].source}")
            )
    return list(kept.values()), rejections, num_yielding


def _serialise(example: _Example) -> bytes:
    context = {
        "id": example.id,
        "source": example.source,
        "length": len(example.melody.classes),
        "steps_per_bar": example.melody.steps_per_bar,
    }
    return sequence_examples.serialise(context, example.melody.classes)


def _histogram(examples: list[_Example]) -> list[int]:
    counts = [0] * encoding.NUM_CLASSES
    for example in examples:
        for melody_class in example.melody.classes:
            counts[melody_class] += 1
    return counts


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions


def _why(rejections: list[records.Rejection]) -> str:
    counts = records.count_reasons(rejections)
    text = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f" (rejected: {text})" if text else ""
