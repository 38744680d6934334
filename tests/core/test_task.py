"""A task of the user's own whose reward does not have the names or the shape that it promises."""

import pytest
import tensorflow as tf

from rl_tuner.core.task import Task, check_reward_parts


class EvenTask(Task):
    kind, num_classes, horizon, part_names = "numbers", 6, 8, ("even",)

    def reward_parts(self, tokens, mask):
        return {"even": tf.where(tokens % 2 == 0, mask, 0.0)}


class Misspelt(EvenTask):
    part_names = ("evn",)


class PerSequence(EvenTask):
    def reward_parts(self, tokens, mask):
        return {"even": tf.reduce_sum(mask, axis=1)}


def test_a_reward_with_its_names_and_shapes_is_accepted():
    check_reward_parts(EvenTask())


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Misspelt(), "Misspelt.reward_parts returns even, but part_names has evn"),
        (PerSequence(), r"even has the shape \[2\] for tokens of the shape \[2, 8\]"),
    ],
)
def test_a_reward_without_them_is_told_with_its_part(task, message):
    with pytest.raises(ValueError, match=message):
        check_reward_parts(task)
