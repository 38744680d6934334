"""Names of the files and folders of a run."""

from __future__ import annotations

import os

from rl_tuner.common.errors import UserError

# The requested bindings, the bindings that tuning used, and the location of the dataset.
CONFIG_FILE, OPERATIVE_CONFIG_FILE, RUN_FILE = "config.gin", "operative_config.gin", "run.json"
PRIOR_FILE, SCORES_FILE = "prior.keras", "scores.json"
CHECKPOINTS, TENSORBOARD, HISTORY_FILE = "checkpoints", "tensorboard", "history.csv"
METRICS_JSON, METRICS_TEXT, REPORT_FILE = "metrics.json", "metrics.txt", "report.html"
SAMPLES, PLOTS, EXPORT = "samples", "plots", "export"
# Manifests of the stages, and output of earlier runs with different settings.
STAGES, PREVIOUS = "stages", "previous"
TUNE_MANIFEST = os.path.join(STAGES, "tune.json")
# Folders in work_dir, shared by runs with the same settings.
DATASETS, PRIORS = "datasets", "priors"


def check_finished(run_dir: str) -> None:
    """Make sure that a folder contains a finished run.

    Raises:
        UserError: it does not.
    """
    if os.path.isfile(run_dir):
        raise UserError(f"{run_dir} is a file, not a run; give the folder of a training run")
    if not os.path.isdir(run_dir):
        raise UserError(f"run folder {run_dir} does not exist; give the folder of a training run")
    if not os.path.isfile(os.path.join(run_dir, CONFIG_FILE)):
        if os.path.isfile(os.path.join(run_dir, TUNE_MANIFEST)):
            raise UserError(
                f"{run_dir} contains a run of rl_tuner.tune; repeat that call in Python to open it"
            )
        raise UserError(
            f"{run_dir} does not contain a run (no {CONFIG_FILE}); give the folder of a training run"
        )
    if not os.path.isfile(os.path.join(run_dir, TUNE_MANIFEST)):
        raise UserError(
            f"{run_dir} contains an unfinished run; rerun the command that started it to resume"
        )
