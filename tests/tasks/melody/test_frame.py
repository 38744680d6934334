"""Grids and keys, and the rules in other frames than sixteenths of 4/4 in C major."""

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import intervals, metrics, rendering, rules
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid, parse_metre
from rl_tuner.tasks.melody.key import C_MAJOR, SCALES, make_key, parse_pitch
from rl_tuner.tasks.melody.reward import MusicTheoryReward
from rl_tuner.tasks.melody.task import MelodyTask

JIG = Grid(metre=(6, 8))


def random_melodies(count, length, num_classes=8, seed=0):
    return np.random.default_rng(seed).integers(0, num_classes, [count, length])


@pytest.mark.parametrize(
    ("grid", "bar", "beat"),
    [
        (Grid(), 16, 4),
        (JIG, 12, 6),
        (Grid(metre=(3, 4)), 12, 4),
        (Grid(6, metre=(9, 8)), 27, 9),
        (Grid(24), 96, 24),
        (Grid(metre=(2, 2)), 16, 8),
        (Grid(metre=(5, 8)), 10, 2),
    ],
)
def test_bars_and_beats(grid, bar, beat):
    assert (grid.steps_per_bar, grid.steps_per_beat) == (bar, beat)
    assert Grid.from_json(grid.to_json()) == grid


def test_the_default_encoding_is_that_of_older_datasets():
    assert Grid().to_json() == MELODY_ENCODING
    assert Grid.from_json({}) == Grid.from_json({"num_classes": 38}) == Grid()
    assert Grid(12, 40, 90).to_json()["num_classes"] == 53


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(0), "steps_per_quarter"),
        (lambda: Grid(4, 60, 65), "min_pitch and max_pitch"),
        (lambda: Grid(4, 20, 90), "min_pitch and max_pitch"),
        (lambda: Grid(1, metre=(3, 8)), "a bar of 3/8 is 1.5 steps"),
        (lambda: Grid.from_json({"num_classes": 40}), "not 40"),
        (lambda: parse_metre("6"), "metre must be"),
        (lambda: parse_metre("6/7"), "metre must be"),
        (lambda: make_key(60, "majorish"), "use one of major"),
        (lambda: make_key(60, [0, 2, 2]), "rising semitones"),
        (lambda: make_key(60, [1, 2]), "start with 0"),
        (lambda: make_key("H3", "major"), "tonic_pitch"),
        (lambda: make_key(60.0, "major"), "tonic_pitch"),
        (lambda: Frame(key=make_key(30, "major")), "outside the range"),
        (lambda: MusicTheoryReward(scale="ionic"), "MusicTheoryReward.scale"),
    ],
)
def test_what_is_out_of_range_is_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_a_name_in_place_of_the_tonic_reward_is_explained():
    with pytest.raises(ValueError, match="tonic_pitch"):
        MusicTheoryReward(tonic="A3")


def test_names_of_pitches_and_keys():
    assert [parse_pitch(p) for p in ("C4", "A3", "a", "Bb2", "F♯5", 61)] == [60, 57, 69, 46, 78, 61]
    assert [str(make_key(*k)) for k in (("Eb4", "minor"), ("F#4", "dorian"), ("C", [0, 1, 6]))] == [
        "D# minor",
        "F# dorian",
        "C scale",
    ]
    fifths = {"D dorian": 0, "G mixolydian": 0, "A minor": 0, "C minor": -3, "E major": 4}
    for name, expected in fifths.items():
        tonic, scale = name.split()
        assert make_key(tonic, scale).fifths == expected
    assert make_key("A3", SCALES["minor"]) == make_key(57, "minor")


@pytest.mark.parametrize("shift", [-5, 2, 7])
def test_every_rule_moves_with_the_key(shift):
    melodies = random_melodies(60, 32, 22, seed=3)
    moved = np.where(melodies >= 2, melodies + 6 + shift, melodies)
    melodies = np.where(melodies >= 2, melodies + 6, melodies)
    reward = MusicTheoryReward(lag_1=1.0)
    there = MusicTheoryReward(lag_1=1.0, tonic_pitch=60 + shift)
    here, gone = reward(tf.constant(melodies)), there(tf.constant(moved))
    # The autocorrelation depends on the numbers of specials, which do not move.
    for name in set(here) - {"autocorrelation"}:
        np.testing.assert_array_equal(here[name], gone[name], err_msg=name)


def test_the_range_does_not_change_the_rules():
    melodies = random_melodies(60, 32, 26, seed=4)
    wide = Frame(Grid(min_pitch=36, max_pitch=95))
    lifted = np.where(melodies >= 2, melodies + 12, melodies)
    reward = MusicTheoryReward()
    here, there = reward(tf.constant(melodies)), reward(tf.constant(lifted), wide)
    for name in set(here) - {"autocorrelation"}:
        np.testing.assert_array_equal(here[name], there[name], err_msg=name)


def naive_repeated_motif(row, width):
    found = []
    for t in range(len(row)):
        last = list(row[t - width + 1 : t + 1])
        earlier = [list(row[e - width + 1 : e + 1]) for e in range(width - 1, t - width + 1)]
        is_motif = t >= width - 1 and len({c for c in last if c >= 2}) >= 3
        found.append(is_motif and last in earlier)
    return found


@pytest.mark.parametrize(
    "grid", [Grid(), JIG, Grid(6), Grid(3), Grid(24), Grid(metre=(2, 2)), Grid(metre=(5, 8))]
)
def test_repeated_motifs_of_any_length(grid):
    frame = Frame(grid)
    width = frame.motif_steps
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(20):
        bar = rng.integers(0, 8, width)
        rows.append(np.concatenate([bar, rng.integers(0, 8, rng.integers(0, 9)), bar, bar, bar]))
        rows[-1] = rows[-1][: 3 * width]
    melodies = np.array(rows)
    found = rules.repeated_motif(tf.constant(melodies), frame).numpy()
    assert found.tolist() == [naive_repeated_motif(row, width) for row in melodies]
    assert found.any()
    nearness = rules.longest_repeat_so_far(tf.constant(melodies), frame).numpy()
    assert ((nearness == width) == np.maximum.accumulate(found, axis=1)).all()


def test_holds_are_counted_in_sixteenths():
    note = tf.constant([[14] + [0] * 40])
    for steps_per_quarter, first in ((4, 6), (8, 10), (24, 26)):
        found = rules.excessively_repeated(note, Frame(Grid(steps_per_quarter)))[0].numpy()
        assert np.flatnonzero(found)[0] == first


def test_the_tonic_is_in_its_place_on_the_last_beat():
    frame = Frame(JIG, make_key("A3", "minor"))
    melody = np.full([1, 24], 20)
    melody[0, 0] = melody[0, 18] = frame.tonic_class
    melody[0, 19:] = 0
    found = rules.tonic_in_place(tf.constant(melody), frame)[0].numpy()
    assert np.flatnonzero(found).tolist() == [0, *range(18, 24)]


def test_the_third_of_a_minor_key_is_consonant():
    minor = Frame(key=make_key(60, "minor"))
    melody = tf.constant([[14, 17], [14, 18]])  # C E flat, C E
    assert intervals.interval_weight(melody, minor)[:, 1].numpy().tolist() == pytest.approx(
        [0.15, 0.09]
    )
    assert intervals.interval_weight(melody)[:, 1].numpy().tolist() == pytest.approx([0.0, 0.15])
    assert rules.in_key(melody, minor).numpy().tolist() == [[True, True], [True, False]]


def test_a_task_adopts_the_grid_of_its_data():
    task = MelodyTask(bars=3, reward=MusicTheoryReward(scale="minor", tonic_pitch="A3"))
    assert (task.horizon, task.num_classes) == (48, 38)
    task.adopt({"encoding": Grid(12, 50, 90, (6, 8)).to_json()})
    assert (task.horizon, task.num_classes) == (108, 43)
    melodies = random_melodies(4, 108, 43)
    tokens = tf.constant(melodies, tf.int32)
    sums = metrics.table1_sums(tokens, task.frame)
    key = task.frame.key
    outside = sum(c >= 2 and not key.contains(int(c) + 48) for c in melodies.ravel())
    assert sums["not_in_key"].numpy() == outside
    presentation = task.presentation()
    assert set(task.features(tokens, tf.ones([4, 108]))) == set(task.feature_names)
    assert presentation.images(melodies).shape[0] == 1
    assert presentation.figures({"tuned": melodies})["samples"].axes
    notes = presentation.graph_codec().decode(tokens, tf.fill([4], 108))
    assert notes["pitches"][0].numpy()[0] == task.frame.grid.notes(melodies[0])[0][0]
    assert task.metrics({k: float(v) for k, v in sums.items()})["motif"] > 0


def test_the_horizon_comes_before_the_bars():
    assert MelodyTask().horizon == 32
    assert MelodyTask(horizon=20, bars=4).horizon == 20
    with pytest.raises(ValueError, match="horizon"):
        MelodyTask(horizon=3)
    with pytest.raises(ValueError, match="bars"):
        MelodyTask(bars=0)


def test_a_picture_has_its_bar_lines_at_bars():
    picture = rendering.piano_roll_image(np.zeros([1, 24], int), scale=1, frame=Frame(JIG))
    row = picture[5, 3:-3, 0]  # without gap and frame
    assert np.flatnonzero(row == 140).tolist() == [0, 12]
    assert C_MAJOR.contains(71) and not C_MAJOR.contains(70)
