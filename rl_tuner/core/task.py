"""The interface between a tuner and what it tunes: a task knows no tuner, a tuner knows no task."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError


class ServedForm:
    """What an exported model gives to people beside tokens; its methods are traced into a graph.

    Attributes:
        text_input: name of the text that `read` reads, such as "smiles"; None when there is none.
    """

    text_input: str | None = None

    def outputs(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Name -> tensor with a row for each of the sequences int32 [B, T] of int32 [B] tokens each."""
        return {}

    def read(self, texts: tf.Tensor) -> tf.Tensor:
        """The classes of texts, string [B]: int32 [B, T], padded with -1.

        Raises:
            tf.errors.InvalidArgumentError: a text cannot be written in the task's classes.
        """
        raise NotImplementedError


class Task(abc.ABC):
    """What is generated and what is rewarded.

    Attributes:
        kind: the kind of dataset that the task reads, as its dataset.json says it.
        num_classes: number of classes that may be generated.
        horizon: T, the longest sequence in tokens.
        end_token: class that ends a sequence; None when every sequence has the length T.
        part_names: names of the reward's parts, in the order in which they are shown.
        run_files: what the task itself keeps in the folder of a run while it tunes.
        corpus_feature: the text feature of the dataset's examples that `set_metrics` compares with;
            None takes their tokens.
    """

    kind: str
    num_classes: int
    horizon: int
    end_token: int | None = None
    part_names: tuple[str, ...] = ()
    run_files: tuple[str, ...] = ()
    corpus_feature: str | None = None

    def adopt(self, metadata: dict[str, Any]) -> None:
        """Takes what a prior knows of its data: `encoding` and `provenance`, see `save_prior`.

        Until then a task that depends on its data has no num_classes and no horizon.

        Raises:
            UserError: the task cannot speak this encoding.
        """
        del metadata

    @abc.abstractmethod
    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """The task reward r_T of finished sequences, part by part; traced into the training step.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            Part name -> float32 [B, T] reward of each step; r_T is their sum.
        """

    @abc.abstractmethod
    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sums and counts of a batch of sequences that add over batches: name -> scalar."""

    @abc.abstractmethod
    def metrics(self, sums: dict[str, float]) -> dict[str, float | None]:
        """The task's metrics from added `metric_sums`; None where a metric is undefined."""

    @abc.abstractmethod
    def format_metrics(self, columns: dict[str, dict[str, float | None]]) -> str:
        """A text table: a row a metric, a column a model, beside published figures."""

    @abc.abstractmethod
    def set_metrics(self, sequences: np.ndarray, corpus: list[Any] | None) -> dict[str, Any]:
        """Metrics of a whole set of sequences int [N, T], such as its novelty.

        Args:
            sequences: 0 past their end.
            corpus: the training examples' tokens, or their `corpus_feature`; None when it is not there.
        """

    @abc.abstractmethod
    def read_primer(self, path: str) -> list[int]:
        """The classes in a user's primer file.

        Raises:
            UserError: the file cannot be read or holds nothing to start from.
        """

    def read_prompt(self, text: str) -> list[int]:
        """The classes of a beginning given as text.

        Raises:
            UserError: the task has no text form, or this is none.
        """
        raise UserError(f"--prompt: {self.kind} sequences have no text form; use --primer=FILE")

    @abc.abstractmethod
    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """Writes what a person wants to have of each sequence; returns the paths."""

    @abc.abstractmethod
    def figures(self, columns: dict[str, np.ndarray]) -> dict[str, Any]:
        """Matplotlib figures of sequences of each model, int [N, T], by the name of their file."""

    def run_figures(self, run_dir: str) -> dict[str, Any]:
        """Matplotlib figures of a finished run's `run_files`, by the name of their file."""
        return {}

    @abc.abstractmethod
    def images(self, sequences: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] pictures of a few sequences for TensorBoard."""

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int] | None:
        """Sound of one sequence as (float32 [samples], rate); None for tasks that make none."""
        return None

    def served_form(self) -> ServedForm:
        """What an exported model gives to people; nothing beside tokens unless a task says so."""
        return ServedForm()


class Scored(NamedTuple):
    """What a `HostTask` made of a batch.

    Attributes:
        parts: part name -> float32 [B, T] reward of each step; r_T is their sum.
        sums: what `Task.metric_sums` gives.
        metrics: scalars for the summaries.
        details: what the task's own journal wants to know.
    """

    parts: dict[str, np.ndarray]
    sums: dict[str, float]
    metrics: dict[str, float]
    details: Any = None


class HostTask(Task):
    """A task that is rewarded outside the graph, in processes of its own while the networks learn."""

    @abc.abstractmethod
    def submit(self, tokens: np.ndarray, mask: np.ndarray) -> Any:
        """Hands over a batch to be scored and returns at once.

        Args:
            tokens: int32 [B, T] sequences.
            mask: float32 [B, T], 1 on the steps of a sequence.

        Returns:
            What `result` wants.
        """

    @abc.abstractmethod
    def result(self, ticket: Any) -> Scored:
        """Waits for a submitted batch."""

    def journal(self, run_dir: str) -> Any:
        """What keeps every scored sequence for people; None for none.

        It has `add(episode, scored, step)`, `restore(step)` and `write()`.
        """
        return None

    def reward_parts(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """The task reward, outside a graph."""
        scored = self.result(self.submit(np.asarray(tokens), np.asarray(mask)))
        return {name: tf.constant(part) for name, part in scored.parts.items()}

    def metric_sums(self, tokens: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        """The task's sums, outside a graph."""
        sums = self.result(self.submit(np.asarray(tokens), np.asarray(mask))).sums
        return {name: tf.constant(value, tf.float32) for name, value in sums.items()}
