"""What a tuning run leaves behind: evaluations, history, summaries, journal and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import say, warn
from rl_tuner.common.run_folder import CHECKPOINTS, CONFIG_FILE, TENSORBOARD
from rl_tuner.core import event_files
from rl_tuner.core.ledger import Ledger
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.sampling import prior_policy
from rl_tuner.core.task import HostTask, Scored
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning import board
from rl_tuner.tuning.collapse import COMMONEST, Collapse, Diversity
from rl_tuner.tuning.evaluation import Measurement, Meter
from rl_tuner.tuning.history import mend_history, rows_up_to, write_history
from rl_tuner.tuning.series import description_of
from rl_tuner.tuning.state import checkpoints_of

# Sounds of each model that TensorBoard plays.
_SOUNDS = 4
# Columns of the history; the parts of the reward follow.
_HISTORY = ("task_reward", "log_prior", "log_policy", "kl", "entropy", "distinct", "length")


class Recorder:
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
        self._checkpoints = checkpoints_of(tuner, run_dir, settings)
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
            self._write_settings(tuner)

    def _resume(self, notes: Any, events: str, ledger: Ledger) -> None:
        """Bring history, journal and events to the step of the checkpoint that was restored."""
        self.saved_at = step = int(self._steps)
        # Earlier versions did not save the history in the checkpoint.
        self.history = notes["history"] if notes else rows_up_to(self._run_dir, step)
        if notes:
            mend_history(self._run_dir, self.history)
        if self._journal:
            self._journal.restore(step)
            self._check_journal((notes or {}).get("journal"), step)
            ledger.restore(self._journal.calls())
        event_files.cut(events, step)
        say(f"tune: resuming after {step:,} steps")

    def _check_journal(self, noted: dict[str, int] | None, step: int) -> None:
        """Reject files that no longer hold what they held at the checkpoint: the budget depends on them."""
        if not self._journal or noted is None:
            return
        for name, found in self._journal.counts().items():
            if found != noted.get(name):
                raise UserError(
                    f"{os.path.join(self._run_dir, name)} has {found:,} rows up to step {step:,}, and had"
                    f" {noted.get(name):,} when it was saved: put the file back, or delete"
                    f" {os.path.join(self._run_dir, CHECKPOINTS)} to tune again"
                )

    def _write_settings(self, tuner: RLTuner) -> None:
        """Show charts of several series, the settings and, as a text, the run's gin file, if it has one."""
        with self._writer.as_default(step=0):
            board.write(tuner)
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
        counts = self._journal.counts() if self._journal else None
        self._checkpoints.save({"history": self.history, "task": remembered, "journal": counts})
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
