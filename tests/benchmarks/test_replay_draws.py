from benchmarks.speed import replay_draws


def test_both_ways_draw_the_same_and_are_told(monkeypatch):
    monkeypatch.setattr(replay_draws, "_REPEATS", 2)
    found = replay_draws.measure(100)
    assert min(found.values()) > 0
    text = replay_draws.markdown([found], {"cores": 2, "cpu": "x", "load": 0.1})
    assert "| 100 |" in text
