"""Makes sequences of one run quickly: everything is compiled before the first is asked for."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core.rollout import mask_of
from rl_tuner.core.sampling import prior_policy, sample_after
from rl_tuner.core.task import HostTask
from rl_tuner.openings import read_opening
from rl_tuner.policy import TunedPolicy
from rl_tuner.tasks.presentation import Exhibit, presentation_of
from rl_tuner.tuning.evaluation import PRIOR, TUNED

MODELS = (TUNED, PRIOR)
# Batches are compiled for these numbers of sequences; a smaller one is cut from the next larger.
_SIZES = (8, 32)
MOST = _SIZES[-1]
_LONGEST_OPENING = 512
_KEPT = 2_000


class Opening(NamedTuple):
    """A beginning that is to be continued.

    Attributes:
        classes: its classes; empty for none.
        options: the key, metre and tempo in which the whole is written.
    """

    classes: tuple[int, ...] = ()
    options: Mapping[str, Any] = {}


class Made(NamedTuple):
    """One sequence, which can be asked for again by its id.

    Attributes:
        id: a random name.
        row: int [T], with the opening.
        options: see `Opening`.
        exhibit: how a page shows it, without its sound and sheet music.
        reward: what it earned as a whole, without the opening.
        earned: what each part of the reward added.
    """

    id: str
    row: np.ndarray
    options: Mapping[str, Any]
    exhibit: Exhibit
    reward: float
    earned: dict[str, float]


class Maker:
    """Makes sequences of a run.

    Args:
        policy: the run.
    """

    def __init__(self, policy: TunedPolicy) -> None:
        self.task, self.tuner = policy.task, policy.tuner
        self.presentation = presentation_of(policy.task)
        self._policies = {TUNED: policy.tuner.policy, PRIOR: prior_policy(policy.prior)}
        self._compiled = {(m, size): self._compile(m, size) for m in MODELS for size in _SIZES}
        self._kept: OrderedDict[str, Made] = OrderedDict()
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Do everything once: compile the samplers, import what sounds and files need."""
        for model in MODELS:
            for size in _SIZES:
                made = self.make(size, 1.0, 0, model)
        for suffix in self.suffixes:
            self.file(made[0].id, suffix)
        self._kept.clear()

    def make(
        self,
        count: int,
        temperature: float = 1.0,
        seed: int = 0,
        model: str = TUNED,
        opening: Opening | None = None,
    ) -> list[Made]:
        """Return new sequences; the same arguments give the same ones.

        Args:
            count: 1 to `MOST`.
            temperature: divisor of the model's logits.
            seed: seed of the sampling.
            model: "tuned" or "prior".
            opening: beginning of the sequences; None for none.
        """
        opening = opening or Opening()
        size = next(size for size in _SIZES if size >= count)
        with self._lock:
            prefix = self._prefix(size, seed, opening.classes)
            tokens, totals = self._compiled[model, size](
                prefix, tf.constant([seed, 1], tf.int32), tf.constant(temperature, tf.float32)
            )
            rows = tokens.numpy()[:count]
            parts = {name: value.numpy()[:count] for name, value in totals.items()}
            if not parts:
                parts = self._host_parts(rows)
        begin = np.tile(np.array(opening.classes, rows.dtype), (count, 1))
        whole = np.concatenate([begin, rows], axis=1)
        shown = self.presentation.exhibits(whole, whole=False, **opening.options)
        made = []
        for index, (row, exhibit) in enumerate(zip(whole, shown)):
            earned = {name: float(values[index]) for name, values in parts.items() if values[index]}
            total = float(sum(earned.values()))
            name = secrets.token_hex(8)
            made.append(Made(name, row, opening.options, exhibit, total, earned))
        self._keep(made)
        return made

    def opening_of_file(self, content: bytes, suffix: str) -> tuple[Opening, str]:
        """Return the beginning in a file, and what it is in words.

        Args:
            content: the file.
            suffix: its suffix, such as ".mid".

        Raises:
            UserError: it contains no beginning.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"primer{suffix}")
            with open(path, "wb") as file:
                file.write(content)
            try:
                classes, options = read_opening(self.presentation, path)
            except UserError as error:
                raise UserError(str(error).replace(path, "the file")) from error
        return self._checked(classes, options), f"{len(classes)} steps"

    def opening_of_text(self, text: str) -> Opening:
        """Return the beginning that a text is, such as "c1ccc2".

        Raises:
            UserError: it is none.
        """
        return self._checked(self.presentation.read_prompt(text), {})

    def opening_of_notes(self, notes: Sequence[tuple[int, int]]) -> Opening:
        """Return the beginning of pitches, 0 for a rest, and lengths in steps.

        Raises:
            UserError: the sequences are no melodies, or a note has no class.
        """
        from rl_tuner.tasks.melody.encoding import NO_EVENT, NOTE_OFF

        frame = getattr(self.task, "frame", None)
        if frame is None:
            raise UserError(f"{self.task.kind} sequences have no notes")
        grid, classes = frame.grid, []
        for pitch, steps in notes:
            if pitch and not grid.min_pitch <= pitch <= grid.max_pitch:
                low, high = grid.min_pitch, grid.max_pitch
                raise UserError(f"pitch {pitch} is out of the model's range, {low} to {high}")
            event = pitch - grid.pitch_offset if pitch else NOTE_OFF
            classes += [event] + [NO_EVENT] * (steps - 1)
        return self._checked(classes, {})

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffixes of the files that a sequence can be kept as."""
        formats = tuple(name for name in self.presentation.formats if name not in ("svg", "png"))
        if formats:
            from rl_tuner.tasks.melody.sheet import is_available

            return (*formats, "svg", "png") if is_available() else formats
        return ("smi", "sdf") if self.task.kind == "molecule" else ("txt",)

    def find(self, name: str) -> Made | None:
        """Return a sequence that was made; None if there is none of this id, or it is too old."""
        return self._kept.get(name)

    def file(self, name: str, suffix: str) -> bytes | None:
        """Return a sequence as a file; None if there is no such sequence, or no such format."""
        made = self._kept.get(name)
        if made is None or suffix not in self.suffixes:
            return None
        options = dict(made.options)
        if self.presentation.formats:
            options["formats"] = (suffix,)
        with tempfile.TemporaryDirectory() as folder:
            rows = made.row[np.newaxis]
            for path in self.presentation.write_samples(rows, folder, "it", **options):
                if path.endswith(f".{suffix}"):
                    with open(path, "rb") as file:
                        return file.read()
        return None

    def _checked(self, classes: Sequence[int], options: Mapping[str, Any]) -> Opening:
        if not 1 <= len(classes) <= _LONGEST_OPENING:
            raise UserError(
                f"a beginning has 1 to {_LONGEST_OPENING} steps, not {len(classes)}; shorten it"
            )
        return Opening(tuple(int(c) for c in classes), options)

    def _prefix(self, size: int, seed: int, classes: Sequence[int]) -> tf.Tensor:
        start = self.tuner.prior.start_token
        if classes:
            return tf.constant([[start, *classes]] * size, tf.int32)
        return self.tuner.start.prefix(size, start, tf.constant([seed, 0], tf.int32))

    def _compile(self, model: str, size: int) -> Callable[..., Any]:
        policy, task = self._policies[model], self.task

        def draw(prefix: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> Any:
            episode = sample_after(policy, prefix, task.horizon, seed, task.end_token, temperature)
            if isinstance(task, HostTask):
                return episode.tokens, {}
            parts = task.reward_parts(episode.tokens, episode.mask)
            return episode.tokens, {
                name: tf.reduce_sum(part * episode.mask, axis=1) for name, part in parts.items()
            }

        return tf.function(draw, autograph=False).get_concrete_function(
            tf.TensorSpec([size, None], tf.int32),
            tf.TensorSpec([2], tf.int32),
            tf.TensorSpec([], tf.float32),
        )

    def _host_parts(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        mask = mask_of(rows, self.task.end_token)
        parts = self.task.reward_parts(tf.constant(rows), tf.constant(mask))
        return {name: np.sum(np.asarray(part) * mask, axis=1) for name, part in parts.items()}

    def _keep(self, made: Sequence[Made]) -> None:
        with self._lock:
            for one in made:
                self._kept[one.id] = one
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
