"""Ledger of calls: the distinct sequences that were sent to the reward, and how good the best of them are."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

# Numbers of best rewards whose mean is followed, and the calls between two points of their curves, both
# as in the benchmark PMO (Gao et al. 2022).
BEST = (1, 10, 100)
_POINT = 100


class Ledger:
    """Counts the distinct things that are sent to the reward, such as molecules, and ends at a budget.

    Things that were sent before are free. What is invalid, the empty string, is never sent.

    Args:
        budget: largest number of calls; None for no limit.
        patience: calls without a better mean of the ten best after which the run is over; None for no limit.
        enough: mean reward of the ten best at which the run is over; None for no limit.
    """

    def __init__(
        self,
        budget: int | None = None,
        patience: int | None = None,
        enough: float | None = None,
    ) -> None:
        self.budget, self.patience, self.enough = budget, patience, enough
        self._order: dict[str, float | None] = {}
        # The best rewards with minus their place in the order of calls, from the worst to the best.
        self._best: list[tuple[float, int, str]] = []
        self._points: dict[int, list[float]] = {k: [] for k in BEST}
        self._rewarded = 0
        self._improved_at = 0

    @property
    def calls(self) -> int:
        """The number of distinct things sent to the reward so far."""
        return len(self._order)

    @property
    def left(self) -> int | None:
        """The number of calls left; None for no limit."""
        return None if self.budget is None else self.budget - self.calls

    def admit(self, keys: Sequence[str]) -> np.ndarray:
        """Enter what is about to be sent to the reward, until the budget is spent.

        Args:
            keys: N names that are equal for equal things, empty for what is invalid.

        Returns:
            bool [N], whether each may be sent: it is invalid, known, or within the budget.
        """
        admitted = np.ones(len(keys), bool)
        for place, key in enumerate(keys):
            if key and key not in self._order:
                admitted[place] = self.left is None or self.left > 0
                if admitted[place]:
                    self._order[key] = None
        return admitted

    def record(self, rewards: Iterable[tuple[str, float]]) -> None:
        """Record the rewards of admitted things; those of known and of invalid ones are ignored."""
        for key, reward in rewards:
            if key and self._order[key] is None:
                self._enter(key, float(reward))

    def restore(self, rewards: Iterable[tuple[str, float]]) -> None:
        """Enter the calls of an interrupted run, in their order."""
        rewards = list(rewards)
        self._order |= {key: None for key, _ in rewards}
        self.record(rewards)

    def best(self, count: int) -> float:
        """Return the mean of the `count` best rewards, at most 100; 0 before the first call."""
        some = self._best[-count:]
        return float(np.mean([reward for reward, _, _ in some])) if some else 0.0

    def leaders(self) -> list[str]:
        """Return what had the 100 best rewards, best first; of equal ones, the earlier call is first."""
        return [key for _, _, key in reversed(self._best)]

    def __contains__(self, key: str) -> bool:
        """Return whether something was sent to the reward before."""
        return key in self._order

    def auc(self, count: int, calls: int | None = None) -> float:
        """Return the area under the mean of the `count` best against calls, divided by the calls.

        As in PMO: a trapezoid for every 100 calls. If `calls` exceeds those made, the last mean counts for
        the rest.

        Args:
            count: one of `BEST`.
            calls: number of calls to divide by; None takes those made.
        """
        calls = self._rewarded if calls is None else calls
        if not calls:
            return 0.0
        means = [0.0, *self._points[count]]
        now = self.best(count)
        area = sum(_POINT * (a + b) / 2 for a, b in itertools.pairwise(means))
        area += (means[-1] + now) / 2 * (self._rewarded - _POINT * (len(means) - 1))
        area += max(0, calls - self._rewarded) * now
        return area / calls

    def numbers(self) -> dict[str, float]:
        """Return the number of calls, the means of the best and their areas, by name."""
        return {
            "calls": self._rewarded,
            **{f"top_{count}": self.best(count) for count in BEST},
            **{f"auc_{count}": self.auc(count) for count in BEST},
        }

    @property
    def is_limited(self) -> bool:
        """Whether the calls may end a run."""
        return (self.budget, self.patience, self.enough) != (None, None, None)

    def why_over(self) -> str | None:
        """Return why the run is over; None if it is not."""
        if self.left is not None and self.left <= 0:
            return f"all {self.budget:,} calls of the reward are made"
        if self.enough is not None and self._rewarded and self.best(10) >= self.enough:
            return f"the mean of the ten best is {self.best(10):.3f}, which is enough"
        stale = self._rewarded - self._improved_at
        if self.patience is not None and stale >= self.patience:
            return f"the mean of the ten best has not risen for {stale:,} calls"
        return None

    def _enter(self, key: str, reward: float) -> None:
        self._order[key] = reward
        self._rewarded += 1
        ten = self._best[-10:]
        if len(ten) < 10 or reward > ten[0][0]:
            self._improved_at = self._rewarded
        bisect.insort(self._best, (reward, -self._rewarded, key))
        del self._best[: -max(BEST)]
        if self._rewarded % _POINT == 0:
            for count in BEST:
                self._points[count].append(self.best(count))
