"""The enumerated task, scored outside the graph."""

import time

import numpy as np

from rl_tuner.core.task import HostTask, Scored
from tests.core.enumerated import TinyTask


class HostTinyTask(HostTask, TinyTask):
    """Gives `TinyTask`'s rewards from numpy, as slowly as it is told to."""

    def __init__(self, delays=()):
        super().__init__()
        self.delays = list(delays)
        self.events = []

    def submit(self, tokens, mask):
        self.events.append("submit")
        return tokens, self.delays.pop(0) if self.delays else 0.0

    def result(self, ticket):
        tokens, delay = ticket
        time.sleep(delay)
        self.events.append("result")
        rewards = np.take(self.table, tokens @ np.array([27, 9, 3, 1]), axis=0)
        return Scored({"table": rewards.astype(np.float32)}, {}, {"valid": 1.0}, tokens)

    reward_parts = HostTask.reward_parts
    metric_sums = HostTask.metric_sums
