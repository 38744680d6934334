"""How properties are distributed over the molecules of a dataset."""

import collections
import math
from collections.abc import Sequence
from typing import Any

# Bins are this wide and begin at multiples of it, so that those of two datasets can be laid over
# each other.
BIN_WIDTHS = {
    "logP": 0.25,
    "QED": 0.02,
    "SA": 0.1,
    "largest_ring": 1.0,
    "weight": 10.0,
    "heavy_atoms": 1.0,
    "length": 1.0,
}


def histograms(rows: Sequence[Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Returns the histogram of every property in BIN_WIDTHS.

    Args:
        rows: The properties of every molecule, in the order of BIN_WIDTHS.

    Returns:
        For each name, n + 1 bin "edges" (a value on one belongs to the bin it begins), n "counts",
        the "mean" and the "standard_deviation"; nothing if there are no rows.
    """
    columns = zip(*rows, strict=True)
    return {
        name: histogram(values, width)
        for (name, width), values in zip(BIN_WIDTHS.items(), columns, strict=False)
    }


def histogram(values: Sequence[float], width: float) -> dict[str, Any]:
    """Returns edges, counts, mean and standard deviation of at least one value."""
    bins = collections.Counter(math.floor(value / width + 1e-9) for value in values)
    first, last = min(bins), max(bins)
    # fsum is exact, so the order of the molecules leaves no trace.
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return {
        "edges": [round(number * width, 6) for number in range(first, last + 2)],
        "counts": [bins[number] for number in range(first, last + 1)],
        "mean": mean,
        "standard_deviation": math.sqrt(variance),
    }
