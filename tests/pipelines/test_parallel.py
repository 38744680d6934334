import functools
import math
import operator
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from pipelines import parallel
from rl_tuner.common import workers


def run(function, items, **changes):
    options = {"num_processes": 2, "timeout_seconds": 60.0} | changes
    return list(parallel.map_isolated(function, items, **options))


def test_values_come_in_order():
    outcomes = run(math.sqrt, [i * i for i in range(50)])
    assert [o.value for o in outcomes] == list(range(50))
    assert [o.item for o in outcomes] == [i * i for i in range(50)]


def test_no_items():
    assert run(math.sqrt, []) == []


def test_an_exception_is_the_outcome_of_its_item_only():
    outcomes = run(math.sqrt, [4, -1, 9])
    assert [o.value for o in outcomes] == [2, None, 3]
    assert outcomes[1].failure == workers.FAILED
    assert outcomes[1].detail.startswith("ValueError")


def test_a_hang_is_killed_and_the_rest_goes_on():
    start = time.monotonic()
    outcomes = run(time.sleep, [0, 3600, 0, 3600, 0], timeout_seconds=1.0)
    assert [o.failure for o in outcomes] == [
        None,
        workers.TIMED_OUT,
        None,
        workers.TIMED_OUT,
        None,
    ]
    assert time.monotonic() - start < 20


def test_c_code_that_ignores_signals_is_killed():
    endless = functools.partial(re.match, r"(a+)+$")
    outcomes = run(endless, ["b", "a" * 64 + "b"], timeout_seconds=1.0)
    assert [o.failure for o in outcomes] == [None, workers.TIMED_OUT]


def test_a_dying_worker_is_replaced():
    outcomes = run(os._exit, [3, 0], num_processes=1)
    assert [o.failure for o in outcomes] == [workers.CRASHED] * 2
    assert outcomes[0].detail == "exit code 3"
    (outcome,) = run(signal.raise_signal, [signal.SIGKILL])
    assert (outcome.failure, outcome.detail) == (workers.CRASHED, "signal 9")


def test_memory_is_limited():
    allocate = functools.partial(operator.mul, b"0")
    outcomes = run(allocate, [4 * 2**30, 3], memory_mb=1024)
    assert outcomes[0].failure == workers.FAILED
    assert outcomes[0].detail.startswith("MemoryError")
    assert outcomes[1].value == b"000"


def test_a_result_that_cannot_travel_is_a_failure():
    (outcome,) = run(open, [os.devnull])
    assert outcome.failure == workers.FAILED


def test_a_worker_that_cannot_start_is_an_error():
    with pytest.raises(RuntimeError, match=r"cannot start.*no_such_module"):
        run(math.sqrt, [1], preload=["no_such_module"])


def test_no_worker_outlives_its_parent():
    code = (
        "import functools, os, re, signal, sys\n"
        "from pipelines import parallel\n"
        "items = ['ready', 'a' * 64 + 'b']\n"
        "hang = functools.partial(re.match, '(a+)+$')\n"
        "outcomes = parallel.map_isolated(hang, items, num_processes=1, timeout_seconds=600)\n"
        "next(outcomes)\n"
        "children = open(f'/proc/self/task/{os.getpid()}/children').read()\n"
        "print(children, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    (child,) = map(int, done.stdout.split())
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{child}") and time.monotonic() < deadline:
        with open(f"/proc/{child}/stat") as stat:
            if stat.read().rsplit(")")[-1].split()[0] == "Z":
                break
        time.sleep(0.05)
    else:
        assert not os.path.exists(f"/proc/{child}")
