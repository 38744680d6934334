"""Changes in groups: all are made, results reach those who asked, and a failure reaches all of its group."""

import contextlib
import threading
import time

import pytest

from rl_tuner.study.group_commit import GroupCommit


def test_changes_that_wait_are_made_together():
    commits, made = [], []

    @contextlib.contextmanager
    def transaction():
        before = len(made)
        yield "connection"
        time.sleep(0.02)
        commits.append(len(made) - before)

    group = GroupCommit(transaction)
    results = {}

    def one(number):
        def change(connection):
            made.append((connection, number))
            return number * 2

        results[number] = group.do(change)
        # What is returned is committed.
        assert sum(commits) >= 1

    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: 2 * n for n in range(40)}
    assert sum(commits) == 40 and len(commits) < 20


def test_nothing_is_acknowledged_if_the_commit_fails():
    @contextlib.contextmanager
    def transaction():
        yield None
        raise OSError("the disk is full")

    group = GroupCommit(transaction)
    for _ in range(2):
        with pytest.raises(OSError, match="disk is full"):
            group.do(lambda connection: "recorded")
