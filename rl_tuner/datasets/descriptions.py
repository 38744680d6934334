"""Descriptions of datasets, dataset.json: their schema, a function that builds them and a check."""

import collections
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rl_tuner.datasets.licences import known_licences

FORMAT = 1
# Type and meaning of each entry; a pipeline may add entries of its own.
SCHEMA: dict[str, tuple[type, str]] = {
    "format": (int, "The version of this schema."),
    "kind": (str, "The kind of the sequences, equal to the kind of the task."),
    "encoding": (dict, "num_classes and the other facts needed to decode the classes."),
    "splits": (
        dict,
        "By split: numbers of sequences and tokens, names and checksums of the shards.",
    ),
    "source": (list, "The inputs as they were given: files, folders and named collections."),
    "licence": (dict, "The licence, as far as known, of each named collection in the source."),
    "settings": (dict, "The settings of the pipeline that affect the output."),
    "inputs": (int, "The number of tunes, molecules or records found."),
    "rejections": (dict, "The number of rejected inputs by reason; rejected.csv lists them."),
    "changes": (dict, "The number of accepted inputs that were changed, by change."),
    "class_histogram": (
        list,
        "The number of steps of each class in the training data or all data.",
    ),
    "properties": (dict, "A histogram of each property over the training data."),
    "versions": (dict, "The versions of the packages that made the dataset."),
}
_REQUIRED = ("kind", "encoding", "splits")


def describe(
    *,
    kind: str,
    encoding: Mapping[str, Any],
    class_histogram: Sequence[int] | None = None,
    source: Iterable[str] = (),
    settings: Mapping[str, Any] | None = None,
    reasons: Iterable[str] | None = None,
    packages: Iterable[str] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """Return the description of a dataset; `write_dataset` fills in its splits.

    Args:
        kind: kind of the sequences, such as "melody".
        encoding: facts needed to decode the classes; at least num_classes.
        class_histogram: number of steps of each class.
        source: the inputs as they were given.
        settings: settings of the pipeline.
        reasons: the reason of each rejection.
        packages: packages whose versions are recorded.
        **others: further entries, such as counts.

    Raises:
        ValueError: if an entry does not match `SCHEMA`.
    """
    source = list(source)
    entries = {
        "format": FORMAT,
        "kind": kind,
        "encoding": dict(encoding),
        "splits": {},
        "source": source or None,
        "licence": known_licences(source) or None,
        "settings": None if settings is None else dict(settings),
        **others,
        "rejections": None if reasons is None else count(reasons),
        "class_histogram": None if class_histogram is None else list(class_histogram),
        "versions": None if packages is None else versions(packages),
    }
    description = {name: value for name, value in entries.items() if value is not None}
    check(description)
    return description


def check(description: Mapping[str, Any]) -> None:
    """Make sure that a description matches `SCHEMA`.

    Raises:
        ValueError: if an entry is missing or wrong; the message names it.
    """
    for name in _REQUIRED:
        if name not in description:
            raise ValueError(f"a dataset's description lacks {name!r}: {SCHEMA[name][1]}")
    for name, (kind, meaning) in SCHEMA.items():
        if name in description and not isinstance(description[name], kind):
            found = type(description[name]).__name__
            raise ValueError(f"{name!r} must be a {kind.__name__}, not a {found}: {meaning}")
    num_classes = description["encoding"].get("num_classes")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"'encoding' needs num_classes above 0, not {num_classes!r}")
    histogram = description.get("class_histogram")
    if histogram is not None and len(histogram) != num_classes:
        raise ValueError(
            f"'class_histogram' has {len(histogram)} entries for {num_classes} classes"
        )


def count(reasons: Iterable[str]) -> dict[str, int]:
    """Return the number of occurrences of each reason, the most frequent first."""
    counts = collections.Counter(reasons)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and some packages."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
