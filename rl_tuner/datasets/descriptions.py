"""What dataset.json says: one function puts it together, one table says what each entry is."""

import collections
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rl_tuner.datasets.licences import known_licences

FORMAT = 1
# The type of each entry and what it is; a pipeline may add entries of its own.
SCHEMA: dict[str, tuple[type, str]] = {
    "format": (int, "The version of this schema."),
    "kind": (str, "A word for what a sequence is; the task says the same."),
    "encoding": (dict, "num_classes and what else turns classes into something a person reads."),
    "splits": (dict, "By split: sequences, tokens, and the names of the shards."),
    "source": (list, "The inputs as they were given: files, folders and named collections."),
    "licence": (dict, "By named collection of the source: what is known of its licence."),
    "settings": (dict, "What the pipeline was asked for, where that changes the output."),
    "inputs": (int, "How many tunes, molecules or records were found."),
    "rejections": (dict, "By reason: how many inputs were left out; rejected.csv lists them."),
    "changes": (dict, "By change: how many of the kept inputs were changed on the way in."),
    "class_histogram": (list, "How often each class occurs in the training data, or all data."),
    "properties": (dict, "By property: a histogram over the training data."),
    "versions": (dict, "By package: the version that made the dataset."),
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
        kind: A word for what a sequence is, such as "melody".
        encoding: What turns classes into something a person reads; at least num_classes.
        class_histogram: How often each class occurs.
        source: The inputs as they were given.
        settings: What the pipeline was asked for.
        reasons: The reason of each rejection.
        packages: Packages whose versions matter.
        **others: Further entries, such as counts.

    Raises:
        ValueError: if an entry is not what `SCHEMA` says.
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
    """Make sure that a description is what `SCHEMA` says.

    Raises:
        ValueError: if an entry is missing or wrong, by its name.
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
    """Return how often each text occurs, the most frequent first."""
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
