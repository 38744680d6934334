"""The state of a tuning run in its checkpoints."""

from __future__ import annotations

import os
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import CHECKPOINTS
from rl_tuner.core.checkpoints import Checkpoints
from rl_tuner.core.replay import UniformReplay
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
    kind = _OfTuner if tuner.replicas is None else _OfAll
    return kind(
        tuner,
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


class _OfTuner(Checkpoints):
    """The checkpoints of a tuner."""

    def __init__(self, tuner: RLTuner, *arguments: Any, **parts: Any) -> None:
        super().__init__(*arguments, **parts)
        self._replay, self._replicas = tuner.replay, tuner.replicas

    def restore(self) -> tuple[int, Any] | None:
        """Restore the newest checkpoint, and what the replay derives from its contents."""
        found = super().restore()
        # A replay of the user's own may have nothing of the kind.
        if found is not None and isinstance(self._replay, UniformReplay):
            self._replay.refresh()
        return found


class _OfAll(_OfTuner):
    """The checkpoints of replicas, equal to those of one tuner that does the work of all."""

    def save(self, notes: Any = None) -> None:
        """Write a checkpoint, with the replay of all replicas."""
        with self._replicas.whole(gather=True):
            super().save(notes)

    def restore(self) -> tuple[int, Any] | None:
        """Restore the newest checkpoint, and give every replica of this process its share."""
        with self._replicas.whole(gather=False):
            found = Checkpoints.restore(self)
        self._replicas.follow_lead()
        return found
