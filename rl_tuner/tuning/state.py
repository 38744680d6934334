"""The state of a tuning run in its checkpoints."""

from __future__ import annotations

import os

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import CHECKPOINTS
from rl_tuner.core.checkpoints import Checkpoints
from rl_tuner.core.tuner import RLTuner


def restore(tuner: RLTuner, run_dir: str, settings: str = "") -> None:
    """Restore a tuner to the state of a finished run, or to that of its newest checkpoint that is whole.

    Args:
        tuner: the tuner.
        run_dir: the run's folder.
        settings: digest of the settings that the run was made with; "" if it is not known.

    Raises:
        UserError: the run has no checkpoint, or the checkpoint does not fit the tuner.
    """
    if checkpoints_of(tuner, run_dir, settings).restore() is None:
        raise UserError(f"{run_dir} has no checkpoint; rerun the command that made the run")


def checkpoints_of(tuner: RLTuner, run_dir: str, settings: str) -> Checkpoints:
    """Return the checkpoints of a tuning run.

    Args:
        tuner: the tuner whose state they are.
        run_dir: the run's folder.
        settings: digest of the settings of the run; "" if it is not known.
    """
    # The parts are listed, because the objects that Keras tracks by itself may change.
    names = ("controller", "average", "kept", "kept_score", "kept_step") if tuner.controller else ()
    control = {name: getattr(tuner, name) for name in names}
    return Checkpoints(
        os.path.join(run_dir, CHECKPOINTS),
        settings,
        **control,
        online=tuner.online,
        target=tuner.target,
        prior=tuner.prior,
        optimizer=tuner.optimizer,
        replay=tuner.replay,
        temperature=tuner.temperature,
        iteration=tuner.iteration,
        environment_steps=tuner.environment_steps,
    )
