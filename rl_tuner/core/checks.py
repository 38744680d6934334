"""Checks of a tuner's settings and targets, before there is a prior."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from rl_tuner.common.ranges import check
from rl_tuner.core import starts
from rl_tuner.core.exploration import Boltzmann
from rl_tuner.core.features import LOG_PRIOR, Pair, bounds_of
from rl_tuner.core.objectives import Objective
from rl_tuner.core.protocols import Exploration, Replay, Start, Targets, Temperature
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.replay import UniformReplay
from rl_tuner.core.task import Task


def check_targets(
    *,
    targets: Targets | Mapping[str, Pair],
    objective: Objective,
    exploration: Exploration | None,
    gamma: float,
) -> None:
    """Check that the other settings of an `RLTuner` suit its targets.

    Raises:
        ValueError: a target is not a pair of bounds, or another setting does not suit.
    """
    bounds_of(asked_of(targets))
    if gamma != 1.0 or objective.hard:
        raise ValueError(
            "targets need RLTuner.gamma = 1 and an objective with soft values, @Psi() or @G(), not "
            f"{gamma=} and {type(objective).__name__}"
        )
    if not isinstance(exploration or Boltzmann(), Boltzmann):
        raise ValueError(
            "targets are measured on the sequences collected, which must be the policy's own: they need "
            f"RLTuner.exploration = @Boltzmann(), not {type(exploration).__name__}"
        )


def asked_of(targets: Targets | Mapping[str, Pair]) -> Mapping[str, Pair]:
    """Return what targets ask for, feature name -> (low, high), which may also be given as such."""
    return targets if isinstance(targets, Mapping) else targets.asked()


def check_settings(
    *,
    objective: Objective,
    exploration: Exploration | None,
    start: Start | None,
    temperature: Temperature | None,
    replay: Replay | None,
    targets: Targets | Mapping[str, Pair] | None,
    **numbers: Any,
) -> None:
    """Check what can be known of an `RLTuner`'s settings before there is a prior.

    Args:
        objective: see `RLTuner`, as for the other objects.
        exploration: None is the default.
        start: None is the default.
        temperature: None is the default.
        replay: None is the default.
        targets: None is without targets.
        **numbers: gamma, collect_size and the other settings with a range.

    Raises:
        ValueError: a setting is out of range, or the objective does not fit the others.
    """
    # An object is known by a method; the protocols also name what it has only when it is built.
    objects = {
        "exploration": (exploration, "probabilities", "Boltzmann"),
        "start": (start, "prefix", "StartToken"),
        "temperature": (temperature, "update", "FixedTemperature"),
        "replay": (replay, "sample", "UniformReplay"),
    }
    if not isinstance(objective, Objective):
        raise ValueError(
            f"RLTuner.objective must be an object such as Psi(), not {_shown(objective)}"
        )
    for name, (value, method, example) in objects.items():
        if value is not None and (inspect.isclass(value) or not hasattr(value, method)):
            raise ValueError(
                f"RLTuner.{name} must be an object such as {example}(), not {_shown(value)}"
            )
    check(RANGES, "RLTuner", **numbers)
    capacity = (replay or UniformReplay()).capacity
    if numbers["collect_size"] > capacity:
        raise ValueError(
            f"RLTuner.collect_size must be at most the capacity of the replay, {capacity}, not "
            f"{numbers['collect_size']}"
        )
    objective.check(numbers["gamma"], start or starts.StartToken())
    if targets is not None:
        check_targets(
            targets=targets, objective=objective, exploration=exploration, gamma=numbers["gamma"]
        )


def _shown(value: object) -> str:
    """Return a value as its author wrote it, without a memory address."""
    if inspect.isclass(value):
        return f"the class {value.__name__}; write {value.__name__}()"
    if inspect.isroutine(value):
        return f"the function {value.__name__}; write {value.__name__}()"
    return f"{type(value).__name__}()" if " at 0x" in repr(value) else repr(value)


def check_features(task: Task, names: Iterable[str]) -> None:
    """Check that a task has the features that targets name.

    Raises:
        ValueError: it does not have one of them.
    """
    unknown = [name for name in names if name not in (*task.feature_names, LOG_PRIOR)]
    if unknown:
        raise ValueError(
            f"target {unknown[0]} is not a feature of {type(task).__name__}, which has "
            f"{', '.join(task.feature_names) or 'none'}"
        )
