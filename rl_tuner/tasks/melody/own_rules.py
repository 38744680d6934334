"""Rules of a user's own: functions from melodies to rewards."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.tasks.melody.frame import Frame

# Melodies, integer [B, T], and if it has a second parameter the frame -> rewards, float [B, T].
Rule = Callable[..., tf.Tensor]


def rule_name(rule: Rule) -> str:
    """Return the name of a rule's part: that of the function, or of the one that made it."""
    found = getattr(rule, "__qualname__", type(rule).__name__)
    return str(found).partition(".<locals>")[0].rpartition(".")[2]


def check_rules(rules: Sequence[Rule], taken: Iterable[str]) -> None:
    """Make sure that rules are functions with names of their own.

    Raises:
        UserError: one is not a function, or its name is taken or not a name.
    """
    names = set(taken)
    for rule in rules:
        if not callable(rule):
            raise UserError(
                f"MusicTheoryReward.rules must be functions of melodies, not {rule!r}; a configurable that"
                " makes one needs brackets: @my_rules.no_tritone()"
            )
        name = rule_name(rule)
        if not re.fullmatch(r"\w+", name):
            raise UserError(
                f"MusicTheoryReward.rules: {name} is not a name; use a function with def"
            )
        if name in names:
            raise UserError(
                f"MusicTheoryReward.rules: the name {name} is taken; rename the function"
            )
        names.add(name)


def apply(rule: Rule, melody: tf.Tensor, frame: Frame) -> tf.Tensor:
    """Return the rewards of a rule, float32 [B, T].

    Raises:
        UserError: the rule fails, or returns something else.
    """
    where = f"MusicTheoryReward.rules: {rule_name(rule)}"
    try:
        with_frame = len(inspect.signature(rule).parameters) > 1
        found = rule(melody, frame) if with_frame else rule(melody)
        rewards = tf.cast(tf.convert_to_tensor(found), tf.float32)
    except Exception as error:
        raise UserError(f"{where} failed: {class_and_message(error)}") from error
    if rewards.shape.rank != 2 or not rewards.shape.is_compatible_with(melody.shape):
        raise UserError(
            f"{where} must return a reward for each step, of the shape [B, T] = {melody.shape}, not"
            f" {rewards.shape}"
        )
    return rewards
