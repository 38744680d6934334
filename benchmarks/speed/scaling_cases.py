"""Measures one size of one curve in this process.

python -m benchmarks.speed.scaling_cases CURVE SIZE WORK_DIR          (started by benchmarks.speed.scaling)
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.speed import flops
from benchmarks.speed.measuring import peak_memory_mb, rate_of, timed

_SECONDS = 1.0
_ROWS = 64
_TUNE_STEPS = 128


@dataclasses.dataclass(frozen=True)
class Curve:
    """A curve of costs over a size.

    Attributes:
        title: heading of the curve.
        axis: unit of the size.
        sizes: sizes, from small to large.
        measure: (size, folder for files) -> measured values by name, with the unit in the name.
        note: remark for the reader.
    """

    title: str
    axis: str
    sizes: tuple[int, ...]
    measure: Callable[[int, str], dict[str, float]]
    note: str = ""


def milliseconds(call: Callable[[], Any]) -> float:
    """Return the milliseconds per call."""
    return 1e3 / rate_of(call, _SECONDS)


def melody_length(length: int, _: str) -> dict[str, float]:
    """Measure the rules and metrics of a batch of melodies, and a whole training iteration."""
    import numpy as np
    import tensorflow as tf

    from rl_tuner.tasks.melody import metrics, rules

    tuner = _tuner(length, [100], _ROWS)
    drawn = np.random.default_rng(0).integers(0, 38, (_ROWS, length))
    melodies = tf.constant(drawn, tf.int32)
    repeated = tf.function(rules.repeated_motif, autograph=False)
    reward = tuner.task.reward
    return {
        "repeated motif, ms": milliseconds(lambda: repeated(melodies).numpy()),
        "reward, ms": milliseconds(lambda: [part.numpy() for part in reward(melodies).values()]),
        "Table 1, ms": milliseconds(
            lambda: [value.numpy() for value in metrics.table1_sums(melodies).values()]
        ),
        **_iteration(tuner),
    }


def batch(size: int, _: str) -> dict[str, float]:
    """Measure an iteration on `size` melodies of 32 steps."""
    return _iteration(_tuner(32, [100], size))


def network(operations: int, _: str) -> dict[str, float]:
    """Measure an iteration with the network that has this number of operations per token."""
    return _iteration(_tuner(32, _networks()[operations], 256))


def replay(capacity: int, _: str) -> dict[str, float]:
    """Measure a draw and an update of a full replay of sequences of 32 tokens, both kinds."""
    import numpy as np
    import tensorflow as tf

    from rl_tuner.core.replay import PrioritisedReplay, UniformReplay

    found = {}
    for name, memory in (
        ("uniform", UniformReplay(capacity)),
        ("prioritised", PrioritisedReplay(capacity)),
    ):
        memory.build(1, 32)
        memory.added.assign(capacity)
        if name == "prioritised":
            drawn = np.random.default_rng(0).random(capacity)
            memory.priorities.assign(drawn.astype(np.float32))
            memory.refresh()
        draw = tf.function(lambda memory=memory: memory.sample(_ROWS, tf.constant([0, 1]))[1:])
        rows, weights = draw()
        update = tf.function(lambda r, w, memory=memory: memory.update(r, w))
        found[f"{name} draw, ms"] = milliseconds(lambda draw=draw: draw()[0].numpy())
        found[f"{name} update, ms"] = milliseconds(
            lambda update=update, rows=rows, weights=weights: update(rows, weights)
        )
    return found | {"memory, MB": peak_memory_mb()}


def corpus(tunes: int, work_dir: str) -> dict[str, float]:
    """Measure writing and reading tunes of 128 steps, an epoch on them and novelty against them."""
    import numpy as np

    from rl_tuner.core.likelihood import MLETrainer
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.datasets import sequence_examples, writer
    from rl_tuner.datasets.reader import SequenceDataset
    from rl_tuner.tasks.melody.metrics import novelty

    rng = np.random.default_rng(0)
    rows = rng.integers(2, 38, (tunes, _TUNE_STEPS))
    folder = os.path.join(work_dir, "corpus")

    def write() -> None:
        examples = []
        for index, row in enumerate(rows.tolist()):
            context = {"id": str(index), "length": len(row), "steps_per_bar": 16}
            examples.append((sequence_examples.serialise(context, row), len(row)))
        encoding = {"num_classes": 38, "longest": _TUNE_STEPS}
        description = {"format": 1, "kind": "melody", "encoding": encoding, "splits": {}}
        splits = {"train": examples, "validation": examples[:1], "test": examples[:1]}
        writer.write_dataset(folder, description, splits, [], num_shards=1, overwrite=True)

    written, _ = timed(write)
    data = SequenceDataset(folder)
    read, sequences = timed(lambda: data.sequences("train"))
    trainer = MLETrainer(SequenceNetwork(38, [100]), 1e-3, 5.0, 0.0)
    batches = iter(data.training_batches("train", 128, 0, 0, 0))
    trainer.train_step(*next(batches))

    def epoch() -> None:
        for each in data.training_batches("train", 128, 0, 0, 1):
            trainer.train_step(*each)

    spent, _ = timed(epoch)
    melodies = rng.integers(2, 38, (1_000, 32))
    compared, _ = timed(lambda: novelty(melodies, sequences))
    return {
        "writing, s": written,
        "reading, s": read,
        "epoch, s": spent,
        "novelty of 1,000, s": compared,
        "memory, MB": peak_memory_mb(),
    }


def _networks() -> dict[int, list[int]]:
    """Return the cells of networks by their operations for scoring a token."""
    from rl_tuner.core.networks import SequenceNetwork

    choices = ([100], [256], [512], [512, 512])
    return {flops.forward(SequenceNetwork(38, cells)): cells for cells in choices}


def _tuner(horizon: int, cells: list[int], size: int) -> Any:
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.core.objectives import Psi
    from rl_tuner.core.replay import UniformReplay
    from rl_tuner.core.tuner import RLTuner
    from rl_tuner.jobs.devices import device
    from rl_tuner.tasks.melody.task import MelodyTask

    device()
    sizes = {"collect_size": size, "learn_size": size, "updates": 1}
    memory = UniformReplay(max(4_096, size))
    prior = SequenceNetwork(38, cells)
    return RLTuner(prior, MelodyTask(horizon), Psi(), replay=memory, **sizes)


def _iteration(tuner: Any) -> dict[str, float]:
    spent = milliseconds(lambda: tuner.train_iterations(1))
    return {"iteration, ms": spent, "memory, MB": peak_memory_mb()}


CURVES = {
    "length": Curve(f"Length of {_ROWS} melodies", "steps", (32, 64, 128, 256, 512), melody_length),
    "batch": Curve("Melodies per iteration", "melodies", (1, 8, 64, 512, 2048), batch),
    "network": Curve(
        "Network: 100, 256, 512 and 2 x 512 cells",
        "operations per token",
        (87_600, 543_744, 2_136_064, 6_330_368),
        network,
        "Iterations of 256 melodies.",
    ),
    "replay": Curve(
        f"Replay of sequences of 32 tokens, {_ROWS} drawn",
        "sequences",
        (10_000, 100_000, 1_000_000),
        replay,
        "A prioritised draw descends a sum tree.",
    ),
    "corpus": Curve(
        f"Corpus of tunes of {_TUNE_STEPS} steps", "tunes", (500, 2_000, 8_000), corpus
    ),
}


if __name__ == "__main__":
    print(json.dumps(CURVES[sys.argv[1]].measure(int(sys.argv[2]), sys.argv[3])))
