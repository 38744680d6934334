import csv
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.datasets import sequence_examples, tfrecords, writer


def test_bytes_are_those_of_tensorflow(tmp_path):
    tf = pytest.importorskip("tensorflow")
    context = {"id": "ab", "source": "Ó Néill #1", "length": 300, "steps_per_bar": 16}
    tokens = [0, 1, 37, 300, 2**40]

    def feature(value):
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    steps = tf.train.FeatureList(feature=[feature(t) for t in tokens])
    expected = tf.train.SequenceExample(
        context=tf.train.Features(feature={k: feature(v) for k, v in context.items()}),
        feature_lists=tf.train.FeatureLists(feature_list={"tokens": steps}),
    )
    got = sequence_examples.serialise(context, tokens)
    assert tf.train.SequenceExample.FromString(got) == expected
    path = str(tmp_path / "x.tfrecord")
    tfrecords.write_records(path, [got, b"", b"123456789"])
    read = list(tf.data.TFRecordDataset(path).as_numpy_iterator())
    assert read == [got, b"", b"123456789"]


def test_records_round_trip(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    data = [b"one", b"", bytes(range(256)) * 5]
    tfrecords.write_records(path, data)
    spans = list(tfrecords.record_spans(path))
    assert [tfrecords.read_record(path, offset) for offset, _ in spans] == data
    assert [length for _, length in spans] == [3, 0, 1280]


@pytest.mark.parametrize("cut", [5, 14, 17])
def test_a_cut_file_is_found_out(tmp_path, cut):
    path = str(tmp_path / "x.tfrecord")
    tfrecords.write_records(path, [b"one"])
    with open(path, "r+b") as file:
        file.truncate(cut)
    with pytest.raises(tfrecords.CorruptRecordError):
        list(tfrecords.record_spans(path))


def test_a_changed_byte_is_found_out(tmp_path):
    path = str(tmp_path / "x.tfrecord")
    tfrecords.write_records(path, [b"one"])
    with open(path, "r+b") as file:
        file.seek(12)
        file.write(b"x")
    with pytest.raises(tfrecords.CorruptRecordError):
        tfrecords.read_record(path, 12)


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="-3"):
        sequence_examples.serialise({}, [-3])


def test_the_split_is_stable_and_near_its_ratios():
    splits = [writer.split_of(b"%d" % i, validation_ratio=0.1, test_ratio=0.2) for i in range(5000)]
    assert 0.08 < splits.count("validation") / 5000 < 0.12
    assert 0.18 < splits.count("test") / 5000 < 0.22
    # sha256(b"0") begins with 0x5f, so b"0" lies at 0x5f/0x100 = .37 on any machine.
    assert writer.split_of(b"0", validation_ratio=0.1, test_ratio=0.4) == "test"
    assert writer.split_of(b"0", validation_ratio=0.1, test_ratio=0.3) == "validation"
    assert writer.split_of(b"0", validation_ratio=0.1, test_ratio=0.2) == "train"


def write(output_dir, text="{}", overwrite=False):
    with writer.whole_folder(str(output_dir), overwrite=overwrite) as folder:
        pathlib.Path(folder, writer.DESCRIPTION_FILE).write_text(text)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), writer.whole_folder(str(tmp_path / "d"), overwrite=False):
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    write(tmp_path / "a" / "d")
    assert os.listdir(tmp_path / "a") == ["d"]
    assert os.listdir(tmp_path / "a" / "d") == [writer.DESCRIPTION_FILE]


def test_a_dataset_is_replaced_only_on_request(tmp_path):
    write(tmp_path / "d", "1")
    with pytest.raises(UserError, match="set overwrite"):
        write(tmp_path / "d", "2")
    with pytest.raises(RuntimeError), writer.whole_folder(str(tmp_path / "d"), overwrite=True):
        raise RuntimeError
    assert (tmp_path / "d" / writer.DESCRIPTION_FILE).read_text() == "1"
    write(tmp_path / "d", "2", overwrite=True)
    assert (tmp_path / "d" / writer.DESCRIPTION_FILE).read_text() == "2"
    assert os.listdir(tmp_path) == ["d"]


def test_a_folder_that_is_no_dataset_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years")
    with pytest.raises(UserError, match="does not contain a dataset"):
        write(tmp_path / "home", overwrite=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a folder"):
        write(tmp_path / "file", overwrite=True)


def test_a_killed_run_leaves_no_folder_and_the_next_one_cleans_up(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from rl_tuner.datasets import writer\n"
        "with writer.whole_folder(sys.argv[1], overwrite=False) as folder:\n"
        "    open(os.path.join(folder, 'train'), 'w').write('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "d")])
    assert done.returncode == -signal.SIGKILL
    (leftover,) = os.listdir(tmp_path)
    assert leftover.startswith(".d.partial-")
    write(tmp_path / "d")
    assert os.listdir(tmp_path) == ["d"]


def test_the_folder_of_a_living_run_is_left_alone(tmp_path):
    with writer.whole_folder(str(tmp_path / "d"), overwrite=True) as folder:
        write(tmp_path / "d", "other")
        assert os.path.isdir(folder)
        (tmp_path / folder / writer.DESCRIPTION_FILE).write_text("mine")
    assert (tmp_path / "d" / writer.DESCRIPTION_FILE).read_text() == "mine"


def test_a_run_killed_while_replacing_loses_nothing(tmp_path):
    write(tmp_path / "d", "old")
    os.rename(tmp_path / "d", tmp_path / ".d.replaced-x")
    with pytest.raises(UserError, match="set overwrite"):
        write(tmp_path / "d", "new")
    assert (tmp_path / "d" / writer.DESCRIPTION_FILE).read_text() == "old"


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "file" / "d")


def test_shards_take_turns(tmp_path):
    names = writer.write_shards(str(tmp_path), "train", [b"a", b"b", b"c"], 2)
    assert names == ["train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"]
    read = [
        [
            tfrecords.read_record(str(tmp_path / n), o)
            for o, _ in tfrecords.record_spans(tmp_path / n)
        ]
        for n in names
    ]
    assert read == [[b"a", b"c"], [b"b"]]


def test_description_and_rejections(tmp_path):
    writer.write_description(str(tmp_path), {"format": 1})
    assert json.loads((tmp_path / "dataset.json").read_text()) == {"format": 1}
    rejections = [writer.Rejection("b,c", "x"), writer.Rejection("a\udcff", "x", "y")]
    writer.write_rejections(str(tmp_path), rejections)
    lines = (tmp_path / "rejected.csv").read_text().splitlines()
    assert lines == ["file,reason,detail", "a\\udcff,x,y", '"b,c",x,']
    assert writer.why([*rejections, writer.Rejection("d", "w")]) == " (rejected: 2 x, 1 w)"


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_a_file_name_is_no_formula_in_a_spreadsheet(tmp_path, beginning):
    name = f"{beginning}cmd|' /C calc'!A0"
    writer.write_rejections(str(tmp_path), [writer.Rejection(name, "x", name)])
    with open(tmp_path / "rejected.csv", newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row == {"file": f"'{name}", "reason": "x", "detail": f"'{name}"}
