"""The command: mistakes are told early; a study is made once from runs, and served again."""

import os
import re
import urllib.request
import wave

import pytest

pytest.importorskip("starlette", reason="the extra study is not installed")
pytest.importorskip("sqlalchemy", reason="the extra study is not installed")

from benchmarks.study.material import make_study
from benchmarks.study.server import end, served
from rl_tuner.study import folder
from rl_tuner.study.design import schedule
from rl_tuner.study.store import Store
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from tests.tiny_job import command, early_error, pretend_run

COMMAND = "rl_tuner.study.__main__"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "study contains no study; give --models=NAME:DIR,NAME:DIR"),
        ("--models=a:music", "at least two models"),
        ("--models=a:nowhere,b:music", "run folder nowhere does not exist"),
        ("--models=a:music,b:other", "only sequences of one kind can be compared"),
        ("--models=a:music,b:music --study_dir=file", "file is a file"),
        ("--models=a:music,b:music --study_dir=music", "is not empty and contains no study"),
        ("--models=a:music,b:music --consent=none.txt", "none.txt does not exist"),
        ("--models=a:music,b:music --url=ftp://x", "--url must begin with http"),
        ("--study_dir=made --models=a:music,b:music", "contains a study of prior, psi"),
        ("--study_dir=made --comparisons=9", "--comparisons was fixed when made was made"),
        ("--study_dir=made --host=999.1.1.1", "--host=999.1.1.1 is not an address"),
        ("--study_dir=made --database=nonsense --port=0", "cannot be opened"),
    ],
)
def test_a_mistake_is_told_before_tensorflow_is_imported(tmp_path, flags, message):
    pretend_run(tmp_path / "music", "melody", MELODY_ENCODING)
    pretend_run(tmp_path / "other", "counting", {})
    (tmp_path / "file").write_text("")
    make_study(tmp_path / "made")
    assert message in early_error(COMMAND, "serve", *flags.split(), cwd=tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("serve --draws=100", "--draws is for analyse; leave it out"),
        ("analyse --port=80", "--port is for serve; leave it out"),
        ("analyse --study_dir=none", "none contains no study"),
        ("analyse --study_dir=made", "made has no ratings yet"),
        ("analyse --study_dir=made --draws=5", "--draws must be 0 or at least 100, not 5"),
        ("analyse --study_dir=made --output_dir=file", "file is a file"),
        ("analyze", "--action must be one of serve, analyse, not 'analyze'"),
    ],
)
def test_a_mistake_in_an_analysis(tmp_path, flags, message):
    (tmp_path / "file").write_text("")
    make_study(tmp_path / "made")
    assert message in early_error(COMMAND, *flags.split(), cwd=tmp_path)


def test_the_ratings_of_a_study_are_analysed(tmp_path):
    study = make_study(tmp_path / "study", comparisons=12)
    store = Store(f"sqlite:///{tmp_path}/study/{folder.DATABASE_FILE}", study.id)
    models = {s.id: s.model for s in study.stimuli}
    for token in store.add_links(4):
        store.agree(token, lambda n: schedule(study.by_model(), n, 12, 1, 0))
        while (one := store.state(token).next) is not None:
            # Everybody prefers psi, and attends.
            rating = 3 if one.is_check else (1 if models[one.first] == "psi" else 5)
            store.rate(token, one.nonce, rating)
    store.dispose()
    done = command("rl_tuner.study", "analyse", f"--study_dir={tmp_path}/study", "--draws=0")
    assert done.stdout.startswith("4 raters compared two sequences of different models 48 times")
    assert "psi 48 of 48, prior 0 of 48" in done.stdout and "still open" in done.stderr
    names = ["analysis.json", "analysis.png", "analysis.txt", "ratings.csv"]
    assert sorted(os.listdir(tmp_path / "study" / "analysis")) == names


def test_a_study_is_made_from_runs_and_served_again_as_it_was(finished, tmp_path):
    models = f"--models=prior:{finished.run_dir},psi:{finished.run_dir}"
    made = str(tmp_path / "study")
    server, address = served(f"--study_dir={made}", models, "--stimuli=3", "--raters=2")
    try:
        with open(f"{made}/{folder.LINKS_FILE}", encoding="utf-8") as file:
            links = file.read().split()
        assert len(links) == 2 and all(link.startswith(f"{address}/r/") for link in links)
        with urllib.request.urlopen(links[0]) as page:
            assert "pairs of melodies" in page.read().decode()
    finally:
        end(server)
    study = folder.read(made)
    assert [sum(s.model == name for s in study.stimuli) for name in study.models] == [3, 3]
    assert len({os.path.getsize(study.path(s.id)) for s in study.stimuli}) == 1
    with wave.open(study.path(study.stimuli[0].id)) as sound:
        assert sound.getnframes() > sound.getframerate()
    # Another time without the runs, and without TensorFlow.
    server, address = served(f"--study_dir={made}")
    try:
        with urllib.request.urlopen(f"{address}/r/{links[1].rpartition('/')[2]}") as page:
            assert page.status == 200
    finally:
        told = end(server)
    assert "TensorFlow" not in told and re.search("links of the raters: .*links.txt", told)
