"""Ratings with the models that they compare."""

from __future__ import annotations

from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.study.folder import Study
from rl_tuner.study.store import Store

# rater and position count from 0; rating is 1 (the first, clearly) to 5 (the second, clearly).
COLUMNS = (
    "rater",
    "position",
    "first_model",
    "second_model",
    "first",
    "second",
    "is_check",
    "rating",
    "preferred",
    "rated_at",
)
NO_PREFERENCE = 3


def rows_of(study: Study, store: Store) -> list[dict[str, Any]]:
    """Return every rating with the names of its models, and the preferred one, "" for none.

    Raises:
        UserError: a rating is of a stimulus that the study does not have.
    """
    models = {one.id: one.model for one in study.stimuli}
    found = []
    for row in store.ratings():
        try:
            first, second = models[row["first"]], models[row["second"]]
        except KeyError as error:
            raise UserError(
                f"the database rates {error}, which {study.folder} does not have"
            ) from error
        preferred = ""
        if not row["is_check"] and row["rating"] != NO_PREFERENCE:
            preferred = first if row["rating"] < NO_PREFERENCE else second
        more = {"first_model": first, "second_model": second, "preferred": preferred}
        found.append({name: (row | more)[name] for name in COLUMNS})
    return found
