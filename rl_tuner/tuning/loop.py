"""The tuning loop."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import gin
import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.common.interruption import Deferred
from rl_tuner.common.progress import Progress, say, warn, working
from rl_tuner.common.ranges import check
from rl_tuner.common.settings import Cosmetic
from rl_tuner.core.ledger import Ledger
from rl_tuner.core.task import HostTask
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning.collapse import Collapse
from rl_tuner.tuning.keeper import Keeper
from rl_tuner.tuning.ranges import RANGES
from rl_tuner.tuning.recorder import Recorder


@gin.configurable(module="rl_tuner", denylist=["tuner", "run_dir", "corpus", "settings"])
def tune(
    tuner: RLTuner,
    run_dir: str,
    steps: int = 3_000_000,
    evaluate_every: int = 100_000,
    evaluation_sequences: int = 100,
    chunk: int = 20,
    checkpoint_seconds: Cosmetic[float] = 20.0,
    listen_every: Cosmetic[int] = 10,
    collapse: Cosmetic[Collapse | None] = None,
    budget: int | None = None,
    patience: int | None = None,
    enough: float | None = None,
    corpus: Sequence[np.ndarray] | None = None,
    settings: str = "",
) -> None:
    """Train a tuner, resuming from the last whole checkpoint if there is one.

    The first Ctrl-C or SIGTERM saves the state before it is raised as KeyboardInterrupt; a second one
    ends the process at once.

    Args:
        tuner: tuner to train.
        run_dir: receives checkpoints, TensorBoard events and history.csv.
        steps: environment steps (tokens generated in training).
        evaluate_every: environment steps between evaluations.
        evaluation_sequences: sequences per evaluation.
        chunk: iterations between two rows of summaries.
        checkpoint_seconds: shortest time between two checkpoints.
        listen_every: evaluations between two sets of pictures and sounds in TensorBoard.
        collapse: criterion for a collapsed policy; None is `Collapse()`.
        budget: calls of the reward, that is, distinct molecules that it rewards in training, after which
            the run ends, even before `steps`; evaluations do not count. None for no limit.
        patience: calls without a better mean reward of the ten best molecules after which the run ends.
        enough: mean reward of the ten best molecules at which the run ends.
        corpus: tokens of training sequences in which the policy's n-grams are looked up; None for none.
        settings: digest of the settings of the work: a checkpoint with another one is refused.

    Raises:
        UserError: a number is out of range, a checkpoint cannot be used, the loss became NaN or infinite,
            or the policy collapsed and `collapse.stop` is set.
    """
    check_numbers(
        steps=steps,
        evaluate_every=evaluate_every,
        evaluation_sequences=evaluation_sequences,
        chunk=chunk,
        checkpoint_seconds=checkpoint_seconds,
        listen_every=listen_every,
        budget=budget,
        patience=patience,
        enough=enough,
    )
    tuner.ledger = Ledger(budget, patience, enough)
    _check_ledger(tuner)
    with working("tune: compiling and measuring the prior"):
        collapse = collapse or Collapse()
        run = Recorder(
            tuner, run_dir, evaluation_sequences, listen_every, collapse, corpus, settings
        )
        if not run.history:
            run.evaluate(0)
    keeper = Keeper(tuner, steps) if tuner.controller else None
    per_iteration = tuner.collect_size * tuner.task.horizon
    done = int(tuner.environment_steps)
    saved = time.monotonic()
    ledger = tuner.ledger
    bar = (steps, "steps", done) if budget is None else (budget, "molecules", ledger.calls)
    with Progress(bar[0], "tune", bar[1], initial=bar[2]) as progress, Deferred("tune") as signals:
        while done < steps and not ledger.why_over():
            run.stop_if_collapsed()
            evaluation = min(steps, (done // evaluate_every + 1) * evaluate_every)
            candidate = keeper.after(done) if keeper else steps
            boundary = min(evaluation, candidate)
            count = min(chunk, math.ceil((boundary - done) / per_iteration))
            calls = ledger.calls
            metrics = tuner.train_iterations(count, run.observe)
            before, done = done, int(tuner.environment_steps)
            is_last = done >= steps or ledger.why_over() is not None
            if not math.isfinite(metrics["learn/loss"]):
                raise UserError(_not_finite(tuner, metrics, done, run.saved_at))
            if ledger.calls:
                metrics |= {f"calls/{name}": value for name, value in ledger.numbers().items()}
            run.write_summaries(done, metrics)
            moved = done - before if budget is None else ledger.calls - calls
            progress.update(moved, _summary(tuner, metrics))
            if done >= evaluation or is_last:
                run.evaluate(done)
            if keeper and done >= candidate:
                keeper.consider(done, run.evaluation_seed(done) + 1)
                if done >= steps:
                    _take_kept(tuner)
            if is_last or signals.arrived or time.monotonic() - saved > checkpoint_seconds:
                run.save()
                saved = time.monotonic()
            if not is_last:
                signals.stop()
    run.close()
    if why := ledger.why_over():
        say(f"tune: {why}")
    elif budget is not None:
        warn(
            f"tune: {ledger.calls:,} of {budget:,} calls of the reward were made in {steps:,} steps; raise "
            "tune.steps"
        )
    for line in tuner.task.remarks():
        warn(line)


def _check_ledger(tuner: RLTuner) -> None:
    """Reject a limit of calls where there are none, or where the run must not end before its steps."""
    if not tuner.ledger.is_limited:
        return
    names = "tune.budget, tune.patience and tune.enough"
    if not isinstance(tuner.task, HostTask):
        raise UserError(
            f"{names} count molecules; {type(tuner.task).__name__} has none, use tune.steps"
        )
    if tuner.controller:
        raise UserError(
            f"{names} do not suit targets, which need all of tune.steps; remove one of both"
        )


def _take_kept(tuner: RLTuner) -> None:
    if math.isfinite(float(tuner.kept_score)):
        tuner.take_kept()
        score = float(tuner.kept_score)
        by = f", all by at least {score:.3f} standard deviations of a sequence" if score > 0 else ""
        say(
            f"tune: keeping the policy of step {int(tuner.kept_step):,}, which met the targets best among "
            f"the last ones{by}"
        )


def _not_finite(tuner: RLTuner, metrics: dict[str, float], step: int, saved_at: int | None) -> str:
    """Return what is said of a loss that is NaN or infinite: where it is, and what is left."""
    names = [name for name, value in metrics.items() if not math.isfinite(value)]
    weights = [w.path for w in tuner.online.weights if not np.isfinite(w.numpy()).all()]
    left = f"the checkpoint of step {saved_at:,} is kept" if saved_at else "nothing was saved yet"
    return (
        f"tune: the loss is {metrics['learn/loss']} after {step:,} steps (not finite: "
        f"{', '.join(names[:4])}; weights: {', '.join(weights[:2]) or 'none'}); {left}; lower "
        "RLTuner.learning_rate or raise the temperature c"
    )


def _summary(tuner: RLTuner, metrics: dict[str, float]) -> str:
    """Return what the progress line says: how the targets stand, or the reward and the likelihood."""
    kl = metrics["collect/kl"]
    if tuner.ledger.budget is not None:
        numbers = tuner.ledger.numbers()
        return f"top 1 {numbers['top_1']:.3f}, top 10 {numbers['top_10']:.3f}, KL {kl:.2f}"
    if tuner.controller:
        met: dict[str, bool] = {}
        for standing in tuner.controller.standings():
            name = standing.bound.feature
            met[name] = met.get(name, True) and standing.slack >= 0
        return f"{sum(met.values())} of {len(met)} targets met, KL {kl:.3f}"
    return f"r_T {metrics['collect/task_reward']:.1f}, log p {metrics['collect/log_prior']:.2f}, KL {kl:.2f}"


def check_numbers(**numbers: float | None) -> None:
    """Reject settings of `tune` that are out of range.

    Raises:
        UserError: a setting is out of range.
    """
    try:
        check(RANGES, "tune", **numbers)
    except ValueError as error:
        raise UserError(str(error)) from error
