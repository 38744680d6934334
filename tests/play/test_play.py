"""The play page: it makes what was asked for, quickly, and refuses what it cannot make."""

import json
import re
import time

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra study is not installed")

from rdkit import Chem
from starlette.testclient import TestClient

from rl_tuner.common.errors import UserError
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
from rl_tuner.play.app import make_app
from rl_tuner.play.maker import Maker
from rl_tuner.policy import TunedPolicy
from rl_tuner.priors.files import adopt_prior, load_prior
from rl_tuner.tasks.melody.task import MelodyTask
from rl_tuner.tasks.molecule.task import MoleculeTask
from tests import small_data
from tests.tiny_job import early_error

OWN = {"x-play": "1"}
TUNE = b"X:1\nT:t\nM:3/4\nL:1/8\nQ:1/4=90\nK:D\nD2 F2 A2|d4 A2|\n"


@pytest.fixture(scope="module")
def melodies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("melodies")
    prior = load_prior(small_data.prior(folder / "prior", small_data.melodies(folder / "data")))
    made = Maker(TunedPolicy(RLTuner(prior, MelodyTask(), Psi()), str(folder)))
    made.warm_up()
    return made


@pytest.fixture(scope="module")
def molecules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("molecules")
    prior = load_prior(small_data.prior(folder / "prior", small_data.molecules(folder / "data")))
    task = MoleculeTask(num_processes=1)
    adopt_prior(task, prior, "the prior")
    return Maker(TunedPolicy(RLTuner(prior, task, Psi()), str(folder)))


@pytest.fixture
def site(melodies):
    return TestClient(make_app(melodies, "Play", ["testserver"]))


def ask(site, **asked):
    return site.post("/make", json={"count": 2} | asked, headers=OWN)


def test_eight_melodies_are_made_at_once(site):
    begin = time.perf_counter()
    answer = ask(site, count=8, temperature=0.8, model="prior")
    # 200 ms on two idle cores, see benchmarks; a busy machine gets some more.
    assert time.perf_counter() - begin < 1.0
    made = answer.json()
    assert len(made["items"]) == 8 and len({item["text"] for item in made["items"]}) > 1
    for item in made["items"]:
        assert item["roll"].startswith("<svg") and item["seconds"] > 0
        assert item["reward"] == pytest.approx(sum(v for _, v in item["earned"]), abs=30)


def test_the_seed_repeats_them_and_another_changes_them(site):
    texts = [[i["text"] for i in ask(site, seed=s, count=8).json()["items"]] for s in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_a_melody_is_heard_and_kept_in_every_format(site, melodies):
    name = ask(site).json()["items"][0]["id"]
    begins = {"mid": b"MThd", "wav": b"RIFF", "abc": b"X:", "musicxml": b"<?xml"}
    assert set(begins) <= set(melodies.suffixes)
    for suffix, begin in begins.items():
        answer = site.get(f"/i/{name}.{suffix}?keep=1")
        assert answer.content.startswith(begin), suffix
        assert f'filename="melody_{name}.{suffix}"' in answer.headers["content-disposition"]
    assert "content-disposition" not in site.get(f"/i/{name}.wav").headers
    for wrong in (f"{name}.exe", f"{name}.", name, "0.mid", "..%2f..%2fetc%2fpasswd", "x.mid%00"):
        assert site.get(f"/i/{wrong}").status_code == 404, wrong


def test_notes_that_were_played_begin_every_melody(site):
    notes = [[60, 4], [64, 2], [0, 2], [67, 4]]
    for item in ask(site, notes=notes, count=3).json()["items"]:
        assert item["text"].startswith("C4:4 E4:2 G4:4")
        assert item["seconds"] == pytest.approx((12 + 32) * 60 / 120 / 4)


def test_a_file_begins_every_melody_and_lends_its_key_metre_and_tempo(site):
    answer = site.post("/primer?suffix=.abc", content=TUNE, headers=OWN).json()
    made = ask(site, primer=answer["id"]).json()["items"]
    assert all(item["text"].startswith("D4:4 F♯4:4 A4:4 D5:8") for item in made), made
    abc = site.get(f"/i/{made[0]['id']}.abc").text
    assert "M:3/4" in abc and "Q:1/4=90" in abc


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"count": 0}, "count must be a whole number from 1 to 32, not 0"),
        ({"count": 33}, "not 33"),
        ({"count": 2.5}, "not 2.5"),
        ({"count": "8"}, "not '8'"),
        ({"count": True}, "not True"),
        ({"temperature": 0}, "temperature must be between 0.05 and 5"),
        ({"temperature": "hot"}, "not 'hot'"),
        ({"temperature": None}, "not None"),
        ({"temperature": 1e999}, "not inf"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**31}, "seed must be"),
        ({"model": "../prior"}, "model must be one of tuned, prior"),
        ({"primer": "unknown"}, "primer is not known"),
        ({"primer": ["a"]}, "primer is not known"),
        ({"notes": [[60]]}, "notes must be pairs"),
        ({"notes": [[60, 0]]}, "notes must be pairs"),
        ({"notes": [[60, 65]]}, "notes must be pairs"),
        ({"notes": "C"}, "notes must be pairs"),
        ({"notes": [[20, 1]]}, "out of the model's range"),
        ({"notes": [[60, 64]] * 9}, "a beginning has 1 to 512 steps"),
        ({"prompt": "CC"}, "melodies have no text form"),
        ({"prompt": 5}, "a beginning is a text"),
        ({"prompt": "C" * 1_001}, "at most 1000 characters"),
    ],
)
def test_what_cannot_be_made_is_told(site, asked, message):
    content = json.dumps({"count": 2} | asked)
    answer = site.post("/make", content=content, headers=OWN)
    assert answer.status_code == 422 and message in answer.json()["error"], answer.text


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".exe", b"", "a primer is one of .mid"),
        ("/../../x.mid", b"", "a primer is one of .mid"),
        (".mid", b"no midi", "primer the file: "),
        (".abc", b"\xff\xfe\x00", "primer the file: "),
        (".mid", b"", "primer the file: "),
    ],
)
def test_a_file_that_is_no_melody_is_refused(site, suffix, content, message):
    answer = site.post("/primer", params={"suffix": suffix}, content=content, headers=OWN)
    assert answer.status_code == 422 and message in answer.json()["error"], answer.text
    assert "/tmp" not in answer.text


def test_pages_of_other_sites_and_large_bodies_are_refused(site):
    assert site.post("/make", json={"count": 2}).status_code == 403
    assert site.post("/primer?suffix=.abc", content=TUNE).status_code == 403
    assert site.get("/", headers={"host": "evil.example.org"}).status_code == 400
    large = site.post("/primer?suffix=.abc", content=b"x" * 5_000_000, headers=OWN)
    assert large.status_code == 413
    for content in (b"", b"[]", b"{", b"1"):
        assert site.post("/make", content=content, headers=OWN).status_code == 400


def test_the_page_asks_nothing_of_anybody_else(melodies):
    site = TestClient(make_app(melodies, '<script>alert("x")</script>', ["*"]))
    answer = site.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script>alert" not in answer.text and not re.search("https?://", answer.text)
    assert site.get("/static/play.js").headers["content-type"].startswith("text/javascript")


def test_molecules_are_drawn_and_begin_as_asked(molecules):
    site = TestClient(make_app(molecules, "Play", ["*"]))
    made = ask(site, count=12, prompt="CC").json()["items"]
    assert len(made) == 12
    valid = [item for item in made if item["valid"]]
    assert all(Chem.MolFromSmiles(item["text"]) for item in valid)
    for item in valid[:2]:
        drawing = site.get(f"/i/{item['id']}.drawing")
        assert drawing.headers["content-type"] == "image/svg+xml" and "<svg" in drawing.text
        assert "style-src 'unsafe-inline'" in drawing.headers["content-security-policy"]
    for item in made:
        line = site.get(f"/i/{item['id']}.smi").text
        assert line.startswith("CC"), line
    assert "prompt 'C%'" in ask(site, prompt="C%").json()["error"]
    assert "no notes" in ask(site, notes=[[60, 2]]).json()["error"]


def test_rewards_are_those_of_the_task(melodies):
    made = melodies.make(4, seed=3)
    rows = np.array([one.row for one in made], np.int32)
    parts = melodies.task.reward_parts(rows, np.ones(rows.shape, np.float32))
    totals = sum(np.asarray(part).sum(axis=1) for part in parts.values())
    assert [one.reward for one in made] == pytest.approx(totals.tolist(), rel=1e-4)


def test_old_sequences_are_forgotten(melodies, monkeypatch):
    monkeypatch.setattr("rl_tuner.play.maker._KEPT", 10)
    first = melodies.make(8)[0].id
    melodies.make(8)
    assert melodies.find(first) is None and melodies.file(first, "mid") is None


def test_a_mistake_is_told_before_tensorflow_is_imported(tmp_path):
    line = early_error("rl_tuner.play.__main__", "nowhere", cwd=tmp_path)
    assert line == "run folder nowhere does not exist; give the folder of a training run"
    with pytest.raises(UserError, match="is not an address"):
        from rl_tuner.web.server import bound

        bound("no such host", 0)
