import functools
import math
import os
import re
import signal
import time
from multiprocessing import connection

import pytest

from rl_tuner.common import workers
from rl_tuner.common.errors import class_and_message


@pytest.fixture
def start():
    made = []

    def start(*args):
        made.append(workers.Worker(*args))
        return made[-1]

    yield start
    for worker in made:
        worker.kill()


def collect(worker):
    assert connection.wait([worker.pipe], timeout=60)
    return worker.collect()


def test_a_worker_answers_items_one_by_one(start):
    worker = start(math.sqrt)
    assert not worker.is_idle
    assert collect(worker) == (None, None)
    for index, item in enumerate([4.0, 9.0]):
        assert worker.is_idle
        worker.assign(index, item, 60.0)
        assert not worker.is_idle
        assert worker.deadline > time.monotonic() + 30
        assert collect(worker) == (index, workers.Outcome(item, value=math.sqrt(item)))
    assert worker.deadline == math.inf


def test_an_exception_is_an_outcome(start):
    worker = start(math.sqrt)
    collect(worker)
    worker.assign(7, -1.0, 60.0)
    index, outcome = collect(worker)
    assert (index, outcome.failure) == (7, workers.FAILED)
    assert outcome.detail.startswith("ValueError: ")
    assert worker.is_idle


def test_expiring_kills_even_c_code(start):
    worker = start(functools.partial(re.match, r"(a+)+$"))
    collect(worker)
    worker.assign(1, "a" * 64 + "b", 0.01)
    time.sleep(0.1)
    assert worker.deadline < time.monotonic()
    index, outcome = worker.expire()
    assert (index, outcome.failure) == (1, workers.TIMED_OUT)
    assert not worker.is_alive
    assert not os.path.exists(f"/proc/{worker.pid}")


def test_dying_at_an_item_loses_the_item_and_dying_idle_loses_none(start):
    worker = start(os._exit)
    collect(worker)
    worker.assign(1, 3, 60.0)
    index, outcome = collect(worker)
    assert (index, outcome.failure, outcome.detail) == (1, workers.CRASHED, "exit code 3")
    idle = start(math.sqrt)
    collect(idle)
    os.kill(idle.pid, signal.SIGKILL)
    assert collect(idle) == (None, None)
    assert not idle.is_alive


def test_preparing_comes_first_and_may_fail(start):
    worker = start(os.getenv, functools.partial(os.putenv, "UNSEEN", "1"))
    assert collect(worker) == (None, None)
    failing = start(math.sqrt, functools.partial(math.sqrt, -1.0))
    with pytest.raises(RuntimeError, match="cannot start: ValueError"):
        collect(failing)
    assert not failing.is_alive


def test_dying_at_the_start_is_an_error(start):
    failing = start(math.sqrt, functools.partial(os._exit, 5))
    with pytest.raises(RuntimeError, match="cannot start: worker crashed exit code 5"):
        collect(failing)


def test_an_error_is_one_line():
    assert class_and_message(ValueError("a\n  b")) == "ValueError: a b"
    assert len(class_and_message(ValueError("x" * 999))) == 300
