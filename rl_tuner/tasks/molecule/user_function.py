"""Calls of a user's own scoring function; an error ends a run only if no molecule can be scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.common.own_code import import_function
from rl_tuner.common.progress import warn

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
        self._warned: set[str] = set()
        self._has_worked = False

    def __call__(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the scores of N SMILES; the function sees each distinct SMILES once, unless it fails.

        Returns:
            float64 [N], NaN where the function fails even on the molecule alone.

        Raises:
            UserError: the function fails on all molecules: several, or one if it has never worked.
        """
        distinct = list(dict.fromkeys(smiles))
        values = self._call(distinct)
        failures: dict[str, str] = {}
        for index in np.flatnonzero(~np.isfinite(values)):
            values[index], reason = self._call_alone(distinct[index])
            if reason:
                failures[distinct[index]] = reason
        self._report(failures, len(distinct))
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

    def _call_alone(self, smiles: str) -> tuple[float, str]:
        """Return the score of one molecule and "", or NaN and why there is none."""
        try:
            value = float(_checked(self.function([smiles]), 1)[0])
        except Exception as error:
            return np.nan, class_and_message(error)
        return (value, "") if np.isfinite(value) else (np.nan, f"it returned {value}")

    def _report(self, failures: dict[str, str], count: int) -> None:
        """Warn of molecules that fail for the first time; stop if there is nothing else."""
        if failures and len(failures) == count and (count > 1 or not self._has_worked):
            smiles, reason = next(iter(failures.items()))
            every = f"all {count} molecules" if count > 1 else "the molecule"
            raise UserError(
                f"FunctionReward.function: {self._name()} fails on {every} of a batch; on {smiles}:"
                f" {reason}; correct the function"
            )
        self._has_worked = self._has_worked or count > len(failures)
        new = [smiles for smiles in failures if smiles not in self._warned]
        self._warned.update(new)
        if new:
            warn(
                f"{self._name()} fails on {len(new)} of {count} molecules, which count as invalid; on"
                f" {new[0]}: {failures[new[0]]}"
            )

    def _name(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{self.function.__module__}.{name}"


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
