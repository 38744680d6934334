"""What targets asked for and what the policy got: the table, and sentences about what was not met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rl_tuner.common.tables import aligned
from rl_tuner.core.controller import DualController

_HEADING = ("Target", "low", "high", "prior", "tuned", "met", "cost of .01")


def asked_and_got(
    controller: DualController, prior: Mapping[str, Any], tuned: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return what was asked of each feature and what the two models have: JSON-serialisable.

    Args:
        controller: the controller of a tuned policy.
        prior: metrics of the prior with `feature/NAME` and `feature_weight/NAME`, see `Meter`.
        tuned: the same of the tuned policy.

    Returns:
        Feature name -> `low`, `high`, `prior`, `tuned`, `met`, the `multiplier` of the bound that binds
        (negative if that is the high one), and `cost_of_0.01`: by how many nats per sequence the
        departure from the prior would be less if the bound that binds were less strict by .01.
    """
    found: dict[str, dict[str, Any]] = {}
    for bound, _, multiplier, cost in controller.standings():
        name, side = bound.feature, bound.side
        entry = found.setdefault(
            name,
            {
                "low": None,
                "high": None,
                "prior": prior[f"feature/{name}"],
                "tuned": tuned[f"feature/{name}"],
                "met": tuned[f"feature/{name}"] is not None,
                "multiplier": 0.0,
                "cost_of_0.01": 0.0,
            },
        )
        entry["low" if side > 0 else "high"] = bound.value
        entry["met"] = entry["met"] and side * (entry["tuned"] - bound.value) >= 0
        entry["multiplier"] += side * multiplier
        entry["cost_of_0.01"] += 0.01 * cost * tuned[f"feature_weight/{name}"]
    return found


def asked_table(targets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of the result of `asked_and_got`."""
    note = (
        "cost of .01: nats per sequence by which the policy would be nearer to the prior, were the"
    )
    return f"{aligned(asked_rows(targets))}\n{note}\nbinding bound less strict by .01"


def asked_rows(targets: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return the cells of that table: the heading, then one row per target."""
    rows = [list(_HEADING)]
    for name, entry in targets.items():
        numbers = [_number(entry[column]) for column in ("low", "high", "prior", "tuned")]
        met, cost = "yes" if entry["met"] else "NO", f"{entry['cost_of_0.01']:.3f}"
        rows.append([name.replace("_", " "), *numbers, met, cost])
    return rows


def shortfalls(targets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one phrase for each target that is not met: "motif is .71, not at least .757"."""
    phrases = []
    for name, entry in targets.items():
        if not entry["met"]:
            got, low, high = entry["tuned"], entry["low"], entry["high"]
            below = low is not None and (got is None or got < low)
            asked = f"at least {low:g}" if below else f"at most {high:g}"
            phrases.append(f"{name} is {_number(got)}, not {asked}")
    return phrases


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
