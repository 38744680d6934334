"""Keeping, of the last policies of a run with targets, the one that meets them best."""

from __future__ import annotations

import numpy as np

from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning.evaluation import Meter

# Sequences that measure a candidate: their noise is a hundredth of a sequence's standard deviation.
SEQUENCES = 10_000
_BATCH = 1_000
# So many candidates are spread evenly over this last share of the steps.
CANDIDATES, LAST_SHARE = 30, 0.2


class Keeper:
    """The best policy so far among the candidates, by its own measurement of the targets.

    The weights of a network that still learns move its means by more than the width of a narrow target.
    The policy that is kept is therefore not simply the last one.

    Args:
        tuner: a tuner with targets; its `kept` receives the policy.
        steps: environment steps of the whole run.
    """

    def __init__(self, tuner: RLTuner, steps: int) -> None:
        self._tuner = tuner
        points = np.linspace((1.0 - LAST_SHARE) * steps, steps, CANDIDATES + 1)[1:]
        self._points = np.unique(np.ceil(points).astype(int))
        self._meter = Meter(tuner.policy, tuner.start, tuner.task, _BATCH, tuner.bounded_features)

    def after(self, step: int) -> int:
        """Return the environment step of the first candidate after `step`, or of the last one."""
        following = self._points[self._points > step]
        return int(following[0] if len(following) else self._points[-1])

    def consider(self, step: int, seed: int) -> None:
        """Keep the current policy if it meets the targets better than the candidates before."""
        metrics = self._meter.measure(SEQUENCES, seed).metrics
        score = float(np.min(self.scores(metrics)))
        if score > float(self._tuner.kept_score):
            self._tuner.keep(score, step)

    def scores(self, metrics: dict[str, float | None]) -> np.ndarray:
        """Return for each bound by how much it is met, in units of its distance from the prior at first.

        Bounds that are met with room to spare count as 0.1, so that they do not decide.
        """
        found = []
        scales = self._tuner.controller.scales if self._tuner.controller else []
        for bound, scale in zip(self._tuner.bounds, scales):
            value = metrics[f"feature/{bound.feature}"]
            weight = metrics[f"feature_weight/{bound.feature}"]
            if value is None or weight is None:
                return np.array([-np.inf])
            # A run too short for one step of the multipliers has no scales.
            found.append(min(0.1, bound.side * (value - bound.value) * weight / (scale or 1.0)))
        return np.array(found)
