"""What can be told of a job's settings before TensorFlow is imported, which takes seconds."""

from __future__ import annotations

import contextlib
import glob
import importlib
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from rl_tuner.common import gin_checks, gin_files, ranges
from rl_tuner.common.errors import UserError
from rl_tuner.common.executors import check_executor
from rl_tuner.common.gin_files import Reference, Statement, modules, read_catalogue
from rl_tuner.common.own_code import is_own_module, missing_function
from rl_tuner.common.run_folder import DATASETS
from rl_tuner.core.ranges import RANGES as OF_TUNER
from rl_tuner.jobs import rules
from rl_tuner.priors.locating import prior_file
from rl_tuner.priors.ranges import RANGES as OF_PRIOR
from rl_tuner.tuning.ranges import RANGES as OF_LOOP

_RANGES = {**OF_TUNER, **OF_LOOP, **OF_PRIOR, **rules.RANGES}
# The bindings that count: the last one of each name and setting.
Bindings = dict[tuple[str, str], Statement]


def check(files: Sequence[str], params: Sequence[str], work_dir: str) -> list[str]:
    """Check the gin files and bindings of a job.

    Args:
        files: gin files.
        params: single bindings.
        work_dir: folder of the datasets that are made already.

    Returns:
        The modules that the gin files import.

    Raises:
        UserError: a setting is missing or wrong.
    """
    statements = gin_files.statements(files, params)
    wrong = gin_checks.complaints(statements)
    bound = {(s.name, s.parameter): s for s in statements if s.parameter and not s.scope}
    scoped = {(s.scope, s.name, s.parameter): s for s in statements if s.parameter and s.scope}
    if ("job", "task") not in bound:
        wrong.append(
            f"{files[-1]} sets no job.task; include a gin file that does, such as 'mle_music'"
        )
    # One complaint about a setting is enough.
    told = {line.partition(": ")[0] for line in wrong}
    last = (*bound.values(), *scoped.values())
    wrong += [line for s in last if s.where not in told for line in _complaints(s)]
    if wrong:
        raise UserError(*dict.fromkeys(wrong))
    prior = bound.get(("job", "prior"))
    if prior is not None and isinstance(prior.value, str):
        with _at(prior):
            prior_file(prior.value)
    else:
        _check_dataset(bound, work_dir)
    return [s.value for s in statements if not s.parameter and not s.selector]


def is_follower(files: Sequence[str], params: Sequence[str]) -> bool:
    """Return whether another process leads the job: the strategy is 'workers', and TF_CONFIG says so.

    Raises:
        UserError: the strategy is 'workers', and TF_CONFIG is missing or cannot be read.
    """
    found = [
        s.value
        for s in gin_files.statements(files, params)
        if (s.name, s.parameter) == ("device", "strategy")
    ]
    if not found or found[-1] != "workers":
        return False
    given = os.environ.get("TF_CONFIG", "")
    try:
        content = json.loads(given)
        workers, place = content["cluster"]["worker"], int(content["task"]["index"])
        if content["task"]["type"] != "worker" or not 0 <= place < len(workers):
            raise ValueError("its task must be one of the workers")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            "device.strategy is 'workers', so TF_CONFIG must name the processes, such as "
            '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}},'
            f" not {given!r} ({type(error).__name__}: {error})"
        ) from error
    return place > 0


def _complaints(statement: Statement) -> tuple[str, ...]:
    """Return what is wrong with the value of a setting, apart from its type."""
    name, parameter, value = statement.name, statement.parameter, statement.value
    if isinstance(value, Reference):
        return ()
    try:
        with _at(statement):
            if name in _RANGES:
                ranges.check(_RANGES, name, **{parameter: value})
            if name == "device":
                rules.check_device(**{parameter: value})
            if name == "job":
                rules.check_job(**{parameter: value})
            if parameter == "executor":
                check_executor(value)
            else:
                _check_function(name, parameter, value)
    except UserError as error:
        return error.lines
    return ()


@contextlib.contextmanager
def _at(statement: Statement) -> Iterator[None]:
    try:
        yield
    except (UserError, ValueError) as error:
        raise UserError(f"{statement.where}: {error}") from error


def _check_function(name: str, parameter: str, value: Any) -> None:
    """Reject the name of a function that does not exist, where a setting takes one."""
    annotation = read_catalogue().get(name, {}).get(parameter, "")
    if isinstance(value, str) and "Callable" in annotation and (why := missing_function(value)):
        raise UserError(f"{name}.{parameter} {value!r}: {why}")


def _check_dataset(bound: Bindings, work_dir: str) -> None:
    """Check the settings and inputs of the dataset, if a pipeline of this program makes it."""
    maker = bound.get(("job", "make_dataset"))
    if maker is None or not isinstance(maker.value, Reference):
        return
    name = maker.value.name
    home = modules().get(name)
    if home is None or is_own_module(home):
        return
    # Pipelines start without TensorFlow.
    build = getattr(importlib.import_module(home), name)
    given = {s.parameter: s for s in bound.values() if s.name == name}
    values = {
        parameter: s.value for parameter, s in given.items() if not isinstance(s.value, Reference)
    }
    inputs = values.pop("inputs", None)
    try:
        build.settings_class(**values)
    except UserError as error:
        raise UserError(f"{name}.{error}") from error
    if inputs is not None and not _is_made(work_dir, inputs):
        with _at(given["inputs"]):
            build.check_inputs([inputs] if isinstance(inputs, str) else list(inputs))


def _is_made(work_dir: str, inputs: Any) -> bool:
    """Return whether a dataset of these inputs exists, which is reused even if the inputs are gone."""
    pattern = os.path.join(glob.escape(work_dir), DATASETS, "*", "stage.json")
    for path in glob.glob(pattern):
        try:
            with open(path, encoding="utf-8") as file:
                settings = json.load(file)["settings"]
        except (OSError, ValueError, KeyError):
            continue
        if any(
            isinstance(made, dict) and made.get("inputs") == inputs for made in settings.values()
        ):
            return True
    return False
