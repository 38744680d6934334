"""A disk that is full, read-only or moved; needs the right to mount a small file system."""

import os
import subprocess

import pytest

from tests.tiny_job import Job

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def error_of(done):
    """The last line that was said."""
    *_, last = done.stderr.splitlines()
    assert done.returncode == 1 and last.startswith("error: "), done.stderr
    return last


def remount(disk, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_full_disk_keeps_the_last_state_and_a_moved_folder_is_the_same_run(
    finished, tmp_path, disk
):
    job = Job(tmp_path)
    job.book = finished.book
    job.work_dir, job.run_dir = str(disk / "runs"), str(disk / "runs" / "tiny")
    full = job.train(check=False)
    assert str(disk) in error_of(full)
    assert "make room" in error_of(full) or "free some" in error_of(full)
    remount(disk, "ro")
    refused = job.train(check=False)
    assert "is read-only; choose another folder" in error_of(refused)
    remount(disk, "rw,size=50m")
    assert "reusing" in job.train().stderr
    for name in ("history.csv", "metrics.json"):
        with open(f"{job.run_dir}/{name}") as new, open(f"{finished.run_dir}/{name}") as old:
            assert new.read() == old.read(), name
    os.rename(disk / "runs", disk / "elsewhere")
    job.work_dir, job.run_dir = str(disk / "elsewhere"), str(disk / "elsewhere" / "tiny")
    again = job.train()
    assert ": making " not in again.stderr
