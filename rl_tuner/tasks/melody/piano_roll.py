"""Piano rolls of melodies, as a figure or as a small image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rl_tuner.common.figures import new_figure
from rl_tuner.tasks.melody.encoding import note_name
from rl_tuner.tasks.melody.frame import DEFAULT_FRAME, Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_IN_KEY, _OUT_OF_KEY = "#2f6db5", "#d1495b"
_KEY_SHADE, _TONIC_LINE, _BEAT_LINE, _BAR_LINE = "#eaeff6", "#c98b1a", "#dfe3e8", "#8c96a3"


def piano_roll_figure(
    columns: Mapping[str, Sequence[Iterable[int]] | np.ndarray],
    title: str = "",
    frame: Frame = DEFAULT_FRAME,
) -> Figure:
    """Draw melodies as piano rolls with common pitch and time axes, one column per model.

    Rows of the key are lightly shaded, the tonic is marked by a line, and notes outside the key have
    another colour. Vertical lines are beats and bar lines.

    Args:
        columns: name -> classes of some melodies, shown one below the other.
        title: title of the figure; empty for none.
        frame: grid and key.

    Returns:
        a matplotlib Figure without global state.

    Raises:
        ValueError: if there are no melodies, or a class is unknown.
    """
    shown = {name: [[int(c) for c in m] for m in melodies] for name, melodies in columns.items()}
    everything = [melody for melodies in shown.values() for melody in melodies]
    if not everything:
        raise ValueError("A figure needs at least one melody.")
    low, high = _pitch_range(everything, frame)
    length = max(len(melody) for melody in everything)
    rows = max(len(melodies) for melodies in shown.values())

    panel_height = 0.45 + 0.055 * (high - low)
    figure = new_figure(6.4 * len(shown), panel_height * rows + 0.9)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    grid = figure.subplots(rows, len(shown), sharex=True, sharey=True, squeeze=False)
    for axes, (name, melodies) in zip(grid.T, shown.items()):
        for i, axis in enumerate(axes):
            axis.set_visible(i < len(melodies))
            if i < len(melodies):
                _draw(axis, melodies[i], (low, high), length, frame)
                axis.set_title(f"{name} {i + 1}", fontsize=9, loc="left", pad=3)
        if melodies:
            axes[len(melodies) - 1].set_xlabel("bar.beat", fontsize=8)
            axes[len(melodies) - 1].tick_params(labelbottom=True)
    _add_legend(figure, frame)
    return figure


def _add_legend(figure: Figure, frame: Frame) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = [
        Patch(color=_IN_KEY, label=f"in {frame.key}"),
        Patch(color=_OUT_OF_KEY, label="outside the key"),
        Line2D([], [], color=_TONIC_LINE, label=f"tonic ({note_name(frame.key.tonic)})"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=8, frameon=False)


def _pitch_range(melodies: Sequence[Sequence[int]], frame: Frame) -> tuple[int, int]:
    """Return the lowest and highest pitch to show: all notes and an octave from the tonic, and a margin."""
    pitches = [note[0] for melody in melodies for note in frame.grid.notes(melody)]
    tonic = frame.key.tonic
    low, high = min([*pitches, tonic]), max([*pitches, tonic + 12])
    return max(low - 2, frame.grid.min_pitch - 1), min(high + 2, frame.grid.max_pitch + 1)


def _draw(
    axis: Axes, melody: Sequence[int], pitches: tuple[int, int], length: int, frame: Frame
) -> None:
    grid, key = frame.grid, frame.key
    low, high = pitches
    for pitch in range(low, high + 1):
        if key.contains(pitch):
            axis.axhspan(pitch - 0.5, pitch + 0.5, color=_KEY_SHADE, linewidth=0, zorder=0)
    axis.axhline(key.tonic, color=_TONIC_LINE, linewidth=0.9, zorder=1)
    for step in range(0, length + 1, grid.steps_per_beat):
        is_bar = step % grid.steps_per_bar == 0
        colour, width = (_BAR_LINE, 0.9) if is_bar else (_BEAT_LINE, 0.6)
        axis.axvline(step, color=colour, linewidth=width, zorder=1)
    for pitch, start, end in grid.notes(melody):
        axis.broken_barh(
            [(start + 0.08, end - start - 0.16)],
            (pitch - 0.42, 0.84),
            facecolors=_IN_KEY if key.contains(pitch) else _OUT_OF_KEY,
            zorder=2,
        )
    axis.set_xlim(0, length)
    axis.set_ylim(low - 0.5, high + 0.5)
    few = length <= 16 * grid.steps_per_beat
    beats = range(0, length, grid.steps_per_beat if few else grid.steps_per_bar)
    axis.set_xticks(
        list(beats),
        [
            f"{s // grid.steps_per_bar + 1}.{s % grid.steps_per_bar // grid.steps_per_beat + 1}"
            for s in beats
        ],
        fontsize=7,
    )
    named = [p for p in range(low, high + 1) if (p - key.tonic) % 12 in (0, key.third, 7)]
    axis.set_yticks(named, [note_name(p) for p in named], fontsize=7)
    axis.tick_params(length=2, color=_BAR_LINE)
    for side in axis.spines.values():
        side.set_color(_BAR_LINE)
        side.set_linewidth(0.6)


def piano_roll_image(
    melodies: np.ndarray, columns: int = 2, scale: int = 6, frame: Frame = DEFAULT_FRAME
) -> np.ndarray:
    """Draw melodies as small piano rolls in a grid, row by row.

    Notes in key are blue, others red; the beginning of a note is darker. Rows of the key are
    white, others grey, and the tonic is yellow.

    Args:
        melodies: integer `[N, T]`.
        columns: number of piano rolls per row.
        scale: pixels per step and per semitone.
        frame: grid and key.

    Returns:
        uint8 `[H, W, 3]`.

    Raises:
        ValueError: if there are no melodies, or a class is unknown.
    """
    if not len(melodies):
        raise ValueError("An image needs at least one melody.")
    rolls = [_roll_pixels([int(c) for c in melody], scale, frame) for melody in melodies]
    columns = min(columns, len(rolls))
    gap = 2 * scale
    height, width, _ = rolls[0].shape
    rows = -(-len(rolls) // columns)
    image = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, roll in enumerate(rolls):
        top, left = (gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap))
        image[top : top + height, left : left + width] = roll
    return image


def _roll_pixels(melody: Sequence[int], scale: int, frame: Frame) -> np.ndarray:
    """Return one melody as uint8 `[H, W, 3]` with a frame of one pixel."""
    grid, key = frame.grid, frame.key
    scale_rows = [key.contains(pitch) for pitch in range(grid.min_pitch, grid.max_pitch + 1)]
    roll = np.where(np.array(scale_rows)[:, np.newaxis, np.newaxis], 252, 236).astype(np.uint8)
    roll = np.tile(roll, (1, len(melody), 3))
    roll[key.tonic - grid.min_pitch] = (250, 226, 160)
    roll = roll.repeat(scale, axis=0).repeat(scale, axis=1)
    roll[:, :: grid.steps_per_bar * scale] = (140, 150, 163)
    for pitch, start, end in grid.notes(melody):
        bottom = (pitch - grid.min_pitch) * scale
        colour = np.array((47, 109, 181) if key.contains(pitch) else (209, 73, 91))
        note = roll[bottom : bottom + scale, start * scale : end * scale - 1]
        note[:] = colour
        note[:, : scale // 3] = colour // 2
    return np.pad(roll[::-1], [(1, 1), (1, 1), (0, 0)], constant_values=140)
