"""Cases of molecules: scoring alone, and the parts of a training iteration in a real run."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

from benchmarks.speed import flops
from benchmarks.speed.measuring import Row, timed

_GROUP = "Molecules"
_GIN = "gin/psi_molecules.gin"
# 128 strings per iteration and one update on 128 strings.
_SETTING = ("RLTuner.collect_size = 128", "RLTuner.learn_size = 128", "RLTuner.updates = 1")


def cases(work_dir: str, data: str, bindings: Sequence[str], quick: bool) -> Iterator[Row]:
    """Measure all cases.

    Args:
        work_dir: receives prior and run.
        data: molecules to score.
        bindings: gin bindings of the job with the prior.
        quick: whether to use fewer molecules and iterations.
    """
    from benchmarks.speed.molecule_scoring import read, throughput

    strings = read(data)
    count = 500 if quick else 5_000
    strings = strings[:: max(1, len(strings) // count)][:count]
    for number in (1, 2):
        case = f"scoring, {number} process{'es' * (number > 1)}"
        note = f"{len(strings):,} strings, none cached"
        yield Row(_GROUP, case, throughput(strings, number), "molecules/s", note=note)
    yield from iteration(work_dir, bindings, 10 if quick else 60)


def iteration(work_dir: str, bindings: Sequence[str], count: int) -> Iterator[Row]:
    """Measure iterations of a run with summaries, journal and checkpoints, and their parts."""
    import tensorflow as tf

    from rl_tuner.tuning import collapse, loop

    task, tuner = molecule_tuner(work_dir, bindings)
    tuner.train_iterations(2)
    tokens = int(tuner.environment_steps) / 2
    watch = Watch(task, tuner)
    steps = int(tuner.environment_steps) + round(count * tokens)
    settings = {"steps": steps, "evaluate_every": steps, "chunk": 1}
    with (
        mock.patch.object(collapse.Diversity, "picture", watch.drawing(collapse.Diversity.picture)),
        mock.patch.object(tf.summary, "image", watch.drawing(tf.summary.image)),
    ):
        loop.tune(tuner, os.path.join(work_dir, "molecule_run"), **settings)
    yield from watch.rows(tuner, statistics.fmean(watch.tokens))


def molecule_tuner(work_dir: str, bindings: Sequence[str]) -> tuple[Any, Any]:
    """Return task and tuner of the molecule job; the prior is trained if it is missing."""
    from benchmarks.speed.data import runner
    from rl_tuner.jobs import configuration
    from rl_tuner.priors.files import load_matching_prior

    stages = runner(_GIN, [*bindings, *_SETTING], work_dir)
    path, _ = stages.prior()
    task = stages.settings.task
    prior = load_matching_prior(path, task)
    return task, configuration.build("RLTuner", prior=prior, task=task, seed=0)


class Watch:
    """A stopwatch for the public methods of the task and the tuner that a run calls.

    An iteration consists of sampling, until the strings are submitted; submitting them; learning from
    earlier batches, until the scores are requested; waiting for the scores; and storing. The time
    between two iterations is that of the summaries.
    """

    def __init__(self, task: Any, tuner: Any) -> None:
        self._tuner = tuner
        self.parts: list[dict[str, float]] = []
        self.tokens: list[int] = []
        self.valid: list[float] = []
        self.pictures: list[float] = []
        self._iterate, self._steps = tuner.train_iterations, int(tuner.environment_steps)
        self._marks: dict[str, tuple[float, float]] = {}
        self._ended = 0.0
        tuner.train_iterations = self._train_iterations
        task.submit = self._marked("submit", task.submit)
        task.result = self._marked("result", task.result)
        task.images = self.drawing(task.images)

    def rows(self, tuner: Any, tokens: float) -> Iterator[Row]:
        """Return throughput, then milliseconds per part (medians), then the cost of pictures."""
        size = tuner.collect_size
        seconds = sum(sum(part.values()) for part in self.parts) / len(self.parts)
        valid = statistics.fmean(self.valid)
        note = (
            f"{tokens / size:.0f} tokens per string, {valid:.0%} valid; with summaries and journal"
        )
        needed = [
            tokens / size * flops.training(tuner, one_hot=one_hot) for one_hot in (False, True)
        ]
        case = f"training iteration of {size}, {tuner.updates} update, {tuner.prior.cells[0]} cells"
        yield Row(_GROUP, case, size / seconds, "molecules/s", *needed, note)
        for name in self.parts[0]:
            cost = 1e3 * statistics.median(part[name] for part in self.parts)
            yield Row(_GROUP, f"- {name}", cost, "ms")
        # At the start there are pictures of both models and of the classes, and libraries are loaded;
        # later pictures are only of the tuned model and the classes.
        cost = sum(self.pictures)
        yield Row(_GROUP, "pictures for TensorBoard at the start", 1e3 * cost, "ms")
        share = cost / (self._steps_between_pictures() / tokens * seconds)
        yield Row(_GROUP, "the same, share of the time until the next", 100 * share, "%")

    def _steps_between_pictures(self) -> int:
        from rl_tuner.jobs import configuration

        found = configuration.settings("tune")
        return found["evaluate_every"] * found["listen_every"]

    def _train_iterations(self, count: int, observer: Any = None) -> dict[str, float]:
        start = time.perf_counter()
        metrics = self._iterate(count, observer)
        end = time.perf_counter()
        submitted, handed_over = self._marks["submit"]
        asked, scored = self._marks["result"]
        self.parts.append(
            {
                "sampling": submitted - start,
                "decoding and handing over": handed_over - submitted,
                "learning": asked - handed_over,
                "waiting for scores": scored - asked,
                "storing and journal": end - scored,
                "summaries and checkpoints": start - self._ended if self._ended else 0.0,
            }
        )
        steps = int(self._tuner.environment_steps)
        self.tokens.append(steps - self._steps)
        self.valid.append(metrics["collect/valid"])
        self._ended, self._steps = time.perf_counter(), steps
        return metrics

    def _marked(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def marked(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = call(*arguments)
            self._marks[name] = start, time.perf_counter()
            return result

        return marked

    def drawing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted as that of pictures."""

        def measured(*arguments: Any) -> Any:
            spent, result = timed(lambda: call(*arguments))
            self.pictures.append(spent)
            return result

        return measured
