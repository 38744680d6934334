"""JSON description of a tuned model, stored inside an export and shown in the model card."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from typing import Any

import gin

from rl_tuner.common.run_folder import CONFIG_FILE, METRICS_JSON, OPERATIVE_CONFIG_FILE
from rl_tuner.common.settings import named
from rl_tuner.core.tuner import RLTuner
from rl_tuner.serving.signatures import LONGEST, MOST_ROWS, MOST_STEPS, MOST_TOKENS

_FORMAT = 1
_CONFIGS = {"config": CONFIG_FILE, "operative_config": OPERATIVE_CONFIG_FILE}
_PACKAGES = ("sequence-tutor", "tensorflow", "keras", "numpy", "gin-config", "rdkit", "note-seq")
# The rest of a prior's provenance stays in the prior's own file: histograms are long.
_PROVENANCE = ("source", "settings", "splits", "scores", "versions", "licence", "imported")


def describe(tuner: RLTuner, run_dir: str | None = None) -> dict[str, Any]:
    """Return the parts of a model's description; all of it is JSON-serialisable.

    Args:
        tuner: a tuned policy with its prior.
        run_dir: folder of its run, for its gin files and metrics; None describes only the tuner,
            with the current gin configuration.

    Returns:
        `format`, `task`, `encoding`, `start`, `limits`, `objective`, `targets`, `tuning`, `prior`, `gin`,
        `metrics` (by model, None if nothing was measured) and `versions`.
    """
    task = tuner.task
    metadata = tuner.prior.metadata
    provenance = metadata.get("provenance") or {}
    return {
        "format": _FORMAT,
        "task": {
            "kind": task.kind,
            "name": type(task).__name__,
            "num_classes": task.num_classes,
            "horizon": task.horizon,
            "end_token": task.end_token,
            "start_token": tuner.prior.start_token,
            "rewarded_for": list(task.part_names),
            "reward": named(getattr(task, "reward", None)),
        },
        "encoding": metadata.get("encoding"),
        "start": named(tuner.start),
        "limits": {
            "max_length": LONGEST * task.horizon,
            "rows": MOST_ROWS,
            "tokens": MOST_TOKENS,
            "length": MOST_STEPS,
        },
        "objective": named(tuner.objective),
        "targets": [bound._asdict() for bound in tuner.bounds],
        "tuning": {
            "seed": tuner.seed,
            "steps": int(tuner.environment_steps),
            "iterations": int(tuner.iteration),
            "gamma": tuner.gamma,
            "eta": tuner.eta,
            "temperature": {
                "name": type(tuner.temperature).__name__,
                "c": float(f"{float(tuner.temperature.c):.6g}"),
            }
            if tuner.rewarded
            else None,
        },
        "prior": {
            "cells": tuner.prior.cells,
            "embedding_size": tuner.prior.embedding_size,
            **{name: provenance[name] for name in _PROVENANCE if name in provenance},
        },
        "gin": _settings(run_dir),
        "metrics": _metrics(run_dir),
        "versions": {"python": platform.python_version(), **_versions()},
    }


def _settings(run_dir: str | None) -> dict[str, str]:
    if run_dir is None:
        return {"config": gin.config_str()}
    found = {}
    for part, name in _CONFIGS.items():
        path = os.path.join(run_dir, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                found[part] = file.read()
    return found


def _metrics(run_dir: str | None) -> dict[str, Any] | None:
    try:
        with open(os.path.join(run_dir or "", METRICS_JSON), encoding="utf-8") as file:
            return json.load(file) if run_dir else None
    except (OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
