"""How people hear, see and read melodies: MIDI files, sound, piano rolls, note names, Table 1."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody import encoding, metrics, rendering
from rl_tuner.tasks.melody.graph_codec import MelodyCodec
from rl_tuner.tasks.presentation import CardNotes, Presentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rl_tuner.tasks.melody.task import MelodyTask

_SHOWN = 8


class MelodyPresentation(Presentation):
    """Melodies as notes.

    Args:
        task: whose melodies; its `qpm` is the tempo.
    """

    rows = metrics.TABLE1_ROWS
    published = metrics.PAPER_TABLE1
    card_notes = CardNotes(
        token="A token is one sixteenth: it holds what sounds, ends it, or starts one of 36 pitches.",
        outputs='made["pitches"], made["starts"], made["ends"]',
        limits=(
            "Melodies have one voice, in sixteenth-note steps, from C3 to B5. There is no harmony, there are"
            " no dynamics and no rhythm finer than a sixteenth note.",
            "The rules of music theory that it was rewarded for are a few of many, and its style is that"
            " of the tunes it learned from. A melody that follows the rules is not necessarily a good one.",
            "A melody may repeat a tune of the training data; where it was measured, the table gives the"
            " share of melodies not found there.",
        ),
        notes={
            ".mid": "A note is its name, its octave and, above 1, its sixteenths; rests are left out."
        },
    )

    task: MelodyTask

    def __init__(self, task: MelodyTask) -> None:
        super().__init__(task)

    def set_metrics(self, sequences: np.ndarray, corpus: Sequence[Any] | None) -> dict[str, Any]:
        """Return `novelty`: the share of melodies that are not an excerpt of a tune of the corpus."""
        return {"novelty": None if corpus is None else metrics.novelty(sequences, corpus)}

    def read_primer(self, path: str) -> list[int]:
        """Return the classes of the first melody in a MIDI file, in its own key, up to its last note."""
        try:
            return rendering.read_melody(path)
        except (OSError, ValueError) as error:
            raise UserError(f"primer {path}: {error}") from error

    def read_prompt(self, text: str) -> list[int]:
        """Refuse: melodies have no text form.

        Raises:
            UserError: always.
        """
        raise UserError(f"prompt {text!r}: melodies have no text form; give a primer file instead")

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """Write one MIDI file per melody: PREFIX_000.mid and so on."""
        paths = []
        for index, melody in enumerate(sequences):
            paths.append(os.path.join(directory, f"{prefix}_{index:03d}.mid"))
            rendering.write_midi(paths[-1], melody, qpm=self.task.qpm)
        return paths

    def sample_lines(self, path: str) -> list[str] | None:
        """Return a melody as note names, with sixteenths where a note lasts longer."""
        try:
            classes = rendering.read_melody(path)
        except (OSError, ValueError):
            return []
        words = []
        for pitch, start, end in encoding.notes_from_classes(classes):
            length = f":{end - start}" if end - start > 1 else ""
            words.append(f"{encoding.note_name(pitch)}{length}")
        return [" ".join(words)] if words else []

    def figures(self, columns: Mapping[str, np.ndarray]) -> dict[str, Figure]:
        """Return piano rolls, one column per model."""
        few = {name: rows[:_SHOWN] for name, rows in columns.items()}
        return {"samples": rendering.piano_roll_figure(few)}

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """Return one picture with the piano rolls of some melodies."""
        return rendering.piano_roll_image(sequences)[np.newaxis]

    def audio(self, sequence: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the melody as sound."""
        return rendering.audio(sequence, qpm=self.task.qpm)

    def graph_codec(self) -> MelodyCodec:
        """Return notes beside the classes."""
        return MelodyCodec()
