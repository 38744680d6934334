"""Table 1 against naive loops; distinctness and novelty."""

import math

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.tasks.melody import metrics
from rl_tuner.tasks.melody.task import MelodyTask
from tests.tasks.melody import naive_music_theory as naive


def text_table(columns):
    return MelodyTask().presentation().format_metrics(columns)


def random_melodies(count, length=32, seed=0):
    rng = np.random.default_rng(seed)
    melodies = rng.choice([0, 0, 0, 0, 1, 7, 14, 14, 15, 16, 18, 21, 26, 33], (count, length))
    melodies[: count // 4, length // 2 :] = melodies[: count // 4, : length - length // 2]
    return melodies


@pytest.mark.parametrize("length", [1, 8, 32])
def test_table1_equals_oracle(length):
    melodies = random_melodies(80, length)
    actual = metrics.table1(metrics.table1_sums(tf.constant(melodies, tf.int32)))
    expected = naive.table1(melodies.tolist())
    assert tuple(actual) == tuple(expected) == metrics.TABLE1_METRICS
    for name, value in expected.items():
        assert actual[name] == (None if value is None else pytest.approx(value, abs=1e-12)), name


def test_sums_of_batches_add():
    melodies = tf.constant(random_melodies(30))
    whole = metrics.table1_sums(melodies)
    parts = [metrics.table1_sums(melodies[i : i + 10]) for i in (0, 10, 20)]
    for name, value in whole.items():
        assert value.shape == ()
        assert float(value) == pytest.approx(sum(float(p[name]) for p in parts), abs=1e-9), name


def test_a_batch_of_one():
    sums = metrics.table1_sums(tf.constant([[14, 0, 0, 0]]))
    assert float(sums["melodies"]) == 1
    assert float(sums["steps"]) == 4
    assert metrics.table1(sums)["starts_with_tonic"] == 1


def test_without_leaps_their_share_is_undefined():
    table = metrics.table1(metrics.table1_sums(tf.constant([[14, 16, 18, 16]])))
    assert table["leaps_resolved"] is None
    assert not any(math.isnan(value) for value in table.values() if value is not None)
    row = next(x for x in text_table({"a": table}).splitlines() if "Leaps" in x)
    assert row.split()[2] == "n/a"


def test_nothing_counted_is_an_error():
    sums = dict.fromkeys(metrics.table1_sums(tf.constant([[14]])), 0.0)
    with pytest.raises(ValueError, match="at least one"):
        metrics.table1(sums)


def words(line):
    return " ".join(line.split())


def test_format_table1():
    column = dict.fromkeys(metrics.TABLE1_METRICS, 0.5)
    column["repeated_notes"] = 0.00004
    column["autocorrelation_lag_1"], column["autocorrelation_lag_2"] = -0.25, -0.004
    lines = (
        MelodyTask()
        .presentation()
        .format_metrics({"prior": column, "tuned": metrics.PAPER_TABLE1["Q"]})
        .split("\n")
    )
    assert len({len(line) for line in lines}) == 1
    assert words(lines[0]) == "prior tuned paper MLE paper Q paper Psi paper G"
    assert words(lines[1]) == "Repeated notes 0.004% 0.0% 63.3% 0.0% 0.02% 0.03%"
    assert words(lines[2]) == "Mean autocorrelation, lag 1 -0.25 -0.11 -0.16 -0.11 -0.10 0.55"
    # A number that rounds to zero has no minus sign.
    assert words(lines[3]).startswith("Mean autocorrelation, lag 2 0.00 ")
    assert [line[:24].strip() for line in lines[5:]] == [
        "Notes not in key",
        "Starts with tonic",
        "Leaps resolved",
        "Unique max note",
        "Unique min note",
        "Notes in motif",
        "Notes in repeated motif",
    ]
    assert words(lines[-1]) == "Notes in repeated motif 50.0% 0.11% 0.007% 0.11% 0.09% 0.01%"


def test_novelty():
    corpus = [np.array([1, 2, 3, 4]), np.array([7, 8]), np.array([5, 6, 7])]
    # The first stands in a tune; the second is a tune; the third joins two tunes; the fourth has a
    # gap; the fifth is the first again.
    melodies = np.array([[2, 3, 4], [5, 6, 7], [4, 7, 8], [1, 2, 4], [2, 3, 4]])
    assert metrics.novelty(melodies, corpus) == pytest.approx(2 / 5)
    assert metrics.novelty(melodies, []) == 1


def test_novelty_equals_naive():
    rng = np.random.default_rng(0)
    corpus = [rng.integers(0, 3, rng.integers(1, 40)) for _ in range(5)]
    melodies = rng.integers(0, 3, (200, 5))
    excerpts = {tuple(x[i : i + 5]) for x in corpus for i in range(len(x) - 4)}
    expected = np.mean([tuple(melody) not in excerpts for melody in melodies])
    assert metrics.novelty(melodies, corpus) == pytest.approx(expected)


@pytest.mark.parametrize("melodies", [np.zeros((0, 32), int), np.zeros(32, int)])
def test_no_melodies_are_refused(melodies):
    with pytest.raises(ValueError, match="shape"):
        metrics.novelty(melodies, [])
