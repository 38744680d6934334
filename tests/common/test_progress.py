"""Progress: never long silent, also while the first unit of work takes long, and never garbled."""

import io
import itertools
import re
import threading
import time

import pytest

from rl_tuner.common import progress


class Terminal(io.StringIO):
    """A terminal that remembers everything that was written."""

    def isatty(self):
        return True

    def screen(self):
        """The lines that a person sees in the end."""
        lines = []
        for line in self.getvalue().split("\n"):
            seen = ""
            for part in line.split("\r"):
                seen = part + seen[len(part) :]
            lines.append(seen.rstrip())
        return lines


@pytest.fixture
def hasty(monkeypatch):
    """Every tick shows something."""
    for name in (
        "_SECONDS_BETWEEN_FIRST_LINES",
        "_SECONDS_BETWEEN_LINES",
        "_SECONDS_TO_LIVING_LINE",
    ):
        monkeypatch.setattr(progress, name, 0.0)
    monkeypatch.setattr(progress, "_TICK", 0.01)


def wait_until(true):
    while not true():
        time.sleep(0.01)


def test_short_work_says_nothing(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_FIRST_LINES", 1e9)
    stream = io.StringIO()
    with progress.Progress(3, "work", stream=stream) as shown, progress.working("part", stream):
        for _ in range(3):
            shown.update(1)
    assert stream.getvalue() == ""


@pytest.mark.usefixtures("hasty")
def test_a_long_first_unit_is_told_of():
    stream = io.StringIO()
    with progress.Progress(4, "work", "units", stream=stream) as shown:
        wait_until(stream.getvalue)
        shown.update(4, "loss 1.5")
    first, *_, last = stream.getvalue().splitlines()
    assert re.fullmatch(r"work: 0/4 units, \d+ s so far", first)
    assert re.fullmatch(r"work: 4/4 units, .*(/s|s each), 0 s left, loss 1\.5", last)


@pytest.mark.usefixtures("hasty")
def test_work_without_an_end_is_told_of():
    stream = io.StringIO()
    with progress.working("export", stream):
        wait_until(stream.getvalue)
    assert all(re.fullmatch(r"export: \d+ s so far", s) for s in stream.getvalue().splitlines())


@pytest.mark.usefixtures("hasty")
def test_the_work_inside_is_told_of_then_again_the_one_around_it():
    stream = io.StringIO()
    with progress.working("outer", stream):
        with progress.working("inner", stream):
            wait_until(lambda: "inner" in stream.getvalue())
        wait_until(lambda: stream.getvalue().splitlines()[-1].startswith("outer"))


def test_lines_come_seldom_when_work_is_long(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream, display = io.StringIO(), progress._Display()
    # Its thread would tick at its own times.
    display._thread = threading.current_thread()
    work = progress._Working("work", stream)
    display.begin(work)
    told = []
    for _ in range(130):
        clock[0] += 0.25
        before = stream.getvalue()
        display._show(work)
        if stream.getvalue() != before:
            told.append(clock[0])
    assert told[0] <= 3.0
    gaps = [late - early for early, late in itertools.pairwise(told)]
    assert max(gap for gap, at in zip(gaps, told) if at < 7) <= 3.0
    assert 9.0 <= gaps[-1] <= 10.5


@pytest.mark.usefixtures("hasty")
def test_no_more_is_shown_than_the_total():
    stream, terminal = io.StringIO(), Terminal()
    for out in (stream, terminal):
        with progress.Progress(20_000, "tune", "steps", stream=out) as shown:
            shown.update(20_224)
    assert stream.getvalue().startswith("tune: 20,000/20,000 steps, ")
    assert "tune: 100%" in terminal.getvalue() and "20.0k/20.0k" in terminal.getvalue()


@pytest.mark.usefixtures("hasty")
def test_a_line_replaces_the_living_one(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with progress.working("a long description of the work"):
        wait_until(terminal.getvalue)
        progress.say("a line")
        wait_until(lambda: terminal.getvalue().endswith("so far\r"))
        # What others print begins where the living line does.
        terminal.write("warning: of somebody else, who does not know of the living line\n")
    assert terminal.screen() == [
        "a line",
        "warning: of somebody else, who does not know of the living line",
        "",
    ]


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_shown_after_an_error(error):
    terminal = Terminal()
    with pytest.raises(error), progress.working("work", terminal):
        wait_until(terminal.getvalue)
        raise error
    assert terminal.screen() == [""]
    wait_until(lambda: not any(t.name == "progress" for t in threading.enumerate()))
    assert terminal.screen() == [""]


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
