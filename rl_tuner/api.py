"""The public Python API: each step of a job in a line, on the machinery that the commands use."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Sequence
from typing import Any

import gin

from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import say
from rl_tuner.common.settings import described, digest_of
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Objective, Psi
from rl_tuner.core.task import Task
from rl_tuner.core.temperature import FixedTemperature
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.jobs import configuration, job
from rl_tuner.jobs.stages import Stage
from rl_tuner.policy import Tuned
from rl_tuner.priors import training
from rl_tuner.tuning import loop, report

# Training sequences in which a policy's n-grams are looked up, as in a job.
_REFERENCE = 5_000
# What goes to the training loop; every other keyword goes to `RLTuner`.
_LOOP = {
    "evaluate_every",
    "evaluation_sequences",
    "chunk",
    "checkpoint_seconds",
    "listen_every",
    "collapse",
}


def load_dataset(folder: str) -> SequenceDataset:
    """Opens a dataset that a pipeline wrote.

    Raises:
        UserError: the folder holds none.
    """
    return SequenceDataset(folder)


def load_prior(path: str) -> SequenceNetwork:
    """Reads a prior: a .keras file of this program, or a folder with prior.keras, also an imported one.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    return training.load_prior(path)


def train_prior(
    data: SequenceDataset | str, output_dir: str, *, seed: int = 0, **settings: Any
) -> SequenceNetwork:
    """Trains a prior by maximum likelihood, with a progress bar, or reuses the one that is there.

    An interrupted training goes on where it stopped. What was made with other data or settings is moved
    to output_dir/previous.

    Args:
        data: a dataset or its folder.
        output_dir: receives prior.keras, scores.json, checkpoints and TensorBoard events.
        seed: seed of the initial weights and of the batches.
        **settings: of `rl_tuner.priors.training.pretrain`: cells, embedding_size, batch_size, window,
            learning_rate, max_epochs, patience and so on.

    Raises:
        UserError: the data or a setting make no sense.
        TypeError: there is no such setting.
    """
    data = SequenceDataset(data) if isinstance(data, str) else data
    arguments = {"dataset_dir": data.directory, "output_dir": output_dir, "seed": seed, **settings}
    inspect.signature(training.pretrain).bind(**arguments)
    stage = Stage(
        "prior",
        os.path.join(output_dir, "stage.json"),
        {"pretrain": configuration.settings("pretrain") | described(settings), "seed": seed},
        {"dataset": digest_of(json.dumps(data.description, sort_keys=True))},
    )
    outputs = [training.PRIOR_FILE, training.SCORES_FILE]
    if _has_to_run(stage, output_dir, ["checkpoints", "tensorboard", *outputs]):
        training.pretrain(**arguments)
        stage.finish(outputs)
    return training.load_prior(output_dir)


def tune(
    prior: SequenceNetwork | str,
    task: Task,
    run_dir: str,
    *,
    objective: Objective | None = None,
    c: float | None = None,
    steps: int = 3_000_000,
    seed: int = 0,
    data: SequenceDataset | str | None = None,
    **settings: Any,
) -> Tuned:
    """Tunes a copy of the prior, with a progress bar, or reuses the run that is there.

    An interrupted run goes on where it stopped. What was made with other settings is moved to
    run_dir/previous. Give every call replay and temperature objects of its own: they hold a run's state.

    Args:
        prior: a prior or its path.
        task: what is generated and rewarded; it adopts the prior's vocabulary.
        run_dir: receives checkpoints, TensorBoard events and history.csv.
        objective: Psi (the default), Q, G or RewardOnly.
        c: the temperature: the reward is r_T / c. None is 0.5; for one that moves give
            temperature=AdaptiveTemperature(...) instead.
        steps: tokens generated in training.
        seed: the one seed that every random choice hangs on.
        data: the training data, to measure novelty and n-grams against.
        **settings: of `RLTuner` (gamma, start, exploration, replay, collect_size, learning_rate and so on)
            and of the loop (evaluate_every, evaluation_sequences, chunk, checkpoint_seconds,
            listen_every, collapse).

    Raises:
        UserError: prior and task do not fit, or a setting makes no sense.
        TypeError: there is no such setting.
    """
    prior = training.load_prior(prior) if isinstance(prior, str) else prior
    data = SequenceDataset(data) if isinstance(data, str) else data
    if os.path.exists(os.path.join(run_dir, job.CONFIG_FILE)):
        raise UserError(f"{run_dir} holds the run of a gin file; give a run_dir of its own")
    _adopt(task, prior)
    if c is not None and "temperature" in settings:
        raise UserError("tune takes c or temperature, not both")
    loop_settings = {name: settings.pop(name) for name in _LOOP & settings.keys()}
    settings["objective"] = objective or Psi()
    temperature = {} if "temperature" in settings else {"c": 0.5 if c is None else c}
    asked = {
        "tuner": settings | temperature,
        "tune": loop_settings | {"steps": steps},
        "task": task,
    }
    inputs = {"prior": digest_of(*prior.get_weights())}
    # Described before the run gives its objects a state; built before an earlier run is touched.
    stage = Stage(
        "tune",
        os.path.join(run_dir, "stages", "tune.json"),
        described(asked | {"seed": seed}),
        inputs,
    )
    if temperature:
        settings["temperature"] = _make(FixedTemperature, **temperature)
    tuner = _make(RLTuner, prior=prior, task=task, seed=seed, **settings)
    outputs = [loop.CHECKPOINTS, "tensorboard", loop.HISTORY_FILE, *task.run_files]
    has_to_run = _has_to_run(stage, run_dir, outputs)
    corpus = data.sequences("train")[:_REFERENCE] if data else None
    loop.tune(prior, task, run_dir, seed, steps=steps, corpus=corpus, tuner=tuner, **loop_settings)
    if has_to_run:
        stage.finish([os.path.join("..", name) for name in outputs])
    return Tuned(tuner, run_dir, data and data.directory)


def run(
    gin_file: str | Sequence[str],
    params: Sequence[str] = (),
    *,
    work_dir: str = "runs",
    run_dir: str | None = None,
) -> Tuned:
    """Runs a whole job as `python -m rl_tuner.train` does; stages that are done are reused.

    gin's own configuration is empty afterwards.

    Args:
        gin_file: a gin file, or several, from the working directory or the repository.
        params: bindings that win over the files, such as "FixedTemperature.c = 1".
        work_dir: holds the datasets and priors that runs with the same settings share.
        run_dir: the run's folder; None is work_dir/NAME after the last gin file NAME.gin.

    Raises:
        UserError: something in the configuration or the data makes no sense.
    """
    from rl_tuner.jobs import registry  # noqa: F401

    files = [gin_file] if isinstance(gin_file, str) else list(gin_file)
    name = os.path.splitext(os.path.basename(files[-1]))[0]
    run_dir = run_dir or os.path.join(work_dir, name)
    try:
        configuration.configure(files, params)
        job.Runner(work_dir, run_dir).all()
    finally:
        gin.clear_config()
    return open_run(run_dir)


def open_run(run_dir: str) -> Tuned:
    """The finished run of a gin file; gin's own configuration is empty afterwards.

    Raises:
        UserError: the folder holds none. (A run of `tune` is opened by the same call of `tune`.)
    """
    from rl_tuner.jobs import registry  # noqa: F401

    try:
        _, tuner, dataset_dir = job.open_run(run_dir)
    finally:
        gin.clear_config()
    return Tuned(tuner, run_dir, dataset_dir)


def _has_to_run(stage: Stage, folder: str, outputs: Sequence[str]) -> bool:
    """Whether a stage is not done; what other settings left is moved aside then."""
    why = stage.why_stale()
    say(f"{stage.name}: " + (f"making {folder} ({why})" if why else f"reusing {folder}"))
    if why and not stage.begin():
        job.set_aside(folder, [*outputs, report.METRICS_JSON, report.METRICS_TEXT])
    return why is not None


def _adopt(task: Task, prior: SequenceNetwork) -> None:
    kind = prior.metadata.get("kind", task.kind)
    if kind != task.kind:
        raise UserError(f"the prior generates {kind} sequences and the task wants {task.kind} ones")
    task.adopt(prior.metadata)


def _make(constructor: Any, **arguments: Any) -> Any:
    try:
        return constructor(**arguments)
    except ValueError as error:
        raise UserError(configuration.one_line(error)) from error
