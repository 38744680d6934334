"""A study of two or more models without any run: stimuli are short sounds."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rl_tuner.study.folder import STIMULI, STUDY_FILE, Stimulus, Study, default_consent
from rl_tuner.tasks.melody.rendering import to_wav


def make_study(
    folder: Any,
    models: tuple[str, ...] = ("prior", "psi"),
    stimuli: int = 12,
    comparisons: int = 6,
    checks: int = 1,
    seconds: float = 0.25,
    **changes: Any,
) -> Study:
    """Write a study into a folder and return it."""
    found = tuple(
        Stimulus(f"{index:024x}", name, f"{name} {number}")
        for index, (name, number) in enumerate((m, n) for m in models for n in range(stimuli))
    )
    settings: dict[str, Any] = {
        "id": "one",
        "title": "Which do you prefer?",
        "question": "Which one pleases you more?",
        "consent": default_consent("wav", comparisons),
        "kind": "melody",
        "shows": "wav",
        "models": {name: f"runs/{name}" for name in models},
        "seed": 0,
    }
    study = Study(
        folder=str(folder),
        comparisons=comparisons,
        checks=checks,
        stimuli=found,
        **(settings | changes),
    )
    os.makedirs(os.path.join(folder, STIMULI))
    for index, stimulus in enumerate(found):
        tone = 0.3 * np.sin(np.arange(int(16_000 * seconds)) * (0.1 + 0.01 * index))
        with open(study.path(stimulus.id), "wb") as file:
            file.write(to_wav(tone, 16_000))
    with open(os.path.join(folder, STUDY_FILE), "w", encoding="utf-8") as file:
        file.write(study.to_json())
    return study
