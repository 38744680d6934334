import json
import os
import resource

import numpy as np
import pytest

from benchmarks.speed import data, measuring, molecules, startup
from benchmarks.speed.measuring import Row
from tests.tiny_job import ROOT

FACTS = {
    "command": "python -m benchmarks.speed",
    "versions": {"python": "3.11", "tensorflow": "2.21"},
    "machine": {"cores": 2, "cpu": "some CPU", "load": 0.1},
    "load_at_end": 2.0,
}
ROWS = [
    Row("Sampling", "rollout", 1_000.0, "melodies/s", 4e6, 8e6, "both networks"),
    Row("Sampling", "evaluation", 5.0, "seconds", 1e10),
    Row("A process", "memory", 812.3, "MB"),
]


def test_shares_are_operations_a_second_of_the_peak():
    # 1,000 a second of 4 million operations each, of 10^10; 10^10 operations in 5 seconds.
    assert ROWS[0].share_of_peak(1e10) == pytest.approx(0.4)
    assert ROWS[0].share_of_peak(1e10, one_hot=True) == pytest.approx(0.8)
    assert ROWS[1].share_of_peak(1e10) == pytest.approx(0.2)
    assert ROWS[2].share_of_peak(1e10) is None
    with pytest.raises(ValueError, match="MB"):
        Row("A process", "memory", 1.0, "MB", 1.0).share_of_peak(1e10)


def test_the_table_has_a_part_a_group_and_a_row_a_case():
    text = measuring.markdown(ROWS, 1e10, FACTS)
    assert text.count("## ") == 2 and text.count("| case |") == 2
    assert "| rollout | 1,000 | melodies/s | 4,000 | 40% | 80% | both networks |" in text
    assert "| memory | 812 | MB |  |  |  |  |" in text
    assert "10 GFLOP/s" in text and "some CPU" in text


def test_json_holds_versions_machine_and_every_row():
    found = json.loads(json.dumps(measuring.as_json(ROWS, 1e10, FACTS)))
    assert found["machine"]["cores"] == 2 and found["versions"]["tensorflow"] == "2.21"
    assert [row["case"] for row in found["rows"]] == ["rollout", "evaluation", "memory"]
    assert found["rows"][0]["share_of_peak"] == pytest.approx(0.4)
    assert found["matrix_product_gflops"] == 10


def test_numbers_keep_two_digits():
    shown = [measuring.number(x) for x in (12_345.6, 99.94, 1.234, 0.1234, 0.001234)]
    assert shown == ["12,346", "99.9", "1.23", "0.12", "0.0012"]


def test_the_first_call_is_not_counted():
    calls = []
    rate = measuring.rate_of(lambda: calls.append(None), 1e-3)
    assert rate > 0 and len(calls) > 5


def test_a_matrix_product_has_a_rate():
    assert measuring.matrix_product_peak(1e-3) > 1e8


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_peak_memory_is_no_less_than_what_is_held_now():
    held = np.ones(25_000_000)  # 200 MB
    with open("/proc/self/statm", encoding="utf-8") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize() / 1e6
    assert 200 < resident <= measuring.peak_memory_mb() < 20_000
    del held


def test_inputs_are_written_as_asked(tmp_path):
    book = data.made_up_tunes(str(tmp_path / "book.abc"), 3)
    with open(book, encoding="utf-8") as file:
        assert file.read().count("X:") == 3
    some = data.first_lines(str(tmp_path / "some.smi"), "builtin:nci", 7)
    with open(some, encoding="utf-8") as file:
        assert len(set(file.read().split())) == 7


def test_a_run_is_watched_part_by_part():
    class FakeTask:
        def submit(self, strings):
            return strings

        def result(self, ticket):
            return ticket

        def images(self, sequences):
            return sequences

    class FakeTuner:
        environment_steps = 0

        def train_iterations(self, count, observer=None):
            task.result(task.submit("CC"))
            self.environment_steps += 20
            return {"collect/valid": 0.5}

    task, tuner = FakeTask(), FakeTuner()
    watch = molecules.Watch(task, tuner)
    for _ in range(3):
        tuner.train_iterations(1)
        task.images([])
    assert watch.tokens == [20, 20, 20] and watch.valid == [0.5] * 3
    assert len(watch.parts) == 3 and len(watch.pictures) == 3
    assert watch.drawing(len)([1, 2]) == 2 and len(watch.pictures) == 4
    assert all(value >= 0 for part in watch.parts for value in part.values())
    assert watch.parts[0]["summaries and checkpoints"] == 0.0
    assert watch.parts[1]["summaries and checkpoints"] > 0.0


def test_a_case_that_fails_says_why(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(RuntimeError, match="no_such_module"):
        startup._start("-m", "benchmarks.no_such_module")
