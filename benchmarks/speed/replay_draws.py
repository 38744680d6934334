"""Measures a prioritised draw from the sum tree beside one that adds up all priorities.

python -m benchmarks.speed.replay_draws          (half a minute)

Both draw the same 64 sequences. Prints the table and writes replay.md.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from absl import flags

from benchmarks import machine
from rl_tuner.common import command_line

_ROWS = 64
_REPEATS = 60


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "sizes", ["10000", "100000", "1000000"], "Numbers of sequences.", flag_values=values
    )
    flags.DEFINE_string("output_dir", "docs/results", "Folder for replay.md.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.files import write_text

    load = machine.machine()
    text = markdown([measure(int(size)) for size in values.sizes], load)
    print(text)
    write_text(os.path.join(values.output_dir, "replay.md"), text)


def measure(capacity: int) -> dict[str, float]:
    """Return the milliseconds of a draw by both ways and of an update, of a full replay."""
    import numpy as np
    import tensorflow as tf

    from rl_tuner.core.replay import PrioritisedReplay

    memory = PrioritisedReplay(capacity)
    memory.build(1, 1)
    memory.added.assign(capacity)
    memory.priorities.assign(np.random.default_rng(0).random(capacity).astype(np.float32))
    memory.refresh()
    seed = tf.constant([0, 1])

    def by_sum() -> Any:
        weights = tf.pow(tf.cast(memory.priorities, tf.float64), memory.alpha)
        cumulative = tf.cumsum(weights)
        uniform = tf.random.stateless_uniform([_ROWS], seed, dtype=tf.float64)
        points = (tf.range(_ROWS, dtype=tf.float64) + uniform) / _ROWS * cumulative[-1]
        return tf.searchsorted(cumulative, points, side="right", out_type=tf.int64)

    tree = tf.function(lambda: memory.sample(_ROWS, seed)[1])
    total = tf.function(by_sum)
    rows = tree()
    if not np.array_equal(rows, total()):
        raise RuntimeError(f"both ways draw different sequences of {capacity}")
    update = tf.function(lambda: memory.update(rows, tf.fill([_ROWS], 0.3)))
    return {
        "sequences": capacity,
        "tree": milliseconds(tree),
        "sum": milliseconds(total),
        "update": milliseconds(update),
    }


def milliseconds(call: Callable[[], Any]) -> float:
    """Return the median time of a call."""
    spent = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        spent.append(1e3 * (time.perf_counter() - start))
    return statistics.median(spent)


def markdown(points: list[dict[str, float]], where: dict[str, Any]) -> str:
    """Return the measurements as a page."""
    lines = [
        "# A prioritised draw",
        "",
        f"Milliseconds to draw {_ROWS} sequences, the same ones both ways, and to change their priorities:",
        "medians.",
        "",
        "| sequences | sum tree, draw | sum of all, draw | sum tree, update |",
        "|---:|---:|---:|---:|",
    ]
    for p in points:
        lines.append(
            f"| {p['sequences']:,.0f} | {p['tree']:.2f} | {p['sum']:.2f} | {p['update']:.2f} |"
        )
    lines += [
        "",
        "- Command: `python -m benchmarks.speed.replay_draws`",
        f"- Machine: {where['cores']} cores, {where['cpu']}; load {where['load']} at the start: busy with"
        " other work if above 1",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
