"""Checkpoints: which one goes on, and what is said of those that cannot."""

import glob
import os
import shutil

import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core.checkpoints import Checkpoints, newest_is_whole


def work(folder, settings="a"):
    state = tf.Variable([0.0] * 64), tf.Variable(0)
    return state, Checkpoints(str(folder), settings, weights=state[0], step=state[1])


def saved(folder, steps=3):
    (weights, step), checkpoints = work(folder)
    for number in range(1, steps + 1):
        weights.assign([float(number)] * 64)
        step.assign(number)
        checkpoints.save({"rows": [number, None, float("nan")]})
    return folder


def restored(folder, settings="a"):
    (weights, step), checkpoints = work(folder, settings)
    found = checkpoints.restore()
    assert float(weights[63]) == int(step)
    return int(step), found


def test_the_newest_is_restored_with_its_notes_and_two_are_kept(tmp_path):
    step, (number, notes) = restored(saved(tmp_path))
    assert (step, number, notes["rows"][:2]) == (3, 3, [3, None])
    names = sorted(os.path.basename(p) for p in glob.glob(f"{tmp_path}/*.index"))
    assert names == ["ckpt-2.index", "ckpt-3.index"]


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert restored(tmp_path / "none") == (0, None)


def test_numbers_go_on_after_a_restore(tmp_path):
    _, checkpoints = work(saved(tmp_path))
    checkpoints.restore()
    checkpoints.save()
    assert sorted(os.path.basename(p) for p in glob.glob(f"{tmp_path}/*.index")) == [
        "ckpt-3.index",
        "ckpt-4.index",
    ]


def overwrite(path, change):
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(change(content))


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


TEARS = {
    "data cut": ("data", lambda content: content[: len(content) // 2]),
    "data empty": ("data", lambda content: b""),
    "data zeros": ("data", lambda content: bytes(len(content))),
    "data flipped": ("data", flip),
    "index cut": ("index", lambda content: content[: len(content) // 2]),
    "index empty": ("index", lambda content: b""),
    "index zeros": ("index", lambda content: bytes(len(content))),
    "index flipped": ("index", flip),
    "index text": ("index", lambda content: b"not an index at all\n" * 30),
}


@pytest.mark.parametrize("name", TEARS)
def test_a_torn_newest_one_is_passed_over_with_a_warning(tmp_path, capsys, name):
    kind, change = TEARS[name]
    (path,) = glob.glob(f"{saved(tmp_path)}/ckpt-3.{kind}*")
    overwrite(path, change)
    assert not newest_is_whole(str(tmp_path))
    step, (number, _) = restored(tmp_path)
    assert (step, number) == (2, 2)
    said = capsys.readouterr().err
    assert "ckpt-3 is damaged" in said and "going on from" in said and "ckpt-2" in said


@pytest.mark.parametrize("kind", ["data", "index"])
def test_a_missing_file_is_like_a_torn_one(tmp_path, kind):
    (path,) = glob.glob(f"{saved(tmp_path)}/ckpt-3.{kind}*")
    os.remove(path)
    assert restored(tmp_path)[0] == 2


def test_the_files_of_another_checkpoint_are_not_taken(tmp_path):
    (theirs,) = glob.glob(f"{saved(tmp_path)}/ckpt-2.data*")
    (ours,) = glob.glob(f"{tmp_path}/ckpt-3.data*")
    shutil.copyfile(theirs, ours)
    assert restored(tmp_path)[0] == 2


def test_the_list_of_checkpoints_is_not_needed(tmp_path):
    os.remove(f"{saved(tmp_path)}/checkpoint")
    assert restored(tmp_path)[0] == 3


def test_if_none_is_whole_nothing_starts_over_in_silence(tmp_path):
    for path in glob.glob(f"{saved(tmp_path)}/*.data*"):
        overwrite(path, lambda content: b"")
    with pytest.raises(UserError, match="no other one is whole"):
        restored(tmp_path)
    for path in glob.glob(f"{tmp_path}/*.index"):
        os.remove(path)
    with pytest.raises(UserError, match="parts of checkpoints"):
        restored(tmp_path)


def test_what_a_killed_process_was_writing_is_removed(tmp_path):
    (saved(tmp_path) / "ckpt-4_temp").mkdir()
    (tmp_path / "ckpt-4_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
    assert restored(tmp_path)[0] == 3
    assert not (tmp_path / "ckpt-4_temp").exists()


def test_a_checkpoint_belongs_to_its_settings(tmp_path):
    saved(tmp_path)
    with pytest.raises(UserError, match="was made with other settings"):
        restored(tmp_path, "b")
    assert restored(tmp_path, "")[0] == 3


def test_a_checkpoint_of_an_earlier_version_is_restored(tmp_path):
    state = tf.Variable([7.0] * 64), tf.Variable(7)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(weights=state[0], step=state[1]), str(tmp_path), max_to_keep=2
    )
    manager.save()
    assert restored(tmp_path) == (7, (1, None))


def test_another_network_is_one_line(tmp_path):
    saved(tmp_path)
    with pytest.raises(UserError, match="cannot be restored") as error:
        Checkpoints(str(tmp_path), "a", weights=tf.Variable([0.0] * 3)).restore()
    assert "\n" not in str(error.value)
