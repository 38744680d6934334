"""Keeping, of the last policies of a run with targets, the one that meets them best."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rl_tuner.core.task import HostTask
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning.evaluation import Meter

# A candidate is measured on so many sequences, then on so many more, as long as it may be the best.
# The best of many measurements is partly the luckiest one; with so many sequences, luck is small.
BLOCKS = (4_000, 12_000, 24_000, 60_000)
# A task outside of the graph takes far longer for each sequence.
HOST_BLOCKS = BLOCKS[:-1]
_BATCH = 1_000
# So many candidates are spread evenly over this last share of the steps.
CANDIDATES, LAST_SHARE = 30, 0.4
# Standard errors by which a candidate must fall short of the best so far to be given up.
_DOUBT = 2.0


class Clearance(NamedTuple):
    """How well the bounds are met.

    Attributes:
        room: by how much the bound that is met worst is met, in standard deviations of a sequence.
        violation: by how much the bound that is violated most is violated, in units of its distance from
            the prior at first; 0 if all are met.
    """

    room: float
    violation: float

    @property
    def score(self) -> float:
        """The room if all bounds are met, and minus the violation if not."""
        return -self.violation if self.violation > 0 else self.room


class Keeper:
    """The best policy so far among the candidates, by its own measurement of the targets.

    The weights of a network that still learns move its means by more than the width of a narrow target.
    A candidate is therefore the policy of the weights averaged over the last updates (`RLTuner.average`;
    Polyak and Juditsky 1992), and the policy that is kept is not simply the last one.

    Args:
        tuner: a tuner with targets; its `kept` receives the policy.
        steps: environment steps of the whole run.
    """

    def __init__(self, tuner: RLTuner, steps: int) -> None:
        self._tuner = tuner
        self._blocks = HOST_BLOCKS if isinstance(tuner.task, HostTask) else BLOCKS
        points = np.linspace((1.0 - LAST_SHARE) * steps, steps, CANDIDATES + 1)[1:]
        self._points = np.unique(np.ceil(points).astype(int))
        self._meter = Meter(
            tuner.averaged_policy, tuner.start, tuner.task, _BATCH, tuner.bounded_features
        )

    def after(self, step: int) -> int:
        """Return the environment step of the first candidate after `step`, or of the last one."""
        following = self._points[self._points > step]
        return int(following[0] if len(following) else self._points[-1])

    def consider(self, step: int, seed: int) -> None:
        """Keep the current policy if it meets the targets better than the candidates before."""
        kept = float(self._tuner.kept_score)
        measured: list[tuple[int, dict[str, float | None]]] = []
        sampled = int(self._tuner.iteration) * self._tuner.collect_size
        for to_come, count in zip(range(len(self._blocks))[::-1], self._blocks):
            before = sum(number for number, _ in measured)
            if before and before >= sampled:
                # Measuring must not cost a short run more than its training.
                break
            block = self._meter.measure(count, seed, first_batch=before // _BATCH)
            measured.append((count, block.metrics))
            found = self.clearance(measured)
            # The last block, the longest, is only for a candidate that is ahead so far.
            doubt = 0.0 if to_come <= 1 else _DOUBT / math.sqrt(before + count)
            if found.score <= kept and found.room + doubt <= max(kept, 0.0):
                return
        if found.score > kept:
            self._tuner.keep(found.score, step)

    def clearance(self, measured: list[tuple[int, dict[str, float | None]]]) -> Clearance:
        """Return how well the bounds are met, from metrics of several counts of sequences."""
        controller = self._tuner.controller
        room, violation = math.inf, 0.0
        for bound, scale in zip(self._tuner.bounds, controller.scales if controller else []):
            mean, spread = _slack(measured, bound.feature, bound.side, bound.value)
            room = min(room, mean / max(spread, 1e-9))
            # A run too short for one step of the multipliers has no scales.
            violation = max(violation, -mean / (scale or 1.0))
        return Clearance(room, violation)


def _slack(
    measured: list[tuple[int, dict[str, float | None]]], feature: str, side: int, value: float
) -> tuple[float, float]:
    """Return the mean of a bound's slack, and the standard deviation of a sequence around it."""
    total = variance = 0.0
    count = sum(number for number, _ in measured)
    for number, metrics in measured:
        mean, weight = metrics[f"feature/{feature}"], metrics[f"feature_weight/{feature}"]
        error = metrics.get(f"feature_error/{feature}")
        if mean is None or weight is None or error is None:
            return -math.inf, 1.0
        total += number * weight * side * (mean - value) / count
        variance += number * (weight * error) ** 2 * number / count
    return total, math.sqrt(variance)
