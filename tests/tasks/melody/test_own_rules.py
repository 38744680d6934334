"""Rules of a user's own, and the two of harmony."""

import pytest
import tensorflow as tf

from examples import own_rules as example
from rl_tuner.common.errors import UserError
from rl_tuner.core.task import check_reward_parts
from rl_tuner.tasks.melody import harmony, own_rules
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.melody.key import make_key
from rl_tuner.tasks.melody.reward import MusicTheoryReward
from rl_tuner.tasks.melody.task import MelodyTask

# C, hold, F sharp, off, C: a tritone up and one down.
MELODY = tf.constant([[14, 0, 20, 1, 14, 16, 18, 0]])


def late(melody):
    return tf.cast(melody > 17, tf.float32)


def by_key(melody, frame):
    return tf.cast(melody == frame.tonic_class, tf.float32)


def test_a_rule_is_a_part_of_the_reward():
    reward = MusicTheoryReward(rules=[example.no_tritone(-3.0), late, by_key], tonic_pitch="D4")
    assert reward.part_names[-3:] == ("no_tritone", "late", "by_key")
    parts = reward(MELODY)
    assert parts["no_tritone"].numpy().tolist() == [[0, 0, -3, 0, -3, 0, 0, 0]]
    assert parts["late"].numpy().tolist() == [[0, 0, 1, 0, 0, 0, 1, 0]]
    assert parts["by_key"].numpy().tolist() == [[0, 0, 0, 0, 0, 1, 0, 0]]
    task = MelodyTask(reward=reward)
    check_reward_parts(task)
    assert "no_tritone" in task.feature_names


def test_a_rule_in_ten_lines():
    with open(example.__file__, encoding="utf-8") as file:
        lines = file.read().partition("def no_tritone")[2].splitlines()
    assert len([line for line in lines if line.strip()]) <= 10


def fails(melody):
    raise KeyError("chord")


def flat(melody):
    return tf.reduce_sum(tf.cast(melody, tf.float32), axis=1)


def text(melody):
    return "good"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (fails, "rules: fails failed: KeyError: .*chord"),
        (flat, r"rules: flat must return .* \[B, T\]"),
        (text, "rules: text must return"),
    ],
)
def test_an_error_in_a_rule_is_one_line(rule, message):
    with pytest.raises(UserError, match=message) as caught:
        MusicTheoryReward(rules=[rule])(MELODY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["no_tritone"], "must be functions"),
        ([late, late], "the name late is taken"),
        ([lambda melody: melody], "use a function with def"),
    ],
)
def test_what_is_not_a_rule_is_refused(rules, message):
    with pytest.raises(UserError, match=message):
        MusicTheoryReward(rules=rules)


def test_names_of_rules():
    class Rising:
        def __call__(self, melody):
            return melody

    assert own_rules.rule_name(Rising()) == "Rising"
    assert own_rules.rule_name(example.no_tritone()) == "no_tritone"


def test_chord_tones_on_strong_beats():
    # Bars of C and F: E on one, D on three, F on one, C between the beats.
    bars = [18, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0]
    bars += [19, 0, 14, 0, 0, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0]
    found = harmony.chord_tones(tf.constant([bars]), "C F").numpy()[0]
    assert found.nonzero()[0].tolist() == [0, 16, 24]
    jig = Frame(Grid(metre=(6, 8)))
    found = harmony.chord_tones(tf.constant([[14, 0, 0, 0, 0, 0] * 4]), "C Am7", jig).numpy()[0]
    assert found.nonzero()[0].tolist() == [0, 12]


def test_phrases_end_on_stable_degrees():
    for pitch, is_stable in ((14, True), (17, True), (18, False), (21, True), (16, False)):
        bars = [14] + [0] * 15 + [pitch] + [0] * 15
        found = harmony.stable_endings(
            tf.constant([bars]), 2, Frame(key=make_key(60, "minor"))
        ).numpy()[0]
        assert found.nonzero()[0].tolist() == ([31] if is_stable else [])
    assert harmony.stable_endings(tf.constant([[14] + [0] * 31]), 1).numpy().sum() == 2


def test_harmony_is_off_until_it_has_a_weight():
    assert "chord_tones" not in MusicTheoryReward(chords="C G").part_names
    reward = MusicTheoryReward(chord_tones=2.0, chords="C G7", phrase_endings=1.5)
    assert reward.part_names[-2:] == ("chord_tones", "phrase_endings")
    parts = reward(tf.constant([[14] + [0] * 31]))
    assert parts["chord_tones"].numpy().sum() == 2
    assert parts["phrase_endings"].numpy()[0, 31] == 1.5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"chord_tones": 1.0}, "chord_tones needs chords"),
        ({"chords": "C Hm"}, "'Hm' is unknown"),
        ({"chords": "Cmaj9"}, "'Cmaj9' is unknown"),
        ({"phrase_bars": 0}, "phrase_bars must be at least 1"),
    ],
)
def test_wrong_settings_of_harmony(values, message):
    with pytest.raises(UserError, match=message):
        MusicTheoryReward(**values)
