"""Text tables: one row per metric, one column per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

_DECIMALS = {"share": 1, "mean": 2, "reward": 1, "score": 3, "count": 0}
# Shares below these thresholds get one more digit each, as in the paper.
_SMALL, _SMALLER = 0.01, 0.000095


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        metric: name of the metric.
        label: heading of the row.
        kind: number format, see `format_cell`.
    """

    metric: str
    label: str
    kind: str = "mean"


def format_cell(kind: str, mean: float | None, deviation: float | None = None) -> str:
    """Return a number as text, followed by its deviation, if any, with the same number of decimals.

    Args:
        kind: "share" (percent, with more digits near zero), "mean" (2 decimals), "reward" (1), "score" (3)
            or "count" (0).
        mean: the number; None becomes "n/a".
        deviation: standard deviation, in the unit of the number; None for none.
    """
    if mean is None:
        return "n/a"
    decimals = _DECIMALS[kind]
    scale, unit = (100.0, "%") if kind == "share" else (1.0, "")
    if kind == "share" and 0 < mean < _SMALL:
        decimals = 2 if mean > _SMALLER else 3
    # z: no minus sign before a number that rounds to zero.
    text = f"{scale * mean:z,.{decimals}f}{unit}"
    return text if deviation is None else f"{text} ± {scale * deviation:.{decimals}f}"


def metric_rows(
    rows: Sequence[Row],
    columns: Mapping[str, Mapping[str, float | None]],
    published: Mapping[str, Mapping[str, float]] | None = None,
) -> list[list[str]]:
    """Return the cells of a table: a heading, then every row whose metric some column has.

    Args:
        rows: rows in the order of the table.
        columns: model -> metric -> value.
        published: published figures: column -> metric -> value.
    """
    paper = {f"paper {name}": metrics for name, metrics in (published or {}).items()}
    table = [["", *columns, *paper]]
    for metric, label, kind in rows:
        if any(metric in column for column in columns.values()):
            values = [column.get(metric) for column in (*columns.values(), *paper.values())]
            table.append([label, *(format_cell(kind, value) for value in values)])
    return table


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as lines: first column flush left, the others flush right, two spaces between."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))])
        for row in rows
    )
