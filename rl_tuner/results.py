"""Results of a policy's methods: samples, scores and evaluations."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np

from rl_tuner.common import outputs
from rl_tuner.common.errors import UserError
from rl_tuner.core.task import Task
from rl_tuner.tasks.presentation import presentation_of


@dataclasses.dataclass(frozen=True)
class Samples:
    """N sequences of a policy.

    Attributes:
        prefix: int32 [N, P], inputs of the networks before the first token; not part of a sequence.
        tokens: int32 [N, T], 0 past a sequence's end.
        lengths: int32 [N], number of tokens of each sequence, including its end token.
        log_policy: float32 [N], log-probability of the sequence under the policy, in nats.
        log_prior: float32 [N], the same under the prior.
        outputs: readable forms from the task, one row per sequence, such as `smiles` or `pitches`.
        task: the task of the sequences.
    """

    prefix: np.ndarray
    tokens: np.ndarray
    lengths: np.ndarray
    log_policy: np.ndarray
    log_prior: np.ndarray
    outputs: dict[str, np.ndarray]
    task: Task

    def __len__(self) -> int:
        """Return N."""
        return len(self.tokens)

    @property
    def texts(self) -> list[str]:
        """The sequences as text: SMILES, or SELFIES if the vocabulary is in SELFIES.

        Raises:
            UserError: the task's sequences have no text form.
        """
        name = presentation_of(self.task).graph_codec().text_name
        if name is None:
            raise UserError(
                f"{self.task.kind} sequences have no text form; use .tokens or .outputs"
            )
        return [text.decode() for text in self.outputs[name]]

    def save(self, folder: str, prefix: str = "sample", *, overwrite: bool = False) -> list[str]:
        """Write the sequences as files (.mid; .smi and .sdf); return the paths.

        Args:
            folder: folder for the files.
            prefix: first part of their names.
            overwrite: whether to replace such files of an earlier call.

        Raises:
            UserError: the folder cannot be written, or contains such files and `overwrite` is not set.
        """
        outputs.check_samples(folder, prefix, overwrite=overwrite)
        os.makedirs(folder, exist_ok=True)
        return presentation_of(self.task).write_samples(self.tokens, folder, prefix)


@dataclasses.dataclass(frozen=True)
class Scores:
    """Log-probabilities and rewards of B sequences.

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
        """float32 [B], log_policy - log_prior: above 0 if tuning made the sequence likelier."""
        return self.log_policy - self.log_prior


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Metrics of the prior and of the tuned policy; str() returns the table.

    Attributes:
        metrics: model ("prior", "tuned") -> metric -> value, None for an undefined metric.
        table: the table of the task's metrics and the common metrics, as text.
    """

    metrics: dict[str, dict[str, Any]]
    table: str

    def __str__(self) -> str:
        """Return the table."""
        return self.table
