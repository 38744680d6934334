"""What targets asked for beside what the policy got."""

import pytest

from rl_tuner.core.controller import Standing
from rl_tuner.core.features import Bound
from rl_tuner.tuning.asked import asked_and_got, asked_table, shortfalls


class Controller:
    """Two bounds on motifs, of which the low one binds, and a high one on repeated notes."""

    def standings(self):
        return [
            Standing(Bound("motif", 1, 0.7), 0.1, 0.5, 0.5),
            Standing(Bound("motif", -1, 0.9), 0.1, 0.0, 0.0),
            Standing(Bound("repeated_notes", -1, 0.01), -0.1, 2.0, 3.0),
        ]


PRIOR = {"feature/motif": 0.5, "feature/repeated_notes": 0.2}
TUNED = {
    "feature/motif": 0.71,
    "feature_weight/motif": 32.0,
    "feature/repeated_notes": 0.02,
    "feature_weight/repeated_notes": 32.0,
}


def test_both_sides_of_a_target_are_one_row():
    found = asked_and_got(Controller(), PRIOR, TUNED)
    assert found["motif"] == {
        "low": 0.7,
        "high": 0.9,
        "prior": 0.5,
        "tuned": 0.71,
        "met": True,
        "multiplier": 0.5,
        "cost_of_0.01": pytest.approx(0.01 * 0.5 * 32),
    }
    assert found["repeated_notes"]["multiplier"] == -2.0
    assert found["repeated_notes"]["cost_of_0.01"] == pytest.approx(0.01 * 3.0 * 32)


def test_what_is_not_met_is_named():
    found = asked_and_got(Controller(), PRIOR, TUNED)
    assert shortfalls(found) == ["repeated_notes is 0.02, not at most 0.01"]
    table = asked_table(found).splitlines()
    assert table[1].split()[:1] == ["motif"] and "yes" in table[1]
    assert "repeated notes" in table[2] and "NO" in table[2]
    low = asked_and_got(Controller(), PRIOR, TUNED | {"feature/motif": 0.6})
    assert "motif is 0.6, not at least 0.7" in shortfalls(low)


def test_an_undefined_feature_is_not_met():
    found = asked_and_got(Controller(), PRIOR, TUNED | {"feature/motif": None})
    assert not found["motif"]["met"]
    assert any(line.startswith("motif is ") for line in shortfalls(found))
