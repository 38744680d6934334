import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.datasets import sequence_examples, writer
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.datasets.sequences import write_sequences

CLASSES = 38


def write(folder, train, validation=(), steps_per_bar=16, num_shards=1):
    """A dataset of the given sequences, as a pipeline would write it."""
    description = {
        "kind": "melody",
        "encoding": {"num_classes": CLASSES, "longest": 333},
        "splits": {},
    }
    with writer.whole_folder(str(folder), overwrite=True) as temporary:
        for split, sequences in (("train", train), ("validation", validation), ("test", ())):
            rows = [
                sequence_examples.serialise({"steps_per_bar": steps_per_bar}, tokens)
                for tokens in sequences
            ]
            shards = writer.write_shards(temporary, split, rows, num_shards)
            description["splits"][split] = {"sequences": len(rows), "shards": shards}
        writer.write_description(temporary, description)
    return SequenceDataset(str(folder))


def test_a_shard_is_the_one_that_was_written(tmp_path):
    folder = str(tmp_path / "data")
    rows = [[number % 5] * 8 for number in range(60)]
    write_sequences(folder, [[*row, k % 7] for k, row in enumerate(rows)], kind="x", num_classes=9)
    dataset = SequenceDataset(folder)
    train = dataset.description["splits"]["train"]["shards"]
    path = f"{folder}/{train[0]}"
    with open(path, "rb") as file:
        content = file.read()
    other = f"{folder}/{dataset.description['splits']['validation']['shards'][0]}"
    shutil.copyfile(other, path)
    with pytest.raises(UserError, match=rf"{train[0]} has \d+ bytes, but .*dataset.json says"):
        SequenceDataset(folder)
    for damaged in (b"", content[:-1]):
        with open(path, "wb") as file:
            file.write(damaged)
        with pytest.raises(UserError, match=rf"{train[0]} has {len(damaged)} bytes"):
            SequenceDataset(folder)
    with open(path, "wb") as file:
        file.write(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="as its SHA-256, but"):
        SequenceDataset(folder)
    with open(path, "wb") as file:
        file.write(content)
    SequenceDataset(folder)


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    return [rng.integers(0, CLASSES, length) for length in (5, 100, 16, 333, 64, 1)]


def test_sequences_come_back(tmp_path, sequences):
    dataset = write(tmp_path / "data", sequences)
    for found, wanted in zip(dataset.sequences("train"), sequences):
        np.testing.assert_array_equal(found, wanted)


def batches(dataset, epoch, seed=3, window=32):
    return list(dataset.training_batches("train", 4, window, seed, epoch).as_numpy_iterator())


def test_an_epoch_holds_every_token_once_after_its_predecessor(tmp_path, sequences):
    dataset = write(tmp_path / "data", sequences)
    seen = []
    for inputs, labels, mask in batches(dataset, epoch=0):
        assert inputs.shape[1] == 32
        for x, y, m in zip(inputs, labels, mask):
            length = int(m.sum())
            np.testing.assert_array_equal(m, np.arange(32) < length)
            np.testing.assert_array_equal(x[1:length], y[: length - 1])
            seen += zip(x[:length], y[:length])
    wanted = [
        pair for tokens in sequences for pair in zip([CLASSES, *tokens[:-1]], tokens, strict=True)
    ]
    assert sorted(map(tuple, seen)) == sorted(map(tuple, wanted))


def test_windows_begin_at_bar_lines(tmp_path):
    # Every token tells its position, so a window's first label tells where it was cut.
    dataset = write(tmp_path / "data", [np.arange(36)], steps_per_bar=12)
    firsts = {
        int(row[0])
        for epoch in range(20)
        for _, labels, _ in batches(dataset, epoch, window=24)
        for row in labels
    }
    assert firsts == {0, 12, 24}


def test_batches_hang_on_seed_and_epoch(tmp_path, sequences):
    dataset = write(tmp_path / "data", sequences)
    again = write(tmp_path / "again", sequences)
    for one, two in zip(batches(dataset, 1), batches(again, 1), strict=True):
        for a, b in zip(one, two):
            np.testing.assert_array_equal(a, b)
    assert any(
        not np.array_equal(one[1], two[1])
        for one, two in zip(batches(dataset, 1), batches(dataset, 2))
    )


def test_evaluation_reads_whole_sequences(tmp_path, sequences):
    dataset = write(tmp_path / "data", sequences, validation=sequences[:2])
    ((inputs, labels, mask),) = dataset.evaluation_batches("validation", 8)
    assert labels.shape == (2, 100) and inputs[0, 0] == CLASSES
    np.testing.assert_array_equal(mask.numpy().sum(1), [5, 100])


def test_no_thread_that_tunes_holds_up_the_end_of_an_epoch(tmp_path, sequences):
    dataset = write(tmp_path / "data", sequences)
    for batches in (
        dataset.training_batches("train", 4, 8, 0, 0),
        dataset.training_batches("train", 4, 0, 0, 0),
        dataset.evaluation_batches("train", 4),
    ):
        assert batches.options().autotune.enabled is False


def test_a_damaged_dataset_is_one_clear_line(tmp_path, sequences):
    write(tmp_path / "data", sequences)
    (tmp_path / "data" / "train-00000-of-00001.tfrecord").unlink()
    with pytest.raises(UserError, match=r"train-00000-of-00001.tfrecord is missing"):
        SequenceDataset(str(tmp_path / "data"))
    (tmp_path / "data" / "dataset.json").write_text("{")
    with pytest.raises(UserError, match=r"dataset.json is not a dataset's description"):
        SequenceDataset(str(tmp_path / "data"))
    with pytest.raises(UserError, match="no split"):
        write(tmp_path / "other", sequences).examples("nonsense")


def test_description_is_json(tmp_path, sequences):
    write(tmp_path / "data", sequences)
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["kind"] == "melody"


@pytest.mark.parametrize("window", [0, 8])
def test_a_split_that_does_not_stay_in_memory_gives_the_same_batches(tmp_path, window):
    rng = np.random.default_rng(0)
    rows = [rng.integers(CLASSES, size=rng.integers(4, 40)).tolist() for _ in range(50)]
    cached = write(tmp_path / "data", rows, steps_per_bar=4)
    streamed = SequenceDataset(str(tmp_path / "data"), cache_mb=0)

    def batches(dataset):
        return [
            [part.numpy().tolist() for part in batch]
            for epoch in range(2)
            for batch in dataset.training_batches("train", 8, window, 3, epoch)
        ]

    wanted = batches(cached)
    assert batches(streamed) == wanted
    # What stays in memory no longer needs its file; what is streamed does.
    for shard in (tmp_path / "data").glob("train-*"):
        shard.rename(tmp_path / "moved")
        assert batches(cached) == wanted
        with pytest.raises(tf.errors.NotFoundError):
            batches(streamed)
        (tmp_path / "moved").rename(shard)


@pytest.mark.parametrize("cache_mb", [0, 1024])
def test_a_stream_can_be_passed_through_again_and_ends_where_it_is_told(
    tmp_path, sequences, cache_mb
):
    write(tmp_path / "data", sequences)
    data = SequenceDataset(str(tmp_path / "data"), cache_mb)
    stream = data.stream("train")
    for _ in range(2):
        assert [row.tolist() for row in stream] == [row.tolist() for row in data.sequences("train")]
    assert [row.tolist() for row in data.sequences("train", 3)] == [
        row.tolist() for row in data.sequences("train")[:3]
    ]
    with pytest.raises(UserError, match="no 'smiles'"):
        list(data.stream("train", "smiles"))


@pytest.mark.parametrize("window", [0, 64])
def test_more_sequences_than_the_buffer_holds_come_from_shards_in_random_order(
    tmp_path, monkeypatch, window
):
    rows = [[number % 36 + 2, number // 36 + 2] * 4 for number in range(400)]
    data = write(tmp_path / "data", rows, num_shards=20)

    def firsts(epoch):
        batches = data.training_batches("train", 10, window, 3, epoch).as_numpy_iterator()
        return [tuple(label[:2]) for _, labels, _ in batches for label in labels]

    known = firsts(0)
    for name in ("_SEQUENCE_BUFFER", "_TUNE_BUFFER"):
        monkeypatch.setattr("rl_tuner.datasets.reader." + name, 40)
    mixed = firsts(0)
    assert sorted(mixed) == sorted(known) and mixed == firsts(0) != firsts(1)
    # A buffer of 40 alone could bring nothing of the last shards to the front.
    last = {tuple(row[:2].tolist()) for row in data.sequences("train")[-100:]}
    assert last & set(mixed[:100])
