"""The ledger of calls, against the benchmark's formula written out naively."""

import numpy as np
import pytest

from rl_tuner.core.ledger import Ledger


def naive_auc(rewards, count, calls):
    """PMO's area: every 100 calls a trapezoid of the mean of the best, and the last mean for the rest."""

    def top(size):
        return float(np.mean(sorted(rewards[:size], reverse=True)[:count]))

    area, before = 0.0, 0.0
    for size in range(100, min(len(rewards), calls) + 1, 100):
        area += 100 * (before + top(size)) / 2
        before = top(size)
    rest = len(rewards) % 100
    area += rest * (before + top(len(rewards))) / 2
    area += (calls - len(rewards)) * top(len(rewards))
    return area / calls


def fill(ledger, rewards, first=0):
    keys = [str(first + place) for place in range(len(rewards))]
    assert ledger.admit(keys).all()
    ledger.record(zip(keys, rewards))


@pytest.mark.parametrize("size", [1, 9, 100, 1_234])
@pytest.mark.parametrize("count", [1, 10, 100])
def test_areas_are_those_of_the_benchmark(size, count):
    rewards = np.random.default_rng(size).random(size).tolist()
    ledger = Ledger(budget=2_000)
    fill(ledger, rewards)
    assert ledger.auc(count, 2_000) == pytest.approx(naive_auc(rewards, count, 2_000))
    assert ledger.auc(count) == pytest.approx(naive_auc(rewards, count, size))
    assert ledger.best(count) == pytest.approx(np.mean(sorted(rewards)[-count:]))


def test_a_budget_is_spent_to_the_last_call_and_known_ones_are_free():
    ledger = Ledger(budget=3)
    assert ledger.admit(["a", "", "b", "a"]).tolist() == [True] * 4
    ledger.record([("a", 0.5), ("", 9.0), ("b", 0.25), ("a", 0.7)])
    assert (ledger.calls, ledger.left, ledger.why_over()) == (2, 1, None)
    assert ledger.best(10) == 0.375
    assert ledger.admit(["c", "d", "a", "", "c"]).tolist() == [True, False, True, True, True]
    ledger.record([("c", 1.0), ("a", 0.5)])
    assert (ledger.calls, ledger.left) == (3, 0)
    assert ledger.why_over() == "all 3 calls of the reward are made"
    assert "c" in ledger
    assert "d" not in ledger
    assert ledger.leaders() == ["c", "a", "b"]


def test_patience_counts_calls_since_the_ten_best_rose():
    ledger = Ledger(patience=5)
    fill(ledger, [1.0] * 10)
    assert ledger.why_over() is None
    fill(ledger, [1.0] * 4, first=10)
    assert ledger.why_over() is None
    fill(ledger, [1.1], first=14)
    assert ledger.why_over() is None
    fill(ledger, [1.0] * 5, first=15)
    assert "has not risen for 5 calls" in ledger.why_over()


def test_enough_is_enough():
    ledger = Ledger(enough=0.5)
    assert ledger.why_over() is None
    fill(ledger, [0.4, 0.6])
    assert "0.500, which is enough" in ledger.why_over()


def test_a_restored_ledger_is_the_same():
    rewards = np.random.default_rng(0).random(250).tolist()
    whole, restored = Ledger(budget=300), Ledger(budget=300)
    fill(whole, rewards)
    restored.restore((str(place), reward) for place, reward in enumerate(rewards))
    assert restored.numbers() == whole.numbers()
    assert restored.left == 50
