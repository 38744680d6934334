"""The public Python API: functions that make or open datasets, priors and runs."""

from __future__ import annotations

import contextlib
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gin

from pipelines.melody.build import build_melody_dataset
from pipelines.melody.build_from_magenta import build_magenta_dataset
from pipelines.molecule.build import build_molecule_dataset
from rl_tuner.common import locks
from rl_tuner.common.errors import UserError, first_line
from rl_tuner.common.progress import working
from rl_tuner.common.run_folder import (
    CHECKPOINTS,
    CONFIG_FILE,
    HISTORY_FILE,
    METRICS_JSON,
    METRICS_TEXT,
    PRIOR_FILE,
    SCORES_FILE,
    TENSORBOARD,
    TUNE_MANIFEST,
)
from rl_tuner.common.settings import described, digest_of, digest_of_settings
from rl_tuner.core import checkpoints
from rl_tuner.core.features import Pair
from rl_tuner.core.losses import Paths
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Objective, Psi
from rl_tuner.core.protocols import Targets
from rl_tuner.core.task import Task
from rl_tuner.core.temperature import FixedTemperature
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.jobs import configuration, job
from rl_tuner.jobs.stages import Stage, set_aside
from rl_tuner.policy import TunedPolicy
from rl_tuner.priors import files as prior_files
from rl_tuner.priors import training
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning import loop, state

__all__ = [
    "build_magenta_dataset",
    "build_melody_dataset",
    "build_molecule_dataset",
    "load_dataset",
    "load_prior",
    "open_run",
    "run",
    "train_prior",
    "tune",
]

# Settings of the training loop; all other keywords of `tune` are settings of `RLTuner`.
_LOOP = {*inspect.signature(loop.tune).parameters} - {
    "tuner",
    "run_dir",
    "corpus",
    "settings",
    "steps",
}


def load_dataset(folder: str) -> SequenceDataset:
    """Open a dataset written by a pipeline.

    Raises:
        UserError: the folder does not contain a dataset.
    """
    return SequenceDataset(folder)


def load_prior(path: str) -> SequenceNetwork:
    """Read a trained or imported prior from a .keras file of this program, or a folder with prior.keras.

    Raises:
        UserError: the prior does not exist or cannot be read.
    """
    with working(f"loading {path}"):
        return prior_files.load_prior(path)


def train_prior(
    data: SequenceDataset | str,
    output_dir: str,
    *,
    recipe: str | None = None,
    seed: int = 0,
    **settings: Any,
) -> SequenceNetwork:
    """Train a prior by maximum likelihood, with a progress bar, or reuse an existing one.

    An interrupted training resumes where it stopped. Output of an earlier training with different data or
    settings is moved to output_dir/previous.

    Args:
        data: a dataset or its folder.
        output_dir: receives prior.keras, scores.json, checkpoints and TensorBoard events.
        recipe: a gin file whose bindings of `pretrain` are the defaults, such as "mle_molecules"; None takes
            the defaults of `pretrain`.
        seed: seed of the initial weights and of the batches.
        **settings: settings of `rl_tuner.priors.training.pretrain`: cells, embedding_size, batch_size,
            window, learning_rate, max_epochs, patience and so on.

    Raises:
        UserError: the data or a setting cannot be used.
        TypeError: a setting is unknown.
    """
    data = _dataset(data)
    arguments = {"dataset_dir": data.directory, "output_dir": output_dir, "seed": seed, **settings}
    inspect.signature(training.pretrain).bind(**arguments)

    def clear() -> None:
        set_aside(output_dir, [CHECKPOINTS, TENSORBOARD, PRIOR_FILE, SCORES_FILE])

    def make() -> list[str]:
        training.pretrain(**arguments, settings=stage.digest)
        return [PRIOR_FILE, SCORES_FILE]

    with _recipe(recipe):
        # Invalid settings must be rejected before the output of an earlier training is moved.
        names = {"cells", *training.RANGES["pretrain"]}
        training.check_settings(
            **configuration.arguments("pretrain", names) | _only(settings, names)
        )
        stage = Stage(
            "prior",
            os.path.join(output_dir, "stage.json"),
            {"pretrain": configuration.settings("pretrain") | described(settings), "seed": seed},
            {"dataset": digest_of_settings(data.description, 16)},
        )
        with locks.only_writer(output_dir):
            stage.run(output_dir, make, clear)
    return prior_files.load_prior(output_dir)


def tune(
    prior: SequenceNetwork | str,
    task: Task,
    run_dir: str,
    *,
    recipe: str | None = None,
    objective: Objective | None = None,
    targets: Targets | Mapping[str, Pair] | None = None,
    c: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    data: SequenceDataset | str | None = None,
    **settings: Any,
) -> TunedPolicy:
    """Tune a copy of the prior, with a progress bar, or reuse an existing run.

    An interrupted run resumes where it stopped. Output of an earlier run with different settings is moved
    to run_dir/previous. Create new replay and temperature objects for every call: they contain the state
    of a run.

    Args:
        prior: a prior or its path.
        task: the task with its rewards; it adopts the prior's vocabulary.
        run_dir: receives checkpoints, TensorBoard events and history.csv.
        recipe: a gin file, such as "psi_music", whose bindings of `RLTuner`, `tune` and the objects they
            refer to are the defaults; None takes the defaults of `RLTuner` and of the loop.
        objective: Psi, Q, G or RewardOnly; None is the recipe's, or Psi.
        targets: bounds on the task's features, such as {"motif": (0.757, None)}, which the policy meets
            with the least departure from the prior; see docs/targets.md. None is the recipe's, or none.
        c: the temperature: the reward is r_T / c. None is the recipe's, or 0.5, or with targets no reward
            beside them; for a temperature that adapts, give temperature=AdaptiveTemperature(...) instead.
        steps: tokens generated in training; None is the recipe's, or 3,000,000.
        seed: the one seed that determines every random choice.
        data: the training data, to measure novelty and the share of known n-grams.
        **settings: settings of `RLTuner` (gamma, start, exploration, replay, collect_size, learning_rate
            and so on) and of the loop (evaluate_every, evaluation_sequences, chunk, checkpoint_seconds,
            listen_every, collapse).

    Raises:
        UserError: the prior does not fit the task, or a setting cannot be used.
        TypeError: a setting is unknown.
    """
    prior = prior_files.load_prior(prior) if isinstance(prior, (str, os.PathLike)) else prior
    if not isinstance(prior, SequenceNetwork):
        raise UserError(f"prior must be a prior or its path, not {prior!r}")
    if not isinstance(task, Task):
        hint = f"; write {task.__name__}()" if inspect.isclass(task) else ""
        raise UserError(f"task must be an object such as MelodyTask(), not {task!r}{hint}")
    corpus_data = None if data is None else _dataset(data)
    if os.path.exists(os.path.join(run_dir, CONFIG_FILE)):
        raise UserError(f"{run_dir} contains the run of a gin file; choose another run_dir")
    prior_files.adopt_prior(task, prior, "the prior")
    if c is not None and "temperature" in settings:
        raise UserError("tune takes c or temperature, not both")
    loop_settings = {name: settings.pop(name) for name in _LOOP & settings.keys()}
    if steps is not None or not recipe:
        loop_settings["steps"] = 3_000_000 if steps is None else steps
    loop.check_numbers(**loop_settings)
    if targets is not None:
        settings["targets"] = targets
        if not recipe:
            settings = {"gamma": 1.0} | settings
    if objective is not None or not recipe:
        settings["objective"] = objective or (Psi() if targets is None else Psi(loss=Paths()))
    temperature: dict[str, float] = {}
    if "temperature" not in settings and (c is not None or not (recipe or targets)):
        temperature["c"] = 0.5 if c is None else c
    asked: dict[str, Any] = {"tuner": settings | temperature, "tune": loop_settings, "task": task}
    with _recipe(recipe):
        if recipe:
            asked["recipe"] = {name: configuration.settings(name) for name in ("RLTuner", "tune")}
        # The objects are described before they get a state, and the tuner is built before the output of
        # an earlier run is moved.
        stage = Stage(
            "tune",
            os.path.join(run_dir, TUNE_MANIFEST),
            described(asked | {"seed": seed}),
            {"prior": digest_of(*prior.get_weights())},
        )
        if temperature:
            settings["temperature"] = _make(FixedTemperature, **temperature)
        corpus = None
        with working("building the networks"):
            tuner = _make(RLTuner, prior=prior, task=task, seed=seed, **settings)
            if corpus_data:
                corpus = corpus_data.sequences("train", job.REFERENCE_SEQUENCES)
        kept = [CHECKPOINTS, TENSORBOARD, HISTORY_FILE, *presentation_of(task).run_files]

        def clear() -> None:
            set_aside(run_dir, [*kept, METRICS_JSON, METRICS_TEXT])

        def make() -> list[str]:
            loop.tune(tuner, run_dir, corpus=corpus, settings=stage.digest, **loop_settings)
            return [os.path.join("..", name) for name in kept]

        with locks.only_writer(run_dir):
            folder = os.path.join(run_dir, CHECKPOINTS)
            is_made = stage.reopen_unless(lambda: checkpoints.newest_is_whole(folder))
            stage.run(run_dir, make, clear)
    if is_made:
        with working("restoring the tuned model"):
            state.restore(tuner, run_dir, stage.digest)
    return TunedPolicy(tuner, run_dir, corpus_data.directory if corpus_data else None)


def run(
    gin_file: str | Sequence[str],
    params: Sequence[str] = (),
    *,
    work_dir: str = "runs",
    run_dir: str | None = None,
) -> TunedPolicy:
    """Run a whole job as `python -m rl_tuner.train` does; finished stages are reused.

    gin's own configuration is empty afterwards.

    Args:
        gin_file: one or several gin files, each given by its path or by the name of one in this program.
        params: bindings that override the files, such as "FixedTemperature.c = 1".
        work_dir: folder for datasets and priors, which runs with the same settings share.
        run_dir: folder of the run; None is work_dir/NAME, where NAME.gin is the last gin file.

    Raises:
        UserError: the configuration or the data cannot be used.
    """
    files = [gin_file] if isinstance(gin_file, str) else list(gin_file)
    name = os.path.splitext(os.path.basename(files[-1]))[0]
    run_dir = run_dir or os.path.join(work_dir, name)
    try:
        configuration.configure(files, params)
        job.Job(work_dir, run_dir).run()
    finally:
        gin.clear_config()
    return open_run(run_dir, trust=True)


def open_run(run_dir: str, *, trust: bool = False) -> TunedPolicy:
    """Open the finished run of a gin file; gin's own configuration is empty afterwards.

    To open a run of `tune`, repeat the call of `tune`.

    Args:
        run_dir: folder of the run.
        trust: whether the run may execute modules and functions that are not part of this program; one
            that this user made on this machine may by itself.

    Raises:
        UserError: the folder does not contain a finished run of a gin file, or a run that is not trusted.
    """
    try:
        tuner, dataset_dir = job.open_run(run_dir, trusted=trust)
    finally:
        gin.clear_config()
    return TunedPolicy(tuner, run_dir, dataset_dir)


def _dataset(data: SequenceDataset | str) -> SequenceDataset:
    if isinstance(data, (str, os.PathLike)):
        return SequenceDataset(os.fspath(data))
    if not isinstance(data, SequenceDataset):
        raise UserError(f"data must be a dataset or its folder, not {data!r}")
    return data


def _only(settings: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name in names}


@contextlib.contextmanager
def _recipe(name: str | None) -> Iterator[None]:
    """Give gin the bindings of a recipe, if there is one, and leave it empty afterwards."""
    if name is None:
        yield
        return
    try:
        configuration.configure([name], [])
        yield
    finally:
        gin.clear_config()


def _make(constructor: Any, **arguments: Any) -> Any:
    try:
        return constructor(**arguments)
    except ValueError as error:
        raise UserError(first_line(error)) from error
