"""A third domain, without touching the package: chord progressions in Roman numerals.

python -m rl_tuner.train --gin_file=examples/chords.gin

The prior learns fifty progressions; tuning rewards functional harmony: start at home, move from
subdominant to dominant to tonic, let V7 resolve, end with a cadence.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from rl_tuner import Task, UserError
from rl_tuner.datasets import sequence_examples, writer

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
    """Writes the progressions as a dataset; every eighth is for validation, every eighth for testing."""
    writer.prepare_output(output_dir, overwrite=overwrite)
    texts = sorted(set(PROGRESSIONS.strip().replace("\n", "|").split("|")), key=_hash)
    rows = [[CHORDS.index(name) for name in text.split()] + [END] for text in texts]
    examples: dict[str, list[tuple[bytes, int]]] = {split: [] for split in writer.SPLITS}
    for number, (text, row) in enumerate(zip(texts, rows)):
        split = {0: "validation", 4: "test"}.get(number % 8, "train")
        example = sequence_examples.serialise({"id": _hash(text), "length": len(row)}, row)
        examples[split].append((example, len(row)))
    counts = Counter(token for row in rows for token in row)
    longest = max(map(len, rows))
    description = {
        "format": 1,
        "kind": ChordTask.kind,
        "encoding": {"num_classes": len(CHORDS), "longest": longest, "chords": list(CHORDS)},
        "splits": {},
        "source": ["examples/chord_task.py"],
        "class_histogram": [counts[each] for each in range(len(CHORDS))],
    }
    writer.write_dataset(output_dir, description, examples, [], num_shards=1, overwrite=overwrite)


@gin.configurable(module="examples")
class ChordTask(Task):
    """Composes progressions that end with an end token.

    Args:
        horizon: T, chords of the longest progression with its end token.
    """

    kind = "chords"
    num_classes = len(CHORDS)
    end_token = END
    part_names = ("start", "step", "resolution", "cadence")

    def __init__(self, horizon: int = 16) -> None:
        self.horizon = horizon

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Rules of functional harmony, each float32 [B, T] for int32 [B, T] tokens."""
        before = tf.pad(tokens[:, :-1], [[0, 0], [1, 0]])
        first = tf.one_hot(0, tf.shape(tokens)[1])
        goes_on = tf.where((before != END) & (tokens != END), mask, 0.0)
        is_cadence, _ = self._endings(tokens, mask)
        seventh = tf.where(before == CHORDS.index("V7"), goes_on, 0.0)
        home = (tokens == CHORDS.index("I")) | (tokens == CHORDS.index("vi"))
        return {
            "start": 2.0 * first * tf.where(_has(tokens, "T"), mask, 0.0),
            "step": goes_on * tf.gather_nd(_STEPS, tf.stack([before, tokens], axis=-1)),
            "resolution": seventh * tf.where(home, 1.0, -2.0),
            "cadence": 5.0 * is_cadence,
        }

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Progressions, those that came to an end, and those that did so by a cadence."""
        is_cadence, is_end = self._endings(tokens, mask)
        return {
            "count": tf.cast(tf.shape(tokens)[0], tf.float32),
            "ended": tf.reduce_sum(is_end),
            "cadence": tf.reduce_sum(is_cadence),
        }

    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """Shares of the progressions."""
        return {name: sums[name] / sums["count"] for name in ("ended", "cadence")}

    def format_metrics(self, columns: dict[str, dict[str, float | None]]) -> str:
        """A line a metric, a number a model."""
        rows = (("ended", "Come to an end"), ("cadence", "End with V I"))
        lines = [
            f"{label:<16}" + "".join(f"{column[name]:>10.1%}" for column in columns.values())
            for name, label in rows
        ]
        return "\n".join([" " * 16 + "".join(f"{model:>10}" for model in columns), *lines])

    def set_metrics(self, sequences: np.ndarray, corpus: list[Any] | None) -> dict[str, Any]:
        """`novelty`: the share of progressions that are not in the corpus."""
        if corpus is None:
            return {"novelty": None}
        known = {_text(row) for row in corpus}
        return {"novelty": float(np.mean([_text(row) not in known for row in sequences]))}

    def read_primer(self, path: str) -> list[int]:
        """The chords in a text file."""
        with open(path, encoding="utf-8") as file:
            return self.read_prompt(file.read())

    def read_prompt(self, text: str) -> list[int]:
        """The classes of a beginning such as "ii V7"."""
        names = text.split()
        unknown = [name for name in names if name not in CHORDS[1:]]
        if unknown or not names:
            raise UserError(f"a prompt is made of {', '.join(CHORDS[1:])}, not {unknown}")
        return [CHORDS.index(name) for name in names]

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """PREFIX.txt, a progression a line."""
        path = os.path.join(directory, f"{prefix}.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{_text(row)}\n" for row in sequences)
        return [path]

    def figures(self, columns: dict[str, np.ndarray]) -> dict[str, Any]:
        """None: progressions are read."""
        return {}

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """uint8 [1, H, W, 3]: a row a progression; tonic green, subdominant blue, dominant red."""
        colours = {
            "-": (255, 255, 255),
            "T": (90, 170, 90),
            "S": (80, 120, 200),
            "D": (210, 80, 70),
        }
        palette = np.array([colours[function] for function in FUNCTIONS], np.uint8)
        return np.kron(palette[sequences[:16]], np.ones((12, 12, 1), np.uint8))[np.newaxis]

    def _endings(self, tokens: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Where a progression ends after dominant and I, and where it ends: float32 [B, T]."""
        one, two = (tf.pad(tokens[:, :-k], [[0, 0], [k, 0]]) for k in (1, 2))
        is_end = tf.where(tokens == END, mask, 0.0)
        return tf.where((one == CHORDS.index("I")) & _has(two, "D"), is_end, 0.0), is_end


def _step_rewards() -> np.ndarray:
    """float32 [A, A]: what it is worth that one chord follows another."""
    worth = {"TS": 0.5, "TD": 0.5, "SD": 1.0, "DT": 1.0, "ST": 0.3, "DS": -1.0}
    table = [[worth.get(a + b, 0.0) for b in FUNCTIONS] for a in FUNCTIONS]
    return np.array(table, np.float32) - 1.5 * np.eye(len(CHORDS), dtype=np.float32)


def _has(tokens: tf.Tensor, function: str) -> tf.Tensor:
    return tf.gather(tf.constant([each == function for each in FUNCTIONS]), tokens)


def _text(row: Any) -> str:
    names = [CHORDS[token] for token in row]
    return " ".join(names[: names.index("end")] if "end" in names else names)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_STEPS = _step_rewards()
