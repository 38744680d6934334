"""Building of a dataset of melodies from Magenta's examples, the work of `magenta_to_tfrecord`."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gin

from pipelines import parallel
from pipelines.inputs import list_files
from pipelines.melody import magenta_examples
from pipelines.melody.settings import MagentaSettings
from pipelines.settings import builder
from rl_tuner.common.progress import track
from rl_tuner.common.workers import Outcome, available_processors
from rl_tuner.datasets import descriptions, sequence_examples, tfrecords, writer
from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody import encoding

_FILE_NAME = re.compile(r"\.tfrecords?(-\d+-of-\d+)?$")
_CHUNK_SIZE = 64
_TIMEOUT_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Record:
    """A record of a TFRecord file: its name in messages, its file and its offset."""

    name: str
    path: str
    offset: int


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
@builder(MagentaSettings)
def build_magenta_dataset(
    inputs: list[str], output_dir: str, settings: MagentaSettings
) -> dict[str, Any]:
    """Read Magenta's training examples and write their melodies as a dataset.

    The result depends only on the melodies and the settings, not on the number of processes or the
    order of the inputs. Magenta's own division into training and evaluation files is not kept: the
    split of a melody is determined by its hash, as in every dataset here.

    Args:
        inputs: TFRecord files, and folders, in which files of other types are rejected.
        output_dir: Folder for the dataset.
        settings: Settings of the pipeline.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is invalid, or no record contains a melody.
    """
    writer.prepare_output(output_dir, overwrite=settings.overwrite)
    max_bytes = int(settings.max_record_mb * 2**20)
    found, rejections = _list_records(inputs, settings.recursive, max_bytes)
    outcomes = parallel.map_in_chunks(
        read_melody,
        found,
        chunk_size=_CHUNK_SIZE,
        num_processes=settings.num_processes or available_processors(),
        timeout_seconds=_TIMEOUT_SECONDS,
    )
    outcomes = track(outcomes, total=len(found), description="examples")
    melodies, more = _collect(outcomes)
    rejections += more
    if not melodies:
        writer.refuse(output_dir, f"no melody in {', '.join(inputs)}", rejections)
    description = descriptions.describe(
        kind="melody",
        encoding=encoding.MELODY_ENCODING,
        source=inputs,
        settings=settings.to_json(),
        inputs=len(found),
        melodies=len(melodies),
        reasons=(rejection.reason for rejection in rejections),
        class_histogram=[
            sum(melody.count(each) for melody in melodies) for each in range(encoding.NUM_CLASSES)
        ],
        packages=["numpy"],
    )
    writer.write_dataset(
        output_dir,
        description,
        _serialise(melodies, settings),
        rejections,
        num_shards=settings.num_shards,
        overwrite=settings.overwrite,
    )
    return description


def read_melody(record: Record) -> tuple[bytes | None, tuple[str, str]]:
    """Return the classes of a record's melody, or None with the reason and detail of its rejection."""
    try:
        example = tfrecords.read_record(record.path, record.offset)
        return magenta_examples.decode_melody(example), ("", "")
    except RejectedError as error:
        return None, (error.reason, error.detail)
    except tfrecords.CorruptRecordError as error:
        return None, ("unreadable TFRecord", str(error))


def _list_records(
    inputs: Sequence[str], recursive: bool, max_bytes: int
) -> tuple[list[Record], list[writer.Rejection]]:
    found: list[Record] = []
    rejections: list[writer.Rejection] = []
    for file in list_files(inputs, recursive=recursive):
        # A file that was given explicitly is read whatever its name.
        if not _FILE_NAME.search(file.path) and file.path not in inputs:
            rejections.append(writer.Rejection(file.name, "unknown file type"))
            continue
        try:
            for number, (offset, length) in enumerate(tfrecords.record_spans(file.path)):
                name = f"{file.name}#{number}"
                if length > max_bytes:
                    rejections.append(writer.Rejection(name, "too large", f"{length} bytes"))
                else:
                    found.append(Record(name, file.path, offset))
        except tfrecords.CorruptRecordError as error:
            rejections.append(writer.Rejection(file.name, "unreadable TFRecord", str(error)))
        except OSError as error:
            reason = error.strerror or ""
            rejections.append(writer.Rejection(file.name, "unreadable file", reason))
    return found, rejections


def _collect(
    outcomes: Iterable[Outcome],
) -> tuple[dict[bytes, str], list[writer.Rejection]]:
    """Return melody -> name of its first record, sorted by hash, and the rejections."""
    sources: dict[bytes, list[str]] = {}
    rejections: list[writer.Rejection] = []
    for outcome in outcomes:
        name = outcome.item.name
        if outcome.failure:
            rejections.append(writer.Rejection(name, outcome.failure, outcome.detail))
            continue
        melody, why = outcome.value
        if melody is None:
            rejections.append(writer.Rejection(name, *why))
        else:
            sources.setdefault(melody, []).append(name)
    for first, *others in map(sorted, sources.values()):
        rejections += [writer.Rejection(name, "duplicate", f"of {first}") for name in others]
    # Sorting by hash also shuffles the melodies, so that shards are similar.
    ordered = sorted(sources, key=lambda melody: hashlib.sha256(melody).digest())
    return {melody: min(sources[melody]) for melody in ordered}, rejections


def _serialise(
    melodies: Mapping[bytes, str], settings: MagentaSettings
) -> dict[str, list[tuple[bytes, int]]]:
    examples: dict[str, list[tuple[bytes, int]]] = {split: [] for split in writer.SPLITS}
    for melody, source in melodies.items():
        key = hashlib.sha256(melody)
        split = writer.split_of(
            key.digest(),
            validation_ratio=settings.validation_ratio,
            test_ratio=settings.test_ratio,
        )
        context: dict[str, str | int] = {
            "id": key.hexdigest(),
            "source": source,
            "length": len(melody),
            "steps_per_bar": settings.steps_per_bar,
        }
        examples[split].append((sequence_examples.serialise(context, melody), len(melody)))
    return examples
