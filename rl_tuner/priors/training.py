"""Training of a prior: epochs, early stopping, checkpoints and the saved prior."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import gin
import keras
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.interruption import Deferred
from rl_tuner.common.progress import Progress, say
from rl_tuner.common.ranges import check
from rl_tuner.common.run_folder import CHECKPOINTS, PRIOR_FILE, SCORES_FILE, TENSORBOARD
from rl_tuner.common.settings import Cosmetic
from rl_tuner.core import event_files, likelihood, schedules, team
from rl_tuner.core.checkpoints import Checkpoints
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.shared_likelihood import SharedTrainer
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.priors.files import save_prior
from rl_tuner.priors.ranges import CELLS, RANGES


@gin.configurable(module="rl_tuner", denylist=["dataset_dir", "output_dir", "seed", "settings"])
def pretrain(
    dataset_dir: str,
    output_dir: str,
    seed: int,
    cells: Sequence[int] = (100,),
    embedding_size: int = 0,
    batch_size: int = 128,
    window: int = 128,
    learning_rate: float = 5e-3,
    decay_rate: float = 0.85,
    decay_steps: int = 1000,
    decay_epochs: float | None = None,
    cosine: bool = False,
    clip_norm: float = 5.0,
    l2: float = 2.5e-5,
    weight_dropout: float = 0.0,
    skip_steps: int = 0,
    max_epochs: int = 60,
    patience: int = 5,
    cache_mb: Cosmetic[float] = 1024.0,
    checkpoint_seconds: Cosmetic[float] = 60.0,
    settings: str = "",
) -> dict[str, Any]:
    """Train a prior by maximum likelihood and save the weights of its best validated epoch.

    An interrupted run resumes at the batch of its last checkpoint, with the same result as without the
    interruption.

    Args:
        dataset_dir: a dataset with a "train" and a "validation" split.
        output_dir: receives prior.keras, scores.json, checkpoints and TensorBoard events.
        seed: seed of the initial weights and of the batches.
        cells: number of cells of each LSTM layer.
        embedding_size: width of the token embedding; 0 is one-hot.
        batch_size: windows per batch.
        window: length of the longest window of a sequence, in tokens; 0 uses whole sequences.
        learning_rate: Adam's initial learning rate.
        decay_rate: factor applied to the learning rate every `decay_steps` updates.
        decay_steps: see decay_rate.
        decay_epochs: decay interval in epochs instead of updates; replaces `decay_steps` unless None.
        cosine: whether the learning rate rises during the first half epoch and then falls to 0 along half
            a cosine until `max_epochs`, instead of stepwise.
        clip_norm: largest global L2 norm of the gradients.
        l2: factor of the L2 weight regularisation.
        weight_dropout: share of the recurrent weights dropped in each update.
        skip_steps: number of steps at the start of each window that do not contribute to the loss.
        max_epochs: largest number of passes over the training split.
        patience: number of epochs without a better validation log-perplexity after which training stops.
        cache_mb: largest size of a split, in MiB, up to which it stays in memory; a larger one is read from
            the disk in every epoch.
        checkpoint_seconds: shortest time between two checkpoints within an epoch.
        settings: digest of the settings of the work: a checkpoint with another one is refused.

    Returns:
        Validation and test log-perplexity (nats per step) and accuracy, and the number of epochs.

    Raises:
        UserError: the dataset cannot be used.
    """
    check_settings(
        cells=cells,
        embedding_size=embedding_size,
        batch_size=batch_size,
        window=window,
        learning_rate=learning_rate,
        decay_rate=decay_rate,
        decay_steps=decay_steps,
        decay_epochs=decay_epochs,
        clip_norm=clip_norm,
        l2=l2,
        weight_dropout=weight_dropout,
        skip_steps=skip_steps,
        max_epochs=max_epochs,
        patience=patience,
        cache_mb=cache_mb,
        checkpoint_seconds=checkpoint_seconds,
    )
    dataset = SequenceDataset(dataset_dir, cache_mb)
    keras.utils.set_random_seed(seed)
    network = SequenceNetwork(dataset.num_classes, cells, embedding_size, name="prior")
    best = network.copy()
    per_epoch = 1
    if cosine or decay_epochs is not None:
        batches = dataset.training_batches("train", batch_size, window, seed, 0)
        per_epoch = sum(1 for _ in batches)
    if cosine:
        warmup_steps = max(1, per_epoch // 2)
        schedule = schedules.cosine(learning_rate, warmup_steps, max_epochs * per_epoch + 1)
    else:
        if decay_epochs is not None:
            decay_steps = max(1, round(decay_epochs * per_epoch))
        schedule = schedules.stepwise(learning_rate, decay_rate, decay_steps)
    trainer = likelihood.MLETrainer(network, schedule, clip_norm, l2, weight_dropout, seed)
    together = team.chosen()
    writes = together is None or together.is_chief
    steps: likelihood.MLETrainer | SharedTrainer = trainer
    if together is not None:
        others = []
        for device in together.devices[1:]:
            with tf.device(device):
                others.append(
                    likelihood.MLETrainer(
                        network.copy(), schedule, clip_norm, l2, weight_dropout, seed
                    )
                )
        steps = SharedTrainer(together, trainer, others)
    epoch = tf.Variable(0, dtype=tf.int64)
    best_epoch = tf.Variable(0, dtype=tf.int64)
    best_score = tf.Variable(float("inf"), dtype=tf.float64)
    checkpoints = Checkpoints(
        os.path.join(output_dir, CHECKPOINTS),
        settings,
        network=network,
        optimizer=trainer.optimizer,
        best=best,
        epoch=epoch,
        best_epoch=best_epoch,
        best_score=best_score,
    )
    events = os.path.join(output_dir, TENSORBOARD)
    restored = checkpoints.restore()
    position = _Position(restored[1] if restored else None)
    if restored and writes:
        event_files.cut(events, int(epoch))
        say(f"prior: resuming after epoch {int(epoch)}{position}")
    if isinstance(steps, SharedTrainer):
        steps.follow_lead()
    writer = tf.summary.create_file_writer(events) if writes else tf.summary.create_noop_writer()
    saved = time.monotonic()
    with (
        Progress(max_epochs, "prior", "epochs", initial=int(epoch)) as progress,
        Deferred("prior") as signals,
    ):
        while int(epoch) < max_epochs and int(epoch) - int(best_epoch) < patience:
            batches = dataset.training_batches("train", batch_size, window, seed, int(epoch))
            for inputs, labels, mask in batches.skip(position.batches):
                counted = tf.cast(tf.range(tf.shape(mask)[1]) >= skip_steps, tf.float32)
                position.add(steps.train_step(inputs, labels, mask * counted))
                if signals.arrived or time.monotonic() - saved > checkpoint_seconds:
                    if writes:
                        checkpoints.save(position.notes())
                    saved = time.monotonic()
                    signals.stop()
            if not position.batches:
                raise UserError(f"{dataset_dir}: the training split is empty; use more data")
            try:
                scores = trainer.evaluate(dataset.evaluation_batches("validation", 64))
            except ValueError:
                raise UserError(
                    f"{dataset_dir}: the validation split is empty; use more data or raise the "
                    "dataset's validation_ratio"
                ) from None
            if together is not None:
                # Other machines may round differently, but must stop at the same epoch.
                scores = {name: together.agree(value) for name, value in scores.items()}
            epoch.assign_add(1)
            if scores["log_perplexity"] < float(best_score):
                best_score.assign(scores["log_perplexity"])
                best_epoch.assign(epoch)
                best.set_weights(network.get_weights())
            with writer.as_default(step=epoch):
                tf.summary.scalar("prior/train_log_perplexity", position.mean_loss())
                tf.summary.scalar("prior/learning_rate", trainer.optimizer.learning_rate)
                for name, value in scores.items():
                    tf.summary.scalar(f"prior/validation_{name}", value)
            writer.flush()
            position = _Position()
            if writes:
                checkpoints.save(position.notes())
            saved = time.monotonic()
            progress.update(
                1,
                f"validation {scores['log_perplexity']:.3f} nats per step, "
                f"accuracy {100 * scores['accuracy']:.1f}%",
            )
    writer.close()
    network.set_weights(best.get_weights())
    scores = {"epochs": int(epoch), "best_epoch": int(best_epoch)}
    for split in ("validation", "test"):
        try:
            measured = trainer.evaluate(dataset.evaluation_batches(split, 64))
        except ValueError:
            continue
        scores |= {f"{split}_{name}": value for name, value in measured.items()}
    if writes:
        save_prior(best, dataset, scores, os.path.join(output_dir, PRIOR_FILE))
        write_text(os.path.join(output_dir, SCORES_FILE), json.dumps(scores, indent=2) + "\n")
    return scores


class _Position:
    """How far the training is within an epoch.

    Args:
        notes: what `notes` returned when a checkpoint was written; None at the beginning of an epoch.
    """

    def __init__(self, notes: dict[str, Any] | None = None) -> None:
        found = notes or {"batches": 0, "loss": 0.0}
        self.batches: int = found["batches"]
        self._loss: float = found["loss"]
        self._new: list[tf.Tensor] = []

    def add(self, loss: tf.Tensor) -> None:
        """Count a batch with its loss, which is not waited for."""
        self.batches += 1
        self._new.append(loss)

    def mean_loss(self) -> float:
        """Return the mean loss of the batches of this epoch so far."""
        return self.notes()["loss"] / self.batches

    def notes(self) -> dict[str, Any]:
        """Return the position, as JSON can hold it."""
        self._loss += sum(float(loss) for loss in self._new)
        self._new.clear()
        return {"batches": self.batches, "loss": self._loss}

    def __str__(self) -> str:
        return f" and {self.batches:,} batches" if self.batches else ""


def check_settings(cells: Sequence[int], window: int, skip_steps: int, **numbers: Any) -> None:
    """Reject settings of `pretrain` that are out of range.

    Raises:
        UserError: a setting is out of range.
    """
    if isinstance(cells, int) or not cells or not all(cell in CELLS for cell in cells):
        raise UserError(
            f"pretrain.cells must be a list of whole numbers such as [100], not {cells!r}"
        )
    try:
        check(RANGES, "pretrain", window=window, skip_steps=skip_steps, **numbers)
    except ValueError as error:
        raise UserError(str(error)) from error
    if window and skip_steps >= window:
        raise UserError(f"pretrain.skip_steps must be below {window=}, not {skip_steps}")
