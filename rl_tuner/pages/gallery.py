"""Sequences of each model for a page: some at random, the best, the worst, and what each of them earned."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner.core.rollout import mask_of
from rl_tuner.core.task import Task
from rl_tuner.tasks.presentation import Exhibit, presentation_of

# The rewards of so many sequences are compared; more would not fit into a page's minute.
_COMPARED = 1_000
_RANDOM, _EXTREME = 4, 2
_STRIP = 10


def gallery(task: Task, sequences: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Return of each model the groups of its sequences, as the page's template reads them.

    Args:
        task: the task with its rewards.
        sequences: int [N, T] of each model, 0 past their end, drawn at random.
    """
    return [{"name": name, "groups": _groups(task, rows)} for name, rows in sequences.items()]


def at_random(task: Task, rows: np.ndarray) -> list[dict[str, Any]]:
    """Return some of the sequences int [N, T], drawn at random, as the page's template reads them."""
    _, steps, totals = _rewards(task, rows[:_RANDOM])
    return _items(task, rows, np.arange(len(totals)), steps, totals)


def _groups(task: Task, rows: np.ndarray) -> list[dict[str, Any]]:
    rows, steps, totals = _rewards(task, rows[:_COMPARED])
    ranked = np.argsort(-totals, kind="stable")
    chosen = {
        "Chosen at random": np.arange(min(_RANDOM, len(rows))),
        f"Best by reward of {len(rows):,}": ranked[:_EXTREME],
        f"Worst by reward of {len(rows):,}": ranked[::-1][:_EXTREME],
    }
    return [
        {"title": title, "items": _items(task, rows, indices, steps, totals)}
        for title, indices in chosen.items()
    ]


def _rewards(task: Task, rows: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Return the sequences, the reward of each of their steps by part, and their total reward."""
    rows = np.asarray(rows)
    mask = mask_of(rows, task.end_token)
    parts = task.reward_parts(tf.constant(rows, tf.int32), tf.constant(mask))
    steps = {name: np.asarray(part) * mask for name, part in parts.items()}
    return rows, steps, np.sum([part.sum(axis=1) for part in steps.values()], axis=0)


def _items(
    task: Task,
    rows: np.ndarray,
    indices: np.ndarray,
    steps: Mapping[str, np.ndarray],
    totals: np.ndarray,
) -> list[dict[str, Any]]:
    exhibits = presentation_of(task).exhibits(rows[indices])
    return [
        _item(exhibit, {name: part[index] for name, part in steps.items()}, totals[index])
        for exhibit, index in zip(exhibits, indices)
    ]


def _item(exhibit: Exhibit, steps: Mapping[str, np.ndarray], total: float) -> dict[str, Any]:
    earned = {name: float(part.sum()) for name, part in steps.items() if np.any(part)}
    return {
        "exhibit": exhibit,
        "sound": base64.b64encode(exhibit.sound).decode(),
        "sheet": base64.b64encode(exhibit.sheet.encode()).decode(),
        "total": float(total),
        "earned": sorted(earned.items(), key=lambda pair: -abs(pair[1])),
        "strips": _strips(exhibit, {name: steps[name] for name in earned}),
    }


def _strips(exhibit: Exhibit, steps: Mapping[str, np.ndarray]) -> str:
    """Return an SVG element that shows below a picture of steps where each part of the reward was earned."""
    if exhibit.places is None or not steps:
        return ""
    left, step, width = exhibit.places
    rows = []
    for number, (name, values) in enumerate(steps.items()):
        y = number * _STRIP
        rows.append(
            f'<text class="tick end" x="{left - 4}" y="{y + 8}">{html.escape(name[:16])}</text>'
        )
        largest = float(np.max(np.abs(values)))
        for index in np.flatnonzero(values):
            value = float(values[index])
            told = html.escape(f"{name}: {value:+.3g} at step {index + 1}")
            rows.append(
                f'<rect class="{"gain" if value > 0 else "loss"}" x="{left + index * step}" y="{y + 1}"'
                f' width="{step - 1}" height="{_STRIP - 2}"'
                f' opacity="{0.25 + 0.75 * abs(value) / largest:.2f}">'
                f"<title>{told}</title></rect>"
            )
    height = len(steps) * _STRIP
    label = "Where the reward was earned, step by step"
    return (
        f'<svg class="strips" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        f"{''.join(rows)}</svg>"
    )
