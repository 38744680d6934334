import os

import pytest

from benchmarks.speed import scaling, scaling_cases
from tests.benchmarks.test_speed import FACTS


def points(power):
    return [
        {"size": size, "time, ms": 3.0 * size**power, "memory, MB": 7.0} for size in (8, 32, 64)
    ]


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_is_that_of_the_curve(power):
    assert scaling.exponent(points(power), "time, ms") == pytest.approx(power)


def test_one_size_has_no_exponent():
    assert scaling.exponent(points(1.0)[:1], "time, ms") is None


def test_results_are_a_table_a_curve_and_a_plot(tmp_path):
    curves = {"length": points(1.0), "replay": points(2.0)}
    paths = scaling.write_results(curves, FACTS, str(tmp_path))
    with open(paths[0], encoding="utf-8") as file:
        text = file.read()
    assert "| 64 | 192 | 7.00 |" in text and text.count("## ") == 2
    assert "| exponent | 1.00 | 0.00 |" in text and "| exponent | 2.00 | 0.00 |" in text
    assert os.path.getsize(paths[2]) > 10_000


def test_the_sizes_of_networks_are_their_operations():
    assert scaling_cases.CURVES["network"].sizes == tuple(scaling_cases._networks())


def test_a_small_replay_is_measured(monkeypatch):
    monkeypatch.setattr(scaling_cases, "_SECONDS", 0.01)
    found = scaling_cases.replay(64, "")
    assert found["prioritised draw, ms"] > 0 and found["memory, MB"] > 100


def test_a_small_corpus_is_measured(tmp_path):
    found = scaling_cases.corpus(40, str(tmp_path))
    assert all(value > 0 for value in found.values()) and "epoch, s" in found
