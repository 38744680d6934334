"""Presentation of melodies: MIDI files, sound, piano rolls, note names and Table 1."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rl_tuner.tasks.melody import encoding, exhibits, metrics, opening, overlap, rendering, sheet
from rl_tuner.tasks.melody.formats import DEFAULT_FORMATS, FORMATS, check_formats, write
from rl_tuner.tasks.melody.frame import Frame
from rl_tuner.tasks.melody.graph_codec import MelodyCodec
from rl_tuner.tasks.melody.notation import Piece
from rl_tuner.tasks.presentation import CardNotes, Exhibit, Presentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rl_tuner.tasks.melody.task import MelodyTask

_SHOWN = 8
_ON_A_SHEET = 4


class MelodyPresentation(Presentation):
    """Presentation of melodies.

    Args:
        task: the melody task; its `qpm` is the tempo.
    """

    rows = (*metrics.TABLE1_ROWS, *metrics.SET_ROWS)
    published = metrics.PAPER_TABLE1
    formats = FORMATS
    card_notes = CardNotes(
        token="A token is one sixteenth-note step: it continues, ends the sounding note, or starts one of"
        " 36 pitches.",
        outputs='made["pitches"], made["starts"], made["ends"]',
        limits=(
            "Melodies have one voice, in sixteenth-note steps, from C3 to B5. They have no harmony, no"
            " dynamics and no rhythm finer than a sixteenth note.",
            "The model was rewarded for only a few rules of music theory, and its style is that of the"
            " tunes it was trained on. A melody that follows the rules is not necessarily a good one.",
            "A melody may repeat a tune of the training data; if it was measured, the table shows the"
            " share of melodies not found there.",
        ),
        notes={
            ".mid": "A note is shown as its name, its octave and, if longer than one sixteenth, its length"
            " in sixteenths; rests are left out."
        },
    )

    task: MelodyTask

    def __init__(self, task: MelodyTask) -> None:
        super().__init__(task)

    def set_metrics(self, sequences: np.ndarray, corpus: Iterable[Any] | None) -> dict[str, Any]:
        """Return `metrics.variety`, overlaps with the corpus, and `novelty`: the share not found there."""
        novelty = None if corpus is None else metrics.novelty(sequences, corpus)
        return metrics.variety(sequences, self.task.frame.grid.steps_per_bar) | {
            "novelty": novelty,
            **overlap.with_corpus(sequences, corpus, self.task.frame.grid),
        }

    def read_primer(self, path: str) -> list[int]:
        """Return the classes of the first melody in a MIDI file, to be continued."""
        return opening.read_primer(path)

    def read_prompt(self, text: str) -> list[int]:
        """Reject the prompt, because melodies have no text form.

        Raises:
            UserError: always.
        """
        return opening.read_prompt(text)

    def write_samples(
        self,
        sequences: np.ndarray,
        directory: str,
        prefix: str,
        formats: Sequence[str] = DEFAULT_FORMATS,
        frame: Frame | None = None,
        qpm: float | None = None,
    ) -> list[str]:
        """Write one file per melody and format: PREFIX_000.mid and so on.

        Args:
            sequences: int [N, T].
            directory: the folder.
            prefix: first part of the names.
            formats: some of `formats.FORMATS`.
            frame: grid and key of the melodies; None is those of the task.
            qpm: quarters per minute; None is that of the task.
        """
        check_formats(formats)
        paths = []
        for index, melody in enumerate(sequences):
            piece = self.piece(melody, f"{prefix} {index + 1}", frame, qpm)
            for name in formats:
                paths.append(os.path.join(directory, f"{prefix}_{index:03d}.{name}"))
                write(paths[-1], piece)
        return paths

    def steps_of(self, bars: int) -> int:
        """Return the steps of a number of bars."""
        return bars * self.task.frame.grid.steps_per_bar

    def piece(
        self,
        melody: np.ndarray,
        title: str = "",
        frame: Frame | None = None,
        qpm: float | None = None,
    ) -> Piece:
        """Return a melody with the grid, key and tempo of the task, if no others are given."""
        classes = [int(c) for c in melody]
        tempo = self.task.qpm if qpm is None else qpm
        return Piece(classes, frame or self.task.frame, tempo, title)

    def sample_lines(self, path: str) -> list[str] | None:
        """Return a melody as note names, with the lengths of notes longer than a sixteenth."""
        try:
            classes = rendering.read_melody(path)
        except (OSError, ValueError):
            return []
        words = [encoding.note_text(*note) for note in encoding.notes_from_classes(classes)]
        return [" ".join(words)] if words else []

    def figures(self, columns: Mapping[str, np.ndarray]) -> dict[str, Figure]:
        """Return piano rolls, one column per model."""
        few = {name: rows[:_SHOWN] for name, rows in columns.items()}
        return {"samples": rendering.piano_roll_figure(few, frame=self.task.frame)}

    def corpus_figures(
        self, columns: Mapping[str, np.ndarray], corpus: Iterable[Any]
    ) -> dict[str, Figure]:
        """Return the histograms of the notes of corpus and models."""
        grid = self.task.frame.grid
        first, second = overlap.halves_of(corpus, self.task.horizon, grid)
        whole = first + second
        return {"overlap": overlap.figure(columns, whole.shares(), grid)} if whole.melodies else {}

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """Return one picture with the piano rolls of some melodies."""
        return rendering.piano_roll_image(sequences, frame=self.task.frame)[np.newaxis]

    def sheets(self, sequences: np.ndarray, name: str) -> np.ndarray | None:
        """Return the sheet music of a few melodies; None without the extra "sheet"."""
        if not sheet.is_available():
            return None
        few = sequences[:_ON_A_SHEET]
        return sheet.stacked([self.piece(row, f"{name} {i}") for i, row in enumerate(few, 1)])

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the melody as sound."""
        return rendering.audio(sequence, qpm=self.task.qpm, grid=self.task.frame.grid)

    def exhibits(
        self,
        sequences: np.ndarray,
        *,
        whole: bool = True,
        frame: Frame | None = None,
        qpm: float | None = None,
        **options: Any,
    ) -> list[Exhibit]:
        """Return melodies as piano rolls with their sound and, with the extra "sheet", as sheet music.

        Args:
            sequences: int [N, T].
            whole: whether sound and sheet music are made.
            frame: grid and key of the melodies; None is those of the task.
            qpm: quarters per minute; None is that of the task.
            **options: other options of `write_samples`, which change nothing here.
        """
        del options
        pieces = [self.piece(row, frame=frame, qpm=qpm) for row in sequences]
        found = [exhibits.exhibit(piece, with_sound=whole) for piece in pieces]
        if not whole or not sheet.is_available():
            return found
        return [
            each._replace(sheet=sheet.to_svg(piece)) if each.valid else each
            for each, piece in zip(found, pieces)
        ]

    def graph_codec(self) -> MelodyCodec:
        """Return the codec that adds the notes of melodies."""
        return MelodyCodec(self.task.frame.grid.pitch_offset)
