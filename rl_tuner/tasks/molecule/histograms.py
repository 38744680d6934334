"""Histograms of the properties of a dataset's molecules."""

import collections
import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class Quantity(NamedTuple):
    """A property of molecules and the format of its histogram.

    Attributes:
        name: name in the description of a dataset.
        attribute: attribute of `chemistry.Properties`; "" for the number of tokens, which depends on
            the representation.
        label: label of the axis.
        width: width of the bins, which begin at multiples of it, so that histograms of two datasets
            can be overlaid.
    """

    name: str
    attribute: str
    label: str
    width: float


QUANTITIES = (
    Quantity("logP", "logp", "logP", 0.25),
    Quantity("QED", "qed", "QED", 0.02),
    Quantity("SA", "sa", "SA score", 0.1),
    Quantity("largest_ring", "largest_ring", "atoms of the largest ring", 1.0),
    Quantity("weight", "molecular_weight", "molecular weight (Da)", 10.0),
    Quantity("heavy_atoms", "heavy_atoms", "heavy atoms", 1.0),
    Quantity("length", "", "tokens", 1.0),
)


def histograms(rows: Sequence[Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Return the histogram of every quantity.

    Args:
        rows: the quantities of every molecule, in the order of `QUANTITIES`.

    Returns:
        for each name, n + 1 bin "edges" (a value on an edge belongs to the bin above it), n "counts",
        the "mean" and the "standard_deviation"; empty if there are no rows.
    """
    columns = zip(*rows, strict=True)
    return {
        quantity.name: histogram(values, quantity.width)
        for quantity, values in zip(QUANTITIES, columns, strict=False)
    }


def bin_of(value: float, width: float) -> int:
    """Return the number of the bin that contains a value; a value on an edge is in the bin above it."""
    return math.floor(value / width + 1e-9)


def histogram(values: Sequence[float], width: float) -> dict[str, Any]:
    """Return edges, counts, mean and standard deviation of at least one value."""
    bins = collections.Counter(bin_of(value, width) for value in values)
    first, last = min(bins), max(bins)
    # fsum is exact, so the result does not depend on the order of the molecules.
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return {
        "edges": [round(number * width, 6) for number in range(first, last + 2)],
        "counts": [bins[number] for number in range(first, last + 1)],
        "mean": mean,
        "standard_deviation": math.sqrt(variance),
    }
