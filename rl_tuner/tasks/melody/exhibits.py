"""Melodies as a page shows them: a piano roll with bar lines, the sound, and the names of the notes."""

from __future__ import annotations

import html
from collections.abc import Sequence

from rl_tuner.tasks.melody import encoding, rendering
from rl_tuner.tasks.melody.notation import Piece
from rl_tuner.tasks.presentation import Exhibit

# Left of the roll are the names of notes, and below them those of rules.
_STEP, _ROW, _LEFT, _TOP = 16, 7, 78, 6


def exhibit(piece: Piece, *, with_sound: bool = True) -> Exhibit:
    """Return a melody as a page shows it, without its sheet music."""
    notes, grid, length = piece.notes(), piece.frame.grid, len(piece.classes)
    return Exhibit(
        text=" ".join(encoding.note_text(*note) for note in notes) or "silence",
        picture=piano_roll(notes, length, grid.steps_per_bar, grid.steps_per_beat),
        sound=rendering.wav_bytes(piece) if with_sound else b"",
        seconds=length * rendering.step_seconds(piece.qpm, grid.steps_per_quarter),
        facts={"notes": len(notes)},
        valid=bool(notes),
        places=(_LEFT, _STEP, _LEFT + length * _STEP + 4),
    )


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
