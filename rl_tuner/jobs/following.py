"""Several processes at one job: the chief runs it and says what is done; the others do their share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import say
from rl_tuner.core import team
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.replicas import Replicas
from rl_tuner.core.task import Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.jobs import configuration
from rl_tuner.priors.files import load_matching_prior
from rl_tuner.tuning import state

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.InternalError,
    tf.errors.CancelledError,
)
_PATHS = ("dataset_dir", "output_dir", "prior", "run_dir")


def tell(**message: Any) -> None:
    """Say to the other processes, if there are any, what is done next.

    Paths are sent in full, because the processes may have other working directories.
    """
    together = team.chosen()
    if together is not None:
        full = {
            name: os.path.abspath(value) if name in _PATHS else value
            for name, value in message.items()
        }
        together.tell(**full)


def replicated(prior: SequenceNetwork, task: Task, seed: int) -> RLTuner:
    """Return the tuner of the configuration, which stands for all replicas of the team.

    Raises:
        UserError: a setting is wrong, or does not suit several replicas.
    """
    arguments = {"prior": prior, "task": task, "seed": seed}
    together = team.chosen()
    if together is None:
        return configuration.build("RLTuner", **arguments)
    return Replicas(
        together, lambda share: configuration.build("RLTuner", **arguments, share=share)
    ).lead


def follow(task: Task, seed: int) -> None:
    """Do what the chief says, until it says that the job is over.

    Args:
        task: the task of the job.
        seed: its seed.
    """
    together = team.chosen()
    assert together is not None
    say(f"worker {together.first}: following worker 0")
    tuner: RLTuner | None = None
    while True:
        message = together.hear()
        action = message.pop("do")
        if action == "stop":
            return
        if action == "pretrain":
            configuration.build("pretrain", **message)
        elif action == "tune":
            tuner = replicated(load_matching_prior(message["prior"], task), task, seed)
            state.checkpoints_of(tuner, message["run_dir"], message["settings"]).restore()
        elif tuner is None:
            raise RuntimeError(f"the chief said {action!r} before 'tune'")
        elif action == "train":
            tuner.replicas.train_iterations(message["count"])
        else:
            tuner.replicas.help_gather()


@contextlib.contextmanager
def leading() -> Iterator[None]:
    """Tell the other processes when the job of this block is over, and explain the loss of one of them.

    Raises:
        UserError: another process was lost.
    """
    together = team.chosen()
    is_spread = together is not None and together.is_spread
    try:
        yield
    except _LOST as error:
        if not is_spread:
            raise
        raise UserError(
            f"another process of the job was lost ({type(error).__name__}); start all processes again,"
            " and they resume from the newest checkpoint"
        ) from error
    except (UserError, KeyboardInterrupt):
        if together is not None and together.is_chief:
            together.tell(do="stop")
        raise
    if together is not None and together.is_chief:
        together.tell(do="stop")
