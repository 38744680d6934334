"""The prior: what it learns, what it carries, how it goes on after an interruption."""

import json
import os
import shutil
import signal
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.interruption import Terminated
from rl_tuner.core.likelihood import MLETrainer
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.priors import training
from rl_tuner.priors.files import load_matching_prior, load_prior
from rl_tuner.tasks.melody.task import MelodyTask
from tests.datasets.test_reader import write
from tests.event_series import read_events


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Scales up and down: what comes next is nearly certain after two notes."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(120):
        start, step = rng.integers(2, 38), rng.choice([-1, 1])
        rows.append(2 + (start + step * np.arange(48)) % 36)
    folder = tmp_path_factory.mktemp("scales") / "data"
    write(folder, rows[:100], rows[100:])
    return str(folder)


SETTINGS = {"cells": (16,), "batch_size": 16, "window": 32, "learning_rate": 0.02, "seed": 1}


def test_a_prior_learns_and_reports_what_it_learned(dataset, tmp_path):
    scores = training.pretrain(dataset, str(tmp_path), max_epochs=12, **SETTINGS)
    assert scores["validation_log_perplexity"] < 0.7 * np.log(36)
    assert scores["validation_accuracy"] > 0.4
    prior = load_prior(str(tmp_path))
    assert prior.metadata["provenance"]["scores"] == scores
    assert prior.metadata["encoding"]["num_classes"] == 38
    trainer = MLETrainer(prior, 1e-3, 1.0, 0.0)
    data = training.SequenceDataset(dataset)
    again = trainer.evaluate(data.evaluation_batches("validation", 7))
    assert again["log_perplexity"] == pytest.approx(scores["validation_log_perplexity"], rel=1e-5)


def test_an_interrupted_prior_ends_as_if_it_had_never_stopped(dataset, tmp_path):
    for name in ("whole", "stopped"):
        training.pretrain(dataset, str(tmp_path / name), max_epochs=2, **SETTINGS)
    shutil.rmtree(tmp_path / "whole")
    training.pretrain(dataset, str(tmp_path / "whole"), max_epochs=4, **SETTINGS)
    training.pretrain(dataset, str(tmp_path / "stopped"), max_epochs=4, **SETTINGS)
    one, two = (load_prior(str(tmp_path / name)) for name in ("whole", "stopped"))
    assert one.metadata["provenance"]["scores"]["epochs"] == 4
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_a_prior_stopped_within_an_epoch_resumes_at_its_batch(
    dataset, tmp_path, monkeypatch, capsys
):
    settings = SETTINGS | {"max_epochs": 2, "checkpoint_seconds": 0.0, "batch_size": 4}
    whole, stopped = str(tmp_path / "whole"), str(tmp_path / "stopped")
    training.pretrain(dataset, whole, **settings)
    train_step, made = MLETrainer.train_step, []

    def interrupted(self, *batch):
        if len(made) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        made.append(batch)
        return train_step(self, *batch)

    with monkeypatch.context() as patched, pytest.raises(Terminated):
        patched.setattr(MLETrainer, "train_step", interrupted)
        training.pretrain(dataset, stopped, **settings)
    assert len(made) == 4
    training.pretrain(dataset, stopped, **settings)
    assert "resuming after epoch 0 and 4 batches" in capsys.readouterr().err
    one, two = load_prior(whole), load_prior(stopped)
    for a, b in zip(one.get_weights(), two.get_weights()):
        np.testing.assert_array_equal(a, b)
    losses = [
        [
            tf.make_ndarray(point.tensor_proto)
            for point in read_events(folder).Tensors("prior/train_log_perplexity")
        ]
        for folder in (whole, stopped)
    ]
    np.testing.assert_allclose(*losses)


def test_training_stops_early_and_keeps_the_best(dataset, tmp_path):
    # With next to no learning rate nothing gets better after the first epoch.
    settings = SETTINGS | {"learning_rate": 1e-30}
    scores = training.pretrain(dataset, str(tmp_path), max_epochs=30, patience=2, **settings)
    assert scores["epochs"] == 3 and scores["best_epoch"] == 1


def test_the_loss_is_the_naive_one_and_masked_steps_do_not_count():
    network = SequenceNetwork(5, cells=(4,))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(size=w.shape) for w in network.weights])
    inputs, labels = rng.integers(0, 6, (3, 7)), rng.integers(0, 5, (3, 7))
    mask = (rng.random((3, 7)) > 0.4).astype(np.float32)
    trainer = MLETrainer(network, 1e-3, 1.0, 0.0)
    logits = network(tf.constant(inputs)).numpy().astype(np.float64)
    nll, right, count = 0.0, 0, 0
    for n in range(3):
        for t in range(7):
            if mask[n, t]:
                nll -= logits[n, t, labels[n, t]] - np.log(np.exp(logits[n, t]).sum())
                right += logits[n, t].argmax() == labels[n, t]
                count += 1
    batch = tuple(map(tf.constant, (inputs, labels, mask)))
    found = trainer.evaluate([batch])
    assert found["log_perplexity"] == pytest.approx(nll / count, rel=1e-5)
    assert found["accuracy"] == pytest.approx(right / count)
    assert float(trainer.train_step(*batch)) == pytest.approx(nll / count, rel=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "cannot be read"), (b"PK\x03\x04 torn", "cannot be read")],
)
def test_a_prior_that_cannot_be_read_is_one_line(tmp_path, content, message):
    path = tmp_path / "prior.keras"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load_prior(str(path))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def rewritten(path, change):
    """The .keras file with another config."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = json.loads(members["config.json"])
    change(content)
    members["config.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": [100_000]}, "describes 40,"),
        ({"num_classes": 2_000_000_000}, "cannot contain"),
        ({"cells": [4] * 1_000_000}, "cannot contain"),
        ({"embedding_size": 10**12}, "cannot contain"),
        ({"cells": "many"}, "does not describe a network"),
        ({"cells": [-4]}, "does not describe a network"),
    ],
)
def test_a_prior_that_describes_more_than_it_contains_is_not_built(tmp_path, change, message):
    path = str(tmp_path / "prior.keras")
    SequenceNetwork(12, cells=(4,)).save(path)
    assert load_prior(path).cells == [4]
    rewritten(path, lambda content: content["config"].update(change))
    with pytest.raises(UserError, match=message):
        load_prior(path)


def test_a_model_of_another_kind_is_not_built(tmp_path):
    path = str(tmp_path / "prior.keras")
    keras.Sequential([keras.Input([3]), keras.layers.Dense(2)]).save(path)
    rewritten(path, lambda content: content["config"]["layers"][1]["config"].update(units=10**12))
    with pytest.raises(UserError, match="contains a Sequential, not a prior"):
        load_prior(path)


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path):
    path = str(tmp_path / "prior.keras")
    SequenceNetwork(12, cells=(4,)).save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/bomb", bytes(100_000_000))
    with pytest.raises(UserError, match="unpacks to 100,"):
        load_prior(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    network = SequenceNetwork(12, cells=(4,))
    kernel = network.head.kernel.numpy()
    kernel[1, 2] = value
    network.head.kernel.assign(kernel)
    network.save(tmp_path / "prior.keras")
    with pytest.raises(UserError, match="head/kernel contains values that are NaN or infinite"):
        load_prior(str(tmp_path / "prior.keras"))


def test_a_prior_of_another_kind_is_one_line(tmp_path):
    network = SequenceNetwork(12, cells=(4,), metadata={"kind": "molecule"})
    network.save(tmp_path / "prior.keras")
    with pytest.raises(
        UserError, match="generates molecule sequences, but the task needs melody sequences"
    ):
        load_matching_prior(str(tmp_path / "prior.keras"), MelodyTask())
