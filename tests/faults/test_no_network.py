"""No command opens a connection: the whole job runs where there is no network at all."""

import shutil
import subprocess
import sys

import pytest

from tests.tiny_job import ROOT, Job

ALONE = ["unshare", "--map-root-user", "--net"]


def has_namespaces():
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


def run_alone(*command):
    return subprocess.run(
        [*ALONE, *command], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
@pytest.mark.skipif(not has_namespaces(), reason="this system makes no network namespaces")
def test_every_stage_runs_in_a_namespace_without_a_network(tmp_path):
    look_up = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert "unreachable" in run_alone(sys.executable, "-c", look_up).stderr
    job = Job(tmp_path)
    done = run_alone(sys.executable, "-m", "rl_tuner.train", *job.flags())
    assert done.returncode == 0, done.stderr
    for module, *flags in (
        ("generate", f"--output_dir={tmp_path}/out", "--count=2"),
        ("evaluate", "--count=20"),
        ("report",),
    ):
        done = run_alone(
            sys.executable, "-m", f"rl_tuner.{module}", f"--run_dir={job.run_dir}", *flags
        )
        assert done.returncode == 0, done.stderr
