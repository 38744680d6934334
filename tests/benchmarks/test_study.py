"""The benchmark of the study's server: what it measures, and that kills lose nothing."""

import pytest

pytest.importorskip("starlette", reason="the extra study is not installed")
pytest.importorskip("sqlalchemy", reason="the extra study is not installed")

from benchmarks.study.__main__ import kill_servers, latency

pytestmark = pytest.mark.slow


def test_kills_at_random_moments_lose_no_acknowledged_answer():
    found = kill_servers(20, seed=1)
    assert found["lost"] == found["damaged"] == 0
    assert found["acknowledged"] > 100 and found["stored"] >= found["acknowledged"]


def test_raters_at_once_are_answered():
    found = latency(20, 5, think=1.0, seed=0)
    assert found["answer"]["number"] == 100 and found["sound"]["number"] == 200
    # Far below on idle cores; a busy machine gets some more.
    assert found["answer"]["median"] < 200
