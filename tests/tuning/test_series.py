"""What TensorBoard says of each series is what the page says."""

import os
import re

import pytest

from rl_tuner.tuning.series import SERIES, description_of
from tests.small_data import ROOT


def test_the_page_lists_the_same_series_with_the_same_words():
    with open(os.path.join(ROOT, "docs", "tensorboard.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| (`.*?) \| ([^|]*) \| (.*) \|$", file.read(), re.MULTILINE)
    listed = [
        (tuple(re.findall("`([^`]+)`", names)), written, re.sub(r"\\(?=\|)|`", "", meaning))
        for names, written, meaning in rows
    ]
    assert listed == [tuple(series) for series in SERIES]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("reward/motif", "each part of the reward"),
        ("collect/kl", "exact KL"),
        ("evaluate/distinct", "without exploration"),
        ("targets/slack_motif_low", "multiplier"),
        ("sound/tuned", "four samples"),
        ("settings", "gin file"),
    ],
)
def test_a_series_finds_its_meaning(name, part):
    assert part in description_of(name)


def test_what_is_not_listed_has_none():
    assert description_of("nothing/known") == ""
