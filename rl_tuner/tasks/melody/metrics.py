"""Metrics of melodies: the paper's Table 1, computed with the same detectors as the reward."""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from rl_tuner.common.tables import Row
from rl_tuner.tasks.melody import intervals, overlap, rules
from rl_tuner.tasks.melody.encoding import NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame

# The rows in the paper's order: metric, label and number format.
TABLE1_ROWS = (
    Row("repeated_notes", "Repeated notes", "share"),
    Row("autocorrelation_lag_1", "Mean autocorrelation, lag 1", "mean"),
    Row("autocorrelation_lag_2", "Mean autocorrelation, lag 2", "mean"),
    Row("autocorrelation_lag_3", "Mean autocorrelation, lag 3", "mean"),
    Row("not_in_key", "Notes not in key", "share"),
    Row("starts_with_tonic", "Starts with tonic", "share"),
    Row("leaps_resolved", "Leaps resolved", "share"),
    Row("unique_max", "Unique max note", "share"),
    Row("unique_min", "Unique min note", "share"),
    Row("motif", "Notes in motif", "share"),
    Row("repeated_motif", "Notes in repeated motif", "share"),
)
# Numbers of notes of the openings that `variety` counts.
OPENINGS = (4, 5, 8)
BAR_STEPS = 16
SET_ROWS = (
    *(
        Row(f"{kind}_{name}", f"{label} of {title}", "share")
        for name, title in overlap.FEATURES.items()
        for kind, label in (
            ("overlap", "Overlap with the corpus"),
            ("ceiling", "  of the corpus' halves"),
        )
    ),
    *(Row(f"commonest_opening_{n}", f"Commonest opening of {n} notes", "share") for n in OPENINGS),
    Row("first_bar_entropy", "Entropy of the first bar, nats", "mean"),
)
TABLE1_METRICS = tuple(metric for metric, _, _ in TABLE1_ROWS)


def _paper_column(*values: float) -> dict[str, float]:
    return dict(zip(TABLE1_METRICS, values, strict=True))


# Jaques et al. (2017), Table 1: 100,000 melodies per model, with a prior trained on 30,000 songs.
PAPER_TABLE1 = {
    "MLE": _paper_column(
        0.633, -0.16, 0.14, -0.13, 0.001, 0.009, 0.772, 0.647, 0.494, 0.059, 0.00007
    ),
    "Q": _paper_column(0.0, -0.11, 0.03, 0.03, 0.01, 0.288, 0.911, 0.564, 0.519, 0.757, 0.0011),
    "Psi": _paper_column(
        0.0002, -0.10, -0.01, 0.01, 0.006, 0.287, 0.900, 0.594, 0.583, 0.738, 0.0009
    ),
    "G": _paper_column(0.0003, 0.55, 0.31, 0.17, 0.287, 0.0, 0.522, 0.371, 0.565, 0.693, 0.0001),
}


@tf.function(reduce_retracing=True, autograph=False)
def table1_sums(melody: tf.Tensor, frame: Frame = DEFAULT_FRAME) -> dict[str, tf.Tensor]:
    """Return the sums and counts from which `table1` computes its metrics.

    They are additive: the entries for two batches add up to the entries for both together.

    Args:
        melody: integer `[B, T]`, whole melodies.
        frame: grid and key.

    Returns:
        float64 scalars: the counts `melodies`, `steps` and `leaps_doubled`, and for every metric of
        `TABLE1_METRICS` its numerator.

    Raises:
        ValueError: if `melody` is not of rank 2.
        TypeError: if it is not of an integer type.
    """
    is_motif, _ = rules.motif(melody, frame)
    resolved, doubled = intervals.leaps(melody, frame)
    counts = {
        "melodies": tf.ones_like(melody[:, 0]),
        "steps": tf.ones_like(melody),
        "repeated_notes": rules.excessively_repeated(melody, frame),
        "not_in_key": ~rules.in_key(melody, frame),
        "starts_with_tonic": melody[:, 0] == frame.tonic_class,
        "leaps_resolved": resolved,
        "leaps_doubled": doubled,
        "unique_max": rules.unique_max(melody),
        "unique_min": rules.unique_min(melody),
        "motif": is_motif,
        "repeated_motif": rules.repeated_motif(melody, frame),
    }
    sums = {name: tf.cast(tf.math.count_nonzero(x), tf.float64) for name, x in counts.items()}
    for lag in rules.AUTOCORRELATION_LAGS:
        whole = rules.autocorrelation_so_far(melody, lag)[:, -1]
        sums[f"autocorrelation_lag_{lag}"] = tf.reduce_sum(whole)
    return sums


def table1(sums: Mapping[str, tf.Tensor]) -> dict[str, float | None]:
    """Return the metrics of the paper's Table 1.

    - `repeated_notes`: the share of steps whose class is excessively repeated.
    - `autocorrelation_lag_1`, `_2`, `_3`: the mean coefficient of whole melodies.
    - `not_in_key`: the share of steps that are pitches outside the key.
    - `starts_with_tonic`: the share of melodies whose first class is the tonic.
    - `leaps_resolved`: the share of resolved leaps among those resolved or doubled; None if there
      are none.
    - `unique_max`: the share of melodies whose highest class occurs once.
    - `unique_min`: the share of melodies whose lowest pitch occurs once.
    - `motif`: the share of steps at the end of a motif, two beats long.
    - `repeated_motif`: the share of steps at the end of a motif that occurred before.

    Args:
        sums: result of `table1_sums`, or its sums over several batches.

    Returns:
        for each of `TABLE1_METRICS`, a share, a mean or None.

    Raises:
        ValueError: if no melody was counted.
    """
    sums = {name: float(value) for name, value in sums.items()}
    if not sums["melodies"]:
        raise ValueError("Table 1 needs at least one melody.")
    per_step = ("repeated_notes", "not_in_key", "motif", "repeated_motif")
    metrics = {
        metric: sums[metric] / sums["steps" if metric in per_step else "melodies"]
        for metric in TABLE1_METRICS
    }
    outcomes = sums["leaps_resolved"] + sums["leaps_doubled"]
    metrics["leaps_resolved"] = sums["leaps_resolved"] / outcomes if outcomes else None
    return metrics


def variety(melodies: np.ndarray, steps_per_bar: int = BAR_STEPS) -> dict[str, float]:
    """Return how a set of melodies begins, where a policy loses its variety first.

    - `commonest_opening_4`, `_5`, `_8`: the share of melodies with the commonest first 4, 5 or 8 notes
      (their pitches, whatever their lengths); a melody with fewer notes has all of them.
    - `first_bar_entropy`: the entropy of the first bar among the melodies, in nats; it is at most
      the logarithm of their number, so only compare sets of equal size.

    Args:
        melodies: integer `[N, T]`.
        steps_per_bar: steps of a bar.

    Raises:
        ValueError: if `melodies` is not of rank 2, or empty.
    """
    rows = [bytes(step for step in row if step >= NUM_SPECIAL_CLASSES) for row in _rows(melodies)]
    shares = {}
    for notes in OPENINGS:
        counts = Counter(row[:notes] for row in rows)
        shares[f"commonest_opening_{notes}"] = max(counts.values()) / len(rows)
    bars = np.array([*Counter(_rows(np.asarray(melodies)[:, :steps_per_bar])).values()]) / len(rows)
    return shares | {"first_bar_entropy": float(-np.sum(bars * np.log(bars)))}


def novelty(melodies: np.ndarray, corpus: Iterable[np.ndarray]) -> float:
    """Return the share of melodies that are not an excerpt of the corpus.

    An excerpt is any T consecutive steps of a melody in the corpus.

    Args:
        melodies: integer `[N, T]`.
        corpus: integer arrays of rank 1, of any length.

    Raises:
        ValueError: if `melodies` is not of rank 2, or empty.
    """
    rows = _rows(melodies)
    length = np.shape(melodies)[1]
    unmatched = set(rows)
    for tune in corpus:
        tune = np.asarray(tune)
        if len(tune) >= length:
            windows = np.lib.stride_tricks.sliding_window_view(tune, length)
            unmatched.difference_update(_rows(windows))
    return sum(row in unmatched for row in rows) / len(rows)


def _rows(classes: np.ndarray) -> list[bytes]:
    """Return each row of `[N, T]` classes as a hashable value."""
    classes = np.asarray(classes)
    if classes.ndim != 2 or not classes.size:
        raise ValueError(
            f"Melodies must have the shape [N, T] with N and T above 0, not {classes.shape}."
        )
    packed = np.ascontiguousarray(classes, dtype=np.uint8)
    return [row.tobytes() for row in packed]
