"""Melodies as a page shows them: a piano roll with bar lines, the sound, and the names of the notes."""

from __future__ import annotations

import html
import io
import wave
from collections.abc import Sequence

import numpy as np

from rl_tuner.tasks.melody import encoding
from rl_tuner.tasks.melody.grid import Grid
from rl_tuner.tasks.presentation import Exhibit

# Left of the roll are the names of notes, and below them those of rules.
_STEP, _ROW, _LEFT, _TOP = 16, 7, 78, 6


def exhibit(melody: Sequence[int], grid: Grid, qpm: float, sound: np.ndarray, rate: int) -> Exhibit:
    """Return a melody, int [T], as a page shows it.

    Args:
        melody: its classes.
        grid: what the classes mean.
        qpm: quarters per minute.
        sound: its sound, float [samples] between -1 and 1.
        rate: samples per second.
    """
    notes = grid.notes(melody)
    return Exhibit(
        text=" ".join(_name(*note) for note in notes) or "silence",
        picture=piano_roll(notes, len(melody), grid.steps_per_bar, grid.steps_per_beat),
        sound=wav(sound, rate),
        seconds=len(melody) * 60.0 / qpm / grid.steps_per_quarter,
        facts={"notes": len(notes)},
        valid=bool(notes),
        places=(_LEFT, _STEP, _LEFT + len(melody) * _STEP + 4),
    )


def wav(sound: np.ndarray, rate: int) -> bytes:
    """Return float samples between -1 and 1 as a WAV file of 16 bits."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(sound, -1.0, 1.0) * 32_767).astype("<i2").tobytes())
    return content.getvalue()


def piano_roll(
    notes: Sequence[tuple[int, int, int]], length: int, steps_per_bar: int, steps_per_beat: int
) -> str:
    """Return notes (pitch, start, end) as an SVG element with bar lines, names and a cursor."""
    pitches = [pitch for pitch, _, _ in notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    width, height = _LEFT + length * _STEP + 4, _TOP + (high - low + 1) * _ROW + 14
    floor = height - 14

    def top(pitch: int) -> int:
        return _TOP + (high - pitch) * _ROW

    parts = [
        f'<rect class="paper" x="{_LEFT}" y="{_TOP}" width="{length * _STEP}" height="{floor - _TOP}"/>'
    ]
    for step in range(0, length + 1, steps_per_beat):
        kind = "bar" if step % steps_per_bar == 0 else "beat"
        x = _LEFT + step * _STEP
        parts.append(f'<line class="{kind}" x1="{x}" x2="{x}" y1="{_TOP}" y2="{floor}"/>')
        if kind == "bar" and step < length:
            parts.append(
                f'<text class="tick" x="{x + 2}" y="{height - 3}">{step // steps_per_bar + 1}</text>'
            )
    for pitch in sorted(set(pitches)):
        name = html.escape(encoding.note_name(pitch))
        parts.append(
            f'<text class="tick end" x="{_LEFT - 4}" y="{top(pitch) + _ROW}">{name}</text>'
        )
    for pitch, start, end in notes:
        told = f"{encoding.note_name(pitch)}, step {start + 1}, {end - start} long"
        parts.append(
            f'<rect class="note" x="{_LEFT + start * _STEP + 1}" y="{top(pitch)}"'
            f' width="{(end - start) * _STEP - 2}" height="{_ROW}" rx="2"><title>{told}</title></rect>'
        )
    cursor = f'<line class="cursor" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" y2="{floor}" data-left="{_LEFT}"'
    parts.append(f'{cursor} data-width="{length * _STEP}"/>')
    head = f'<svg class="roll" viewBox="0 0 {width} {height}" role="img"'
    return f'{head} aria-label="Piano roll of {len(notes)} notes">{"".join(parts)}</svg>'


def _name(pitch: int, start: int, end: int) -> str:
    length = f":{end - start}" if end - start > 1 else ""
    return f"{encoding.note_name(pitch)}{length}"
