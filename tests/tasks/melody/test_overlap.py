"""Overlaps of histograms with a corpus, counted by hand."""

import numpy as np
import pytest

from rl_tuner.tasks.melody import overlap
from rl_tuner.tasks.melody.grid import DEFAULT_GRID
from rl_tuner.tasks.melody.task import MelodyTask

# C for two steps, D for one, a rest, C an octave up to the end; then E alone.
MELODIES = np.array([[14, 0, 16, 1, 26, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 18]])


def test_histograms_by_hand():
    found = overlap.histograms(MELODIES, DEFAULT_GRID)
    assert {int(k): found["pitch_class"][k] for k in found["pitch_class"].nonzero()[0]} == {
        0: 0.5,
        2: 0.25,
        4: 0.25,
    }
    assert found["interval"].nonzero()[0].tolist() == [24 + 2, 24 + 10]
    assert {int(k): found["note_length"][k] for k in found["note_length"].nonzero()[0]} == {
        1: 0.5,
        2: 0.25,
        4: 0.25,
    }
    assert found["length_transition"].nonzero()[0].tolist() == [1 * 18 + 4, 2 * 18 + 1]


def test_overlaps_are_between_0_and_1():
    same = overlap.histograms(MELODIES, DEFAULT_GRID)
    assert overlap.overlaps(same, same) == pytest.approx(dict.fromkeys(overlap.FEATURES, 1.0))
    other = overlap.histograms(np.array([[15, 0, 0, 0, 0, 0, 0, 0]]), DEFAULT_GRID)
    assert overlap.overlaps(same, other)["pitch_class"] == 0
    silent = overlap.histograms(np.zeros([2, 8], int), DEFAULT_GRID)
    assert overlap.overlaps(same, silent)["interval"] == 0


def test_melodies_and_their_corpus():
    corpus = [np.tile(MELODIES[0], 2), MELODIES[0], np.zeros(3, int)]
    found = overlap.with_corpus(MELODIES[:1], corpus, DEFAULT_GRID)
    assert found["overlap_interval"] == found["ceiling_interval"] == pytest.approx(1)
    assert overlap.excerpts(corpus, 8).shape == (3, 8)
    unknown = overlap.with_corpus(MELODIES, None, DEFAULT_GRID)
    assert set(unknown) == set(found) and set(unknown.values()) == {None}
    assert set(overlap.with_corpus(MELODIES, corpus[2:], DEFAULT_GRID).values()) == {None}


def test_a_corpus_read_in_blocks_has_the_same_histograms(monkeypatch):
    rng = np.random.default_rng(0)
    corpus = [rng.integers(0, 38, rng.integers(4, 60)) for _ in range(50)]
    whole = overlap.with_corpus(MELODIES, corpus, DEFAULT_GRID)
    monkeypatch.setattr(overlap, "_BLOCK", 6)
    assert overlap.with_corpus(MELODIES, iter(corpus), DEFAULT_GRID) == whole
    halves = [overlap.excerpts(corpus[i::2], MELODIES.shape[1]) for i in (0, 1)]
    ceiling = overlap.overlaps(*(overlap.histograms(half, DEFAULT_GRID) for half in halves))
    assert {name: whole[f"ceiling_{name}"] for name in ceiling} == ceiling


def test_they_are_in_metrics_table_and_picture():
    presentation = MelodyTask(horizon=8).presentation()
    corpus = [MELODIES[0], MELODIES[1]]
    metrics = presentation.set_metrics(MELODIES, corpus)
    assert metrics["overlap_pitch_class"] == pytest.approx(1)
    assert "Overlap with the corpus of note lengths" in presentation.format_metrics(
        {"tuned": metrics}
    )
    drawn = presentation.corpus_figures({"prior": MELODIES, "tuned": MELODIES[:1]}, corpus)
    titles = [axis.get_title() for axis in drawn["overlap"].axes]
    assert len(titles) == 4 and "prior and tuned" in titles[0]
