"""One writer per folder, also between processes."""

import os
import subprocess
import sys
import time

import pytest

from rl_tuner.common import locks
from rl_tuner.common.errors import UserError

HOLD = """
import sys, time
from rl_tuner.common import locks
with locks.only_writer(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_with_the_first_ones_number_and_start(tmp_path, holder):
    for enter in (lambda: locks.check(str(tmp_path)), locks.only_writer(str(tmp_path)).__enter__):
        with pytest.raises(UserError) as error:
            enter()
        text = str(error.value)
        assert str(tmp_path) in text and f"process {holder.pid} on" in text
        assert time.strftime("since %Y-") in text


def test_the_lock_of_a_dead_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    locks.check(str(tmp_path))
    with locks.only_writer(str(tmp_path)):
        pass


def test_a_lock_ends_with_its_block_and_a_missing_folder_is_made(tmp_path):
    folder = tmp_path / "a" / "b"
    locks.check(str(folder))
    assert not folder.exists()
    for _ in range(2):
        with locks.only_writer(str(folder)):
            assert (folder / ".writer.json").exists()
    assert os.listdir(folder) == [".lock"]


def test_a_folder_that_will_be_replaced_has_its_lock_beside(tmp_path):
    folder = tmp_path / "data"
    with locks.only_writer(str(folder), beside=True):
        assert not folder.exists()
        with pytest.raises(UserError, match="is being written by process"):
            locks.only_writer(str(folder), beside=True).__enter__()


def test_what_killed_processes_left_half_written_is_removed(tmp_path):
    (tmp_path / "stages").mkdir()
    left = [tmp_path / ".4711.metrics.json", tmp_path / "stages" / ".4711.tune.json"]
    kept = [tmp_path / "metrics.json", tmp_path / ".hidden", tmp_path / "previous" / ".1.x"]
    kept[2].parent.mkdir()
    for path in left + kept:
        path.write_text("half")
    with locks.only_writer(str(tmp_path)):
        pass
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)
