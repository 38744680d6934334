"""The whole job in stages: dataset, prior, tuning, evaluation, export."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import gin
import tensorflow as tf

from rl_tuner.common import locks, trust
from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing, write_text
from rl_tuner.common.progress import say, working
from rl_tuner.common.ranges import check
from rl_tuner.common.run_folder import (
    CHECKPOINTS,
    CONFIG_FILE,
    DATASETS,
    EXPORT,
    HISTORY_FILE,
    METRICS_JSON,
    METRICS_TEXT,
    OPERATIVE_CONFIG_FILE,
    PLOTS,
    PRIOR_FILE,
    PRIORS,
    RUN_FILE,
    SCORES_FILE,
    STAGES,
    TENSORBOARD,
    TUNE_MANIFEST,
    check_finished,
)
from rl_tuner.common.settings import digest_of_settings
from rl_tuner.core import checkpoints
from rl_tuner.core.checks import asked_of, check_features, check_settings
from rl_tuner.core.ranges import RANGES
from rl_tuner.core.task import Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.datasets.writer import DESCRIPTION_FILE
from rl_tuner.jobs import configuration, devices, older_runs, rules
from rl_tuner.jobs.following import replicated, tell
from rl_tuner.jobs.stages import Stage, digest_of_manifest, remove, set_aside
from rl_tuner.pages import run_page
from rl_tuner.priors import training  # noqa: F401  (gin knows `pretrain` by importing it)
from rl_tuner.priors.files import load_matching_prior, load_prior
from rl_tuner.serving import model_card
from rl_tuner.serving.saved_model import export
from rl_tuner.tasks.presentation import presentation_of
from rl_tuner.tuning import evaluation, history, loop, report, state
from rl_tuner.tuning.asked import shortfalls

# Beginning of the warning about a collapsed policy.
COLLAPSED = "the tuned policy collapsed"
# Training sequences in which a policy's n-grams are looked up.
REFERENCE_SEQUENCES = 5_000


@gin.configurable("job", module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class JobSettings:
    """Settings of a job in its gin file.

    Attributes:
        task: task with its rewards and metrics.
        make_dataset: (output_dir=..., overwrite=...) -> None, writes the dataset.
        dataset_name: first part of the names of the dataset's and the prior's folders.
        prior: path of a prior to tune; None trains one on the dataset.
        seed: the one seed that determines every random choice.
        prior_seed: seed of the prior's training, so that runs with different seeds can share a prior;
            None is `seed`.
        evaluation_sequences: sequences that the final evaluation draws from each model.
        evaluation_batch: sequences drawn at a time.
        samples: sequences of each model that are written to files.
    """

    task: Task = gin.REQUIRED
    make_dataset: Callable[..., Any] = gin.REQUIRED
    dataset_name: str = "data"
    prior: str | None = None
    seed: int = 0
    prior_seed: int | None = None
    evaluation_sequences: int = 10_000
    evaluation_batch: int = 1_000
    samples: int = 8

    def __post_init__(self) -> None:
        """Reject a name of a dataset, counts and seeds that cannot be used."""
        rules.check_job(dataset_name=self.dataset_name)
        check(rules.RANGES, "job", **{name: getattr(self, name) for name in rules.RANGES["job"]})


class Job:
    """A configured job and its stages; call `configuration.configure` first.

    Args:
        work_dir: receives datasets/ and priors/, which runs with the same settings share.
        run_dir: the run's own folder; not needed for the stages before tuning.
    """

    def __init__(self, work_dir: str, run_dir: str = "") -> None:
        for name in ("job", "device", "pretrain", "RLTuner", "tune"):
            configuration.check_types(name)
        devices.begin(**configuration.arguments("device"))
        self.settings: JobSettings = configuration.build("job")
        _check_maker(self.settings.make_dataset)
        self._work_dir, self._run_dir = work_dir, run_dir
        self._described = configuration.settings("job")
        self._dataset: tuple[str, str] | None = None
        say(configuration.build("device"))

    def dataset(self) -> tuple[str, str]:
        """Make the dataset if needed; return its folder and build_id."""
        if self._dataset:
            return self._dataset
        settings = self._described["make_dataset"]
        name = f"{self.settings.dataset_name}-{digest_of_settings(settings)}"
        folder = os.path.join(self._work_dir, DATASETS, name)

        def make() -> list[str]:
            if not os.path.isfile(os.path.join(folder, DESCRIPTION_FILE)):
                set_aside(self._work_dir, [os.path.join(DATASETS, name)])
            self.settings.make_dataset(output_dir=folder, overwrite=True)
            return sorted(name for name in os.listdir(folder) if not name.startswith("."))

        stage = Stage("dataset", os.path.join(folder, "stage.json"), settings)
        # The dataset's folder is created by a rename, so it must not exist before.
        with locks.only_writer(folder, beside=True):
            self._dataset = folder, stage.run(folder, make)
        return self._dataset

    def prior(self, output_dir: str | None = None) -> tuple[str, str]:
        """Train the prior if needed; return the path of its file and its build_id.

        Args:
            output_dir: folder for the prior; None chooses a folder in work_dir/priors.
        """
        if self.settings.prior:
            return self._given_prior(self.settings.prior)
        data, data_build = self.dataset()
        seed = self.settings.seed if self.settings.prior_seed is None else self.settings.prior_seed
        settings = {"pretrain": configuration.settings("pretrain")} | self._shared_settings()
        settings["seed"] = seed
        digest = digest_of_settings([settings, self._described["make_dataset"]])
        folder = output_dir or os.path.join(
            self._work_dir, PRIORS, f"{self.settings.dataset_name}-{digest}"
        )

        manifest = os.path.join(folder, "stage.json")
        stage = Stage("prior", manifest, settings, {"dataset": data_build})

        def make() -> list[str]:
            arguments = {
                "dataset_dir": data, "output_dir": folder, "seed": seed, "settings": stage.digest
            }  # fmt: skip
            tell(do="pretrain", **arguments)
            scores = configuration.build("pretrain", **arguments)
            say(
                f"prior: validation {scores['validation_log_perplexity']:.4f} nats per step, accuracy "
                f"{100 * scores['validation_accuracy']:.1f}%, best of {scores['epochs']} epochs"
            )
            return [PRIOR_FILE, SCORES_FILE]

        def clear() -> None:
            remove(folder, CHECKPOINTS, TENSORBOARD)

        with locks.only_writer(folder):
            return os.path.join(folder, PRIOR_FILE), stage.run(folder, make, clear)

    def run(self) -> str:
        """Run every stage; return the table of metrics as text."""
        _check_tuning(self.settings.task)
        prior_path, prior_build = self.prior()
        data = (None, "none") if self.settings.prior else self.dataset()
        # Invalid settings must be rejected before the output of an earlier run is moved.
        tuner = self._new_tuner(prior_path)
        with locks.only_writer(self._run_dir):
            tune_build = self._tune(tuner, prior_path, prior_build, data[0])
            evaluate_build = self._evaluate(tuner, tune_build, data)
            self._export(tuner, {"tune": tune_build, "evaluate": evaluate_build})
        with open(os.path.join(self._run_dir, METRICS_TEXT), encoding="utf-8") as file:
            return file.read()

    def _given_prior(self, path: str) -> tuple[str, str]:
        load_prior(path)
        path = os.path.join(path, PRIOR_FILE) if os.path.isdir(path) else path
        with open(path, "rb") as file:
            return path, hashlib.sha256(file.read()).hexdigest()

    def _new_tuner(self, prior_path: str) -> RLTuner:
        task = self.settings.task
        with working("building the networks"):
            prior = load_matching_prior(prior_path, task)
            return replicated(prior, task, self.settings.seed)

    def _note_run(self, prior_path: str, dataset_dir: str | None) -> None:
        """Write the configuration, a copy of the prior, and the location of the dataset."""
        os.makedirs(self._run_dir, exist_ok=True)
        write_text(os.path.join(self._run_dir, CONFIG_FILE), gin.config_str())
        trust.remember(gin.config_str())
        own_prior = os.path.join(self._run_dir, PRIOR_FILE)
        if os.path.abspath(own_prior) != os.path.abspath(prior_path):
            with replacing(own_prior) as temporary:
                shutil.copyfile(prior_path, temporary)
        where = {"dataset": dataset_dir and os.path.abspath(dataset_dir)}
        write_text(os.path.join(self._run_dir, RUN_FILE), json.dumps(where) + "\n")

    def _tune(
        self, tuner: RLTuner, prior_path: str, prior_build: str, dataset_dir: str | None
    ) -> str:
        settings = {
            "tune": configuration.settings("tune"),
            "tuner": configuration.settings("RLTuner"),
        }
        stage = self._stage("tune", {"prior": prior_build}, settings)
        kept = (TENSORBOARD, HISTORY_FILE, *presentation_of(tuner.task).run_files)

        def clear() -> None:
            set_aside(self._run_dir, [CHECKPOINTS, *kept, METRICS_JSON, METRICS_TEXT])

        def make() -> list[str]:
            # The configuration changes only once nothing is left that was made with another one.
            self._note_run(prior_path, dataset_dir)
            data = SequenceDataset(dataset_dir) if dataset_dir else None
            tell(do="tune", prior=prior_path, run_dir=self._run_dir, settings=stage.digest)
            configuration.build(
                "tune",
                tuner=tuner,
                run_dir=self._run_dir,
                corpus=data and data.sequences("train", REFERENCE_SEQUENCES),
                settings=stage.digest,
            )
            write_text(
                os.path.join(self._run_dir, OPERATIVE_CONFIG_FILE), gin.operative_config_str()
            )
            names = checkpoints.newest_files(folder)
            return [f"../{name}" for name in (*(f"{CHECKPOINTS}/{n}" for n in names), *kept)]

        folder = os.path.join(self._run_dir, CHECKPOINTS)
        is_made = stage.reopen_unless(lambda: checkpoints.newest_is_whole(folder))
        build = stage.run(folder, make, clear)
        if is_made:
            self._note_run(prior_path, dataset_dir)
            with working("restoring the tuned model"):
                state.restore(tuner, self._run_dir, stage.digest)
        return build

    def _evaluate(self, tuner: RLTuner, tune_build: str, data: tuple[str | None, str]) -> str:
        job, run_dir = self.settings, self._run_dir
        names = ("evaluation_sequences", "evaluation_batch", "samples")
        settings = {"evaluate": {name: getattr(job, name) for name in names}}
        stage = self._stage("evaluate", {"tune": tune_build, "dataset": data[1]}, settings)

        def make() -> list[str]:
            corpus = evaluation.corpus_of(job.task, data[0])
            collapse = configuration.built_arguments("tune")["collapse"]
            columns, sequences = evaluation.compare(
                tuner, job.evaluation_sequences, job.evaluation_batch, job.seed, corpus, collapse
            )
            presentation = presentation_of(job.task)
            columns[evaluation.TUNED] |= presentation.run_metrics(run_dir)
            with working("evaluate: writing table, samples and pictures"):
                report.write_metrics(run_dir, job.task, columns)
                paths = report.write_samples(run_dir, job.task, sequences, job.samples)
                curves = os.path.join(run_dir, PLOTS, "training.png")
                history.plot_history({evaluation.TUNED: history.read_history(run_dir)}, curves)
                figures = presentation.run_figures(run_dir)
                if corpus is not None:
                    figures |= presentation.corpus_figures(sequences, corpus)
                paths += report.write_figures(run_dir, figures)
                paths.append(model_card.write_model_card(run_dir, tuner, run_dir))
                paths.append(run_page.write_page(run_dir, tuner, sequences, job.seed))
            paths += [
                curves,
                *(os.path.join(run_dir, name) for name in (METRICS_JSON, METRICS_TEXT)),
            ]
            return [os.path.relpath(path, os.path.dirname(stage.manifest)) for path in paths]

        return stage.run(os.path.join(run_dir, METRICS_TEXT), make)

    def _export(self, tuner: RLTuner, inputs: dict[str, str]) -> None:
        folder = os.path.join(self._run_dir, EXPORT)

        def make() -> list[str]:
            export(tuner, folder, self._run_dir, overwrite=True)
            return [f"../{EXPORT}/saved_model.pb", f"../{EXPORT}/variables"]

        self._stage("export", inputs, {"export": {}}).run(folder, make)

    def _stage(self, name: str, inputs: dict[str, str], settings: dict[str, Any]) -> Stage:
        manifest = os.path.join(self._run_dir, STAGES, f"{name}.json")
        shared = self._shared_settings() | {"task": self._described["task"]}
        return Stage(name, manifest, settings | shared, inputs)

    def _shared_settings(self) -> dict[str, Any]:
        precision = configuration.settings("device")["precision"]
        return {"seed": self.settings.seed, "precision": precision}


def shortcomings(run_dir: str) -> list[str]:
    """Return what is wrong with a finished run's policy: targets that are not met, and a collapse."""
    with open(os.path.join(run_dir, METRICS_JSON), encoding="utf-8") as file:
        tuned = json.load(file)[evaluation.TUNED]
    lines = []
    if missed := shortfalls(tuned.get(evaluation.TARGETS, {})):
        lines.append(f"targets not met: {'; '.join(missed)}")
    if complaint := tuned.get(evaluation.COLLAPSE):
        lines.append(f"{COLLAPSED}: {complaint}")
    return lines


def run_point(
    gin_files: Sequence[str], gin_params: Sequence[str], work_dir: str, run_dir: str
) -> dict[str, dict[str, Any]]:
    """Run or reuse one complete job of several; return its metrics by model.

    Raises:
        UserError: the job cannot be run.
    """
    # Every run compiles its own functions; TensorFlow would warn about this as needless retracing.
    tf.get_logger().setLevel("ERROR")
    configuration.configure(gin_files, gin_params)
    Job(work_dir, run_dir).run()
    with open(os.path.join(run_dir, METRICS_JSON), encoding="utf-8") as file:
        return json.load(file)


def open_run(run_dir: str, *, trusted: bool = False) -> tuple[RLTuner, str | None]:
    """Return the tuner of a finished run, and the folder of its dataset if that still exists.

    A run made on a GPU also opens on a machine without that GPU.

    Args:
        run_dir: folder of the run.
        trusted: whether its settings may execute code that is not part of this program.

    Raises:
        UserError: the folder does not contain a finished run, or a run that is not trusted.
    """
    check_finished(run_dir)
    trust.check(run_dir, trusted)
    older_runs.configure(run_dir)
    settings: JobSettings = configuration.build("job")
    with working(f"opening {run_dir}"):
        say(devices.device_of_run(**configuration.arguments("device")))
        prior = load_matching_prior(os.path.join(run_dir, PRIOR_FILE), settings.task)
        tuner = configuration.build("RLTuner", prior=prior, task=settings.task, seed=settings.seed)
        manifest = os.path.join(run_dir, TUNE_MANIFEST)
        state.restore(tuner, run_dir, digest_of_manifest(manifest) or "")
    try:
        with open(os.path.join(run_dir, RUN_FILE), encoding="utf-8") as file:
            data = json.load(file)["dataset"]
    except (OSError, ValueError, KeyError):
        data = None
    return tuner, data if data and os.path.isdir(data) else None


def _check_maker(make_dataset: Callable[..., Any]) -> None:
    """Reject a function that cannot be called as `JobSettings.make_dataset` is."""
    try:
        inspect.signature(make_dataset).bind_partial(output_dir="", overwrite=True)
    except (TypeError, ValueError) as error:
        name = getattr(make_dataset, "__name__", repr(make_dataset))
        raise UserError(
            f"job.make_dataset: {name} must take the keywords output_dir and overwrite ({error})"
        ) from error


def _check_tuning(task: Task) -> None:
    """Reject invalid settings of the tuning before the prior's training, which may take an hour."""
    loop.check_numbers(**configuration.arguments("tune", loop.RANGES["tune"]))
    settings = configuration.built_arguments("RLTuner")
    if settings["objective"] is gin.REQUIRED:
        raise UserError(
            "no RLTuner.objective is set; train a gin file that sets one, such as psi_music, or add "
            '--gin_param="RLTuner.objective = @Psi()"'
        )
    if settings["targets"] is not None and settings["temperature"] is None:
        for name in ("FixedTemperature", "AdaptiveTemperature"):
            if gin.get_bindings(name):
                raise UserError(
                    f"{name} is set, but targets need no temperature; to earn the task's reward as well, "
                    f"add RLTuner.temperature = @{name}()"
                )
    objects = [name for name in inspect.signature(check_settings).parameters if name != "numbers"]
    try:
        check_settings(**{name: settings[name] for name in (*objects, *RANGES["RLTuner"])})
        if settings["targets"] is not None:
            check_features(task, asked_of(settings["targets"]))
    except ValueError as error:
        raise UserError(str(error)) from error
