"""How fast the parts are, beside what this machine's matrix products allow.

python -m benchmarks.speed            (about two minutes on two cores)
python -m benchmarks.speed --quick

Prints a row a case: throughput, the arithmetic that the work needs, and its share of the measured peak of a
large float32 matrix product; writes the rows as JSON where --output says so. Weights are random: speed does
not depend on them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any

from absl import flags

from rl_tuner import commandline

# Multiply-adds count as two. One LSTM layer of 100 cells and 38 classes: a one-hot input costs a lookup
# in a rollout, but a product where a sequence is unrolled.
STEP = 2 * (100 * 400 + 100 * 38)
UNROLLED = STEP + 2 * 39 * 400
HORIZON = 32


def main() -> None:
    commandline.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_bool("quick", False, "Shorter measurements.", flag_values=values)
    flags.DEFINE_string("output", None, "JSON file for the rows.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    import tensorflow as tf

    from rl_tuner.files import write_text

    seconds = 0.5 if values.quick else 3.0
    peak = 2 * 2048**3 * rate_of(matrix_product(), seconds)
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": platform.processor() or platform.machine(),
        "tensorflow": tf.__version__,
        "matrix_product_gflops": peak / 1e9,
    }
    print(f"{machine['cores']} cores, matrix product {peak / 1e9:.0f} GFLOP/s")
    print(f"{'case':<44}{'rate':>14}  {'unit':<22}{'of peak':>8}")
    rows = []
    for case, unit, amount, flops, call in cases(values.quick):
        rate = amount * rate_of(call, seconds)
        share = rate * flops / peak if flops else None
        rows.append({"case": case, "unit": unit, "rate": rate, "share_of_peak": share, **machine})
        shown = f"{share:>8.0%}" if share is not None else f"{'-':>8}"
        print(f"{case:<44}{rate:>14,.0f}  {unit:<22}{shown}", flush=True)
    if values.output:
        write_text(values.output, json.dumps(rows, indent=2) + "\n")


def cases(quick: bool) -> list[tuple[str, str, int, float | None, Callable[[], Any]]]:
    """(case, unit, units a call, floating-point operations a unit or None, call)."""
    import numpy as np
    import tensorflow as tf

    from rl_tuner.core import objectives, priming
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.core.tuner import RLTuner
    from rl_tuner.tasks.melody.task import MelodyTask

    task, prior = MelodyTask(), SequenceNetwork(38)
    start = priming.RandomToken(2, 37)
    found = []
    tuner = RLTuner(prior, task, objectives.Psi(), start=start)
    for batch in (32, 2048) if quick else (1, 32, 256, 2048):
        draw = tf.function(lambda seed, batch=batch: tuner.sample(batch, seed))
        found.append(
            (
                f"rollout, batch {batch}",
                "melodies/s",
                batch,
                2.0 * STEP * HORIZON,
                lambda draw=draw: draw(tf.constant([0, 1])).tokens.numpy(),
            )
        )
    melodies = tf.constant(np.random.default_rng(0).integers(0, 38, (2048, HORIZON)), tf.int32)
    reward = tf.function(lambda: tf.add_n(list(task.reward_parts(melodies, None).values())))
    found.append(("music reward, batch 2048", "melodies/s", 2048, None, lambda: reward().numpy()))
    for size in (32, 256):
        made = RLTuner(
            prior, task, objectives.Psi(), start=start, collect_size=size, learn_size=size
        )
        found.append(
            (
                f"training, {size} melodies an iteration",
                "environment steps/s",
                10 * size * HORIZON,
                2.0 * STEP + UNROLLED + 3.0 * UNROLLED,
                lambda made=made: made.train_iterations(10),
            )
        )
    return found


def matrix_product() -> Callable[[], Any]:
    """A large float32 product, the most that the machine can do."""
    import tensorflow as tf

    matrix = tf.random.stateless_normal([2048, 2048], [0, 0])
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    return lambda: product().numpy()


def rate_of(call: Callable[[], Any], seconds: float) -> float:
    """Calls a second, after a first call that is not counted."""
    call()
    count, start = 0, time.perf_counter()
    while count < 3 or time.perf_counter() - start < seconds:
        call()
        count += 1
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
