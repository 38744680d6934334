"""Importing this makes every configurable of the project known to gin."""

from pipelines import melody_dataset
from rl_tuner.core import exploration, objectives, priming, temperature, tuner
from rl_tuner.runtime import collapse, devices, job, pretraining, tuning
from rl_tuner.tasks.melody import task

__all__ = [
    "collapse",
    "devices",
    "exploration",
    "job",
    "melody_dataset",
    "objectives",
    "pretraining",
    "priming",
    "task",
    "temperature",
    "tuner",
    "tuning",
]
