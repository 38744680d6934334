"""Presentation of a task's sequences as text, tables, files, pictures and sound, with defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.tables import Row, aligned, metric_rows
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.task import Scored, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PADDING = -1


class GraphCodec:
    """Conversion between tokens and readable forms as a graph, for exported models.

    Attributes:
        text_name: name of the text form that `encode` reads, such as "smiles"; None for none.
    """

    text_name: str | None = None

    def decode(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return readable forms of sequences by name, with one row per sequence.

        Args:
            tokens: int32 [B, T].
            lengths: int32 [B], number of tokens of each sequence.
        """
        return {}

    def encode(self, texts: tf.Tensor) -> tf.Tensor:
        """Return the classes of texts, string [B]: int32 [B, T], padded with -1.

        Raises:
            tf.errors.InvalidArgumentError: a text cannot be written in the task's classes.
        """
        raise NotImplementedError


class CardNotes(NamedTuple):
    """Texts in the model card about a kind of sequences.

    Attributes:
        token: one sentence that explains a token.
        outputs: Python expressions for the most useful outputs of an export's `generate`.
        limits: sentences about the limits of the sequences.
        notes: explanations of the lines of `Presentation.sample_lines`, by the suffix of the file.
    """

    token: str = ""
    outputs: str = 'made["tokens"]'
    limits: tuple[str, ...] = ()
    notes: Mapping[str, str] = {}


class Exhibit(NamedTuple):
    """One sequence as a page shows it.

    Attributes:
        text: the sequence as text.
        picture: a drawing as an SVG element; "" for none. An element of the class "cursor" in it follows the
            sound.
        sheet: a drawing for musicians as a whole SVG file, dark on a light ground; "" for none.
        sound: a WAV file; empty for none.
        seconds: length of the sequence in the sound, which may fade out later.
        facts: numbers and words about it by name, by which a page can sort.
        valid: whether it is what the task asks for at all, such as a molecule.
        places: where the picture shows the steps, if it does: left edge of the first, width of a step, and
            width of the whole picture.
    """

    text: str
    picture: str = ""
    sheet: str = ""
    sound: bytes = b""
    seconds: float = 0.0
    facts: Mapping[str, float | str] = {}
    valid: bool = True
    places: tuple[int, int, int] | None = None


class Journal(Protocol):
    """Record of every scored sequence of a run."""

    def add(self, episode: Rollout, scored: Scored, step: int) -> None:
        """Record a scored batch, sampled up to environment step `step`."""
        ...

    def restore(self, step: int) -> None:
        """Read the files of an interrupted run again, up to environment step `step`."""
        ...

    def write(self) -> None:
        """Write everything recorded so far."""
        ...

    def counts(self) -> dict[str, int]:
        """Return the number of records of each file, by its name."""
        ...

    def calls(self) -> list[tuple[str, float]]:
        """Return what was sent to the reward, in this order, each with its reward; see `core.ledger`."""
        ...


class Presentation:
    """Presentation of a task's sequences; subclasses override the methods for their kind.

    By default the text of a sequence is the names of its tokens separated by spaces, without the end
    token; samples are written as text files; metrics are listed by name; there are no pictures and no
    sound.

    Args:
        task: the task.
        names: the name of each class; None uses their numbers.

    Attributes:
        rows: rows of the table of the task's metrics; None lists every metric by name.
        published: published figures for additional columns: column -> metric -> value.
        corpus_feature: text feature of the dataset's examples that `set_metrics` compares with; None
            compares tokens.
        run_files: files that `journal` writes into the run's folder.
        card_notes: texts in the model card.
        formats: suffixes of the file formats that `write_samples` takes as `formats`; empty if it takes none.
    """

    rows: Sequence[Row] | None = None
    published: Mapping[str, Mapping[str, float]] = {}
    corpus_feature: str | None = None
    run_files: tuple[str, ...] = ()
    card_notes = CardNotes()
    formats: tuple[str, ...] = ()

    def __init__(self, task: Task, names: Sequence[str] | None = None) -> None:
        self.task = task
        self.names = tuple(names) if names else tuple(map(str, range(task.num_classes)))

    def text(self, sequence: Sequence[int] | np.ndarray) -> str:
        """Return one sequence as text."""
        return " ".join(self.names[token] for token in self._before_end(sequence))

    def format_metrics(self, columns: Mapping[str, Mapping[str, float | None]]) -> str:
        """Return a text table: one row per metric, one column per model, then published figures."""
        rows = self.rows
        if rows is None:
            own = dict.fromkeys(name for column in columns.values() for name in column)
            rows = [Row(name, name.replace("_", " "), "score") for name in own]
        return aligned(metric_rows(rows, columns, self.published))

    def set_metrics(self, sequences: np.ndarray, corpus: Iterable[Any] | None) -> dict[str, Any]:
        """Return metrics of a set of sequences: by default `novelty`, the share not in the corpus.

        Args:
            sequences: int [N, T], 0 past their end.
            corpus: tokens of the training examples, or their `corpus_feature`, which can be passed through
                several times but need not fit into memory; None if unknown.
        """
        if corpus is None:
            return {"novelty": None}
        found = [tuple(self._before_end(row)) for row in sequences]
        new = set(found)
        for row in corpus:
            new.discard(tuple(self._before_end(row)))
        return {"novelty": sum(row in new for row in found) / len(found)}

    def read_primer(self, path: str) -> list[int]:
        """Return the classes of a primer file; by default a text file as for `read_prompt`.

        Raises:
            UserError: the file cannot be read, or does not contain a primer.
        """
        try:
            with open(path, encoding="utf-8") as file:
                return self.read_prompt(file.read())
        except UnicodeDecodeError as error:
            raise UserError(f"primer {path} is not a text file; give a text file") from error
        except OSError as error:
            raise UserError(f"primer {path} cannot be read: {error.strerror}") from error

    def read_prompt(self, text: str) -> list[int]:
        """Return the classes of a prompt: the beginning of a sequence as text.

        Raises:
            UserError: the text is not the beginning of a sequence of this kind.
        """
        words = text.split()
        usable = {name: number for number, name in enumerate(self.names)}
        if self.task.end_token is not None:
            usable.pop(self.names[self.task.end_token], None)
        unknown = [word for word in words if word not in usable]
        if unknown or not words:
            wrong = f"{unknown[0]!r} is not a token" if unknown else "it is empty"
            raise UserError(f"prompt: {wrong}; use one or more of {' '.join(usable)}")
        return [usable[word] for word in words]

    def steps_of(self, bars: int) -> int:
        """Return the tokens of a number of bars.

        Raises:
            UserError: sequences of this kind have no bars.
        """
        raise UserError(f"bars: {self.task.kind} sequences have no bars")

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """Write sequences int [N, T] as files, by default PREFIX.txt with one per line; return the paths."""
        path = os.path.join(directory, f"{prefix}.txt")
        write_text(path, "".join(f"{self.text(row)}\n" for row in sequences))
        return [path]

    def write_ranked(
        self,
        sequences: np.ndarray,
        score: Callable[[list[list[int]]], Any],
        corpus: Callable[[], Iterable[Any] | None],
        directory: str,
        prefix: str,
    ) -> list[str]:
        """Write a ranked list of sequences int [N, T], 0 past their end; return the paths, none by default.

        Args:
            sequences: the sequences that were drawn.
            score: tokens of sequences -> their `reward`, `log_policy` and `log_prior`, float [M] each.
            corpus: returns the training examples, see `set_metrics`.
            directory: folder for the files.
            prefix: beginning of their names.
        """
        del sequences, score, corpus, directory, prefix
        return []

    def sample_lines(self, path: str) -> list[str] | None:
        """Return lines of a file of `write_samples` for the model card; None to list only its name."""
        if not path.endswith(".txt"):
            return None
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()

    def figures(self, columns: Mapping[str, np.ndarray]) -> dict[str, Figure]:
        """Return matplotlib figures of each model's sequences int [N, T], by file name."""
        return {}

    def corpus_figures(
        self, columns: Mapping[str, np.ndarray], corpus: Iterable[Any]
    ) -> dict[str, Figure]:
        """Return matplotlib figures that compare each model's sequences with the corpus, by file name."""
        return {}

    def run_figures(self, run_dir: str) -> dict[str, Figure]:
        """Return matplotlib figures of a finished run's `run_files`, by file name."""
        return {}

    def run_metrics(self, run_dir: str) -> dict[str, float]:
        """Return metrics of a finished run's `run_files`, for the table's column of the tuned model."""
        return {}

    def exhibits(
        self, sequences: np.ndarray, *, whole: bool = True, **options: Any
    ) -> list[Exhibit]:
        """Return a few sequences int [N, T] as a page shows them; by default their text.

        Args:
            sequences: the sequences.
            whole: whether also what takes longest is made, which is sound and sheet music.
            **options: options of `write_samples` that change how a sequence is read.
        """
        del whole, options
        return [Exhibit(self.text(row)) for row in sequences]

    def images(self, sequences: np.ndarray) -> np.ndarray | None:
        """Return uint8 [N, H, W, 3] pictures of a few sequences for TensorBoard; None for none."""
        return None

    def sheets(self, sequences: np.ndarray, name: str) -> np.ndarray | None:
        """Return a few sequences of a model as written on paper, uint8 [H, W, 3]; None for none."""
        return None

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int] | None:
        """Return the sound of one sequence as (float32 [samples], rate); None for none."""
        return None

    def journal(self, run_dir: str) -> Journal | None:
        """Return the record of every scored sequence of a `HostTask`; None for none."""
        return None

    def graph_codec(self) -> GraphCodec:
        """Return the codec for an exported model; by default one without readable forms."""
        return GraphCodec()

    def _before_end(self, sequence: Any) -> list[int]:
        row = [int(token) for token in sequence]
        end = self.task.end_token
        return row[: row.index(end)] if end is not None and end in row else row


def presentation_of(task: Task) -> Presentation:
    """Return a task's own presentation, or the default one."""
    make = getattr(task, "presentation", None)
    return Presentation(task) if make is None else make()
