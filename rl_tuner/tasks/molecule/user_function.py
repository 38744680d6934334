"""Calls of a user's own scoring function, whose errors do not end a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from rl_tuner.common.errors import class_and_message
from rl_tuner.common.own_code import import_function

ScoringFunction = Callable[[list[str]], Sequence[float]]


class UserFunction:
    """A function from a list of SMILES to a list of floats, whose errors only affect single molecules.

    Args:
        function: the function, or its dotted name such as "my_reward.score"; its module may also be
            in the working directory.

    Attributes:
        function: the function itself.

    Raises:
        ValueError: there is no such function.
    """

    def __init__(self, function: ScoringFunction | str | None) -> None:
        found = _import(function) if isinstance(function, str) else function
        if not callable(found):
            hint = "a function or its name, such as 'my_reward.score'"
            raise ValueError(f"FunctionReward.function must be {hint}, not {function!r}")
        self.function: ScoringFunction = found
        self._logged: set[str] = set()

    def __call__(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the scores of N SMILES; the function sees each distinct SMILES once, unless it fails.

        Returns:
            float64 [N], NaN where the function fails even on the molecule alone.
        """
        distinct = list(dict.fromkeys(smiles))
        values = self._call(distinct)
        for index in np.flatnonzero(~np.isfinite(values)):
            values[index] = self._call_alone(distinct[index])
        found = dict(zip(distinct, values))
        return np.array([found[s] for s in smiles], np.float64)

    def _call(self, smiles: list[str]) -> np.ndarray:
        if not smiles:
            return np.zeros(0)
        try:
            return _checked(self.function(list(smiles)), len(smiles))
        except Exception:
            # Calling the function for each molecule alone shows which of them fails.
            return np.full(len(smiles), np.nan)

    def _call_alone(self, smiles: str) -> float:
        try:
            value = float(_checked(self.function([smiles]), 1)[0])
            reason = f"it returned {value}"
        except Exception as error:
            value, reason = np.nan, class_and_message(error)
        if np.isfinite(value):
            return value
        if smiles not in self._logged:
            self._logged.add(smiles)
            logging.warning("the reward function fails on %s: %s", smiles, reason)
        return np.nan


def _checked(values: Sequence[float], count: int) -> np.ndarray:
    array = np.array(list(values), np.float64)
    if array.shape != (count,):
        raise ValueError(
            f"it must return {count} floats for {count} molecules, not the shape {array.shape}"
        )
    return array


def _import(name: str) -> ScoringFunction:
    try:
        return import_function(name)
    except Exception as error:
        raise ValueError(f"FunctionReward.function {name!r}: {class_and_message(error)}") from error
