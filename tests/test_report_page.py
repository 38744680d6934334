"""report.html: one page without other files, right in what it says, and harmless whatever is in it."""

import html.parser
import json
import math
import os
import re
import shutil

import numpy as np
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.pages import charts, comparison_page, gallery, run_page
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.rendering import to_wav
from rl_tuner.tasks.melody.task import MelodyTask
from rl_tuner.tasks.presentation import Exhibit
from tests.tiny_job import command, early_error, error_of, pretend_run

VOID = {"meta", "img", "input", "br", "line", "rect", "circle", "polyline", "path"}


class Page(html.parser.HTMLParser):
    """The elements of a page, and what is wrong with their nesting."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_a_run_ends_with_a_page_that_needs_nothing_else(finished):
    path = f"{finished.run_dir}/report.html"
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert os.path.getsize(path) < 10_000_000
    page = Page(text)
    assert page.wrong == [] and page.open == []
    # Nothing is fetched: no link, and sources are in the page itself.
    addresses = [a[k] for _, a in page.elements for k in ("src", "href") if k in a]
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert not re.search(r"@import|url\(|fetch\(|https?://[^\s\"']*\.js", text.split("<details")[0])
    assert len(page.all("audio")) == 2 * (4 + 2 + 2)
    assert {a["aria-label"] for a in page.all("svg")} >= {
        "Departure from the prior",
        "Reward against departure from the prior",
    }
    with open(f"{finished.run_dir}/metrics.json", encoding="utf-8") as file:
        metrics = json.load(file)
    assert f"{100 * metrics['tuned']['leaps_resolved']:.1f}%" in text
    assert "(seed 0)" in text and "The command that repeats it" in text


def test_the_command_writes_it_again_with_another_seed(finished, tmp_path):
    shutil.copytree(finished.run_dir, tmp_path / "run")
    os.remove(tmp_path / "run" / "report.html")
    done = command("rl_tuner.report", f"{tmp_path}/run", "--seed=7")
    assert done.stdout.strip() == f"{tmp_path}/run/report.html"
    with open(tmp_path / "run" / "report.html", encoding="utf-8") as file:
        assert "(seed 7)" in file.read()
    none = command("rl_tuner.report", str(tmp_path), check=False)
    assert none.returncode == 1 and "does not contain a run" in error_of(none)


def test_what_is_wrong_with_a_run_comes_first():
    tuned = {
        "collapse": "only 3% are distinct",
        "targets": {"motif": {"met": False, "tuned": 0.5, "low": 0.7, "high": None}},
    }
    assert run_page.warnings_of(tuned) == [
        "The tuned policy collapsed: only 3% are distinct",
        "Targets not met: motif is 0.5, not at least 0.7",
    ]
    assert run_page.warnings_of({}) == []


HOSTILE = '<script>alert("x")</script>&\'"'


def context(**changes):
    item = {
        "exhibit": Exhibit(HOSTILE, facts={HOSTILE: HOSTILE}),
        "sound": "",
        "sheet": "",
        "total": 1.0,
        "earned": [(HOSTILE, 1.0)],
        "strips": "",
    }
    page = {
        "title": HOSTILE,
        "kind": HOSTILE,
        "facts": [(HOSTILE, HOSTILE)],
        "warnings": [HOSTILE],
        "tables": [
            {"caption": HOSTILE, "heading": ["", HOSTILE], "rows": [[HOSTILE, "1"]], "worse": []}
        ],
        "charts": [(HOSTILE, charts.line_chart({HOSTILE: [(0, 0), (1, 1)]}, *[HOSTILE] * 3))],
        "models": [{"name": HOSTILE, "groups": [{"title": HOSTILE, "items": [item]}]}],
        "seed": 0,
        "pictures": [(HOSTILE, "")],
        "texts": [(HOSTILE, HOSTILE)],
        "versions": {HOSTILE: HOSTILE},
    }
    return page | changes


def test_names_and_texts_are_never_markup():
    text = run_page.rendered("run.html", context())
    # The page's own script is the only one.
    assert text.count("<script>") == 1 and 'alert("x")' not in text
    assert Page(text).wrong == []


def test_a_chart_shows_every_number_that_exists():
    chart = charts.line_chart(
        {"tuned": [(0.0, 1.0), (1.0, math.nan), (2.0, 3.0)]},
        "Reward",
        "steps",
        "r_T",
        {"end": (2, 3)},
    )
    page = Page(chart)
    assert page.wrong == [] and page.all("svg")[0]["aria-label"] == "Reward"
    assert "tuned: 3 at 2 steps" in chart and "nan" not in chart
    assert len(page.all("polyline")[0]["points"].split()) == 2
    assert charts.line_chart({"none": []}, "", "", "") == ""


@pytest.mark.parametrize("values", [[0.0, 0.0], [5e-7, 8e-7], [-3.2, 41.0], [1e6, 9e6], [0.1, 0.7]])
def test_the_ticks_of_an_axis_are_round_and_enclose_the_values(values):
    ticks = charts._ticks(values)
    assert ticks[0] <= min(values) and ticks[-1] >= max(values) and 2 <= len(ticks) <= 8
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0])


def test_best_and_worst_are_by_reward_and_each_step_is_explained():
    task = MelodyTask()
    rng = np.random.default_rng(0)
    rows = rng.integers(0, task.num_classes, [40, task.horizon]).astype(np.int32)
    (model,) = gallery.gallery(task, {"tuned": rows})
    random, best, worst = model["groups"]
    assert [len(group["items"]) for group in model["groups"]] == [4, 2, 2]
    totals = [item["total"] for item in best["items"] + worst["items"]]
    assert totals[0] >= totals[1] > totals[3] >= totals[2]
    for item in random["items"]:
        assert item["total"] == pytest.approx(sum(value for _, value in item["earned"]), abs=1e-3)
        page = Page(item["strips"])
        assert page.wrong == [] and len(page.all("rect")) >= len(item["earned"])


def test_a_sound_is_a_wav_file():
    content = to_wav(np.array([0.0, 1.0, -2.0]), 16_000)
    assert content[:4] == b"RIFF" and content[8:12] == b"WAVE" and len(content) == 44 + 6


def test_several_runs_make_one_page(finished, tmp_path):
    other = shutil.copytree(finished.run_dir, tmp_path / "other")
    path = os.path.join(other, "operative_config.gin")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(re.sub(r"FixedTemperature\.c = \S+", "FixedTemperature.c = 77.0", text))
    target = f"{tmp_path}/both.html"
    done = command("rl_tuner.report", finished.run_dir, str(other), f"--output={target}")
    assert done.stdout.strip() == target
    with open(target, encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    assert page.wrong == [] and page.open == [] and len(page.all("audio")) == 2 * 4
    addresses = [a[k] for _, a in page.elements for k in ("src", "href") if k in a]
    assert addresses and all(address.startswith("data:") for address in addresses)
    assert "77.0" in text and "FixedTemperature.c" in text
    assert "Comparison of 2 melody runs" in text and "Made by other" in text
    # The same prior has one column.
    assert text.count(">prior<") == 1 and "prior of" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "nowhere"], "run folder nowhere does not exist"),
        (["RUN", "RUN"], "a run is given twice"),
        (["RUN", "--output=x.html"], "--output is for several runs"),
        (["RUN", "OTHER", "--output=."], "--output: . is a folder"),
    ],
)
def test_a_comparison_that_cannot_be_made(tmp_path, arguments, message):
    for name in ("RUN", "OTHER"):
        pretend_run(tmp_path / name, "melody", MELODY_ENCODING)
    assert message in early_error("rl_tuner.report", *arguments, cwd=tmp_path)


def test_runs_are_named_by_what_tells_them_apart():
    assert comparison_page.names_of(["a/x", "b/y"]) == ["x", "y"]
    assert comparison_page.names_of(["a/x", "b/x", "b/y"]) == ["a/x", "b/x", "b/y"]
    with pytest.raises(UserError, match="given twice"):
        comparison_page.names_of(["a/x", "a/x"])
