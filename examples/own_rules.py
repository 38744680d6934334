"""A melody rule of your own: no tritones. Run with examples/own_rules.gin."""

import gin
import tensorflow as tf

from rl_tuner.tasks.melody import timeline


@gin.configurable(module="own_rules")
def no_tritone(weight: float = -2.0):
    """Return the rule: `weight` for each note six semitones from the latest one."""

    def rule(melody):
        x = timeline.to_timeline(melody)  # [T, B]
        latest, _ = timeline.latest_pitch(x)
        is_tritone = timeline.pitched(x) & (latest > 0) & (tf.abs(x - latest) == 6)
        return weight * tf.cast(tf.transpose(is_tritone), tf.float32)

    return rule
