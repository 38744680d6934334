"""The study's server: what raters and the admin may do, and what nobody may."""

import concurrent.futures
import csv
import io
import json
import os
import re
import stat

import pytest

pytest.importorskip("starlette", reason="the extra study is not installed")
pytest.importorskip("sqlalchemy", reason="the extra study is not installed")

from starlette.testclient import TestClient

from benchmarks.study.material import make_study
from rl_tuner.common.errors import UserError
from rl_tuner.study import folder
from rl_tuner.study.admin import add_links
from rl_tuner.study.app import make_app
from rl_tuner.study.store import Answer, Store

TOKEN = "the-token-of-the-admin"


@pytest.fixture
def site(tmp_path):
    study = make_study(tmp_path / "study")
    store = Store(f"sqlite:///{tmp_path}/r.sqlite", study.id)
    client = TestClient(make_app(study, store, TOKEN), follow_redirects=True)
    client.study, client.store = study, store
    client.links = add_links(study, store, 4, "")
    yield client
    store.dispose()


def agree(site, link):
    return site.post(f"{link}/agree", data={"agree": "yes"})


def nonce_of(page):
    return re.search(r'name="nonce" value="([^"]+)"', page.text)[1]


def assets_of(page):
    return re.findall(r'src="(/s/[^"]+)"', page.text)


def test_a_rater_goes_through_the_whole_study_and_may_reload(site):
    link = site.links[0]
    assert "I agree" in site.get(link).text
    page = agree(site, link)
    for number in range(1, 8):
        assert f"Comparison {number} of 7" in page.text
        assert nonce_of(site.get(link)) == nonce_of(page)
        page = site.post(f"{link}/rate", data={"nonce": nonce_of(page), "rating": "4"})
    assert "Thank you" in page.text and "Thank you" in site.get(link).text
    ratings = site.store.ratings()
    assert [row["position"] for row in ratings] == list(range(7))
    assert {row["rating"] for row in ratings} == {4}
    assert sum(row["is_check"] for row in ratings) == 1


def test_nothing_tells_which_model_made_what(site):
    page = agree(site, site.links[0])
    first, second = assets_of(page)
    answers = [site.get(first), site.get(second)]
    assert answers[0].content != answers[1].content
    assert len(answers[0].content) == len(answers[1].content)
    unlike = {"date"}
    told = [{k: v for k, v in a.headers.items() if k not in unlike} for a in answers]
    assert told[0] == told[1] and answers[0].headers["content-type"] == "audio/wav"
    everything = page.text + str(told) + first + second
    names = [*site.study.models, *(s.id for s in site.study.stimuli)]
    assert not any(name in everything.replace("prefer", "") for name in names)
    # The same stimulus has another address for another rater and another comparison.
    assert not set(assets_of(agree(site, site.links[1]))) & {first, second}


def test_a_part_of_a_sound_can_be_asked_for(site):
    (first, _) = assets_of(agree(site, site.links[0]))
    whole = site.get(first).content
    part = site.get(first, headers={"range": "bytes=10-19", "if-range": '"0"'})
    assert part.status_code == 206 and part.content == whole[10:20]


def test_every_answer_asks_nothing_of_anybody_else(site):
    for path in ("/", site.links[0], "/admin", "/static/web.css", "/nowhere"):
        answer = site.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(r"https?://(?!www\.w3\.org)", answer.text), path
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/r/unknown-link-12345", 404),
        ("/r/x", 404),
        ("/r/..%2f..%2fstudy.json", 404),
        ("/r/%00", 404),
        ("/s/unknown-asset-12345", 404),
        ("/s/../study.json", 404),
        ("/s/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/static/../../study.json", 404),
        ("/static/..%2f..%2f..%2fstudy%2ffolder.py", 404),
        ("/static/web.css%00", 404),
        ("/study.json", 404),
        ("/admin/ratings.csv", 403),
        ("/docs", 404),
    ],
)
def test_unknown_links_and_path_tricks_are_refused(site, path, status):
    answer = site.get(path)
    assert answer.status_code == status and "Traceback" not in answer.text


def forms(nonce):
    good = {"nonce": nonce, "rating": "3"}
    return [
        good | {"rating": "6"},
        good | {"rating": "0"},
        good | {"rating": "-1"},
        good | {"rating": "3.5"},
        good | {"rating": ""},
        good | {"rating": "٣"},
        good | {"rating": "<script>alert(1)</script>"},
        good | {"rating": ["3", "4"]},
        good | {"more": "1"},
        {"rating": "3"},
        {"nonce": nonce},
        good | {"nonce": "' OR 1=1 --"},
        good | {"nonce": "unknown-nonce-1234"},
        {},
    ]


def test_a_malformed_rating_is_refused_and_changes_nothing(site):
    link = site.links[0]
    nonce = nonce_of(agree(site, link))
    for form in forms(nonce):
        answer = site.post(f"{link}/rate", data=form)
        assert answer.status_code in (400, 404, 415), form
        assert "<script>alert" not in answer.text
    as_json = site.post(f"{link}/rate", json={"nonce": nonce, "rating": "3"})
    assert as_json.status_code == 415
    assert site.get(f"{link}/rate").status_code == 405
    assert site.post(link).status_code == 405
    assert site.store.ratings() == [] and nonce_of(site.get(link)) == nonce


def test_a_form_counts_once_and_only_for_its_rater(site):
    link, other = site.links[:2]
    nonce = nonce_of(agree(site, link))
    agree(site, other)
    assert site.post(f"{other}/rate", data={"nonce": nonce, "rating": "1"}).status_code == 404
    assert site.post(f"{link}/rate", data={"nonce": nonce, "rating": "2"}).status_code == 200
    replayed = site.post(f"{link}/rate", data={"nonce": nonce, "rating": "5"})
    assert replayed.status_code == 409 and "recorded before" in replayed.text
    assert [row["rating"] for row in site.store.ratings()] == [2]


def test_a_form_that_is_sent_twice_at_once_counts_once(site):
    link = site.links[0]
    nonce = nonce_of(agree(site, link))
    token = link.rpartition("/")[2]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = [*pool.map(lambda r: site.store.rate(token, nonce, r % 5 + 1), range(64))]
    assert answers.count(Answer.RECORDED) == 1 and answers.count(Answer.ALREADY) == 63


def test_raters_at_once_get_schedules_of_their_own(site):
    tokens = site.store.add_links(30)
    made = make_app(site.study, site.store, TOKEN)
    client = TestClient(made)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda t: client.post(f"/r/{t}/agree", data={"agree": "yes"}), tokens))
    assert site.store.counts()["raters who began"] == 30


def test_a_body_that_is_too_large_is_refused(site):
    link = site.links[0]
    for body in ({"agree": "y" * 20_000}, {"agree": "y" * 2_000_000}):
        assert site.post(f"{link}/agree", data=body).status_code == 413

    def pieces():
        for _ in range(100):
            yield b"agree=" + b"y" * 1_000

    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert site.post(f"{link}/agree", content=pieces(), headers=kind).status_code == 413
    assert site.post(f"{link}/agree", content=b"\xff\xfe", headers=kind).status_code == 400
    many = "&".join(f"a{i}=1" for i in range(500))
    assert site.post(f"{link}/agree", content=many, headers=kind).status_code == 400


def test_texts_of_the_study_are_never_markup(tmp_path):
    text = '<script>alert("x")</script>'
    study = make_study(tmp_path / "study", title=text, question=text, consent=text)
    store = Store(f"sqlite:///{tmp_path}/r.sqlite", study.id)
    site = TestClient(make_app(study, store, TOKEN))
    (link,) = add_links(study, store, 1, "")
    pages = [site.get("/"), site.get(link), agree(site, link)]
    assert all("<script>alert" not in page.text for page in pages)
    assert all("&lt;script&gt;" in page.text for page in pages)
    store.dispose()


def enter(site, token=TOKEN):
    return site.post("/admin/enter", data={"token": token})


def test_the_admin_sees_counts_and_only_later_results(site):
    link = site.links[0]
    page = agree(site, link)
    site.post(f"{link}/rate", data={"nonce": nonce_of(page), "rating": "1"})
    assert enter(site, "wrong").status_code == 403
    assert "Token of this study" in site.get("/admin").text
    page = enter(site)
    assert re.search(r"ratings</th><td>1<", page.text)
    assert "psi" not in page.text and site.get("/admin/ratings.csv").status_code == 403
    key = re.search(r'name="key" value="([^"]+)"', page.text)[1]
    assert site.post("/admin/close", data={"key": "forged"}).status_code == 403
    made = site.post("/admin/links", data={"key": key, "count": "2"})
    assert made.text.count("/r/") == 2
    for count in ("0", "-1", "1001", "x", "1e3", ""):
        assert site.post("/admin/links", data={"key": key, "count": count}).status_code == 400
    page = site.post("/admin/close", data={"key": key})
    assert "Times preferred" in page.text and "psi" in page.text
    assert site.get(link).status_code == 410
    late = site.post(f"{link}/rate", data={"nonce": "some-nonce-123", "rating": "1"})
    assert late.status_code == 410
    rows = [*csv.DictReader(io.StringIO(site.get("/admin/ratings.csv").text))]
    assert len(rows) == 1 and rows[0]["rating"] == "1"
    is_check = rows[0]["is_check"] == "True"
    assert rows[0]["preferred"] == ("" if is_check else rows[0]["first_model"])


def test_a_cookie_of_another_study_opens_nothing(site):
    site.cookies.set("admin", "0" * 64)
    assert "Token of this study" in site.get("/admin").text
    assert site.post("/admin/links", data={"key": "0" * 64, "count": "1"}).status_code == 403


def test_the_database_knows_no_link_and_no_other_study(site, tmp_path):
    with open(f"{tmp_path}/r.sqlite", "rb") as file:
        content = file.read()
    if os.path.exists(f"{tmp_path}/r.sqlite-wal"):
        with open(f"{tmp_path}/r.sqlite-wal", "rb") as file:
            content += file.read()
    assert not any(link.rpartition("/")[2].encode() in content for link in site.links)
    with pytest.raises(UserError, match="another study"):
        Store(f"sqlite:///{tmp_path}/r.sqlite", "two")
    for name in (folder.LINKS_FILE,):
        path = os.path.join(site.study.folder, name)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/r.sqlite", "oracle+none://u:p@h"])
def test_a_database_that_cannot_be_opened(url):
    with pytest.raises(UserError, match="cannot be opened") as raised:
        Store(url, "one")
    assert ":p@" not in str(raised.value)


def test_a_study_is_read_as_it_was_written(tmp_path):
    study = make_study(tmp_path / "study")
    assert folder.read(study.folder) == study
    os.remove(study.path(study.stimuli[0].id))
    with pytest.raises(UserError, match="is missing"):
        folder.read(study.folder)
    path = tmp_path / "study" / folder.STUDY_FILE
    path.write_text(json.dumps({"version": 9}))
    with pytest.raises(UserError, match="another version"):
        folder.read(study.folder)
    with pytest.raises(UserError, match="give --models"):
        folder.read(str(tmp_path))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["prior"], "NAME:DIR"),
        (["prior:"], "NAME:DIR"),
        (["<script>:a", "b:c"], "letters, digits"),
        (["../x:a", "b:c"], "letters, digits"),
        (["a:b", "a:c"], "given twice"),
        (["a:b"], "at least two"),
        ([], "at least two"),
    ],
)
def test_models_are_named(texts, message):
    with pytest.raises(UserError, match=message):
        folder.models_of(texts)
    assert folder.models_of(["a:x", "b:y:z"]) == {"a": "x", "b": "y:z"}
