"""Calls of a user's own scoring function; an error ends a run only if no molecule can be scored."""

from __future__ import annotations

import collections
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import gin
import numpy as np

from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.common.executors import ExecutorLike, SpreadFunction
from rl_tuner.common.isolated import IsolatedFunction
from rl_tuner.common.own_code import import_function
from rl_tuner.common.progress import warn
from rl_tuner.common.workers import FAILED, TIMED_OUT, Outcome

ScoringFunction = Callable[[list[str]], Sequence[float]]
# A part of N molecules has the time of one, and this share of it for each of the others.
_TIME_SHARE = 0.1
# A share of failures means something from this number of molecules on.
_ENOUGH = 100
_REMEMBERED = 1_000_000
# So many batches with failures are told at once.
_TOLD = 3


class UserFunction:
    """A function from a list of SMILES to a list of floats, whose errors only affect single molecules.

    It runs in processes of its own. A batch is divided among them, and a part that fails, takes too long
    or ends its process is repeated molecule by molecule, so that only the molecule at fault is lost.
    The scores of molecules are remembered.

    Args:
        function: the function, or its dotted name such as "my_reward.score"; its module may also be
            in the working directory.
        num_processes: number of processes; 0 calls it in this process, without any limits.
        timeout_seconds: time limit for one molecule.
        memory_mb: limit on the memory of a process in MiB; 0 for no limit.
        max_failures: largest share of molecules, of 100 or more, on which it may fail.
        executor: where it runs instead of in processes of this machine, see `rl_tuner.common.executors`.
        batch_size: molecules per call of the executor.

    Attributes:
        function: the function itself.

    Raises:
        ValueError: there is no such function, or a number is out of range.
    """

    def __init__(
        self,
        function: ScoringFunction | str | None,
        num_processes: int = 1,
        timeout_seconds: float = 60.0,
        memory_mb: int = 0,
        max_failures: float = 1.0,
        executor: ExecutorLike | str | None = None,
        batch_size: int = 1,
    ) -> None:
        found = _import(function) if isinstance(function, str) else function
        if not callable(found):
            hint = "a function or its name, such as 'my_reward.score'"
            raise ValueError(f"FunctionReward.function must be {hint}, not {function!r}")
        self.function: ScoringFunction = found
        self._num_processes, self._timeout = num_processes, timeout_seconds
        self._memory_mb, self._max_failures = memory_mb, max_failures
        self._executor, self._batch_size = executor, batch_size
        self._isolated: IsolatedFunction | SpreadFunction | None = None
        self._is_slow = self._is_stopped = False
        self._scores: dict[str, float] = {}
        self._failures: dict[str, str] = {}
        self._told = 0

    def __call__(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the scores of N SMILES; the function sees each distinct SMILES once, unless it fails.

        Returns:
            float64 [N], NaN where the function fails even on the molecule alone.

        Raises:
            UserError: the function fails on all molecules, several or one, and has never worked, or on too
                large a share of them.
        """
        found = {s: self._scores[s] for s in smiles if s in self._scores}
        new = [s for s in dict.fromkeys(smiles) if s not in found]
        if new:
            values = self._call(new)
            self._report({s: why for s, (_, why) in zip(new, values) if why}, len(new))
            scores = dict(zip(new, (value for value, _ in values)))
            # What is forgotten for these may be asked for in the same batch.
            found |= scores
            self._remember(scores)
        return np.array([found[s] for s in smiles], np.float64)

    def close(self) -> None:
        """End the processes."""
        if self._isolated:
            self._isolated.close()

    def remarks(self) -> list[str]:
        """Return what is to be said at the end: on how many molecules the function failed, and why."""
        if not self._failures:
            return []
        reasons = collections.Counter(_kind(why) for why in self._failures.values())
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))
        count, total = len(self._failures), len(self._scores)
        return [f"{self._name()} failed on {count:,} of {total:,} molecules ({told})"]

    def _remember(self, scores: dict[str, float]) -> None:
        while len(self._scores) + len(scores) > _REMEMBERED and self._scores:
            self._scores.pop(next(iter(self._scores)))
        self._scores |= scores

    def _call(self, smiles: list[str]) -> list[tuple[float, str]]:
        """Return of each molecule its score and "", or NaN and why there is none."""
        size = math.ceil(len(smiles) / max(1, self._num_processes))
        if self._executor is not None:
            size = self._batch_size
        if self._is_slow:
            size = 1
        parts = [smiles[i : i + size] for i in range(0, len(smiles), size)]
        found: dict[str, tuple[float, str]] = {}
        for part, outcome in zip(parts, self._outcomes(parts)):
            if outcome.failure is None:
                found |= {s: _judged(value) for s, value in zip(part, outcome.value)}
            elif len(part) == 1:
                found[part[0]] = np.nan, _why(outcome)
            else:
                self._is_slow = self._is_slow or outcome.failure == TIMED_OUT
        again = [s for s in smiles if s not in found or (found[s][1] and size > 1)]
        for s, outcome in zip(again, self._outcomes([[s] for s in again])):
            good = outcome.failure is None
            found[s] = _judged(outcome.value[0]) if good else (np.nan, _why(outcome))
        return [found[s] for s in smiles]

    def _outcomes(self, parts: list[list[str]]) -> list[Outcome]:
        """Call the function on every part; a large one has more time than one molecule."""
        if not parts:
            return []
        isolated = self._processes()
        if isolated is None:
            return [_outcome_here(self.function, part) for part in parts]
        timeout = self._timeout * (1.0 + _TIME_SHARE * (len(parts[0]) - 1))
        try:
            return isolated.outcomes(parts, timeout)
        except RuntimeError as error:
            raise UserError(f"FunctionReward.function: {self._name()}: {error}") from error

    def _processes(self) -> IsolatedFunction | SpreadFunction | None:
        if self._isolated is not None or self._is_stopped:
            return self._isolated
        call = functools.partial(_checked_call, self.function)
        bindings = _bindings(self.function)
        if self._executor is not None:
            self._isolated = SpreadFunction(self._executor, call, bindings, self._memory_mb)
        elif self._num_processes:
            home = getattr(self.function, "__module__", None) or type(self.function).__module__
            try:
                self._isolated = IsolatedFunction(
                    call, home, bindings, self._num_processes, self._memory_mb
                )
            except Exception as error:
                self._is_stopped = True
                warn(
                    f"{self._name()} runs in this process, without limits of time and memory, because it"
                    f" cannot be sent to another one ({class_and_message(error)})"
                )
        return self._isolated

    def _report(self, failures: dict[str, str], count: int) -> None:
        """Warn of molecules that fail; stop if there is nothing else, or if there are too many."""
        has_worked = len(self._scores) > len(self._failures)
        if failures and len(failures) == count and (count > 1 or not has_worked):
            smiles, reason = next(iter(failures.items()))
            every = f"all {count} molecules" if count > 1 else "the molecule"
            raise UserError(
                f"FunctionReward.function: {self._name()} fails on {every} of a batch; on {smiles}:"
                f" {reason}; correct the function"
            )
        is_new = self._told < _TOLD
        self._told += bool(failures)
        self._failures |= failures
        total = len(self._scores) + count
        if failures and is_new:
            smiles, reason = next(iter(failures.items()))
            last = "; more are counted and told at the end" if self._told == _TOLD else ""
            warn(
                f"{self._name()} fails on {len(failures)} of {count} molecules, which count as invalid; on"
                f" {smiles}: {reason}{last}"
            )
        if total >= _ENOUGH and len(self._failures) > self._max_failures * total:
            raise UserError(
                f"FunctionReward.function: {self._name()} failed on {len(self._failures):,} of {total:,}"
                f" molecules, more than FunctionReward.max_failures = {self._max_failures}; correct the"
                " function"
            )

    def _name(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{self.function.__module__}.{name}"


def _checked_call(
    function: Callable[..., Sequence[float]], smiles: list[str], **keywords: Any
) -> list[float]:
    """Return the scores as floats, so that nothing else is sent between processes."""
    return _checked(function(list(smiles), **keywords), len(smiles)).tolist()


def _outcome_here(function: ScoringFunction, smiles: list[str]) -> Outcome:
    try:
        return Outcome(smiles, _checked_call(function, smiles))
    except (Exception, SystemExit) as error:
        return Outcome(smiles, failure=FAILED, detail=class_and_message(error))


def _judged(value: float) -> tuple[float, str]:
    """Return a score and "", or NaN and why the score cannot be used."""
    with np.errstate(over="ignore"):
        if np.isfinite(np.float32(value)):
            return value, ""
    return np.nan, f"it returned {value}"


def _why(outcome: Outcome) -> str:
    if outcome.failure == FAILED:
        return outcome.detail
    if outcome.failure == TIMED_OUT:
        return "it exceeded FunctionReward.timeout_seconds"
    return f"it ended its process ({outcome.detail})"


def _kind(reason: str) -> str:
    """Return the beginning of a reason, which many molecules share."""
    return reason.partition(":")[0] if ": " in reason else reason


def _bindings(function: Any) -> dict[str, Any]:
    """Return what gin has bound to a function, which another process does not know."""
    try:
        return gin.get_bindings(function)
    except ValueError:
        return {}


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
    except (Exception, SystemExit) as error:
        raise ValueError(f"FunctionReward.function {name!r}: {class_and_message(error)}") from error
