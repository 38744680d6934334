"""The music-theory reward: its parts against the oracle, its weights, its configuration."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.tasks.melody.reward import _SETTINGS, MusicTheoryReward
from tests.tasks.melody import naive_music_theory as naive

PARTS = (
    "in_key",
    "tonic",
    "repetition",
    "autocorrelation",
    "motif",
    "repeated_motif",
    "interval",
    "leap",
    "unique_extrema",
)
WEIGHTS = [
    name
    for name in MusicTheoryReward.__dataclass_fields__
    if name not in (*_SETTINGS, "chord_tones", "phrase_endings")
]


def total(parts):
    return tf.reduce_sum(tf.stack(list(parts.values())), axis=0)


@pytest.fixture(autouse=True)
def no_gin_bindings():
    yield
    gin.clear_config()


def random_melodies(count, length=32, seed=0):
    rng = np.random.default_rng(seed)
    melodies = rng.choice([0, 0, 0, 0, 1, 9, 14, 15, 16, 18, 21, 26, 35], (count, length))
    melodies[: count // 2, length // 2 :] = melodies[: count // 2, : length - length // 2]
    return melodies


@pytest.mark.parametrize("length", [1, 3, 4, 16, 32, 40])
def test_equals_oracle(length):
    melodies = random_melodies(60, length, seed=length)
    parts = MusicTheoryReward()(tf.constant(melodies, tf.int32))
    assert tuple(parts) == PARTS
    expected = [naive.reward_parts(melody) for melody in melodies.tolist()]
    for name, part in parts.items():
        assert part.dtype == tf.float32
        np.testing.assert_allclose(
            part, [e[name] for e in expected], rtol=1e-6, atol=1e-6, err_msg=name
        )


def test_the_total_is_the_sum_of_the_parts():
    reward = MusicTheoryReward()
    parts = reward(tf.constant(random_melodies(5)))
    assert total(parts).shape == (5, 32)


def test_a_melody_by_hand():
    # T = 8: C E G C' hold hold off hold.
    parts = MusicTheoryReward()(tf.constant([[14, 18, 21, 26, 0, 0, 1, 0]]))
    totals = {name: float(tf.reduce_sum(part)) for name, part in parts.items()}
    assert totals["in_key"] == 0
    # The tonic at step 0; at T-4 = 4 a hold earns nothing; a hold at 5, specials at 6 and 7.
    assert totals["tonic"] == 3 + 3 + 3 + 3
    assert totals["repetition"] == 0
    # Four distinct pitches in the last 8 steps, at step 7 only: 3 + .3 (4 - 3).
    assert totals["motif"] == pytest.approx(3.3)
    assert totals["repeated_motif"] == 0
    # C-E .15, E-G a minor third 0, G-C a fourth .07; after C a hold .3 thrice, an off .15.
    assert totals["interval"] == pytest.approx(5 * (0.15 + 0 + 0.07 + 3 * 0.3 + 0.15))
    assert totals["leap"] == 0
    # C' is the one highest class, C the one lowest pitch.
    assert parts["unique_extrema"].numpy().tolist() == [[0] * 7 + [6]]


def test_a_batch_of_one_stays_a_batch():
    for part in MusicTheoryReward()(tf.constant([[14, 0]])).values():
        assert part.shape == (1, 2)


def test_a_rule_without_weight_is_not_computed():
    off = MusicTheoryReward(**{name: 0.0 for name in WEIGHTS if name != "in_key"})
    graph = tf.function(off).get_concrete_function(tf.TensorSpec([4, 32], tf.int32)).graph
    kinds = {operation.type for operation in graph.get_operations()}
    assert not kinds & {"TensorListReserve", "While", "PopulationCount", "DivNoNan"}
    parts = off(tf.constant([[15] * 32]))
    assert tuple(parts) == PARTS
    assert total(parts).numpy().tolist() == [[-1.0] * 32]


def test_weights_scale_their_parts():
    melodies = tf.constant(random_melodies(40, seed=3))
    fields = MusicTheoryReward.__dataclass_fields__
    doubled = {n: 2 * fields[n].default for n in WEIGHTS if n != "autocorrelation_threshold"}
    once, twice = MusicTheoryReward()(melodies), MusicTheoryReward(**doubled)(melodies)
    for name in PARTS:
        np.testing.assert_allclose(twice[name], 2 * once[name], rtol=1e-6, err_msg=name)


def test_the_autocorrelation_threshold_is_exclusive():
    # 2 4 2 4 has coefficients -.75, .5 and -.25 at its last step (see the rules' test).
    melody = tf.constant([[2, 4, 2, 4]])
    for threshold, size in ((0.0, 1.5), (0.25, 1.25), (0.5, 0.75), (0.75, 0.0)):
        reward = MusicTheoryReward(autocorrelation_threshold=threshold)
        assert float(reward(melody)["autocorrelation"][0, -1]) == -3 * size


def test_in_a_graph():
    reward = MusicTheoryReward()
    signature = [tf.TensorSpec([None, 32], tf.int32)]
    compiled = tf.function(lambda m: total(reward(m)), input_signature=signature)
    melodies = tf.constant(random_melodies(7), tf.int32)
    np.testing.assert_allclose(compiled(melodies), total(reward(melodies)), rtol=1e-6)
    assert compiled.experimental_get_tracing_count() == 1


def test_gin_sets_weights():
    gin.parse_config("rl_tuner.MusicTheoryReward.in_key = -2.0")
    assert MusicTheoryReward().in_key == -2.0


@pytest.mark.parametrize(
    "weights", [{"tonic": float("nan")}, {"motif": "3"}, {"autocorrelation_threshold": -0.1}]
)
def test_bad_numbers_are_refused(weights):
    with pytest.raises(ValueError, match=next(iter(weights))):
        MusicTheoryReward(**weights)


def test_extrema_as_they_change_pays_the_same_total_at_the_step_that_decides():
    melodies = np.random.default_rng(3).integers(0, 8, (200, 12))
    at_end = MusicTheoryReward()(melodies)["unique_extrema"].numpy()
    paid = MusicTheoryReward(extrema_as_they_change=True)(melodies)["unique_extrema"].numpy()
    np.testing.assert_allclose(paid.sum(axis=1), at_end.sum(axis=1), atol=1e-4)
    # The payments up to a step are what the end would pay if the melody ended there.
    for end in range(1, 13):
        ended = MusicTheoryReward()(melodies[:, :end])["unique_extrema"].numpy()[:, -1]
        np.testing.assert_allclose(paid[:, :end].sum(axis=1), ended, atol=1e-4)


def test_signed_lags_pay_the_whole_melodys_coefficient_at_its_last_step():
    melodies = np.random.default_rng(4).integers(0, 38, (20, 16))
    reward = MusicTheoryReward(autocorrelation=0.0, lag_1=2.0, lag_3=-5.0)
    paid = reward(melodies)["autocorrelation"].numpy()
    np.testing.assert_array_equal(paid[:, :-1], 0)
    for melody, last in zip(melodies, paid[:, -1]):
        x = melody - melody.mean()
        r = [np.dot(x[:-k], x[k:]) / np.dot(x, x) for k in (1, 3)]
        assert last == pytest.approx(2 * r[0] - 5 * r[1], abs=1e-5)
