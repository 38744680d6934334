"""The points of a sweep, checked without importing TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rl_tuner.common.errors import UserError, did_you_mean
from rl_tuner.common.gin_files import objectives


def parse_temperatures(texts: Sequence[str]) -> list[float]:
    """Return the temperatures in `texts` as numbers, in the same order.

    Raises:
        UserError: there are none, or one is not a positive number or is repeated.
    """
    values: list[float] = []
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 < value < math.inf:
            raise UserError(f"temperatures c must be positive numbers, not {text.strip()!r}")
        if value in values:
            raise UserError(f"the temperatures c contain {value:g} twice; give every c once")
        values.append(value)
    if not values:
        raise UserError("a sweep needs at least one temperature c, such as 0.5")
    return values


def check_names(names: Sequence[str], *, all_known: bool) -> None:
    """Check the names of objectives.

    Args:
        names: the names.
        all_known: whether all objectives are this program's, since the gin files import no others.

    Raises:
        UserError: a name is repeated, or is not that of an objective.
    """
    known = objectives()
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UserError(f"the objectives contain {name} twice; give every objective once")
        if all_known and name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"objectives must be among {', '.join(known)}, not {name!r}{hint}")
