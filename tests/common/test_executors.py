"""Calls on executors: of this machine, of one's own, and of a Dask scheduler that loses a worker."""

import concurrent.futures
import os
import threading
import time

import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.common.executors import OpenExecutor, SpreadFunction, check_executor
from rl_tuner.common.workers import CRASHED, FAILED, TIMED_OUT
from tests.dask_cluster import dask_cluster, wait_until

SCALE = 10.0


def call(number, extra=0.0):
    if number == 3:
        raise ValueError("no three")
    if number == 4:
        os._exit(7)
    if number == 5:
        time.sleep(600)
    return SCALE * number + extra


def slow_call(text):
    """Notes that it began, and takes a while."""
    folder, _, number = text.rpartition(":")
    with open(os.path.join(folder, f"{number}.{os.getpid()}"), "w"):
        time.sleep(0.5)
    return int(number) ** 2


def own_executor():
    return concurrent.futures.ThreadPoolExecutor(2)


@pytest.mark.parametrize("executor", ["processes:2", "tests.common.test_executors.own_executor"])
def test_limits_and_failures_are_those_of_one_machine(executor):
    spread = SpreadFunction(executor, call, {"extra": 0.5}, memory_mb=0)
    try:
        outcomes = spread.outcomes([0, 1, 3, 4, 5, 2], timeout_seconds=1.0)
    finally:
        spread.close()
    assert [each.value for each in outcomes] == [0.5, 10.5, None, None, None, 20.5]
    assert [each.failure for each in outcomes] == [None, None, FAILED, CRASHED, TIMED_OUT, None]
    assert outcomes[2].detail == "ValueError: no three"


def test_an_executor_that_was_given_stays_open():
    with concurrent.futures.ThreadPoolExecutor(1) as given:
        with OpenExecutor(given) as opened:
            assert opened.submit(pow, 2, 3).result() == 8
        assert given.submit(pow, 2, 4).result() == 16


def test_wrong_executors_are_told_before_they_are_opened():
    for wrong, message in [
        ("process", "must name module.function"),
        ("processes:0", "'processes:8'"),
        ("dask://host", "dask://host:port"),
        ("no_such_module.executor", "there is no module"),
        (3, "not 3"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_executor(wrong)
    for right in (None, own_executor, "processes", "tests.common.test_executors.own_executor"):
        check_executor(right)


@pytest.mark.slow
def test_dask_goes_on_when_a_worker_is_lost_and_another_is_found(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    with dask_cluster(tmp_path, workers=1) as cluster:
        spread = SpreadFunction(
            cluster.address.replace("tcp://", "dask://"), slow_call, {}, memory_mb=0
        )

        def lose_and_find():
            wait_until(lambda: len(os.listdir(notes)) >= 2)
            cluster.workers[0].kill()
            cluster.workers[0].wait()
            cluster.add_worker()

        thread = threading.Thread(target=lose_and_find)
        thread.start()
        outcomes = spread.outcomes([f"{notes}:{number}" for number in range(8)], 60.0)
        thread.join()
        spread.close()
    assert [each.value for each in outcomes] == [number**2 for number in range(8)]
    # The call that was under way when the worker was killed was made again elsewhere.
    assert len(os.listdir(notes)) > 8


@pytest.mark.slow
def test_no_dask_scheduler_is_one_line():
    pytest.importorskip("distributed", reason="Dask is not installed (the extra [dask])")
    with pytest.raises(UserError, match=r"executor 'dask://127\.0\.0\.1:9'"):
        OpenExecutor("dask://127.0.0.1:9")
