"""The whole job in stages: dataset, prior, tuning, evaluation, export."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import gin

from rl_tuner.common.errors import UserError
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import say
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.task import Task
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.reader import SequenceDataset
from rl_tuner.jobs import configuration, devices
from rl_tuner.jobs.stages import Stage
from rl_tuner.priors import training
from rl_tuner.serving import model_card
from rl_tuner.serving.saved_model import export
from rl_tuner.tuning import loop, report
from rl_tuner.tuning.evaluation import Meter, prior_sampler, tuned_sampler

CONFIG_FILE, OPERATIVE_CONFIG_FILE, RUN_FILE = "config.gin", "operative_config.gin", "run.json"
# Training sequences in which a policy's n-grams are looked up.
_REFERENCE = 5_000
# Settings that do not change what a stage makes.
_IRRELEVANT = {
    "num_processes",
    "worker_memory_mb",
    "overwrite",
    "checkpoint_seconds",
    "listen_every",
    "qpm",
    "collapse",
    "tuner",
}


@gin.configurable("job", module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Job:
    """What a gin file asks for.

    Attributes:
        task: what is generated and rewarded.
        make_dataset: (output_dir=..., overwrite=...) -> None, writes the dataset.
        dataset_name: a word for the names of the dataset's and the prior's folders.
        prior: path of a prior to tune; None trains one on the dataset.
        seed: the one seed that every random choice hangs on.
        prior_seed: seed of the prior's training, so that runs with other seeds may share a prior;
            None is `seed`.
        evaluation_sequences: sequences that the final evaluation draws from each model.
        evaluation_batch: sequences drawn at a time.
        samples: sequences of each model written for people.
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
        """Refuses counts and seeds that make no sense."""
        for name in ("evaluation_sequences", "evaluation_batch", "samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must lie between 0 and 2**31 - 1, not {self.seed}")


class Runner:
    """Runs the stages of a configured job; call `configuration.configure` before.

    Args:
        work_dir: receives datasets/ and priors/, which runs with the same settings share.
        run_dir: the run's own folder; None for the stages before tuning.
    """

    def __init__(self, work_dir: str, run_dir: str | None = None) -> None:
        for name in ("job", "device", "pretrain", "RLTuner", "tune"):
            configuration.check_types(name)
        self.job: Job = configuration.build("job")
        self._work_dir, self._run_dir = work_dir, run_dir
        self._settings = configuration.settings("job")
        self._dataset: tuple[str, str] | None = None
        say(configuration.build("device"))

    def dataset(self) -> tuple[str, str]:
        """Makes the dataset if needed; returns its folder and build_id."""
        if self._dataset:
            return self._dataset
        settings = _relevant(self._settings["make_dataset"])
        folder = os.path.join(
            self._work_dir, "datasets", f"{self.job.dataset_name}-{_digest(settings)}"
        )
        stage = Stage("dataset", os.path.join(folder, "stage.json"), settings)

        def make(resumable: bool) -> list[str]:
            if not os.path.isfile(os.path.join(folder, "dataset.json")):
                set_aside(self._work_dir, [os.path.relpath(folder, self._work_dir)])
            self.job.make_dataset(output_dir=folder, overwrite=True)
            return sorted(name for name in os.listdir(folder) if not name.startswith("."))

        self._dataset = folder, self._run(stage, folder, make, notes_start=False)
        return self._dataset

    def prior(self, output_dir: str | None = None) -> tuple[str, str]:
        """Trains the prior if needed; returns the path of its file and its build_id.

        Args:
            output_dir: where to put it; None takes a folder of work_dir/priors.
        """
        if self.job.prior:
            path = self.job.prior
            training.load_prior(path)
            path = os.path.join(path, training.PRIOR_FILE) if os.path.isdir(path) else path
            with open(path, "rb") as file:
                return path, hashlib.sha256(file.read()).hexdigest()
        data, data_build = self.dataset()
        seed = self.job.seed if self.job.prior_seed is None else self.job.prior_seed
        settings = {"pretrain": configuration.settings("pretrain")} | self._shared_settings()
        settings["seed"] = seed
        digest = _digest([settings, _relevant(self._settings["make_dataset"])])
        folder = output_dir or os.path.join(
            self._work_dir, "priors", f"{self.job.dataset_name}-{digest}"
        )
        stage = Stage(
            "prior", os.path.join(folder, "stage.json"), settings, {"dataset": data_build}
        )

        def make(resumable: bool) -> list[str]:
            if not resumable:
                _remove(folder, "checkpoints", "tensorboard")
            scores = configuration.build("pretrain", dataset_dir=data, output_dir=folder, seed=seed)
            say(
                f"prior: validation {scores['validation_log_perplexity']:.4f} nats a step, accuracy "
                f"{100 * scores['validation_accuracy']:.1f}%, best of {scores['epochs']} epochs"
            )
            return [training.PRIOR_FILE, training.SCORES_FILE]

        build = self._run(stage, folder, make)
        return os.path.join(folder, training.PRIOR_FILE), build

    def all(self) -> str:
        """Runs every stage; returns the table of metrics as text."""
        prior_path, prior_build = self.prior()
        data = (None, "none") if self.job.prior else self.dataset()
        prior = load_matching_prior(prior_path, self.job.task)
        # A setting that is refused must be refused before an earlier run's output is touched.
        configuration.build("RLTuner", prior=prior, task=self.job.task, seed=self.job.seed)
        os.makedirs(self._run_dir, exist_ok=True)
        write_text(os.path.join(self._run_dir, CONFIG_FILE), gin.config_str())
        own_prior = os.path.join(self._run_dir, training.PRIOR_FILE)
        if os.path.abspath(own_prior) != os.path.abspath(prior_path):
            shutil.copyfile(prior_path, own_prior)
        write_text(
            os.path.join(self._run_dir, RUN_FILE),
            json.dumps({"dataset": data[0] and os.path.abspath(data[0])}) + "\n",
        )
        tuner, tune_build = self._tune(prior, prior_build, data[0])
        evaluate_build = self._evaluate(tuner, tune_build, data)
        self._export(tuner, {"tune": tune_build, "evaluate": evaluate_build})
        with open(os.path.join(self._run_dir, report.METRICS_TEXT), encoding="utf-8") as file:
            return file.read()

    def _tune(
        self, prior: SequenceNetwork, prior_build: str, dataset_dir: str | None
    ) -> tuple[RLTuner, str]:
        stage = self._stage(
            "tune", {"prior": prior_build}, _relevant(configuration.settings("tune"))
        )
        stage.settings["tuner"] = configuration.settings("RLTuner")
        outputs = (loop.CHECKPOINTS, "tensorboard", loop.HISTORY_FILE, *self.job.task.run_files)
        tuned = []

        def make(resumable: bool) -> list[str]:
            if not resumable:
                set_aside(self._run_dir, [*outputs, report.METRICS_JSON, report.METRICS_TEXT])
            corpus = SequenceDataset(dataset_dir).sequences("train") if dataset_dir else None
            arguments = {"prior": prior, "task": self.job.task, "seed": self.job.seed}
            arguments["corpus"] = corpus and corpus[:_REFERENCE]
            tuned.append(configuration.build("tune", run_dir=self._run_dir, **arguments))
            write_text(
                os.path.join(self._run_dir, OPERATIVE_CONFIG_FILE), gin.operative_config_str()
            )
            checkpoints = os.listdir(os.path.join(self._run_dir, loop.CHECKPOINTS))
            kept = [os.path.join(loop.CHECKPOINTS, name) for name in checkpoints]
            return [f"../{name}" for name in (*kept, *outputs[1:])]

        build = self._run(stage, os.path.join(self._run_dir, loop.CHECKPOINTS), make)
        if not tuned:
            tuned.append(loop.restore_tuner(prior, self.job.task, self._run_dir, self.job.seed))
        return tuned[0], build

    def _evaluate(self, tuner: RLTuner, tune_build: str, data: tuple[str | None, str]) -> str:
        job = self.job
        names = ("evaluation_sequences", "evaluation_batch", "samples")
        settings = {name: getattr(job, name) for name in names}
        stage = self._stage("evaluate", {"tune": tune_build, "dataset": data[1]}, settings)

        def make(resumable: bool) -> list[str]:
            columns, sequences = evaluate(tuner, job, data[0])
            report.write_metrics(self._run_dir, job.task, columns)
            paths = report.write_samples(self._run_dir, job.task, sequences, job.samples)
            paths.append(model_card.write_model_card(self._run_dir, tuner, self._run_dir))
            curves = os.path.join(self._run_dir, "plots", "training.png")
            report.plot_history({"tuned": loop.read_history(self._run_dir)}, curves)
            paths += report.write_figures(self._run_dir, job.task.run_figures(self._run_dir))
            paths += [curves, os.path.join(self._run_dir, report.METRICS_JSON)]
            paths += [os.path.join(self._run_dir, report.METRICS_TEXT)]
            return [os.path.relpath(path, os.path.dirname(stage.manifest)) for path in paths]

        return self._run(stage, os.path.join(self._run_dir, report.METRICS_TEXT), make)

    def _export(self, tuner: RLTuner, inputs: dict[str, str]) -> None:
        stage = self._stage("export", inputs, {})
        folder = os.path.join(self._run_dir, "export")

        def make(resumable: bool) -> list[str]:
            export(tuner, folder, self._run_dir)
            return ["../export/saved_model.pb", "../export/variables"]

        self._run(stage, folder, make)

    def _stage(self, name: str, inputs: dict[str, str], settings: dict[str, Any]) -> Stage:
        manifest = os.path.join(self._run_dir, "stages", f"{name}.json")
        return Stage(name, manifest, {name: settings} | self._shared_settings(True), inputs)

    def _shared_settings(self, with_task: bool = False) -> dict[str, Any]:
        shared = {
            "seed": self.job.seed,
            "precision": configuration.settings("device")["precision"],
        }
        return shared | ({"task": self._settings["task"]} if with_task else {})

    def _run(
        self,
        stage: Stage,
        output: str,
        make: Callable[[bool], list[str]],
        notes_start: bool = True,
    ) -> str:
        why = stage.why_stale()
        if why is None:
            say(f"{stage.name}: reusing {output}")
            return stage.build_id()
        say(f"{stage.name}: making {output} ({why})")
        # The dataset's folder appears whole, by a rename: nothing may stand there before.
        return stage.finish(make(stage.begin() if notes_start else False))


def evaluate(
    tuner: RLTuner, job: Job, dataset_dir: str | None
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Measures prior and tuned policy with the same seed; `novelty` needs a dataset.

    Returns:
        Metrics by model, and the sequences by model.
    """
    corpus = _corpus(job.task, dataset_dir)
    samplers = {
        "prior": prior_sampler(tuner.prior, job.task, tuner.start),
        "tuned": tuned_sampler(tuner),
    }
    columns, sequences = {}, {}
    for name, sampler in samplers.items():
        meter = Meter(sampler, job.task, min(job.evaluation_batch, job.evaluation_sequences))
        measured = meter.measure(job.evaluation_sequences, job.seed, f"evaluate {name}")
        columns[name] = measured.metrics | job.task.set_metrics(measured.sequences, corpus)
        columns[name]["sequences"] = job.evaluation_sequences
        sequences[name] = measured.sequences
    return columns, sequences


def _corpus(task: Task, dataset_dir: str | None) -> list[Any] | None:
    if dataset_dir is None:
        return None
    data = SequenceDataset(dataset_dir)
    return (
        data.texts("train", task.corpus_feature) if task.corpus_feature else data.sequences("train")
    )


def load_matching_prior(path: str, task: Task) -> SequenceNetwork:
    """Reads a prior and makes sure that it speaks the task's language.

    Raises:
        UserError: the prior cannot be read, or was made for something else.
    """
    prior = training.load_prior(path)
    kind = prior.metadata.get("kind", task.kind)
    if kind == task.kind:
        task.adopt(prior.metadata)
    if kind != task.kind or prior.num_classes != task.num_classes:
        raise UserError(
            f"prior {path} generates {kind} sequences of {prior.num_classes} classes, but the task wants "
            f"{task.kind} sequences of {getattr(task, 'num_classes', 'other')}; train a prior for this task"
        )
    return prior


def open_run(run_dir: str) -> tuple[Job, RLTuner, str | None]:
    """A finished run: its job, its tuner, and the folder of its dataset where that still exists.

    It opens on every machine, also where the GPU that it was made on is missing.

    Raises:
        UserError: the folder holds no finished run.
    """
    config = os.path.join(run_dir, CONFIG_FILE)
    if not os.path.isfile(config):
        raise UserError(
            f"{run_dir} holds no run (no {CONFIG_FILE}); give --run_dir of a training run"
        )
    if not os.path.isfile(os.path.join(run_dir, "stages", "tune.json")):
        raise UserError(
            f"{run_dir} holds an unfinished run; the command that started it goes on with it"
        )
    configuration.configure([config], [])
    job: Job = configuration.build("job")
    say(devices.device_of_run(**configuration.settings("device")))
    prior = load_matching_prior(os.path.join(run_dir, training.PRIOR_FILE), job.task)
    tuner = loop.restore_tuner(prior, job.task, run_dir, job.seed)
    try:
        with open(os.path.join(run_dir, RUN_FILE), encoding="utf-8") as file:
            data = json.load(file)["dataset"]
    except (OSError, ValueError, KeyError):
        data = None
    return job, tuner, data if data and os.path.isdir(data) else None


def set_aside(folder: str, names: Sequence[str]) -> None:
    """Moves what an earlier run made into folder/previous, where it replaces what was there."""
    for name in names:
        path, previous = os.path.join(folder, name), os.path.join(folder, "previous", name)
        if not os.path.exists(path):
            continue
        _remove(os.path.join(folder, "previous"), name)
        os.makedirs(os.path.dirname(previous), exist_ok=True)
        os.rename(path, previous)


def _remove(folder: str, *names: str) -> None:
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)


def _relevant(settings: Any) -> Any:
    if isinstance(settings, dict):
        return {k: _relevant(v) for k, v in settings.items() if k not in _IRRELEVANT}
    return settings


def _digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
