"""The tuning loop with its checkpoints, summaries and history."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from typing import Any

import gin
import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.interruption import Deferred
from rl_tuner.common.progress import Progress, say, warn, working
from rl_tuner.common.ranges import check
from rl_tuner.common.run_folder import CHECKPOINTS, CONFIG_FILE, TENSORBOARD
from rl_tuner.common.settings import Cosmetic
from rl_tuner.core import event_files
from rl_tuner.core.checkpoints import Checkpoints
from rl_tuner.core.ledger import Ledger
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.sampling import prior_policy
from rl_tuner.core.task import HostTask, Scored
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning.collapse import COMMONEST, Collapse, Diversity
from rl_tuner.tuning.evaluation import Measurement, Meter
from rl_tuner.tuning.history import mend_history, rows_up_to, write_history
from rl_tuner.tuning.keeper import Keeper
from rl_tuner.tuning.ranges import RANGES
from rl_tuner.tuning.series import description_of

# Sounds of each model that TensorBoard plays.
_SOUNDS = 4
# Columns of the history; the parts of the reward follow.
_HISTORY = ("task_reward", "log_prior", "log_policy", "kl", "entropy", "distinct", "length")


@gin.configurable(module="rl_tuner", denylist=["tuner", "run_dir", "corpus", "settings"])
def tune(
    tuner: RLTuner,
    run_dir: str,
    steps: int = 3_000_000,
    evaluate_every: int = 100_000,
    evaluation_sequences: int = 100,
    chunk: int = 20,
    checkpoint_seconds: Cosmetic[float] = 20.0,
    listen_every: Cosmetic[int] = 10,
    collapse: Cosmetic[Collapse | None] = None,
    budget: int | None = None,
    patience: int | None = None,
    enough: float | None = None,
    corpus: Sequence[np.ndarray] | None = None,
    settings: str = "",
) -> None:
    """Train a tuner, resuming from the last whole checkpoint if there is one.

    The first Ctrl-C or SIGTERM saves the state before it is raised as KeyboardInterrupt; a second one
    ends the process at once.

    Args:
        tuner: tuner to train.
        run_dir: receives checkpoints, TensorBoard events and history.csv.
        steps: environment steps (tokens generated in training).
        evaluate_every: environment steps between evaluations.
        evaluation_sequences: sequences per evaluation.
        chunk: iterations between two rows of summaries.
        checkpoint_seconds: shortest time between two checkpoints.
        listen_every: evaluations between two sets of pictures and sounds in TensorBoard.
        collapse: criterion for a collapsed policy; None is `Collapse()`.
        budget: calls of the reward, that is, distinct molecules that it rewards in training, after which
            the run ends, even before `steps`; evaluations do not count. None for no limit.
        patience: calls without a better mean reward of the ten best molecules after which the run ends.
        enough: mean reward of the ten best molecules at which the run ends.
        corpus: tokens of training sequences in which the policy's n-grams are looked up; None for none.
        settings: digest of the settings of the work: a checkpoint with another one is refused.

    Raises:
        UserError: a number is out of range, a checkpoint cannot be used, the loss became NaN or infinite,
            or the policy collapsed and `collapse.stop` is set.
    """
    check_numbers(
        steps=steps,
        evaluate_every=evaluate_every,
        evaluation_sequences=evaluation_sequences,
        chunk=chunk,
        checkpoint_seconds=checkpoint_seconds,
        listen_every=listen_every,
        budget=budget,
        patience=patience,
        enough=enough,
    )
    tuner.ledger = Ledger(budget, patience, enough)
    _check_ledger(tuner)
    with working("tune: compiling and measuring the prior"):
        collapse = collapse or Collapse()
        run = _Run(tuner, run_dir, evaluation_sequences, listen_every, collapse, corpus, settings)
        if not run.history:
            run.evaluate(0)
    keeper = Keeper(tuner, steps) if tuner.controller else None
    per_iteration = tuner.collect_size * tuner.task.horizon
    done = int(tuner.environment_steps)
    saved = time.monotonic()
    ledger = tuner.ledger
    bar = (steps, "steps", done) if budget is None else (budget, "molecules", ledger.calls)
    with Progress(bar[0], "tune", bar[1], initial=bar[2]) as progress, Deferred("tune") as signals:
        while done < steps and not ledger.why_over():
            run.stop_if_collapsed()
            evaluation = min(steps, (done // evaluate_every + 1) * evaluate_every)
            candidate = keeper.after(done) if keeper else steps
            boundary = min(evaluation, candidate)
            count = min(chunk, math.ceil((boundary - done) / per_iteration))
            calls = ledger.calls
            metrics = tuner.train_iterations(count, run.observe)
            before, done = done, int(tuner.environment_steps)
            is_last = done >= steps or ledger.why_over() is not None
            if not math.isfinite(metrics["learn/loss"]):
                raise UserError(_not_finite(tuner, metrics, done, run.saved_at))
            if ledger.calls:
                metrics |= {f"calls/{name}": value for name, value in ledger.numbers().items()}
            run.write_summaries(done, metrics)
            moved = done - before if budget is None else ledger.calls - calls
            progress.update(moved, _summary(tuner, metrics))
            if done >= evaluation or is_last:
                run.evaluate(done)
            if keeper and done >= candidate:
                keeper.consider(done, run.evaluation_seed(done) + 1)
                if done >= steps:
                    _take_kept(tuner)
            if is_last or signals.arrived or time.monotonic() - saved > checkpoint_seconds:
                run.save()
                saved = time.monotonic()
            if not is_last:
                signals.stop()
    run.close()
    if why := ledger.why_over():
        say(f"tune: {why}")
    elif budget is not None:
        warn(
            f"tune: {ledger.calls:,} of {budget:,} calls of the reward were made in {steps:,} steps; raise "
            "tune.steps"
        )
    for line in tuner.task.remarks():
        warn(line)


def _check_ledger(tuner: RLTuner) -> None:
    """Reject a limit of calls where there are none, or where the run must not end before its steps."""
    if not tuner.ledger.is_limited:
        return
    names = "tune.budget, tune.patience and tune.enough"
    if not isinstance(tuner.task, HostTask):
        raise UserError(
            f"{names} count molecules; {type(tuner.task).__name__} has none, use tune.steps"
        )
    if tuner.controller:
        raise UserError(
            f"{names} do not suit targets, which need all of tune.steps; remove one of both"
        )


def _take_kept(tuner: RLTuner) -> None:
    if math.isfinite(float(tuner.kept_score)):
        tuner.take_kept()
        say(
            f"tune: keeping the policy of step {int(tuner.kept_step):,}, which met the targets best among "
            "the last ones"
        )


def _not_finite(tuner: RLTuner, metrics: dict[str, float], step: int, saved_at: int | None) -> str:
    """Return what is said of a loss that is NaN or infinite: where it is, and what is left."""
    names = [name for name, value in metrics.items() if not math.isfinite(value)]
    weights = [w.path for w in tuner.online.weights if not np.isfinite(w.numpy()).all()]
    left = f"the checkpoint of step {saved_at:,} is kept" if saved_at else "nothing was saved yet"
    return (
        f"tune: the loss is {metrics['learn/loss']} after {step:,} steps (not finite: "
        f"{', '.join(names[:4])}; weights: {', '.join(weights[:2]) or 'none'}); {left}; lower "
        "RLTuner.learning_rate or raise the temperature c"
    )


def _summary(tuner: RLTuner, metrics: dict[str, float]) -> str:
    """Return what the progress line says: how the targets stand, or the reward and the likelihood."""
    kl = metrics["collect/kl"]
    if tuner.ledger.budget is not None:
        numbers = tuner.ledger.numbers()
        return f"top 1 {numbers['top_1']:.3f}, top 10 {numbers['top_10']:.3f}, KL {kl:.2f}"
    if tuner.controller:
        met: dict[str, bool] = {}
        for standing in tuner.controller.standings():
            name = standing.bound.feature
            met[name] = met.get(name, True) and standing.slack >= 0
        return f"{sum(met.values())} of {len(met)} targets met, KL {kl:.3f}"
    return f"r_T {metrics['collect/task_reward']:.1f}, log p {metrics['collect/log_prior']:.2f}, KL {kl:.2f}"


def check_numbers(**numbers: float | None) -> None:
    """Reject settings of `tune` that are out of range.

    Raises:
        UserError: a setting is out of range.
    """
    try:
        check(RANGES, "tune", **numbers)
    except ValueError as error:
        raise UserError(str(error)) from error


def restore(tuner: RLTuner, run_dir: str, settings: str = "") -> None:
    """Restore a tuner to the state of a finished run, or to that of its newest checkpoint that is whole.

    Args:
        tuner: the tuner.
        run_dir: the run's folder.
        settings: digest of the settings that the run was made with; "" if it is not known.

    Raises:
        UserError: the run has no checkpoint, or the checkpoint does not fit the tuner.
    """
    if _checkpoints(tuner, run_dir, settings).restore() is None:
        raise UserError(f"{run_dir} has no checkpoint; rerun the command that made the run")


def _checkpoints(tuner: RLTuner, run_dir: str, settings: str) -> Checkpoints:
    # The parts are listed, because the objects that Keras tracks by itself may change.
    names = ("controller", "kept", "kept_score", "kept_step") if tuner.controller else ()
    control = {name: getattr(tuner, name) for name in names}
    return Checkpoints(
        os.path.join(run_dir, CHECKPOINTS),
        settings,
        **control,
        online=tuner.online,
        target=tuner.target,
        prior=tuner.prior,
        optimizer=tuner.optimizer,
        replay=tuner.replay,
        temperature=tuner.temperature,
        iteration=tuner.iteration,
        environment_steps=tuner.environment_steps,
    )


class _Run:
    """The evaluations and output of a tuning run."""

    def __init__(
        self,
        tuner: RLTuner,
        run_dir: str,
        sequences: int,
        listen_every: int,
        collapse: Collapse,
        corpus: Sequence[np.ndarray] | None,
        settings: str,
    ) -> None:
        task = tuner.task
        self._presentation = presentation_of(task)
        self._run_dir, self._seed, self._sequences = run_dir, tuner.seed, sequences
        self._listen_every, self._collapse = listen_every, collapse
        self._tuned = Meter(tuner.policy, tuner.start, task, sequences, tuner.bounded_features)
        self._controller = tuner.controller
        prior = Meter(prior_policy(tuner.prior), tuner.start, task, sequences)
        self._of_prior = prior.measure(sequences, self.evaluation_seed(0))
        self._diversity = Diversity(
            self._of_prior.sequences,
            task.num_classes,
            task.end_token,
            tuner.prior.metadata.get("provenance", {}).get("class_histogram"),
            corpus,
        )
        self._checkpoints = _checkpoints(tuner, run_dir, settings)
        self.history: list[dict[str, Any]] = []
        self.saved_at: int | None = None
        self._steps = tuner.environment_steps
        self._host = task if isinstance(task, HostTask) else None
        self._journal = self._presentation.journal(run_dir)
        restored = self._checkpoints.restore()
        events = os.path.join(run_dir, TENSORBOARD)
        if restored is not None:
            self._resume(restored[1], events, tuner.ledger)
        if self._host:
            self._host.restore((restored[1] or {}).get("task") if restored else None)
        self._writer = tf.summary.create_file_writer(events)
        if restored is None:
            self._write_settings()

    def _resume(self, notes: Any, events: str, ledger: Ledger) -> None:
        """Bring history, journal and events to the step of the checkpoint that was restored."""
        self.saved_at = step = int(self._steps)
        # Earlier versions did not save the history in the checkpoint.
        self.history = notes["history"] if notes else rows_up_to(self._run_dir, step)
        if notes:
            mend_history(self._run_dir, self.history)
        if self._journal:
            self._journal.restore(step)
            ledger.restore(self._journal.calls())
        event_files.cut(events, step)
        say(f"tune: resuming after {step:,} steps")

    def _write_settings(self) -> None:
        """Show the run's gin file as a text, if it has one."""
        path = os.path.join(self._run_dir, CONFIG_FILE)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file, self._writer.as_default(step=0):
                text = f"```\n{file.read()}\n```"
                tf.summary.text("settings", text, description=description_of("settings"))

    def save(self) -> None:
        """Write history, summaries and a checkpoint."""
        write_history(self._run_dir, self.history)
        if self._journal:
            self._journal.write()
        self._writer.flush()
        remembered = self._host.state() if self._host else None
        self._checkpoints.save({"history": self.history, "task": remembered})
        self.saved_at = int(self._steps)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()

    def observe(self, episode: Rollout, scored: Scored) -> None:
        """Record an episode and its scores in the journal, if the task has one."""
        if self._journal:
            self._journal.add(episode, scored, int(self._steps))

    def write_summaries(self, step: int, metrics: dict[str, float]) -> None:
        """Write scalars for an environment step."""
        with self._writer.as_default(step=step):
            for name, value in metrics.items():
                tf.summary.scalar(name, value, description=description_of(name))

    def evaluate(self, step: int) -> None:
        """Measure the policy without exploration and add a row to the history."""
        measured = self._tuned.measure(self._sequences, self.evaluation_seed(step))
        metrics = measured.metrics | self._presentation.set_metrics(measured.sequences, None)
        row = {name: metrics[name] for name in _HISTORY}
        row |= {name: metrics[name] for name in COMMONEST if name in metrics}
        own = ("reward/", "feature/")
        row |= {name: value for name, value in metrics.items() if name.startswith(own)}
        if self._controller:
            row |= {name: float(value) for name, value in self._controller.metrics().items()}
        self.history.append({"step": step, **row})
        self.write_summaries(
            step,
            {f"evaluate/{name}": value for name, value in metrics.items() if value is not None},
        )
        diversity = self._diversity.metrics(measured.sequences)
        self.write_summaries(step, {f"collapse/{name}": v for name, v in diversity.items()})
        if (len(self.history) - 1) % self._listen_every == 0:
            self._show(step, "tuned", measured)
            self._show_classes(step, measured)
        if step == 0:
            self._show(step, "prior", self._of_prior)
        complaint = self._collapse.complaint(self.history[-1])
        if complaint:
            warn(complaint)

    def stop_if_collapsed(self) -> None:
        """Stop if the latest evaluation shows a collapse and `Collapse.stop` is set.

        Raises:
            UserError: the run stops; a checkpoint was saved.
        """
        complaint = self._collapse.complaint(self.history[-1])
        if complaint and self._collapse.stop:
            self.save()
            raise UserError(f"tune: {complaint}, or set Collapse.stop = False to continue")

    def evaluation_seed(self, step: int) -> int:
        """Return the seed of the evaluation at an environment step."""
        # Derived from the step instead of a generator, so that evaluations do not affect training.
        return ((self._seed + 1) * 1_000_003 + step) % 2**31

    def _show(self, step: int, name: str, measured: Measurement) -> None:
        with self._writer.as_default(step=step):
            pictures = self._presentation.images(measured.sequences)
            if pictures is not None:
                told = description_of(f"pictures/{name}")
                tf.summary.image(f"pictures/{name}", pictures, description=told)
            sheets = self._presentation.sheets(measured.sequences, name)
            if sheets is not None:
                told = description_of(f"sheets/{name}")
                tf.summary.image(f"sheets/{name}", sheets[np.newaxis], description=told)
            sounds = [self._presentation.audio(row) for row in measured.sequences[:_SOUNDS]]
            heard = [sound for sound in sounds if sound is not None]
            if heard:
                size = max(len(samples) for samples, _ in heard)
                padded = np.stack([np.pad(s, (0, size - len(s))) for s, _ in heard])
                told = description_of(f"sound/{name}")
                tf.summary.audio(
                    f"sound/{name}", padded[..., None], heard[0][1], _SOUNDS, description=told
                )

    def _show_classes(self, step: int, measured: Measurement) -> None:
        with self._writer.as_default(step=step):
            picture = self._diversity.picture(measured.sequences)
            told = description_of("collapse/classes")
            tf.summary.image("collapse/classes", picture, description=told)
