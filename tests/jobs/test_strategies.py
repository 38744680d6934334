"""Whole jobs with `device.strategy`: two replicas in a process, and two processes of which one is killed."""

import contextlib
import glob
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.dask_cluster import wait_until
from tests.tiny_job import ROOT, TINY, command, early_error, write_book


def params(folder, *more):
    given = (f"build_melody_dataset.inputs = ['{folder}/book.abc']", *more)
    return [f"--gin_param={each}" for each in given]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    write_book(folder / "book.abc")
    return folder


def arguments(folder, run, *more):
    return [f"--gin_file={TINY}", f"--work_dir={folder}/runs", f"--run_dir={folder}/{run}", *more]


def test_wrong_strategies_are_told_early(tmp_path, monkeypatch):
    write_book(tmp_path / "book.abc")

    def told(strategy):
        return early_error(
            "rl_tuner.train",
            *arguments(tmp_path, "run"),
            *params(tmp_path, f"device.strategy = {strategy!r}"),
        )

    assert "device.strategy must be 'one'" in told("two")
    assert "TF_CONFIG must name the processes" in told("workers")
    monkeypatch.setenv(
        "TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}'
    )
    assert "its task must be one of the workers" in told("workers")


@pytest.mark.slow
def test_a_job_with_two_replicas_opens_with_one(book, tmp_path):
    done = command(
        "rl_tuner.train",
        *arguments(book, "mirrored"),
        *params(book, "device.strategy = 'mirrored:2'", "tune.steps = 6_000"),
    )
    assert "2 replicas" in done.stderr
    # More steps: the work of two goes on with one, from their checkpoint.
    found = json.loads((book / "mirrored" / "metrics.json").read_text())
    assert found
    again = command("rl_tuner.evaluate", f"--run_dir={book}/mirrored", "--count=20")
    assert "Tuned" in again.stdout or "tuned" in again.stdout


@pytest.mark.slow
def test_molecules_with_two_replicas(tmp_path):
    molecules = os.path.join(ROOT, "tests", "jobs", "molecules.gin")
    done = command(
        "rl_tuner.train",
        f"--gin_file={molecules}",
        f"--work_dir={tmp_path}/runs",
        f"--run_dir={tmp_path}/run",
        "--gin_param=device.strategy = 'mirrored:2'",
    )
    assert "2 replicas" in done.stderr
    assert os.path.getsize(tmp_path / "run" / "molecules.csv") > 0


def start(book, run, index, ports, *more):
    config = {
        "cluster": {"worker": [f"127.0.0.1:{port}" for port in ports]},
        "task": {"type": "worker", "index": index},
    }
    log = open(book / f"{run}-{index}-{len(os.listdir(book))}.log", "w")  # noqa: SIM115 - given to the process
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "rl_tuner.train",
            *arguments(book, run),
            *params(book, "device.strategy = 'workers'", *more),
        ],
        cwd=ROOT,
        env=os.environ | {"TF_CONFIG": json.dumps(config)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def run_two(book, run, *more):
    ports = free_ports(2)
    return [start(book, run, index, ports, *more) for index in range(2)]


def logs(book, run):
    return "\n".join(open(path).read() for path in sorted(glob.glob(f"{book}/{run}-*.log")))


@pytest.mark.slow
def test_two_processes_of_which_one_is_killed_and_started_again(book):
    steps = "tune.steps = 40_000"
    processes = run_two(book, "killed", steps)
    try:
        checkpoints = f"{book}/killed/checkpoints/ckpt-*.index"
        wait_until(lambda: glob.glob(checkpoints) or processes[0].poll() is not None, 280)
        assert processes[0].poll() is None, logs(book, "killed")
        processes[1].send_signal(signal.SIGKILL)
        # The other one notices, says so and ends.
        assert processes[0].wait(timeout=120) == 1, logs(book, "killed")
        assert "another process of the job was lost" in logs(book, "killed")
        processes += run_two(book, "killed", steps)
        for process in processes[2:]:
            assert process.wait(timeout=400) in (0, 3), logs(book, "killed")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    text = logs(book, "killed")
    assert "tune: resuming after" in text
    assert "worker 1: following worker 0" in text
    # One writer: a single file of events for each start, and one run folder that is complete.
    assert os.path.isfile(book / "killed" / "metrics.json")
    command("rl_tuner.evaluate", f"--run_dir={book}/killed", "--count=20")
