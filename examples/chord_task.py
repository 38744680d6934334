"""A third domain, without touching the package: chord progressions in Roman numerals.

python -m rl_tuner.train --gin_file=examples/chords.gin

The prior learns fifty progressions; tuning rewards functional harmony: start at home, move from subdominant
to dominant to tonic, let V7 resolve, end with a cadence.
"""

import gin
import numpy as np
import tensorflow as tf

import rl_tuner

END = 0
# The class of a chord is its place; its letter the function it has: tonic, subdominant, dominant.
CHORDS = ("end", "I", "ii", "iii", "IV", "V", "V7", "vi", "vii", "iv", "bVII")
FUNCTIONS = "-TSTSDDTDSS"
PROGRESSIONS = """
I V vi IV I V I|I vi IV V I|I IV V I|I IV I V I IV V I|vi IV I V vi IV V I|I vi ii V I|I ii V7 I
ii V7 I vi ii V7 I|I iii IV V I|I iii vi IV ii V I|I V IV I|I IV V IV I|I V ii IV I|I bVII IV I
I V vi iii IV I IV V I|I V vi iii IV I ii V I|vi ii V7 I|iii vi ii V7 I|I vi ii V7 iii vi ii V7 I
IV V iii vi ii V I|IV V iii vi IV V I|I IV vii iii vi ii V I|vi V IV V vi|vi IV V I|vi iii IV I ii V I
I I IV I V IV I V|I IV I I IV IV I I V IV I I|I IV I V7 I|I V7 I V7 I|I vi IV ii V7 I|I IV iv I
I iii IV iv I V7 I|I V vi V IV I ii V I|I ii iii IV V I|I ii IV V I|I ii vi IV I|ii IV I V ii IV V I
IV I V vi IV I V I|IV I ii V I|V IV I|V vi IV I V I|bVII IV I bVII IV I|I bVII bVII IV I|I IV bVII IV I
I V I IV I V7 I|I vi iii IV I IV ii V|vi ii iii vi ii V7 vi|I vii vi V IV iii ii V I
vi vi IV V I|I IV ii V7 vi IV V7 I
"""


@gin.configurable(module="examples", denylist=["output_dir", "overwrite"])
def build_chord_dataset(output_dir: str, *, overwrite: bool = False) -> None:
    """Write the progressions as a dataset."""
    texts = PROGRESSIONS.strip().replace("\n", "|").split("|")
    rows = [[CHORDS.index(name) for name in text.split()] + [END] for text in texts]
    rl_tuner.write_sequences(
        output_dir, rows, kind="chords", num_classes=len(CHORDS), overwrite=overwrite
    )


@gin.configurable(module="examples")
class ChordTask(rl_tuner.Task):
    """Composes progressions of at most `horizon` chords that end with an end token."""

    kind, num_classes, end_token = "chords", len(CHORDS), END
    part_names = ("start", "step", "resolution", "cadence")

    def __init__(self, horizon: int = 16) -> None:
        self.horizon = horizon

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return rules of functional harmony, each float32 [B, T] for int32 [B, T] tokens."""
        one, two = (tf.pad(tokens[:, :-k], [[0, 0], [k, 0]]) for k in (1, 2))
        first = tf.one_hot(0, tf.shape(tokens)[1])
        follows = tf.where((one != END) & (tokens != END), mask, 0.0)
        seventh = tf.where(one == CHORDS.index("V7"), follows, 0.0)
        home = (tokens == CHORDS.index("I")) | (tokens == CHORDS.index("vi"))
        cadence = (tokens == END) & (one == CHORDS.index("I")) & _has(two, "D")
        return {
            "start": 2.0 * first * tf.where(_has(tokens, "T"), mask, 0.0),
            "step": follows * tf.gather_nd(_STEPS, tf.stack([one, tokens], axis=-1)),
            "resolution": seventh * tf.where(home, 1.0, -2.0),
            "cadence": 5.0 * tf.where(cadence, mask, 0.0),
        }

    def presentation(self) -> rl_tuner.Presentation:
        """Return chords by their names."""
        return rl_tuner.Presentation(self, names=CHORDS)


def _has(tokens: tf.Tensor, function: str) -> tf.Tensor:
    return tf.gather(tf.constant([each == function for each in FUNCTIONS]), tokens)


_WORTH = {"TS": 0.5, "TD": 0.5, "SD": 1.0, "DT": 1.0, "ST": 0.3, "DS": -1.0}
_STEPS = np.array([[_WORTH.get(a + b, 0.0) for b in FUNCTIONS] for a in FUNCTIONS], np.float32)
_STEPS -= 1.5 * np.eye(len(CHORDS), dtype=np.float32)
