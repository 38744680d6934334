"""A tuned policy in Python: sampling, scoring, measuring and exporting it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner import generation
from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.rollout import sequence_inputs
from rl_tuner.core.task import Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.jobs import job
from rl_tuner.serving import saved_model as exporting
from rl_tuner.tuning import evaluation, loop, report

_EVALUATION_BATCH = 1_000
_PADDING = -1


@dataclasses.dataclass(frozen=True)
class Tuned:
    """A tuned policy with its prior.

    Attributes:
        tuner: the networks, the objective and the task.
        run_dir: folder with checkpoints, TensorBoard events and history.
        dataset_dir: the training data, for novelty; None where it is not known.
    """

    tuner: RLTuner
    run_dir: str
    dataset_dir: str | None = None

    @property
    def task(self) -> Task:
        """What is generated and rewarded."""
        return self.tuner.task

    @property
    def prior(self) -> SequenceNetwork:
        """The network that was tuned, as it was before."""
        return self.tuner.prior

    @property
    def history(self) -> list[dict[str, Any]]:
        """Every evaluation during training: `step`, `task_reward`, `kl`, `reward/PART` and so on."""
        return loop.read_history(self.run_dir)


@dataclasses.dataclass(frozen=True)
class Samples:
    """N sequences of a policy.

    Attributes:
        prefix: int32 [N, P], what the networks read before the first token; no part of a sequence.
        tokens: int32 [N, T], 0 past a sequence's end.
        lengths: int32 [N], tokens of each, its end token included.
        log_policy: float32 [N], log-probability of the sequence under the policy, in nats.
        log_prior: float32 [N], the same under the prior.
        outputs: what the task makes of them for people, a row a sequence: `smiles`, `pitches`.
        task: what they are sequences of.
    """

    prefix: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    log_policy: np.ndarray
    log_prior: np.ndarray
    outputs: dict[str, np.ndarray]
    task: Task

    def __len__(self) -> int:
        """N."""
        return len(self.tokens)

    @property
    def texts(self) -> list[str]:
        """The sequences as text, such as SMILES.

        Raises:
            UserError: the task's sequences have no text form.
        """
        name = self.task.served_form().text_input
        if name is None:
            raise UserError(f"{self.task.kind} sequences have no text form; see .tokens, .outputs")
        return [text.decode() for text in self.outputs[name]]

    def save(self, folder: str, prefix: str = "sample") -> list[str]:
        """Writes what a person wants of them (.mid; .smi and .sdf); returns the paths."""
        os.makedirs(folder, exist_ok=True)
        return self.task.write_samples(self.tokens, folder, prefix)


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a tuned policy, its prior and the reward say of B sequences.

    Attributes:
        log_policy: float32 [B], log-probability under the policy, in nats.
        log_prior: float32 [B], the same under the prior.
        reward: float32 [B], task reward r_T of the whole sequence.
        parts: the reward by part, float32 [B] each.
    """

    log_policy: np.ndarray
    log_prior: np.ndarray
    reward: np.ndarray
    parts: dict[str, np.ndarray]

    @property
    def log_ratio(self) -> np.ndarray:
        """float32 [B], log_policy - log_prior: above 0 where tuning made a sequence likelier."""
        return self.log_policy - self.log_prior


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What was measured of the prior and of the tuned policy; its text is the table.

    Attributes:
        metrics: by model ("prior", "tuned"), numbers by name; None where a metric is undefined.
        table: the paper's table and the rest as text.
    """

    metrics: dict[str, dict[str, Any]]
    table: str

    def __str__(self) -> str:
        """The table."""
        return self.table


def sample(
    tuned: Tuned, count: int, *, seed: int = 0, temperature: float = 1.0, model: str = "tuned"
) -> Samples:
    """Draws sequences; the same seed and count give the same ones.

    Args:
        tuned: a tuned policy.
        count: N, how many.
        seed: of the draws.
        temperature: divides the tuned policy's logits.
        model: "tuned" or "prior".

    Raises:
        UserError: an argument makes no sense.
    """
    _check_count(count)
    if model not in ("tuned", "prior") or not temperature > 0:
        raise UserError(
            f"sample: model is 'tuned' or 'prior' and temperature above 0, not {model=}, {temperature=}"
        )
    if model == "prior" and temperature != 1.0:
        raise UserError("sample: temperature is for model='tuned'")
    tuner = tuned.tuner
    if model == "tuned":
        sampler = evaluation.tuned_sampler(tuner, temperature)
    else:
        sampler = evaluation.prior_sampler(tuner.prior, tuner.task, tuner.start)
    episode = tf.function(sampler)(count, tf.constant([seed, 0], tf.int32))
    lengths = tf.cast(tf.reduce_sum(episode.mask, axis=1), tf.int32)
    outputs = tuner.task.served_form().outputs(episode.tokens, lengths)
    return Samples(
        episode.prefix.numpy(),
        episode.tokens.numpy(),
        lengths.numpy(),
        tf.reduce_sum(episode.log_policy, axis=1).numpy(),
        tf.reduce_sum(episode.log_prior, axis=1).numpy(),
        {name: value.numpy() for name, value in outputs.items()},
        tuner.task,
    )


def score(tuned: Tuned, sequences: Samples | Sequence[Any] | np.ndarray) -> Scores:
    """Log-probabilities and reward of B sequences.

    Args:
        tuned: a tuned policy.
        sequences: `Samples`; texts where the task has a text form, such as SMILES; or the tokens of
            each, with an end token where the task has one. Only `Samples` know what they were
            started from: others are scored as begun from the start token.

    Raises:
        UserError: there is none, a token is no class of the task, or a text cannot be read.
    """
    tuner = tuned.tuner
    tokens, mask, prefix = _inputs(tuner, sequences)
    inputs, first = sequence_inputs(prefix, tokens), prefix.shape[1] - 1

    def total(logits: tf.Tensor) -> np.ndarray:
        chosen = tf.gather(tf.nn.log_softmax(logits[:, first:]), tokens, batch_dims=2)
        return tf.reduce_sum(chosen * mask, axis=1).numpy()

    log_policy, log_prior = total(tuner(inputs)), total(tuner.prior(inputs))
    found = tuner.task.reward_parts(tokens, mask)
    parts = {name: tf.reduce_sum(part * mask, axis=1).numpy() for name, part in found.items()}
    return Scores(log_policy, log_prior, np.sum([*parts.values()], axis=0), parts)


def evaluate(
    tuned: Tuned, count: int = 10_000, *, seed: int = 0, output_dir: str | None = None
) -> Evaluation:
    """Measures `count` sequences of the prior and of the tuned policy, with progress.

    Args:
        tuned: a tuned policy; novelty is measured where its training data are known.
        count: sequences of each.
        seed: of the draws, the same for both.
        output_dir: also write metrics.json and metrics.txt here; in tuned.run_dir an export and its
            model card find them.

    Raises:
        UserError: the count is below 1.
    """
    _check_count(count)
    settings = job.Job(
        task=tuned.task,
        make_dataset=None,
        seed=seed,
        evaluation_sequences=count,
        evaluation_batch=_EVALUATION_BATCH,
    )
    metrics, _ = job.evaluate(tuned.tuner, settings, tuned.dataset_dir)
    if output_dir:
        os.makedirs(output_dir, exist_ok=True)
        report.write_metrics(output_dir, tuned.task, metrics)
    return Evaluation(metrics, report.format_report(tuned.task, metrics))


def write_samples(tuned: Tuned, output_dir: str, count: int = 10, **settings: Any) -> list[str]:
    """Writes new sequences as files (.mid; .smi and .sdf); returns the paths.

    Args:
        tuned: a tuned policy.
        output_dir: folder for the files.
        count: how many.
        **settings: of `rl_tuner.generation.generate`: temperature, seed, model ("tuned" or
            "prior"), primer (a file to go on from), prompt (the same as text).

    Raises:
        UserError: the primer or the prompt cannot be read.
    """
    _check_count(count)
    return generation.generate(tuned.tuner, output_dir, count, **settings)


def export(tuned: Tuned, output_dir: str) -> str:
    """Writes a SavedModel that needs TensorFlow and nothing of this package; returns its folder.

    docs/serving.md says what is in it. A server wants a folder for each version: "served/mine/1".

    Raises:
        UserError: something else is at `output_dir`.
    """
    exporting.export(tuned.tuner, output_dir, tuned.run_dir)
    return output_dir


def _check_count(count: int) -> None:
    if count < 1:
        raise UserError(f"count must be at least 1, not {count}")


def _inputs(tuner: RLTuner, sequences: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Tokens int32 [B, T], 0 on padding, mask float32 [B, T], prefix int32 [B, P]."""
    if not len(sequences):
        raise UserError("score: there is no sequence")
    if isinstance(sequences, Samples):
        mask = tf.sequence_mask(sequences.lengths, sequences.tokens.shape[1], tf.float32)
        return tf.constant(sequences.tokens), mask, tf.constant(sequences.prefix)
    if isinstance(sequences[0], str):
        try:
            rows = tuner.task.served_form().read(tf.constant(list(sequences))).numpy()
        except (NotImplementedError, tf.errors.InvalidArgumentError) as error:
            reason = str(error).splitlines()[0] if str(error) else "the task has no text form"
            raise UserError(f"score: {reason}") from error
    else:
        longest = max(len(row) for row in sequences)
        rows = np.full([len(sequences), longest], _PADDING, np.int32)
        for target, row in zip(rows, sequences):
            if len(row) and not 0 <= min(row) <= max(row) < tuner.task.num_classes:
                raise UserError(f"score: tokens are 0 to {tuner.task.num_classes - 1}")
            target[: len(row)] = row
    mask = rows != _PADDING
    if not mask[:, 0].all() or (tuner.task.end_token is None and not mask.all()):
        raise UserError(
            f"score: {tuner.task.kind} sequences must not be empty or of unequal length"
        )
    end = rows == tuner.task.end_token if tuner.task.end_token is not None else np.zeros_like(mask)
    mask &= np.cumsum(end, axis=1) - end == 0
    prefix = tf.fill([len(rows), 1], tuner.prior.start_token)
    return tf.constant(np.where(mask, rows, 0)), tf.constant(mask, tf.float32), prefix
