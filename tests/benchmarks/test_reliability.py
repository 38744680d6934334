"""The measurement of reliability: its parts find what is wrong, and the short forms of them find nothing."""

import random

import pytest

from benchmarks.reliability import __main__ as command
from benchmarks.reliability import fuzz, hostile, jobs, kills, soak


def test_random_cases_are_survived():
    outcome = fuzz.fuzz(20_000, seed=1)
    assert outcome.wrong == [] and sum(outcome.cases.values()) == 20_000


def test_a_wrong_case_is_named_and_can_be_repeated(monkeypatch):
    def fails(rng):
        assert rng.random() < 0.9, "too large"

    monkeypatch.setattr(fuzz, "_KINDS", {"numbers": (fails, 1.0)})
    outcome = fuzz.fuzz(200)
    assert 5 < len(outcome.wrong) < 50
    kind, name = outcome.wrong[0].split(": ")[0].rsplit(" ", 1)
    with pytest.raises(AssertionError, match="too large"):
        fuzz.case(kind, name)


@pytest.mark.parametrize("kind", sorted(hostile.KINDS))
def test_hostile_files_are_read_or_rejected_by_name(tmp_path, kind):
    outcome = hostile.hostile_files(kind, 150, str(tmp_path), seed=2)
    assert outcome.unnamed == [] and outcome.tracebacks == []
    assert 50 < outcome.rejected <= 150


def test_damage_is_random_but_repeatable():
    good = b"X:1\nK:C\nCDEF|\n" * 5
    first = [hostile.damaged(good, random.Random(seed)) for seed in range(50)]
    assert first == [hostile.damaged(good, random.Random(seed)) for seed in range(50)]
    assert len(set(first)) > 40


def test_drift_leaves_the_beginning_out():
    flat = [soak.Sample(5.0 * i, 1000.0, 20, 3, 100 * i) for i in range(40)]
    for sample in flat[:8]:
        sample.megabytes = 1.0
    found = soak.drift(flat)
    assert found["megabytes"] == (1000.0, 1000.0) and found["steps/s"] == pytest.approx((20, 20))
    flat[-1].megabytes = 2000.0
    assert soak.drift(flat)["megabytes"][1] > 1050


def test_the_report_counts_what_went_wrong():
    found = {
        "command": "--kills=1",
        "machine": "a machine",
        "kills": {"melodies": {"kills": {"tune": 2}, "finished": 1, "differences": ["x differs"]}},
        "fuzz": {
            "all": {"cases": {"a": 3}, "wrong": ["a 00: Error"], "seconds": 1.0, "megabytes": 2.0}
        },
    }
    text = command.report(found)
    assert "| melodies | 2 | tune 2 | 1 | 1 |" in text and "3 cases in 1 s" in text
    assert command._wrong(found) == ["x differs", "a 00: Error"]


def test_parts_that_were_measured_are_not_measured_again(tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        fuzz, "fuzz", lambda count, seed: calls.append(count) or fuzz.Outcome({}, [])
    )
    sample = soak.Sample(60.0, 1000.0, 20, 3, 10_000)
    monkeypatch.setattr(soak, "soak", lambda job, minutes, folder: [sample] * 8)
    flags = ["--kills=0", "--hostile=0", "--fuzz=9", "--soak_minutes=1", f"--output_dir={tmp_path}"]
    for extra in ([], [], ["--seed=1"]):
        monkeypatch.setattr("sys.argv", ["reliability", *flags, *extra])
        with pytest.raises(SystemExit) as ended:
            command.main()
        assert ended.value.code in (None, 0)
        said = capsys.readouterr()
        assert "| melodies | 1 | 1,000 → 1,000 |" in said.out
    assert calls == [9, 9] and "other settings" in said.err
    assert (tmp_path / "reliability_soak.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
@pytest.mark.parametrize("make", [jobs.melodies, jobs.molecules])
def test_killed_jobs_end_as_if_they_had_never_stopped(tmp_path, make):
    outcome = kills.kill_runs(make(str(tmp_path)), 3, str(tmp_path))
    assert outcome.differences == [] and sum(outcome.kills.values()) >= 3


@pytest.mark.slow
def test_a_long_run_stops_when_it_is_told_to(tmp_path):
    samples = soak.soak(jobs.melodies(str(tmp_path)), 1.5, str(tmp_path))
    assert samples[-1].steps > 10_000 and samples[-1].files < 200
