import csv
import json
import os
import shutil

import gin
import pytest

from pipelines.melody import build
from rl_tuner.common.errors import UserError
from rl_tuner.datasets import tfrecords
from tests.small_data import DATA

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
GOOD = os.path.join(ROOT, "testdata", "melodies", "good")
BAD = os.path.join(ROOT, "testdata", "melodies", "bad")
NOTTINGHAM = os.path.join(DATA, "nottingham")


def make(inputs, output_dir, **changes):
    options = {"num_processes": 1} | changes
    return build.build_melody_dataset([str(i) for i in inputs], str(output_dir), **options)


def read(folder):
    """Returns (split, id, source, tokens) of every melody, with TensorFlow's own parser."""
    tf = pytest.importorskip("tensorflow")
    with open(os.path.join(folder, "dataset.json")) as file:
        description = json.load(file)
    melodies = []
    for split, content in description["splits"].items():
        for shard in content["shards"]:
            path = os.path.join(folder, shard)
            for offset, _ in tfrecords.record_spans(path):
                context, lists = tf.io.parse_single_sequence_example(
                    tfrecords.read_record(path, offset),
                    context_features={
                        "id": tf.io.FixedLenFeature([], tf.string),
                        "source": tf.io.FixedLenFeature([], tf.string),
                        "length": tf.io.FixedLenFeature([], tf.int64),
                        "steps_per_bar": tf.io.FixedLenFeature([], tf.int64),
                    },
                    sequence_features={"tokens": tf.io.FixedLenSequenceFeature([], tf.int64)},
                )
                tokens = lists["tokens"].numpy().tolist()
                assert len(tokens) == context["length"].numpy()
                assert len(tokens) % context["steps_per_bar"].numpy() == 0
                source = context["source"].numpy().decode()
                melodies.append((split, context["id"].numpy().decode(), source, tokens))
    return melodies


def files(folder):
    return {n: open(os.path.join(folder, n), "rb").read() for n in sorted(os.listdir(folder))}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Returns the dataset of all test data, good and bad, and its description."""
    pytest.importorskip("music21")
    folder = tmp_path_factory.mktemp("data") / "d"
    return folder, make([GOOD, BAD], folder)


def test_the_exact_melody_of_a_tune(tmp_path):
    make([os.path.join(GOOD, "scale.abc")], tmp_path / "d")
    ((_, _, source, tokens),) = read(tmp_path / "d")
    assert source == "scale.abc#1 Morning Stair"
    # D major, transposed to C: each quarter is a note and three steps of holding it.
    class_of = dict(zip("CDEFGABc", (14, 16, 18, 19, 21, 23, 25, 26), strict=True))
    expected = []
    for name in "CDEF GABc cBAG FEDC CEGc cGEC".replace(" ", ""):
        expected += [class_of[name], 0, 0, 0]
    # The last two bars: D and the B below for two quarters each, C for four.
    expected += [16] + [0] * 7 + [13] + [0] * 7 + [14] + [0] * 15
    assert tokens == expected


def test_everything_is_described(everything):
    folder, description = everything
    assert json.loads((folder / "dataset.json").read_text()) == description
    assert description["format"] == 1
    assert description["kind"] == "melody"
    assert description["encoding"] == {
        "min_note": 48,
        "max_note": 84,
        "num_classes": 38,
        "steps_per_quarter": 4,
        "transpose_to_key": 0,
    }
    melodies = read(folder)
    assert description["melodies"] == len(melodies) == 11
    assert description["inputs"] == 19
    assert description["inputs_with_melody"] == 14
    for split, content in description["splits"].items():
        tokens = [t for s, _, _, t in melodies if s == split]
        assert content["sequences"] == len(tokens)
        assert content["tokens"] == sum(map(len, tokens))
    histogram = [0] * 38
    for *_, tokens in melodies:
        for token in tokens:
            histogram[token] += 1
    assert description["class_histogram"] == histogram
    assert not any(ROOT in source for _, _, source, _ in melodies)


def test_every_rejection_is_listed(everything):
    folder, description = everything
    assert description["rejections"] == {
        "duplicate": 4,
        "empty file": 1,
        "no notes": 1,
        "too few bars": 1,
        "unreadable midi": 1,
        "unreadable musicxml": 1,
        "unreadable notesequence": 1,
    }
    lines = (folder / "rejected.csv").read_text().splitlines()
    assert lines[0] == "file,reason,detail"
    assert len(lines) - 1 == sum(description["rejections"].values())
    assert "bad/empty.mid,empty file," in lines
    assert "bad/entity_bomb.xml,unreadable musicxml,declares XML entities" in lines


def test_no_melody_is_in_two_splits(everything):
    melodies = read(everything[0])
    assert len({tuple(tokens) for *_, tokens in melodies}) == len(melodies)
    assert len({identity for _, identity, _, _ in melodies}) == len(melodies)


def test_shards_do_not_depend_on_processes_or_order(everything, tmp_path):
    again = make([BAD, GOOD], tmp_path / "d", num_processes=3)
    first, second = files(everything[0]), files(tmp_path / "d")
    assert again | {"source": 0} == everything[1] | {"source": 0}
    for name in first:
        assert name == "dataset.json" or first[name] == second[name], name


def test_a_tune_keeps_its_split_in_other_company(everything, tmp_path):
    make([os.path.join(GOOD, "book.abc")], tmp_path / "d", num_shards=2)
    everywhere = {identity: split for split, identity, _, _ in read(everything[0])}
    here = read(tmp_path / "d")
    assert len(here) == 3
    assert all(everywhere[identity] == split for split, identity, _, _ in here)
    assert len([n for n in os.listdir(tmp_path / "d") if n.startswith("train")]) == 2


def test_melodies_of_one_tune_share_a_split(tmp_path):
    make([os.path.join(GOOD, "two_tracks.midi")], tmp_path / "d")
    melodies = read(tmp_path / "d")
    assert len(melodies) == 2
    assert len({split for split, *_ in melodies}) == 1


def test_identical_tunes_become_one(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.abc", "a.abc"):
        shutil.copy(os.path.join(GOOD, "scale.abc"), tmp_path / "in" / name)
    description = make([tmp_path / "in"], tmp_path / "d")
    assert description["melodies"] == 1
    assert description["rejections"] == {"duplicate": 1}
    assert read(tmp_path / "d")[0][2].startswith("in/a.abc")


def rejected(path):
    with open(path, newline="") as file:
        return [row["reason"] for row in csv.DictReader(file)]


def test_zero_melodies_says_why(tmp_path):
    with pytest.raises(UserError, match=r"no melody in 6 tunes.*1 unreadable midi.*d.rejected.csv"):
        make([BAD], tmp_path / "d", min_bars=50)
    assert os.listdir(tmp_path / "d") == ["rejected.csv"]
    assert len(rejected(tmp_path / "d" / "rejected.csv")) == 7
    # The same folder may be tried again.
    assert make([os.path.join(GOOD, "scale.abc")], tmp_path / "d")["melodies"] == 1


def test_no_tunes_says_why(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("A B C")
    with pytest.raises(UserError, match=r"no tunes in .*1 unknown file type"):
        make([tmp_path / "in"], tmp_path / "d")
    assert rejected(tmp_path / "d" / "rejected.csv") == ["unknown file type"]


def test_a_dataset_stays_when_nothing_would_replace_it(tmp_path):
    make([os.path.join(GOOD, "scale.abc")], tmp_path / "d")
    before = files(tmp_path / "d")
    with pytest.raises(UserError, match=r"d\.rejected\.csv"):
        make([BAD], tmp_path / "d", min_bars=50, overwrite=True)
    assert files(tmp_path / "d") == before
    assert len(rejected(tmp_path / "d.rejected.csv")) == 7


def test_what_is_dropped_or_moved_is_counted(tmp_path):
    description = make([os.path.join(GOOD, "chords.mid")], tmp_path / "d")
    assert description["changes"] == {"notes under a higher one dropped": 64}


def test_a_metre_change_cuts_on_request_only(tmp_path):
    path = os.path.join(GOOD, "changes.mid")
    whole = make([path], tmp_path / "d")
    assert whole["melodies"] == 1
    assert make([path], tmp_path / "e", split="metre")["melodies"] == 2


def test_folders_within_folders_are_optional(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    shutil.copy(os.path.join(GOOD, "scale.abc"), tmp_path / "in" / "a.abc")
    shutil.copy(os.path.join(GOOD, "line.mid"), tmp_path / "in" / "deep" / "b.mid")
    assert make([tmp_path / "in"], tmp_path / "d")["inputs"] == 2
    assert make([tmp_path / "in"], tmp_path / "e", recursive=False)["inputs"] == 1


def test_large_files_are_rejected(tmp_path):
    inputs = [os.path.join(GOOD, "scale.abc"), os.path.join(GOOD, "ladder.musicxml")]
    description = make(inputs, tmp_path / "d", max_file_mb=0.001)
    assert description["rejections"] == {"too large": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"polyphony": "loudest"},
        {"split": "tempo"},
        {"max_moved": -1},
        {"min_bars": -1},
        {"num_shards": 0},
        {"timeout_seconds": 0},
        {"validation_ratio": 0.6, "test_ratio": 0.4},
        {"num_processes": -1},
    ],
)
def test_wrong_settings_are_named(tmp_path, wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        make([GOOD], tmp_path / "d", **wrong)


def test_gin_binds_the_settings(tmp_path):
    with gin.unlock_config():
        gin.parse_config(
            f"pipelines.build_melody_dataset.inputs = ['{GOOD}/scale.abc']\n"
            "pipelines.build_melody_dataset.max_steps = 64\n"
        )
    try:
        description = build.build_melody_dataset(output_dir=str(tmp_path / "d"))
    finally:
        gin.clear_config()
    assert description["settings"]["max_steps"] == 64
    assert sum(split["tokens"] for split in description["splits"].values()) == 64


@pytest.mark.skipif(not os.path.isdir(NOTTINGHAM), reason="the Nottingham tunes are not here")
def test_real_midi_yields_melodies(tmp_path):
    names = sorted(os.listdir(NOTTINGHAM))[::20]
    inputs = [os.path.join(NOTTINGHAM, name) for name in names]
    description = make(inputs, tmp_path / "d")
    assert description["inputs_with_melody"] >= 0.95 * len(names)


def test_real_abc_yields_melodies(tmp_path):
    music21 = pytest.importorskip("music21")
    folder = os.path.join(os.path.dirname(music21.__file__), "corpus", "oneills1850")
    description = make(
        [os.path.join(folder, name) for name in ("0001-0050.abc", "1001-1031.abc")], tmp_path / "d"
    )
    assert description["inputs"] > 75
    assert description["inputs_with_melody"] >= 0.95 * description["inputs"]
