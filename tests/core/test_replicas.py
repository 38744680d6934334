"""Two replicas on two logical CPU devices learn what one learns; see `replicas_script`."""

import subprocess
import sys

import pytest

from tests.tiny_job import ROOT


def checked(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.replicas_script", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_update_is_that_of_one_replica():
    assert checked("updates") == ["the same updates", "wrong sizes"]


@pytest.mark.slow
def test_each_samples_its_share_and_any_number_opens_what_two_have_saved(tmp_path):
    assert checked(tmp_path) == ["uniform", "prioritised", "targets"]
