"""Magenta's one-hot examples become the same melodies, in a dataset like every other."""

import json
import subprocess
import sys

import note_seq
import numpy as np
import pytest

from pipelines.melody import build_from_magenta, magenta_examples
from rl_tuner.common.errors import UserError
from rl_tuner.datasets import sequence_examples, tfrecords
from rl_tuner.datasets.writer import RejectedError
from tests.tiny_job import ROOT

tf = pytest.importorskip("tensorflow")

CLASSES = 38


def feature(value):
    if isinstance(value, (int, np.integer)):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=value))


def example(inputs, labels):
    lists = {
        name: tf.train.FeatureList(feature=[feature(value) for value in values])
        for name, values in {"inputs": inputs, "labels": labels}.items()
    }
    message = tf.train.SequenceExample(feature_lists=tf.train.FeatureLists(feature_list=lists))
    return message.SerializeToString()


def encoded(classes, width=CLASSES):
    """What Magenta writes for a melody."""
    return example(np.eye(width)[classes[:-1]].tolist(), classes[1:])


def random_melody(rng):
    return [int(each) for each in rng.integers(0, CLASSES, rng.integers(2, 200))]


def rejection(data):
    with pytest.raises(RejectedError) as caught:
        magenta_examples.decode_melody(data)
    return caught.value.reason


def test_a_melody_as_note_seq_encodes_it():
    events = [60, -2, -2, 62, -1, -2, 83, 48, -2]
    coder = note_seq.OneHotEventSequenceEncoderDecoder(note_seq.MelodyOneHotEncoding(48, 84))
    inputs, labels = coder.encode(note_seq.Melody(events))
    melody = magenta_examples.decode_melody(example(inputs, labels))
    assert list(melody) == [14, 0, 0, 16, 1, 0, 37, 2, 0]


def test_any_melody_comes_back():
    rng = np.random.default_rng(0)
    for _ in range(20):
        classes = random_melody(rng)
        assert list(magenta_examples.decode_melody(encoded(classes))) == classes


def test_unpacked_values_and_fields_of_others_are_read_too():
    def field(number, payload):
        return bytes([number << 3 | 2, len(payload) & 0x7F | 0x80, len(payload) >> 7]) + payload

    def entry(name, features):
        steps = b"".join(field(1, each) for each in features)
        return field(1, field(1, name) + field(2, steps))

    floats = [b"\x0d" + np.float32(index == 7).tobytes() for index in range(CLASSES)]
    inputs = entry(b"inputs", [field(2, b"".join(floats))])
    labels = entry(b"labels", [field(3, b"\x08\x05") + b"\x48\x01"])
    assert list(magenta_examples.decode_melody(b"\x50\x01" + field(2, inputs + labels))) == [7, 5]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded([2, 0, 14], width=74), "another encoding"),
        (example([[0.5] * CLASSES], [3]), "an input is not one-hot"),
        (example([[0.0] * CLASSES], [3]), "an input is not one-hot"),
        (example(np.eye(CLASSES)[[1, 2]].tolist(), [2]), "inputs and labels disagree"),
        (example(np.eye(CLASSES)[[1, 2]].tolist(), [3, 4]), "inputs and labels disagree"),
        (example(np.eye(CLASSES)[[1]].tolist(), [38]), "another encoding"),
        (example(np.eye(CLASSES)[[1]].tolist(), [-1]), "another encoding"),
        (example([3], [3]), "another encoding"),
        (example([], []), "inputs and labels disagree"),
        (sequence_examples.serialise({"id": "a"}, [1, 2]), "no inputs and labels"),
        (b"", "no inputs and labels"),
        (b"\xff" * 40, "damaged example"),
    ],
    # Bytes make no names: a map's order in them differs from process to process.
    ids=[str(number) for number in range(12)],
)
def test_what_is_no_melody_of_ours_is_rejected(data, reason):
    assert rejection(data) == reason


def test_damaged_bytes_are_rejected_or_read_but_never_an_error():
    rng = np.random.default_rng(1)
    whole = encoded(random_melody(rng)[:20])
    for _ in range(2000):
        data = bytearray(whole)
        data[rng.integers(len(data))] = rng.integers(256)
        data = data[: rng.integers(len(data))] if rng.random() < 0.3 else data
        try:
            magenta_examples.decode_melody(bytes(data))
        except RejectedError:
            continue


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(2)
    melodies = [random_melody(rng) for _ in range(60)]
    records = [encoded(each) for each in melodies]
    source = tmp_path / "magenta"
    source.mkdir()
    tfrecords.write_records(str(source / "training_melodies.tfrecord"), records[:50])
    tfrecords.write_records(
        str(source / "eval_melodies.tfrecord"), [*records[50:], records[0], encoded([2, 3], 74)]
    )
    (source / "notes.txt").write_text("no records")
    return source, melodies


def test_a_dataset_that_priors_learn_from(folder, tmp_path):
    from rl_tuner.datasets.reader import SequenceDataset

    source, melodies = folder
    description = build_from_magenta.build_magenta_dataset(
        [str(source)], str(tmp_path / "data"), num_processes=1
    )
    assert description["melodies"] == 60
    assert description["rejections"] == {
        "another encoding": 1,
        "duplicate": 1,
        "unknown file type": 1,
    }
    counts = np.bincount(np.concatenate(melodies), minlength=CLASSES)
    assert description["class_histogram"] == counts.tolist()
    data = SequenceDataset(str(tmp_path / "data"))
    assert (data.kind, data.num_classes) == ("melody", CLASSES)
    got = [tuple(row) for split in ("train", "validation", "test") for row in data.sequences(split)]
    assert sorted(got) == sorted(map(tuple, melodies))
    assert {int(steps) for _, steps in data.examples("train")} == {16}


def test_processes_and_order_of_the_inputs_do_not_matter(folder, tmp_path):
    source, _ = folder
    files = [str(source / f"{name}_melodies.tfrecord") for name in ("training", "eval")]
    build_from_magenta.build_magenta_dataset(files, str(tmp_path / "a"), num_processes=1)
    build_from_magenta.build_magenta_dataset(files[::-1], str(tmp_path / "b"), num_processes=2)
    for name in ("train-00000-of-00001.tfrecord", "rejected.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_damaged_file_and_no_melody_at_all(folder, tmp_path):
    source, _ = folder
    path = source / "training_melodies.tfrecord"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data[:-3])
    options = {"output_dir": str(tmp_path / "data"), "num_processes": 1}
    description = build_from_magenta.build_magenta_dataset([str(path)], **options)
    assert description["rejections"] == {"unreadable TFRecord": 2}
    path.write_bytes(b"no records at all")
    for inputs in (str(path), str(tmp_path / "missing")):
        with pytest.raises(UserError):
            build_from_magenta.build_magenta_dataset([inputs], **options, overwrite=True)
    with pytest.raises(UserError, match="steps_per_bar"):
        build_from_magenta.build_magenta_dataset([str(source)], steps_per_bar=0, **options)


def test_the_command(folder, tmp_path):
    source, _ = folder
    flags = [f"--input={source}", f"--output_dir={tmp_path}/data", "--num_processes=1"]
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.magenta_to_tfrecord", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "60 melodies" in done.stdout
    assert "1 another encoding" in done.stdout
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["kind"] == "melody"
