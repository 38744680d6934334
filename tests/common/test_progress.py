"""Progress: lines in a log, also while the first unit of work takes long."""

import io
import re
import time

from rl_tuner.common import progress


def test_short_work_says_nothing():
    stream = io.StringIO()
    with progress.Progress(3, "work", stream=stream) as shown:
        for _ in range(3):
            shown.update(1)
    assert stream.getvalue() == ""


def test_a_long_first_unit_is_told_of(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_TO_FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "_TICK", 0.01)
    stream = io.StringIO()
    with progress.Progress(4, "work", "units", stream=stream) as shown:
        while not stream.getvalue():
            time.sleep(0.01)
        shown.update(4, "loss 1.5")
    first, last = stream.getvalue().splitlines()
    assert re.fullmatch(r"work: 0/4 units, \d+ s so far", first)
    assert re.fullmatch(r"work: 4/4 units, .*(/s|s each), 0 s left, loss 1\.5", last)


def test_work_without_an_end_is_told_of(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_TO_FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "_TICK", 0.01)
    stream = io.StringIO()
    with progress.working("export", stream):
        while not stream.getvalue():
            time.sleep(0.01)
    assert re.fullmatch(r"export: \d+ s so far\n", stream.getvalue())


def test_items_are_all_yielded():
    assert [*progress.track(range(5), total=5, description="items", stream=io.StringIO())] == [
        *range(5)
    ]


def test_a_warning_is_one_line_that_log_can_hide(capsys, monkeypatch):
    progress.warn("the test split of data is empty")
    assert capsys.readouterr().err == "warning: the test split of data is empty\n"
    monkeypatch.setattr(progress.logging, "get_verbosity", lambda: progress.logging.ERROR)
    progress.warn("unseen")
    assert capsys.readouterr().err == ""
