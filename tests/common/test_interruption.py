"""Signals in long work: the first is noted, the second ends the process."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rl_tuner.common.interruption import Deferred, Terminated

WORK = """
import sys, time
from rl_tuner.common.interruption import Deferred
with Deferred("work") as signals:
    print("started", flush=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.01)
        if signals.arrived and len(sys.argv) < 2:
            print("saved", flush=True)
            signals.stop()
"""


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_the_first_signal_is_noted_until_the_work_has_saved(capsys, number, kind):
    before = signal.getsignal(number)
    saved = []
    with pytest.raises(KeyboardInterrupt) as stopped, Deferred("tune") as signals:
        signals.stop()
        assert not signals.arrived
        os.kill(os.getpid(), number)
        assert signals.arrived
        saved.append(True)
        signals.stop()
    assert saved and stopped.type is kind and signal.getsignal(number) is before
    assert "tune: finishing the current iterations and saving" in capsys.readouterr().err


def test_a_signal_after_the_last_stop_is_not_lost():
    with pytest.raises(KeyboardInterrupt), Deferred("tune"):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_second_signal_ends_the_process_at_once():
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, "never saves"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"started\n"
    process.send_signal(signal.SIGTERM)
    assert b"second signal" in process.stderr.readline()
    assert process.poll() is None
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM and time.monotonic() - start < 5
    process.stdout.close()
    process.stderr.close()


IN_A_DESTRUCTOR = """
import os, signal, time
from rl_tuner.common import command_line

class Trap:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.01)

def work(values):
    Trap()
    time.sleep(60)

command_line.run(lambda values: None, work, usage="", argv=["work"])
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_that_arrives_in_a_destructor_is_not_lost(name, code):
    done = subprocess.run(
        [sys.executable, "-c", IN_A_DESTRUCTOR.format(name=name)],
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == code
    assert done.stderr == "error: interrupted; rerun the same command to resume\n"


def test_other_threads_leave_signals_alone():
    found = []

    def work():
        with Deferred("tune") as signals:
            found.append(signals.arrived)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
