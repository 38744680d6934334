"""The batched detectors against the naive oracle, and against numbers derived by hand."""

import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_tuner.tasks.melody import intervals, rules
from tests.small_data import DATA
from tests.tasks.melody import naive_music_theory as naive

NOTTINGHAM = pathlib.Path(DATA, "nottingham")
HOLD, OFF, TONIC = 0, 1, 14
C, D, E, F, G, A, B, C_UP = 14, 16, 18, 19, 21, 23, 25, 26


def all_rules(melody):
    resolved, doubled = intervals.leaps(melody)
    is_motif, distinct = rules.motif(melody)
    return {
        "in_key": rules.in_key(melody),
        "tonic": rules.tonic_in_place(melody),
        "repeated": rules.excessively_repeated(melody),
        "autocorrelation_1": rules.autocorrelation_so_far(melody, 1),
        "autocorrelation_2": rules.autocorrelation_so_far(melody, 2),
        "autocorrelation_3": rules.autocorrelation_so_far(melody, 3),
        "motif": is_motif,
        "distinct": distinct,
        "repeated_motif": rules.repeated_motif(melody),
        "interval": intervals.interval_weight(melody),
        "resolved": resolved,
        "doubled": doubled,
        "unique_max": rules.unique_max(melody),
        "unique_min": rules.unique_min(melody),
    }


def naive_rules(melody, autocorrelation=True):
    steps = range(len(melody))
    outcomes = naive.leaps(melody)
    expected = {
        "in_key": [naive.in_key(melody, t) for t in steps],
        "tonic": [naive.tonic_in_place(melody, t) for t in steps],
        "repeated": [naive.excessively_repeated(melody, t) for t in steps],
        "motif": [naive.motif(melody, t) for t in steps],
        "distinct": [naive.distinct_pitches(melody, t) or 0 for t in steps],
        "repeated_motif": [naive.repeated_motif(melody, t) for t in steps],
        "interval": [np.float32(naive.interval_weight(melody, t)) for t in steps],
        "resolved": [outcome == "resolved" for outcome in outcomes],
        "doubled": [outcome == "doubled" for outcome in outcomes],
        "unique_max": naive.unique_max(melody),
        "unique_min": naive.unique_min(melody),
    }
    if autocorrelation:  # with fractions, the oracle's slow one
        for lag in (1, 2, 3):
            expected[f"autocorrelation_{lag}"] = [
                float(naive.autocorrelation(melody, t, lag)) for t in steps
            ]
    return expected


compiled_rules = tf.function(all_rules, reduce_retracing=True)


def assert_equals_oracle(melodies, autocorrelation=True):
    """Every detector on `[B, T]` melodies equals the oracle, to the last bit."""
    actual = compiled_rules(tf.constant(melodies, tf.int32))
    expected = [naive_rules([int(k) for k in m], autocorrelation) for m in melodies]
    for name in expected[0]:
        np.testing.assert_array_equal(
            actual[name].numpy(), [e[name] for e in expected], err_msg=name
        )


def uniform(rng, count, length):
    return rng.integers(0, 38, (count, length))


def mostly_specials(rng, count, length):
    specials = rng.integers(0, 2, (count, length))
    return np.where(
        rng.random((count, length)) < 0.75, specials, rng.integers(2, 38, specials.shape)
    )


def few_pitches(rng, count, length):
    return rng.choice([0, 0, 0, 1, 14, 14, 16, 26], (count, length))


def repeated_motifs(rng, count, length):
    period = int(rng.integers(3, 17))
    tiled = np.tile(rng.integers(0, 38, (count, period)), (1, length // period + 1))[:, :length]
    return np.where(rng.random(tiled.shape) < 0.02, rng.integers(0, 38, tiled.shape), tiled)


def markov(rng, count, length):
    """Small steps, now and then a leap, holds and rests: what a melody is like."""
    moves = rng.choice([-12, -7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 12], (count, length))
    pitches = 2 + np.abs((np.cumsum(moves, axis=1) + 14) % 70 - 35)
    draw = rng.random((count, length))
    return np.where(draw < 0.35, 0, np.where(draw < 0.42, 1, pitches))


DISTRIBUTIONS = [uniform, mostly_specials, few_pitches, repeated_motifs, markov]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64])
def test_equals_oracle(distribution, length):
    rng = np.random.default_rng(length)
    melodies = distribution(rng, 70, length)
    assert melodies.min() >= 0 and melodies.max() < 38
    assert_equals_oracle(melodies[:20])
    assert_equals_oracle(melodies[20:], autocorrelation=False)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_equals_oracle_on_long_melodies(distribution):
    melodies = distribution(np.random.default_rng(7), 2, 512)
    assert_equals_oracle(melodies, autocorrelation=False)
    for lag in (1, 2, 3):
        actual = rules.autocorrelation_so_far(tf.constant(melodies), lag).numpy()
        for b, melody in enumerate(melodies.tolist()):
            for t in (100, 511):
                assert actual[b, t] == float(naive.autocorrelation(melody, t, lag))


@functools.cache
def nottingham_melodies():
    """Excerpts of 32 steps from real tunes, some transposed to C and others in their own key."""
    from note_seq import melodies_lib, midi_io, sequences_lib

    excerpts = []
    for path in sorted(NOTTINGHAM.glob("*.mid"))[::12]:
        try:
            quantized = sequences_lib.quantize_note_sequence(
                midi_io.midi_file_to_note_sequence(str(path)), 4
            )
        except sequences_lib.MultipleTimeSignatureError:
            continue
        melody = melodies_lib.Melody()
        melody.from_quantized_sequence(quantized, ignore_polyphonic_notes=True)
        melody.squash(48, 84, 0 if len(excerpts) % 2 else None)
        classes = [event + 2 if event < 0 else event - 46 for event in melody]
        excerpts += [classes[i : i + 32] for i in range(0, len(classes) - 31, 64)]
    return np.array(excerpts)


@pytest.mark.skipif(not NOTTINGHAM.is_dir(), reason="the Nottingham tunes are not here")
def test_equals_oracle_on_real_melodies():
    melodies = nottingham_melodies()
    assert len(melodies) > 50
    assert_equals_oracle(melodies[:80])
    assert_equals_oracle(melodies[80:400], autocorrelation=False)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([0, 0, 0, 1, 1, 2, 9, 14, 15, 16, 21, 26, 37]), min_size=24, max_size=24
    )
)
def test_equals_oracle_on_any_melody(melody):
    assert_equals_oracle([melody])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 37), min_size=16, max_size=16),
    st.lists(st.integers(0, 37), min_size=16, max_size=16),
)
def test_what_comes_later_changes_no_earlier_step(melody, other):
    for rule in (
        rules.excessively_repeated,
        rules.repeated_motif,
        intervals.interval_weight,
        lambda m: rules.motif(m)[0],
        lambda m: intervals.leaps(m)[0],
        lambda m: intervals.leaps(m)[1],
        lambda m: rules.autocorrelation_so_far(m, 2),
    ):
        one, two = rule(tf.constant([melody, melody[:10] + other[10:]]))[:, :10].numpy()
        np.testing.assert_array_equal(one, two)


def steps_where(flags):
    """The steps of a batch of one at which a rule holds."""
    assert flags.shape[0] == 1
    return np.flatnonzero(flags[0]).tolist()


def repeated(*melody):
    return steps_where(rules.excessively_repeated(tf.constant([melody])))


def test_holding_a_note_is_not_repeating_it():
    assert repeated(C, HOLD, HOLD, HOLD) == []


def test_a_fifth_repetition_is_too_many():
    # Step 5 is the first to see more than 4 equal pitches behind it.
    assert repeated(C, C, C, C, C, C, C) == [5, 6]


def test_holds_between_allow_seven():
    # Pitches stand on even steps; the eighth, on step 14, is the first to see more than 6.
    assert repeated(*[C, HOLD] * 8) == [14]


def test_an_other_pitch_ends_the_walk():
    assert repeated(C, C, C, C, D, C, C, C, C, C) == []


def test_an_earlier_special_counts_as_between():
    # From step 6 back: five equal pitches, then a hold, which raises the limit to 6.
    assert repeated(HOLD, C, C, C, C, C, C, C, C) == [8]


def test_a_sixth_hold_in_a_row_is_too_many():
    # The walk stops at the pitch; at step 6 five holds lie behind.
    assert repeated(C, *[HOLD] * 6) == [6]


def test_a_third_note_off_is_too_many():
    assert repeated(C, OFF, HOLD, OFF, HOLD, OFF) == [5]


def test_the_key_is_c_major():
    one_octave = tf.constant([[HOLD, OFF, *range(14, 26)]])
    # Black keys: C sharp 15, D sharp 17, F sharp 20, G sharp 22, A sharp 24.
    assert [one_octave[0, t].numpy() for t in steps_where(~rules.in_key(one_octave))] == [
        15,
        17,
        20,
        22,
        24,
    ]


def test_tonic_has_its_places():
    # T = 10: the tonic at 0 and 6, a hold at 7, specials at 8 and 9. The tonic at 3 has none.
    melody = [C, D, E, C, D, E, C, HOLD, OFF, HOLD]
    assert steps_where(rules.tonic_in_place(tf.constant([melody]))) == [0, 6, 7, 8, 9]
    # Other classes there: C an octave up at 0, D at 6, NOTE_OFF at 7, pitches at the end.
    melody = [C_UP, D, E, C, D, E, D, OFF, C, C]
    assert steps_where(rules.tonic_in_place(tf.constant([melody]))) == []


def test_a_constant_melody_has_no_autocorrelation():
    for lag in (1, 2, 3):
        constant = rules.autocorrelation_so_far(tf.fill([1, 512], 37), lag)
        np.testing.assert_array_equal(constant, np.zeros((1, 512)))


def test_autocorrelation_of_an_alternation():
    # x = 2 4 2 4: mean 3, deviations - + - +, variance 1. Lag 1 has 3 products of -1 over n = 4,
    # lag 2 has 2 of +1, lag 3 has 1 of -1.
    melody = tf.constant([[2, 4, 2, 4]])
    for lag, last in ((1, -0.75), (2, 0.5), (3, -0.25)):
        assert rules.autocorrelation_so_far(melody, lag)[0, -1] == last


def test_autocorrelation_of_exactly_the_threshold():
    # Found by search, and exact: the coefficient is the fraction 3/20.
    rng = np.random.default_rng(0)
    for melody in rng.integers(0, 6, (20000, 6)).tolist():
        if naive.autocorrelation(melody, 5, 1) == naive.THRESHOLD:
            assert rules.autocorrelation_so_far(tf.constant([melody]), 1)[0, -1] == 0.15
            return
    pytest.fail("no melody with a coefficient of 3/20")


def test_a_motif_needs_eight_steps_and_three_pitches():
    melody = tf.constant([[C, D, E, E, E, HOLD, OFF, D, D, HOLD]])
    is_motif, distinct = rules.motif(melody)
    # Step 7 is the eighth. Step 8 loses C, so D and E remain.
    assert steps_where(is_motif) == [7]
    assert distinct[0].numpy().tolist() == [0] * 7 + [3, 2, 2]


def test_a_repeated_motif_does_not_overlap_itself():
    motif = [C, HOLD, D, HOLD, E, HOLD, F, HOLD]
    # Repeated at once: the second motif ends at step 15, the first ended at 7.
    assert steps_where(rules.repeated_motif(tf.constant([motif * 2]))) == [15]
    # With period 4 the window ending at step 11 stood at step 7, but overlaps it by 4 steps.
    short = [C, D, E, HOLD]
    assert steps_where(rules.repeated_motif(tf.constant([short * 4]))) == [15]
    # Two pitches are no motif, however often they return.
    assert steps_where(rules.repeated_motif(tf.constant([[C, D] * 8]))) == []


def weight(*melody):
    return float(intervals.interval_weight(tf.constant([melody]))[0, -1])


@pytest.mark.parametrize(
    ("melody", "expected"),
    [
        ((HOLD, HOLD), 0),  # no pitch before
        ((C, HOLD), 0.3),
        ((G, HOLD), 0.3),
        ((D, HOLD), 0.075),
        ((C, OFF), 0.15),
        ((D, OFF), 0.05),
        ((C, G), 0.1),  # a fifth from the tonic
        ((C, 7), 0.1),  # downwards, too
        ((D, A), 0.02),  # a fifth from another degree
        ((C, E), 0.15),  # the major third of the key
        ((E, C), 0.15),
        ((F, A), 0.09),  # a third elsewhere
        ((C, D), 0.08),
        ((C, F), 0.07),
        ((C, A), 0.05),
        ((C, B), -0.3),
        ((C, C_UP), 0),  # an octave
        ((C, C_UP + 1), -1.0),
        ((C, C), 0),
        ((E, G), 0),  # a minor third
        ((C, OFF, HOLD, G), 0.1),  # specials between do not count
    ],
)
def test_interval_weights(melody, expected):
    assert weight(*melody) == np.float32(expected)


def leap_outcomes(*melody):
    resolved, doubled = intervals.leaps(tf.constant([melody]))
    return steps_where(resolved), steps_where(doubled)


def test_a_leap_is_resolved_by_coming_back():
    # Up from C to G; F and D are above the origin, C is it. Then no leap is open.
    assert leap_outcomes(C, G, F, D, C, 13) == ([4], [])
    assert leap_outcomes(C_UP, F, G, C_UP) == ([3], [])


def test_a_second_leap_in_its_direction_doubles_it():
    assert leap_outcomes(2, 9, 16, 23) == ([], [2, 3])


def test_a_quick_leap_back_closes_without_resolving():
    # Closed at step 2; the leap up at step 3 is a new one, resolved at step 6 by its origin.
    assert leap_outcomes(C, C_UP, C, C_UP, G, E, C) == ([6], [])


def test_a_leap_back_after_more_than_six_steps_resolves():
    # 6 steps between the leaps are too few, 7 resolve.
    assert leap_outcomes(C, 30, *[HOLD] * 6, 20) == ([], [])
    assert leap_outcomes(C, 30, *[HOLD] * 7, 20) == ([9], [])


def test_the_first_pitch_is_no_leap():
    assert leap_outcomes(HOLD, 37, 36, 35) == ([], [])


def test_unique_extrema():
    melodies = tf.constant(
        [
            [C, D, E, HOLD],  # both once
            [C, E, E, C],  # neither
            [HOLD, HOLD, OFF, HOLD],  # the highest class is a special, once; there is no pitch
            [HOLD, HOLD, HOLD, HOLD],
            [C, HOLD, HOLD, HOLD],  # one pitch is both
        ]
    )
    assert rules.unique_max(melodies).numpy().tolist() == [True, False, True, False, True]
    assert rules.unique_min(melodies).numpy().tolist() == [True, False, False, False, True]


def test_shape_unknown_when_traced():
    signature = [tf.TensorSpec([None, None], tf.int32)]
    dynamic = tf.function(all_rules, input_signature=signature)
    for count, length in ((1, 1), (3, 5), (2, 33)):
        melodies = tf.constant(uniform(np.random.default_rng(3), count, length), tf.int32)
        expected = all_rules(melodies)
        for name, actual in dynamic(melodies).items():
            np.testing.assert_array_equal(actual, expected[name], err_msg=name)


def test_xla():
    melodies = tf.constant(markov(np.random.default_rng(4), 4, 20), tf.int32)
    compiled = tf.function(all_rules, jit_compile=True)(melodies)
    for name, expected in all_rules(melodies).items():
        if name.startswith("autocorrelation"):  # its division may differ in the last bit
            np.testing.assert_allclose(compiled[name], expected, rtol=1e-12, err_msg=name)
        else:
            np.testing.assert_array_equal(compiled[name], expected, err_msg=name)


def test_one_shape_is_traced_once():
    traces = []

    @tf.function
    def traced(melody):
        traces.append(melody.shape)
        return all_rules(melody)

    for seed in range(3):
        traced(tf.constant(uniform(np.random.default_rng(seed), 4, 16)))
    assert traces == [(4, 16)]


@pytest.mark.parametrize(("melody", "error"), [([1, 2], ValueError), ([[1.0, 2.0]], TypeError)])
def test_what_is_no_melody_is_refused(melody, error):
    with pytest.raises(error):
        rules.in_key(tf.constant(melody))


def test_a_lag_is_at_least_one():
    with pytest.raises(ValueError, match="lag"):
        rules.autocorrelation_so_far(tf.constant([[1, 2]]), 0)
