"""The ratings in PostgreSQL, on a server of the test's own."""

import concurrent.futures
import getpass
import glob
import os
import shutil
import socket
import subprocess

import pytest

pytest.importorskip("sqlalchemy", reason="the extra study is not installed")
pytest.importorskip("psycopg", reason="psycopg is not installed")

from benchmarks.study.material import make_study
from rl_tuner.common.errors import UserError
from rl_tuner.study.design import schedule
from rl_tuner.study.store import Answer, Store

PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
NO_SERVER = "no PostgreSQL: apt-get install postgresql"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROGRAMS, reason=NO_SERVER)]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The URL of an empty database."""
    folder = tmp_path_factory.mktemp("postgresql")
    user, prefix = getpass.getuser(), []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user, prefix = "nobody", ["runuser", "-u", "nobody", "--"]
        if shutil.which("runuser") is None:
            pytest.skip("PostgreSQL cannot run as root, and there is no runuser")
        shutil.chown(folder, "nobody")
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/pytest"):
                parent.chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(program, *arguments):
        command = [*prefix, os.path.join(PROGRAMS[-1], program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    call("initdb", "-D", data, "-A", "trust", "-U", user)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    call("pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
    yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
    call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def test_a_study_is_answered_by_many_at_once(url, tmp_path):
    study = make_study(tmp_path / "study", comparisons=10)
    # Two servers of one study.
    stores = [Store(url, study.id), Store(url, study.id)]
    store = stores[0]
    tokens = store.add_links(12)

    def answer(token):
        store = stores[tokens.index(token) % 2]
        store.agree(token, lambda number: schedule(study.by_model(), number, 10, 1, 0))
        given = []
        while (one := store.state(token).next) is not None:
            rating = len(given) % 5 + 1
            given.append(store.rate(token, one.nonce, rating))
            assert store.rate(token, one.nonce, 1) is Answer.ALREADY
            assert store.stimulus(one.first_asset) == one.first
        return given

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(answer, tokens))
    assert answers == [[Answer.RECORDED] * 11] * 12
    assert store.counts() == {
        "links": 12,
        "raters who began": 12,
        "raters who finished": 12,
        "ratings": 132,
    }
    assert {row["rater"] for row in store.ratings()} == set(range(12))
    store.close()
    assert store.rate(tokens[0], "x" * 22, 1) is Answer.CLOSED
    for one in stores:
        one.dispose()
    # What was written is there for the next server, and not for another study.
    again = Store(url, study.id)
    assert again.closed_at() and len(again.ratings()) == 132
    again.dispose()
    with pytest.raises(UserError, match="another study"):
        Store(url, "two")
