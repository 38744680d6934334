"""The tuned policy in Python: sampling, scoring, evaluation, export and its distribution."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from rl_tuner.common import outputs
from rl_tuner.common.errors import UserError, first_line
from rl_tuner.common.progress import working
from rl_tuner.common.run_folder import METRICS_JSON
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.protocols import Start
from rl_tuner.core.rollout import Rollout, mask_of, sequence_inputs
from rl_tuner.core.sampling import Policy, prior_policy, sample
from rl_tuner.core.starts import Primer
from rl_tuner.core.task import Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.openings import options_of, read_opening
from rl_tuner.pages import run_page
from rl_tuner.results import Evaluation, Samples, Scores
from rl_tuner.serving import saved_model
from rl_tuner.tasks.presentation import PADDING, presentation_of
from rl_tuner.tuning import evaluation, history, report
from rl_tuner.tuning.evaluation import PRIOR, TUNED

if TYPE_CHECKING:
    from rl_tuner.core.distribution import SequenceDistribution

MODELS = (TUNED, PRIOR)
_EVALUATION_BATCH = 1_000
# Sequences of each model among which a report chooses.
_SHOWN = 1_000
_MAX_BARS = 1_000


class TunedPolicy:
    """A tuned policy with its prior.

    Args:
        tuner: the tuner with its networks, objective and task.
        run_dir: folder with checkpoints, TensorBoard events and history.
        dataset_dir: folder of the training data, for novelty; None if unknown.
    """

    def __init__(self, tuner: RLTuner, run_dir: str, dataset_dir: str | None = None) -> None:
        self.tuner, self.run_dir, self.dataset_dir = tuner, run_dir, dataset_dir
        self._policies: dict[str, Policy] = {
            TUNED: tuner.policy,
            PRIOR: prior_policy(tuner.prior),
        }
        self._samplers: dict[tuple[str, int, bool, int], Callable[..., Rollout]] = {}

    @property
    def task(self) -> Task:
        """The task with its rewards."""
        return self.tuner.task

    @property
    def prior(self) -> SequenceNetwork:
        """The network before tuning."""
        return self.tuner.prior

    @property
    def history(self) -> list[dict[str, Any]]:
        """The evaluations during training: `step`, `task_reward`, `kl`, `reward/PART` and so on."""
        return history.read_history(self.run_dir)

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        model: str = TUNED,
        bars: int | None = None,
    ) -> Samples:
        """Sample sequences; the same seed and count give the same sequences.

        Args:
            count: N, number of sequences.
            seed: seed of the sampling.
            temperature: divisor of the model's logits.
            model: "tuned" or "prior".
            bars: length of melodies in bars; None is the task's horizon. Melodies longer than that were
                never rewarded in tuning.

        Raises:
            UserError: an argument is out of range, or the sequences have no bars.
        """
        return self._draw(count, seed, temperature, model, None, self._steps(bars))

    def score(self, sequences: Samples | Sequence[Any] | np.ndarray) -> Scores:
        """Return log-probabilities and reward of B sequences.

        Args:
            sequences: `Samples`; strings such as SMILES, if the task has a text form; or the tokens of
                each sequence, with an end token if the task has one. `Samples` are scored after their own
                prefix, other sequences after the start token.

        Raises:
            UserError: there are no sequences, a token is not a class of the task, or a string cannot be
                read.
        """
        tokens, mask, prefix = self._inputs(sequences)
        inputs, first = sequence_inputs(prefix, tokens), prefix.shape[1] - 1

        def total(policy: Policy) -> np.ndarray:
            log_probs = tf.nn.log_softmax(policy.logits(inputs)[:, first:])
            chosen = tf.gather(log_probs, tokens, batch_dims=2)
            return tf.reduce_sum(chosen * mask, axis=1).numpy()

        with working(f"scoring {len(tokens):,} sequences"):
            found = self.task.reward_parts(tokens, mask)
            parts = {
                name: tf.reduce_sum(part * mask, axis=1).numpy() for name, part in found.items()
            }
            log_policy, log_prior = (total(self._policies[model]) for model in MODELS)
        return Scores(log_policy, log_prior, np.sum([*parts.values()], axis=0), parts)

    def evaluate(
        self, count: int = 10_000, *, seed: int = 0, output_dir: str | None = None
    ) -> Evaluation:
        """Measure `count` sequences of the prior and of the tuned policy, with progress.

        Args:
            count: number of sequences of each model; novelty is measured if the training data are known.
            seed: seed of the sampling, the same for both models.
            output_dir: folder for metrics.json and metrics.txt, which an export and its model card use if
                it is `run_dir`; None does not write them.

        Raises:
            UserError: the count is below 1, or the folder cannot be written.
        """
        _check_count(count)
        if output_dir:
            outputs.check_folder(output_dir)
        with working("evaluate"):
            corpus = evaluation.corpus_of(self.task, self.dataset_dir)
            metrics, _ = evaluation.compare(self.tuner, count, _EVALUATION_BATCH, seed, corpus)
        if output_dir:
            os.makedirs(output_dir, exist_ok=True)
            report.write_metrics(output_dir, self.task, metrics)
        return Evaluation(metrics, report.format_report(self.task, metrics))

    def write_samples(
        self,
        output_dir: str,
        count: int = 10,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        model: str = TUNED,
        primer: str | None = None,
        prompt: str | None = None,
        overwrite: bool = False,
        formats: Sequence[str] = (),
        bars: int | None = None,
        qpm: float | None = None,
        continuation_only: bool = False,
    ) -> list[str]:
        """Write new sequences as files (.mid; .smi and .sdf, and a ranked .csv and .sdf); return the paths.

        Args:
            output_dir: folder for the files.
            count: number of sequences.
            seed: the same seed gives the same sequences.
            temperature: divisor of the model's logits.
            model: "tuned" or "prior".
            primer: file to continue; the written sequences begin with its content. A tune of any format
                that the pipeline reads is continued in its own key, mode, metre and tempo.
            prompt: beginning of a sequence as text, to be continued.
            overwrite: whether to replace files of an earlier call.
            formats: file formats of melodies: mid, musicxml, abc, wav, svg, png; by default mid.
            bars: length of melodies in bars, without a primer; None is the task's horizon.
            qpm: tempo of melodies in quarters per minute; None is that of the primer or the task.
            continuation_only: whether to leave the primer or the prompt out.

        Raises:
            UserError: the primer or the prompt cannot be read, the folder cannot be written, or the files
                already exist.
        """
        if primer and prompt:
            raise UserError("give a primer or a prompt, not both")
        presentation = presentation_of(self.task)
        options = options_of(presentation, formats, qpm)
        opening: list[int] = []
        if primer:
            opening, more = read_opening(presentation, primer)
            options = more | options
        if prompt:
            opening = presentation.read_prompt(prompt)
        outputs.check_samples(output_dir, model, overwrite=overwrite)
        start = Primer(opening) if opening else None
        steps = self._steps(bars, options.get("frame"))
        made = self._draw(count, seed, temperature, model, start, steps)
        sequences = made.tokens
        if opening and not continuation_only:
            prefix = np.tile(np.array(opening, sequences.dtype), (count, 1))
            sequences = np.concatenate([prefix, sequences], axis=1)
        os.makedirs(output_dir, exist_ok=True)
        with working(f"writing samples into {output_dir}"):
            paths = presentation.write_samples(sequences, output_dir, model, **options)

            def corpus() -> Iterable[Any] | None:
                return evaluation.corpus_of(self.task, self.dataset_dir)

            return paths + presentation.write_ranked(
                sequences, self.score, corpus, output_dir, model
            )

    def export(self, output_dir: str, *, overwrite: bool = False) -> str:
        """Write a SavedModel that needs only TensorFlow, not this package; return its folder.

        docs/serving.md describes its content. For a server, use `export_version`.

        Args:
            output_dir: the folder to make.
            overwrite: whether to replace an earlier SavedModel there.

        Raises:
            UserError: `output_dir` cannot be written, contains anything but a SavedModel, or contains
                one and `overwrite` is not set.
        """
        saved_model.export(self.tuner, output_dir, self.run_dir, overwrite=overwrite)
        return output_dir

    def export_version(self, output_dir: str, version: int | None = None) -> str:
        """Write a SavedModel as OUTPUT_DIR/VERSION, as TensorFlow Serving expects; return that folder.

        Raises:
            UserError: the version already exists, or the folder contains anything but versions.
        """
        return saved_model.export_version(self.tuner, output_dir, version, self.run_dir)

    def write_report(self, *, seed: int = 0) -> str:
        """Write report.html into the run's folder and return its path: one page to read, hear and send.

        Args:
            seed: seed of the sequences that are shown.

        Raises:
            UserError: the run has no metrics yet; `evaluate` with `output_dir` writes them.
        """
        if not os.path.isfile(os.path.join(self.run_dir, METRICS_JSON)):
            raise UserError(
                f"{self.run_dir} has no {METRICS_JSON}; call evaluate with output_dir first"
            )
        shown = {
            name: self._draw(_SHOWN, seed, 1.0, name, None, self.task.horizon).tokens
            for name in (PRIOR, TUNED)
        }
        with working("writing the report"):
            return run_page.write_page(self.run_dir, self.tuner, shown, seed)

    def plot_history(self, path: str) -> None:
        """Draw log p(a|s), reward and KL over training as a PNG."""
        history.plot_history({TUNED: self.history}, path)

    def distribution(self) -> SequenceDistribution:
        """Return the tuned policy as a TensorFlow Probability distribution over whole sequences."""
        return self._as_distribution(TUNED)

    def prior_distribution(self) -> SequenceDistribution:
        """Return the prior as a TensorFlow Probability distribution over whole sequences."""
        return self._as_distribution(PRIOR)

    def _as_distribution(self, model: str) -> SequenceDistribution:
        with working("loading TensorFlow Probability"):
            from rl_tuner.core.distribution import SequenceDistribution

        return SequenceDistribution(self._policies[model], self.tuner.start, self.task, name=model)

    def _sampler(
        self, model: str, count: int, tempered: bool, start: Start | None, steps: int
    ) -> Callable[[tf.Tensor, tf.Tensor], Rollout]:
        """Return the compiled (seed, temperature) -> sequences; it is kept unless `start` is given."""
        key = model, count, tempered, steps
        if start is None and key in self._samplers:
            return self._samplers[key]

        def draw(seed: tf.Tensor, temperature: tf.Tensor) -> Rollout:
            # The number 1 skips the division.
            divisor = temperature if tempered else 1.0
            chosen = start or self.tuner.start
            return sample(self._policies[model], chosen, self.task, count, seed, divisor, steps)

        # Traced here; TensorFlow warns about functions that are traced when they are called.
        made = tf.function(draw, autograph=False).get_concrete_function(
            tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.float32)
        )
        if start is None:
            self._samplers[key] = made
        return made

    def _draw(
        self,
        count: int,
        seed: int,
        temperature: float,
        model: str,
        start: Start | None,
        steps: int,
    ) -> Samples:
        _check_count(count)
        if model not in MODELS or not 0 < temperature < np.inf:
            raise UserError(
                "sample: model must be 'tuned' or 'prior' and temperature a positive number, not "
                f"{model=}, {temperature=}"
            )
        with working(f"sampling {count:,} sequences"):
            sampler = self._sampler(model, count, temperature != 1, start, steps)
            episode = sampler(
                tf.constant([seed, 0], tf.int32), tf.constant(temperature, tf.float32)
            )
            lengths = tf.cast(tf.reduce_sum(episode.mask, axis=1), tf.int32)
            outputs = presentation_of(self.task).graph_codec().decode(episode.tokens, lengths)
        return Samples(
            episode.prefix.numpy(),
            episode.tokens.numpy(),
            lengths.numpy(),
            tf.reduce_sum(episode.log_policy, axis=1).numpy(),
            tf.reduce_sum(episode.log_prior, axis=1).numpy(),
            {name: value.numpy() for name, value in outputs.items()},
            self.task,
        )

    def _steps(self, bars: int | None, frame: Any = None) -> int:
        """Return the tokens of a number of bars, of a frame if one is given, or else the horizon."""
        if bars is None:
            return self.task.horizon
        if not 1 <= bars <= _MAX_BARS:
            raise UserError(f"bars must be between 1 and {_MAX_BARS}, not {bars}")
        if frame is not None:
            return bars * frame.grid.steps_per_bar
        return presentation_of(self.task).steps_of(bars)

    def _inputs(self, sequences: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return tokens int32 [B, T], 0 on padding, mask float32 [B, T], prefix int32 [B, P]."""
        if not len(sequences):
            raise UserError("score needs at least one sequence")
        if isinstance(sequences, Samples):
            mask = tf.sequence_mask(sequences.lengths, sequences.tokens.shape[1], tf.float32)
            return tf.constant(sequences.tokens), mask, tf.constant(sequences.prefix)
        is_text = isinstance(sequences[0], str)
        rows = self._read_texts(sequences) if is_text else self._padded(sequences)
        mask, end_token = rows != PADDING, self.task.end_token
        if not mask[:, 0].all() or (end_token is None and not mask.all()):
            lengths = " and must have equal lengths" if end_token is None else ""
            raise UserError(f"score: {self.task.kind} sequences must not be empty{lengths}")
        mask &= mask_of(rows, end_token) > 0
        prefix = tf.fill([len(rows), 1], self.prior.start_token)
        return tf.constant(np.where(mask, rows, 0)), tf.constant(mask, tf.float32), prefix

    def _read_texts(self, texts: Sequence[str]) -> np.ndarray:
        try:
            codec = presentation_of(self.task).graph_codec()
            return codec.encode(tf.constant(list(texts))).numpy()
        except NotImplementedError as error:
            raise UserError(f"score: {self.task.kind} sequences have no text form") from error
        except tf.errors.InvalidArgumentError as error:
            raise UserError(f"score: {first_line(error)}") from error

    def _padded(self, sequences: Sequence[Any]) -> np.ndarray:
        rows = np.full([len(sequences), max(len(row) for row in sequences)], PADDING, np.int32)
        for target, row in zip(rows, sequences):
            if len(row) and not 0 <= min(row) <= max(row) < self.task.num_classes:
                raise UserError(f"score: tokens must be between 0 and {self.task.num_classes - 1}")
            target[: len(row)] = row
        return rows


def _check_count(count: int) -> None:
    if count < 1:
        raise UserError(f"count must be at least 1, not {count}")
