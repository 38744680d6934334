"""The features of melodies are the metrics of Table 1."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.tasks.melody import metrics, rules
from rl_tuner.tasks.melody.features import ends_on_tonic, table1_features
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.key import make_key
from rl_tuner.tasks.melody.targets import MusicTargets
from rl_tuner.tasks.melody.task import MelodyTask


def melodies(count=400, length=32, seed=0):
    """Melodies of few pitches with holds, so that every rule occurs; some repeat themselves."""
    rng = np.random.default_rng(seed)
    found = rng.choice([0, 0, 1, 14, 16, 18, 19, 21, 26, 30], (count, length))
    found[: count // 4, 16:24] = found[: count // 4, 3:11]
    return tf.constant(found, tf.int32)


def value(feature):
    return float(tf.reduce_sum(feature.numerator) / tf.reduce_sum(feature.denominator))


@pytest.mark.parametrize("length", [16, 32])
def test_every_feature_equals_its_metric(length):
    melody = melodies(length=length) if length > 24 else melodies()[:, :length]
    wanted = metrics.table1(metrics.table1_sums(melody))
    features = table1_features(melody)
    assert set(features) == set(metrics.TABLE1_METRICS)
    for name, feature in features.items():
        assert value(feature) == pytest.approx(wanted[name], rel=1e-4, abs=1e-6), name


def naive_longest(melody):
    """The longest repeat, note by note."""
    best, found = 0, []
    for t in range(len(melody)):
        window = melody[t - 7 : t + 1] if t >= 7 else []
        if len({c for c in window if c > 1}) >= 3:
            for source in range(t - 7):
                n = 0
                while n < 8 and source - n >= 0 and melody[source - n] == melody[t - n]:
                    n += 1
                best = max(best, n)
        found.append(best)
    return found


def test_the_longest_repeat_is_what_counting_finds():
    melody = melodies(count=60)
    found = rules.longest_repeat_so_far(melody).numpy()
    for row, wanted in zip(melody.numpy(), found):
        assert naive_longest(row.tolist()) == wanted.tolist()
    has_one = tf.reduce_any(rules.repeated_motif(melody), axis=1).numpy()
    np.testing.assert_array_equal(found[:, -1] == 8, has_one)
    assert 0 < has_one.mean() < 1


def test_the_handle_of_repeated_motifs_is_bounded_per_melody():
    handle = table1_features(melodies())["repeated_motif"].handle
    totals = tf.reduce_sum(handle, axis=1).numpy()
    assert totals.min() >= 0 and totals.max() <= 1


def test_a_melody_ends_on_the_tonic_of_its_key_in_any_octave():
    # Classes 14, 23 and 26 are C4, A4 and C5; 0 holds a note and 1 ends it.
    endings = tf.constant([[16, 14, 0], [14, 26, 1], [14, 23, 1], [14, 0, 23], [0, 1, 0]])
    numerator, denominator, _ = ends_on_tonic(endings)
    assert tf.reduce_sum(numerator, 1).numpy().tolist() == [1, 1, 0, 0, 0]
    assert tf.reduce_sum(denominator, 1).numpy().tolist() == [1] * 5
    minor = ends_on_tonic(endings, Frame(key=make_key("A3", "minor"))).numerator
    assert tf.reduce_sum(minor, 1).numpy().tolist() == [0, 0, 1, 1, 0]


def test_parts_of_the_reward_are_features_too():
    task = MelodyTask()
    features = task.features(melodies(), tf.ones([400, 32]))
    assert set(task.feature_names) == set(features)
    reward = task.reward_parts(melodies(), None)["interval"]
    total = float(tf.reduce_mean(tf.reduce_sum(reward, axis=1)))
    assert value(features["interval"]) == pytest.approx(total, rel=1e-4)


def test_targets_name_metrics_and_refuse_what_is_no_pair():
    asked = MusicTargets(motif=(0.5, None), others={"interval": (0, 10)}).asked()
    assert asked["motif"] == (0.5, None) and asked["interval"] == (0, 10)
    assert set(MusicTargets().asked()) == {*metrics.TABLE1_METRICS, "ends_on_tonic", "log_prior"}
    with pytest.raises(ValueError, match="motif must be a pair"):
        MusicTargets(motif=0.5)
    with pytest.raises(ValueError, match="low first"):
        MusicTargets(others={"interval": (3, 2)})


def test_variety_counts_openings_by_their_notes():
    hold, off = 0, 1
    rows = np.array(
        [
            [14, hold, 16, 18, 19, 21, 23, 25, 26, hold],
            [14, 16, off, 18, 19, 21, 30, 31, 32, hold],
            [14, 16, 18, 19, 20, 21, 22, 23, 24, 25],
            [30, hold, hold, hold, hold, hold, hold, hold, hold, hold],
        ]
    )
    found = metrics.variety(rows)
    assert found["commonest_opening_4"] == 0.75
    assert found["commonest_opening_5"] == 0.5
    assert found["commonest_opening_8"] == 0.25
    assert found["first_bar_entropy"] == pytest.approx(np.log(4))
