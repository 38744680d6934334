"""Cases of melodies: sampling, learning, whole iterations, the reward and a full evaluation."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from benchmarks.speed import flops
from benchmarks.speed.measuring import Row, rate_of, timed

MELODIES = 100_000
_HORIZON = 32
_BATCHES = (1, 32, 256, 2048)
_GIN = "gin/paper_psi_music.gin"


def music_tuner(*bindings: str) -> Any:
    """Return a tuner of the default music job with an untrained prior: speed does not depend on weights."""
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.jobs import (
        configuration,
    )

    configuration.configure([_GIN], bindings)
    configuration.build("device")
    task = configuration.build("job").task
    prior = SequenceNetwork(task.num_classes, configuration.settings("pretrain")["cells"])
    return configuration.build("RLTuner", prior=prior, task=task, seed=0)


def cases(seconds: float, quick: bool) -> Iterator[Row]:
    """Measure all cases, each when it is requested."""
    tuner = music_tuner()
    for batch in _BATCHES:
        yield from rollouts(tuner, batch, seconds)
    if not quick:
        for batch in _BATCHES:
            yield from rollouts_without_xla(tuner, batch, seconds)
    yield reward(tuner, seconds)
    yield learner(tuner, seconds)
    yield from iterations("our default", tuner, seconds)
    if not quick:
        one = music_tuner("RLTuner.learn_size = 128", "RLTuner.updates = 1")
        yield from iterations("one learned per step", one, seconds)
    paper = music_tuner(
        "RLTuner.collect_size = 160", "RLTuner.learn_size = 128", "RLTuner.updates = 8"
    )
    yield from iterations("the paper's proportion", paper, seconds)
    yield evaluation(tuner, MELODIES // 50 if quick else MELODIES)


def rollouts_without_xla(tuner: Any, batch: int, seconds: float) -> Iterator[Row]:
    """Measure sampling without XLA, as TensorFlow runs it operation by operation."""
    from rl_tuner.core import xla

    xla.choose(False)
    yield from rollouts(tuner, batch, seconds, ", XLA off")
    xla.choose(None)


def rollouts(tuner: Any, batch: int, seconds: float, note: str = "") -> Iterator[Row]:
    """Measure sampling, with both networks evaluated at every step."""
    import tensorflow as tf

    from rl_tuner.core.sampling import sample

    draw = tf.function(lambda seed: sample(tuner.policy, tuner.start, tuner.task, batch, seed))
    rate = batch * rate_of(lambda: draw(tf.constant([0, 1])).tokens.numpy(), seconds)
    for unit, tokens in (("melodies/s", _HORIZON), ("tokens/s", 1)):
        yield Row(
            "Sampling melodies",
            f"rollout, batch {batch:,}{note}",
            rate * _HORIZON / tokens,
            unit,
            flops.rollout(tuner) * tokens,
            flops.rollout(tuner, one_hot=True) * tokens,
        )


def reward(tuner: Any, seconds: float, batch: int = 2048) -> Row:
    """Measure the music-theory reward of finished melodies."""
    import numpy as np
    import tensorflow as tf

    drawn = np.random.default_rng(0).integers(0, tuner.task.num_classes, (batch, _HORIZON))
    melodies = tf.constant(drawn, tf.int32)
    total = tf.function(lambda: tf.add_n(list(tuner.task.reward_parts(melodies, None).values())))
    rate = batch * rate_of(lambda: total().numpy(), seconds)
    return Row("Sampling melodies", f"music reward alone, batch {batch:,}", rate, "melodies/s")


def learner(tuner: Any, seconds: float) -> Row:
    """Measure updates from a non-empty replay, without sampling."""
    import tensorflow as tf

    tuner.train_iterations(1)
    learn = tf.function(tuner.learn_from_replay)
    transitions = tuner.learn_size * tuner.updates * _HORIZON
    rate = transitions * rate_of(lambda: learn()["learn/loss"].numpy(), seconds)
    case = f"learner alone, {tuner.learn_size} melodies per update"
    needed = (flops.learning(tuner), flops.learning(tuner, one_hot=True))
    return Row("Learning from melodies", case, rate, "transitions/s", *needed)


def iterations(name: str, tuner: Any, seconds: float, count: int = 5) -> Iterator[Row]:
    """Measure whole iterations: sampling, reward, replay and updates."""
    rate = rate_of(lambda: tuner.train_iterations(count), seconds)
    steps = count * tuner.collect_size * _HORIZON * rate
    learned = flops.learned_per_step(tuner)
    case = f"training, {name}"
    note = f"{tuner.collect_size} sampled, {tuner.updates} x {tuner.learn_size} learned"
    work = functools.partial(flops.training, tuner)
    yield Row(
        "Learning from melodies",
        case,
        steps,
        "environment steps/s",
        work(),
        work(one_hot=True),
        note,
    )
    yield Row(
        "Learning from melodies",
        case,
        steps * learned,
        "transitions/s",
        work() / learned,
        work(one_hot=True) / learned,
        note,
    )


def evaluation(tuner: Any, count: int) -> Row:
    """Measure sampling and all rows of Table 1, including compilation; fewer melodies are scaled up."""
    from rl_tuner.tuning.evaluation import Meter

    meter = Meter(tuner.policy, tuner.start, tuner.task, 1_000)
    first, _ = timed(lambda: meter.measure(1_000, seed=1))
    spent, _ = timed(lambda: meter.measure(count, seed=0))
    note = f"of which {first:.1f} s compilation"
    if count < MELODIES:
        note += f"; scaled from {count:,}"
    tokens = MELODIES * _HORIZON
    return Row(
        "Sampling melodies",
        f"evaluation of {MELODIES:,} melodies, all of Table 1",
        first + spent * MELODIES / count,
        "seconds",
        flops.rollout(tuner) * tokens,
        flops.rollout(tuner, one_hot=True) * tokens,
        note,
    )
