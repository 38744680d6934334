"""Importing this makes every configurable of the project known to gin."""

import rl_tuner.core.exploration
import rl_tuner.core.objectives
import rl_tuner.core.replay
import rl_tuner.core.starts
import rl_tuner.core.temperature
import rl_tuner.core.tuner
import rl_tuner.jobs.devices
import rl_tuner.jobs.job
import rl_tuner.priors.training
import rl_tuner.tasks.melody.task
import rl_tuner.tasks.molecule.components
import rl_tuner.tasks.molecule.reward
import rl_tuner.tasks.molecule.task
import rl_tuner.tasks.molecule.transforms
import rl_tuner.tuning.collapse
import rl_tuner.tuning.loop  # noqa: F401
