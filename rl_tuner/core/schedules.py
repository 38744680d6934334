"""Learning-rate schedules over updates."""

from __future__ import annotations

from typing import TypeAlias

import keras

LearningRateSchedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


def stepwise(learning_rate: float, decay_rate: float, decay_steps: int) -> LearningRateSchedule:
    """Return a learning rate that is multiplied by `decay_rate` every `decay_steps` updates.

    Raises:
        ValueError: a number is out of its range.
    """
    if not (learning_rate > 0 and 0 < decay_rate <= 1 and decay_steps >= 1):
        raise ValueError(
            "need learning_rate > 0, 0 < decay_rate <= 1 and decay_steps >= 1, not "
            f"{learning_rate=}, {decay_rate=}, {decay_steps=}"
        )
    return keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps, decay_rate, staircase=True
    )


def cosine(learning_rate: float, warmup_steps: int, steps: int) -> LearningRateSchedule:
    """Return a learning rate that rises linearly from a tenth, then falls to 0 along half a cosine.

    Args:
        learning_rate: the largest learning rate.
        warmup_steps: updates until the largest learning rate.
        steps: updates until the learning rate is 0.

    Raises:
        ValueError: a number is out of its range.
    """
    if not (learning_rate > 0 and 1 <= warmup_steps < steps):
        raise ValueError(
            "need learning_rate > 0 and 1 <= warmup_steps < steps, not "
            f"{learning_rate=}, {warmup_steps=}, {steps=}"
        )
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 10,
        steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )
