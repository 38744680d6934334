"""Importing this makes every configurable of the project known to gin."""

from pipelines import magenta_dataset, melody_dataset, molecule_dataset
from rl_tuner.core import exploration, objectives, priming, replay, temperature, tuner
from rl_tuner.runtime import collapse, devices, job, pretraining, tuning
from rl_tuner.tasks.melody import task as melody_task
from rl_tuner.tasks.molecule import components, transforms
from rl_tuner.tasks.molecule import reward as molecule_reward
from rl_tuner.tasks.molecule import task as molecule_task

__all__ = [
    "collapse",
    "components",
    "devices",
    "exploration",
    "job",
    "magenta_dataset",
    "melody_dataset",
    "melody_task",
    "molecule_dataset",
    "molecule_reward",
    "molecule_task",
    "objectives",
    "pretraining",
    "priming",
    "replay",
    "temperature",
    "transforms",
    "tuner",
    "tuning",
]
