"""Writing of a dataset from token sequences, for a user's own task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.datasets import descriptions, sequence_examples, writer


def write_sequences(
    output_dir: str,
    sequences: Iterable[Sequence[int]],
    *,
    kind: str,
    num_classes: int,
    encoding: dict[str, Any] | None = None,
    source: Sequence[str] = (),
    validation_ratio: float = 0.1,
    test_ratio: float = 0.1,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write sequences of classes as a dataset; duplicates are dropped, and a hash determines the split.

    Args:
        output_dir: the folder to make.
        sequences: classes 0 .. num_classes - 1, with an end token if the task has one.
        kind: kind of the sequences, equal to the task's.
        num_classes: number of classes.
        encoding: further facts about the classes that the task's `adopt` reads.
        source: origin of the sequences, for the model card.
        validation_ratio: share of the sequences for validation.
        test_ratio: share of the sequences for testing.
        overwrite: whether to replace an existing dataset.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: a sequence is empty or contains anything but classes, or the folder exists.
    """
    writer.prepare_output(output_dir, overwrite=overwrite)
    examples: dict[str, list[tuple[bytes, int]]] = {split: [] for split in writer.SPLITS}
    given = {writer.digest(" ".join(map(str, row))): [int(x) for x in row] for row in sequences}
    for key, row in sorted(given.items()):
        if not row or not 0 <= min(row) <= max(row) < num_classes:
            raise UserError(
                f"write_sequences: classes must be between 0 and {num_classes - 1}, not {row}"
            )
        split = writer.split_of(
            key.encode(), validation_ratio=validation_ratio, test_ratio=test_ratio
        )
        example = sequence_examples.serialise({"id": key, "length": len(row)}, row)
        examples[split].append((example, len(row)))
    counts = Counter(token for row in given.values() for token in row)
    longest = max(map(len, given.values()), default=0)
    description = descriptions.describe(
        kind=kind,
        encoding={"num_classes": num_classes, "longest": longest} | (encoding or {}),
        source=source,
        class_histogram=[counts[token] for token in range(num_classes)],
    )
    writer.write_dataset(output_dir, description, examples, [], num_shards=1, overwrite=overwrite)
    return description
