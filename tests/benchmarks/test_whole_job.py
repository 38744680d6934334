import sys
import types

import pytest

from benchmarks.speed import whole_job
from rl_tuner.common.errors import UserError

FACTS = {
    "command": "python -m benchmarks.speed.whole_job",
    "versions": {"python": "3.11"},
    "machine": {"cores": 2, "cpu": "some CPU", "load": 0.1},
}
JOB = """
for line in ("device: CPU", "dataset: making a (not made yet)", "tune: 5/9 steps", "tune: making b (x)"):
    print(line)
"""


def test_a_stage_lasts_until_the_next_is_announced(monkeypatch):
    clock = iter([10.0, 11.0, 13.0, 17.0])
    monkeypatch.setattr(whole_job, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    found = whole_job.stage_seconds([sys.executable, "-c", JOB])
    # Progress announces nothing; the last stage ends with the job.
    assert found == {"start": 1.0, "dataset": 2.0, "tune": 4.0}


def test_a_job_that_fails_is_an_error():
    with pytest.raises(UserError, match="exit code 3"):
        whole_job.stage_seconds([sys.executable, "-c", "raise SystemExit(3)"])


def test_the_table_has_a_row_a_stage_and_their_sum():
    text = whole_job.markdown("psi_music", {"install": 60.0, "tune": 180.0}, FACTS)
    assert "| tuning, including its first compilation | 180 | 75% |" in text
    assert "| all | 240 | 100% |" in text
