"""Measurement of a policy: sampling many sequences, task metrics and the prior's view of them."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rl_tuner.common.progress import Progress, working
from rl_tuner.core.features import LOG_PRIOR, Feature, per_step
from rl_tuner.core.protocols import Start
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.sampling import Policy, prior_policy, sample
from rl_tuner.core.task import HostTask, Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning.asked import asked_and_got
from rl_tuner.tuning.collapse import Collapse

# Names of the measured models.
PRIOR, TUNED = "prior", "tuned"
# Name among the tuned policy's metrics of what targets asked for, see `asked_and_got`.
TARGETS = "targets"
# Name among them of the complaint about a collapsed policy.
COLLAPSE = "collapse"
# Sums over sequences that describe a feature: of its numerator, its denominator, and their products.
_MOMENTS = ("numerator", "denominator", "numerator_2", "both", "denominator_2")


class Measurement(NamedTuple):
    """Metrics and sequences from `Meter.measure`.

    Attributes:
        metrics: the task's own metrics and, for every task, `task_reward` (mean r_T of a whole
            sequence), `log_prior`, `log_policy`, `kl`, `entropy` (nats per step, averaged over all
            steps of all sequences), `length` (mean tokens per sequence), `distinct` (number of
            different sequences divided by the number of sequences) and `reward/PART`; for every measured
            feature, `feature/NAME`, its standard error `feature_error/NAME`, and `feature_weight/NAME`,
            its mean denominator per sequence.
        sequences: int32 [N, T] the sequences, 0 past their end.
    """

    metrics: dict[str, float | None]
    sequences: np.ndarray


class Meter:
    """A meter of one policy, which draws and measures its sequences; compiled once.

    Args:
        policy: policy to measure.
        start: start of the sequences.
        task: task with its rewards and metrics.
        batch_size: sequences drawn at a time.
        features: names of features to measure too.
    """

    def __init__(
        self,
        policy: Policy,
        start: Start,
        task: Task,
        batch_size: int,
        features: Sequence[str] = (),
    ) -> None:
        self._task = task
        self._batch_size = batch_size
        # Traced once here; TensorFlow warns about functions that are traced when they are called.
        self._draw = tf.function(
            lambda seed: sample(policy, start, task, batch_size, seed)
        ).get_concrete_function(tf.TensorSpec([2], tf.int32))
        self._score = (
            _HostScorer(task, features)
            if isinstance(task, HostTask)
            else tf.function(functools.partial(_graph_sums, task, features))
        )
        self._compiled: dict[int, Callable[[Rollout], dict[str, tf.Tensor]]] = {}

    def measure(
        self, count: int, seed: int, progress: str | None = None, first_batch: int = 0
    ) -> Measurement:
        """Measure `count` sequences drawn with `seed`.

        Args:
            count: number of sequences.
            seed: their seed.
            progress: name of the progress bar; None shows none.
            first_batch: number of batches drawn with this seed before, so that these are others.
        """
        totals: dict[str, float] = {}
        sequences: list[np.ndarray] = []
        pending: list[Callable[[], tuple[dict[str, Any], int]]] = []

        def add_oldest() -> None:
            sums, size = pending.pop(0)()
            for name, value in sums.items():
                totals[name] = totals.get(name, 0.0) + float(value)
            if bar:
                bar.update(size)

        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(Progress(count, progress, "sequences")) if progress else None
            for episode in self._episodes(count, seed, first_batch):
                sequences.append(episode.tokens.numpy())
                pending.append(self._submit(episode))
                # One batch is scored while the next is drawn.
                if len(pending) > 1:
                    add_oldest()
            add_oldest()
        metrics = _metrics(self._task, totals, sequences)
        return Measurement(metrics, np.concatenate(sequences))

    def _episodes(self, count: int, seed: int, first_batch: int) -> Iterator[Rollout]:
        """Draw `count` sequences; the seed of a batch is `seed` and the index of the batch."""
        for index, first in enumerate(range(0, count, self._batch_size), first_batch):
            episode = self._draw(tf.constant([seed, index], tf.int32))
            kept = min(self._batch_size, count - first)
            yield Rollout(*(column[:kept] for column in episode))

    def _submit(self, episode: Rollout) -> Callable[[], tuple[dict[str, Any], int]]:
        size = int(episode.tokens.shape[0])
        if isinstance(self._score, _HostScorer):
            wait = self._score.submit(episode)
            return lambda: (wait(), size)
        if size not in self._compiled:
            self._compiled[size] = self._score.get_concrete_function(episode)
        sums = self._compiled[size](episode)
        return lambda: (sums, size)


def corpus_of(task: Task, dataset_dir: str | None) -> Iterable[Any] | None:
    """Return the training examples that set metrics compare with; None without a dataset."""
    if dataset_dir is None:
        return None
    return SequenceDataset(dataset_dir).stream("train", presentation_of(task).corpus_feature)


def compare(
    tuner: RLTuner,
    count: int,
    batch_size: int,
    seed: int,
    corpus: Iterable[Any] | None,
    collapse: Collapse | None = None,
) -> tuple[dict[str, dict[str, Any]], dict[str, np.ndarray]]:
    """Measure the prior and the tuned policy with the same seed.

    Args:
        tuner: a tuned policy with its prior.
        count: number of sequences of each model.
        batch_size: sequences drawn at a time.
        seed: seed of the sampling.
        corpus: training examples for the novelty, see `corpus_of`; None does not measure it.
        collapse: criterion for a collapsed policy; None is `Collapse()`.

    Returns:
        Metrics by model and the sequences int32 [N, T] by model. The tuned policy's metrics also have
        `targets`, if it has any (`asked_and_got`), and `collapse`, a complaint, if it has collapsed.
    """
    presentation = presentation_of(tuner.task)
    columns, sequences = {}, {}
    for name, policy in ((PRIOR, prior_policy(tuner.prior)), (TUNED, tuner.policy)):
        with working(f"evaluate {name}"):
            meter = Meter(
                policy, tuner.start, tuner.task, min(batch_size, count), tuner.bounded_features
            )
            measured = meter.measure(count, seed, f"evaluate {name}")
            of_set = presentation.set_metrics(measured.sequences, corpus)
        columns[name] = measured.metrics | of_set
        columns[name]["sequences"] = count
        sequences[name] = measured.sequences
    if tuner.controller:
        targets = asked_and_got(tuner.controller, columns[PRIOR], columns[TUNED])
        for column in columns.values():
            for name in [name for name in column if name.startswith("feature")]:
                del column[name]
        columns[TUNED][TARGETS] = targets
    step = {"step": int(tuner.environment_steps)}
    if complaint := (collapse or Collapse()).complaint(columns[TUNED] | step):
        columns[TUNED][COLLAPSE] = complaint
    return columns, sequences


class _HostScorer:
    """A scorer of batches of a `HostTask`, which works in the task's own processes."""

    def __init__(self, task: HostTask, features: Sequence[str]) -> None:
        self._task, self._features = task, features

    def submit(self, episode: Rollout) -> Callable[[], dict[str, Any]]:
        """Submit a batch; return a function that waits for its sums."""
        ticket = self._task.submit(episode.tokens.numpy(), episode.mask.numpy())

        def wait() -> dict[str, Any]:
            scored = self._task.result(ticket)
            found = self._task.scored_features(scored, episode.mask) if self._features else {}
            sums = _sums(scored.parts, scored.sums, episode)
            return sums | _feature_sums(found, self._features, episode)

        return wait


def _graph_sums(task: Task, features: Sequence[str], episode: Rollout) -> dict[str, tf.Tensor]:
    tokens, mask = episode.tokens, episode.mask
    sums = _sums(task.reward_parts(tokens, mask), task.metric_sums(tokens, mask), episode)
    found = task.features(tokens, mask) if features else {}
    return sums | _feature_sums(found, features, episode)


def _feature_sums(
    found: dict[str, Feature], names: Sequence[str], episode: Rollout
) -> dict[str, tf.Tensor]:
    found = found | {LOG_PRIOR: per_step(episode.log_prior, episode.mask)}
    sums = {}
    for name in names:
        over, under = (tf.reduce_sum(part, axis=1) for part in found[name][:2])
        products = (over, under, over * over, over * under, under * under)
        for moment, product in zip(_MOMENTS, products):
            sums[f"feature/{name}/{moment}"] = tf.reduce_sum(product)
    return sums


def _sums(parts: dict[str, Any], metric_sums: dict[str, Any], episode: Rollout) -> dict[str, Any]:
    per_step = {
        name: getattr(episode, name) for name in ("log_prior", "log_policy", "kl", "entropy")
    }
    per_step |= {f"reward/{name}": part * episode.mask for name, part in parts.items()}
    sums = {f"common/{name}": tf.reduce_sum(value) for name, value in per_step.items()}
    sums["common/count"] = tf.cast(tf.shape(episode.tokens)[0], tf.float32)
    sums["common/steps"] = tf.reduce_sum(episode.mask)
    return sums | {f"task/{name}": value for name, value in metric_sums.items()}


def _metrics(
    task: Task, totals: dict[str, float], sequences: list[np.ndarray]
) -> dict[str, float | None]:
    own = {name[5:]: value for name, value in totals.items() if name.startswith("task/")}
    common = {name[7:]: value for name, value in totals.items() if name.startswith("common/")}
    count, steps = common.pop("count"), common.pop("steps")
    metrics = task.metrics(own)
    for name, value in common.items():
        metrics[name] = value / (count if name.startswith("reward/") else steps)
    metrics["task_reward"] = sum(common[f"reward/{name}"] / count for name in task.part_names)
    metrics["length"] = steps / count
    for name in {name.split("/")[1] for name in totals if name.startswith("feature/")}:
        over, under, over_2, both, under_2 = (
            totals[f"feature/{name}/{moment}"] / count for moment in _MOMENTS
        )
        metrics[f"feature/{name}"] = None
        metrics[f"feature_weight/{name}"] = under
        if under:
            metrics[f"feature/{name}"] = value = over / under
            # The spread of a quotient of sums: that of numerator - value denominator, whose mean is 0.
            variance = max(0.0, over_2 - 2 * value * both + value**2 * under_2)
            metrics[f"feature_error/{name}"] = math.sqrt(variance / count) / under
    metrics["distinct"] = len({row.tobytes() for batch in sequences for row in batch}) / count
    return metrics
