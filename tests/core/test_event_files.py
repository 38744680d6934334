import glob
import os

import tensorflow as tf

from rl_tuner.core import event_files


def written(folder, steps):
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step in steps:
            tf.summary.scalar("loss", float(step), step=step)
    writer.close()
    (path,) = glob.glob(f"{folder}/events*")
    return path


def steps_in(path):
    records = tf.data.TFRecordDataset(path).as_numpy_iterator()
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    return [event.step for event in events if event.HasField("summary")]


def test_points_after_the_step_are_cut_and_the_others_stay(tmp_path):
    path = written(tmp_path, range(10))
    event_files.cut(str(tmp_path), 6)
    assert steps_in(path) == [0, 1, 2, 3, 4, 5, 6]


def test_a_torn_last_record_is_cut(tmp_path):
    path = written(tmp_path, range(10))
    os.truncate(path, os.path.getsize(path) - 5)
    event_files.cut(str(tmp_path), 20)
    assert steps_in(path) == list(range(9))


def test_a_file_with_nothing_to_cut_is_not_touched(tmp_path):
    path = written(tmp_path, range(3))
    before = os.stat(path)
    event_files.cut(str(tmp_path), 2)
    assert os.stat(path).st_ino == before.st_ino
    event_files.cut(str(tmp_path / "none"), 2)
