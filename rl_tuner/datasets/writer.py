"""Atomic writing of datasets: sharded TFRecords with a description."""

import contextlib
import csv
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from rl_tuner.common import files
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import warn
from rl_tuner.datasets import checksums, descriptions, tfrecords

SPLITS = ("train", "validation", "test")
DESCRIPTION_FILE = "dataset.json"
REJECTED_FILE = "rejected.csv"
_FORMULAS = "=+-@\t\r"


@dataclasses.dataclass(frozen=True, order=True)
class Rejection:
    """A rejected input, with the reason and details."""

    file: str
    reason: str
    detail: str = ""


class RejectedError(Exception):
    """Exception for an input that cannot be used; the pipeline continues with the others.

    Attributes:
        reason: a short fixed phrase, counted in the dataset's description.
        detail: details of this input.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def split_of(key: bytes, *, validation_ratio: float, test_ratio: float) -> str:
    """Return the split for a key, which is determined by the SHA-256 of the key."""
    fraction = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64
    if fraction < test_ratio:
        return "test"
    if fraction < test_ratio + validation_ratio:
        return "validation"
    return "train"


def digest(text: str) -> str:
    """Return the SHA-256 of a text in hexadecimal, used as its name and for a random but fixed order."""
    return hashlib.sha256(text.encode()).hexdigest()


def why(rejections: Iterable[Rejection]) -> str:
    """Return the counts of the reasons as the end of a message; empty if there are no rejections."""
    counts = descriptions.count(rejection.reason for rejection in rejections)
    text = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    return f" (rejected: {text})" if text else ""


def refuse(output_dir: str, message: str, rejections: Sequence[Rejection]) -> NoReturn:
    """Write the rejections of a dataset that would be empty, and raise an error.

    The list of rejections is written into output_dir or, if that contains a dataset, next to it.

    Raises:
        UserError: always; the message gives the reasons and the path of the list.
    """
    path = os.path.join(output_dir, REJECTED_FILE)
    if os.path.exists(os.path.join(output_dir, DESCRIPTION_FILE)):
        path = f"{output_dir.rstrip(os.sep)}.{REJECTED_FILE}"
    folder, name = os.path.split(path)
    try:
        os.makedirs(folder or ".", exist_ok=True)
        write_rejections(folder, rejections, name)
    except OSError as error:
        raise UserError(
            f"{message}{why(rejections)}; {path} cannot be written: {error.strerror}"
        ) from error
    raise UserError(f"{message}{why(rejections)}; {path} lists the rejected inputs")


def write_dataset(
    output_dir: str,
    description: dict[str, Any],
    examples: Mapping[str, Sequence[tuple[bytes, int]]],
    rejections: Iterable[Rejection],
    *,
    num_shards: int,
    overwrite: bool,
) -> None:
    """Write a dataset atomically.

    Args:
        output_dir: the folder to make.
        description: content of dataset.json from `descriptions.describe`; its "splits" are filled in.
        examples: serialised examples with their number of tokens, by split.
        rejections: the rejected inputs.
        num_shards: number of files per split.
        overwrite: whether to replace an existing dataset.

    Raises:
        UserError: if output_dir cannot be written or must not be replaced.
        ValueError: if an entry of the description is missing or wrong.
    """
    description.setdefault("splits", {})
    descriptions.check(description)
    with whole_folder(output_dir, overwrite=overwrite) as folder:
        for split in SPLITS:
            serialised = [record for record, _ in examples[split]]
            shards = write_shards(folder, split, serialised, num_shards)
            description["splits"][split] = {
                "sequences": len(serialised),
                "tokens": sum(num_tokens for _, num_tokens in examples[split]),
                "shards": shards,
                "checksums": [checksums.of_file(os.path.join(folder, name)) for name in shards],
            }
        write_rejections(folder, rejections)
        write_description(folder, description)
    warn_of_empty_splits(output_dir, description)


def warn_of_empty_splits(output_dir: str, description: Mapping[str, Any]) -> None:
    """Warn of splits without sequences."""
    for split, content in description["splits"].items():
        if not content["sequences"]:
            warn(f"the {split} split of {output_dir} is empty")


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """Return the file name of a shard."""
    return f"{split}-{shard:05d}-of-{num_shards:05d}.tfrecord"


def write_shards(folder: str, split: str, records: Sequence[bytes], num_shards: int) -> list[str]:
    """Distribute serialised examples over the shards of a split in turn; return the shards' names."""
    names = [shard_name(split, shard, num_shards) for shard in range(num_shards)]
    for shard, name in enumerate(names):
        tfrecords.write_records(os.path.join(folder, name), records[shard::num_shards])
    return names


def write_description(folder: str, description: Mapping[str, Any]) -> None:
    """Write dataset.json."""
    with open(os.path.join(folder, DESCRIPTION_FILE), "w", encoding="utf-8") as file:
        json.dump(description, file, indent=2)
        file.write("\n")


def write_rejections(
    folder: str, rejections: Iterable[Rejection], name: str = REJECTED_FILE
) -> None:
    """Write rejected.csv, sorted by file."""
    path = os.path.join(folder, name)
    # A file name may contain any byte that the file system allows.
    with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "reason", "detail"])
        for rejection in sorted(rejections):
            writer.writerow([_as_text(cell) for cell in dataclasses.astuple(rejection)])


def _as_text(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: a file's name is anyone's text."""
    return f"'{cell}" if cell[:1] in _FORMULAS and cell else cell


def prepare_output(output_dir: str, *, overwrite: bool) -> str:
    """Make sure that a dataset can be written to a folder; call it before any long work.

    Temporary folders of killed runs next to output_dir are removed, and a dataset that was about to
    be replaced is restored.

    Returns:
        The folder's full path.

    Raises:
        UserError: if output_dir cannot be written or must not be replaced.
    """
    full_path = os.path.realpath(output_dir)
    try:
        os.makedirs(os.path.dirname(full_path), exist_ok=True)
        files.clean_up(full_path)
        content = os.listdir(full_path) if os.path.isdir(full_path) else []
    except OSError as error:
        raise UserError(f"cannot write {output_dir}: {error.strerror}") from error
    if os.path.lexists(full_path) and not os.path.isdir(full_path):
        raise UserError(f"{output_dir} is not a folder; choose another output_dir")
    # A folder with only a list of rejections is the output of a run without a result.
    if content == [REJECTED_FILE]:
        content = []
    if content and DESCRIPTION_FILE not in content:
        raise UserError(
            f"{output_dir} is not empty and does not contain a dataset; choose another output_dir"
        )
    if content and not overwrite:
        raise UserError(f"{output_dir} contains a dataset; set overwrite to replace it")
    return full_path


@contextlib.contextmanager
def whole_folder(output_dir: str, *, overwrite: bool) -> Iterator[str]:
    """Yield a temporary folder that becomes output_dir if the block succeeds, else is deleted.

    Raises:
        UserError: if output_dir cannot be written or must not be replaced.
    """
    full_path = prepare_output(output_dir, overwrite=overwrite)
    try:
        with files.replacing_folder(full_path) as temporary:
            yield temporary
            # Another run may have written output_dir in the meantime.
            prepare_output(output_dir, overwrite=overwrite)
    except OSError as error:
        raise UserError(f"cannot write {output_dir}: {error.strerror}") from error
