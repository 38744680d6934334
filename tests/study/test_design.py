"""Schedules: every ordered pair equally often, stimuli in turn, checks beside them."""

import collections
import itertools

import pytest

from rl_tuner.study.design import schedule

MODELS = {name: [f"{name}{i}" for i in range(10)] for name in ("a", "b", "c", "d")}


def all_of(raters, comparisons, checks=0, stimuli=MODELS, seed=3):
    return [schedule(stimuli, number, comparisons, checks, seed) for number in range(raters)]


@pytest.mark.parametrize(("raters", "comparisons"), [(12, 7), (6, 20), (24, 1)])
def test_every_ordered_pair_is_shown_equally_often(raters, comparisons):
    assert raters * comparisons % 12 == 0
    found = [c for one in all_of(raters, comparisons) for c in one]
    counts = collections.Counter((c.first[0], c.second[0]) for c in found)
    assert set(counts) == set(itertools.permutations("abcd", 2))
    assert set(counts.values()) == {len(found) // 12}


def test_a_study_that_ends_early_is_off_by_one_block_at_most():
    found = [c for one in all_of(5, 7) for c in one]
    counts = collections.Counter((c.first[0], c.second[0]) for c in found)
    assert max(counts.values()) - min(counts[p] for p in itertools.permutations("abcd", 2)) <= 1


def test_stimuli_are_used_in_turn_and_none_twice_by_one_rater():
    raters = all_of(20, 12)
    for one in raters:
        shown = [s for c in one for s in c[:2]]
        assert len(set(shown)) == len(shown)
    used = collections.Counter(s for one in raters for c in one for s in c[:2])
    assert len(used) == 40 and max(used.values()) - min(used.values()) <= 1


def test_the_same_stimuli_do_not_always_meet():
    two = {name: MODELS[name] for name in ("a", "b")}
    pairs = {frozenset(c[:2]) for one in all_of(40, 10, stimuli=two) for c in one}
    assert len(pairs) > 90


def test_a_check_is_one_stimulus_twice_and_never_comes_first():
    for one in all_of(30, 6, checks=2):
        checks = [place for place, c in enumerate(one) if c.is_check]
        assert len(one) == 8 and len(checks) == 2 and 0 not in checks
        assert all(one[place].first == one[place].second for place in checks)
        assert all(c.first[0] != c.second[0] for c in one if not c.is_check)


def test_the_seed_decides():
    assert all_of(3, 6, checks=1) == all_of(3, 6, checks=1)
    assert all_of(3, 6) != all_of(3, 6, seed=4)
