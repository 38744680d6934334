"""Sequence Tutor: KL-control fine-tuning of pre-trained LSTMs on TensorFlow.

    import rl_tuner

    prior = rl_tuner.load_prior("runs/priors/mine")
    tuned = rl_tuner.tune(prior, rl_tuner.MelodyTask(), "runs/first", objective=rl_tuner.Psi(), c=0.5)
    rl_tuner.sample(tuned, 10, seed=0).save("out")

docs/python.md shows the rest. Names are imported when they are first used, so that this package, and the
help of its commands, do not wait for TensorFlow.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.melody.build import build_melody_dataset
    from pipelines.melody.build_from_magenta import build_magenta_dataset
    from pipelines.molecule.build import build_molecule_dataset
    from rl_tuner.api import load_dataset, load_prior, open_run, run, train_prior, tune
    from rl_tuner.common.errors import UserError
    from rl_tuner.core.exploration import Boltzmann, EpsilonGreedy
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.core.objectives import G, Objective, Psi, Q, RewardOnly
    from rl_tuner.core.replay import PrioritisedReplay, UniformReplay
    from rl_tuner.core.starts import Primer, RandomToken, StartToken
    from rl_tuner.core.task import HostTask, Scored, ServedForm, Task
    from rl_tuner.core.temperature import AdaptiveTemperature, FixedTemperature
    from rl_tuner.core.tuner import RLTuner
    from rl_tuner.datasets.reader import SequenceDataset
    from rl_tuner.jobs.devices import device
    from rl_tuner.policy import (
        Evaluation,
        Samples,
        Scores,
        Tuned,
        evaluate,
        export,
        sample,
        score,
        write_samples,
    )
    from rl_tuner.tasks.melody.reward import MusicTheoryReward
    from rl_tuner.tasks.melody.task import MelodyTask
    from rl_tuner.tasks.molecule.reward import ComponentReward, FunctionReward, PaperReward
    from rl_tuner.tasks.molecule.task import MoleculeTask
    from rl_tuner.tuning.collapse import Collapse

__all__ = [
    "AdaptiveTemperature",
    "Boltzmann",
    "Collapse",
    "ComponentReward",
    "EpsilonGreedy",
    "Evaluation",
    "FixedTemperature",
    "FunctionReward",
    "G",
    "HostTask",
    "MelodyTask",
    "MoleculeTask",
    "MusicTheoryReward",
    "Objective",
    "PaperReward",
    "Primer",
    "PrioritisedReplay",
    "Psi",
    "Q",
    "RLTuner",
    "RandomToken",
    "RewardOnly",
    "Samples",
    "Scored",
    "Scores",
    "SequenceDataset",
    "SequenceNetwork",
    "ServedForm",
    "StartToken",
    "Task",
    "Tuned",
    "UniformReplay",
    "UserError",
    "build_magenta_dataset",
    "build_melody_dataset",
    "build_molecule_dataset",
    "device",
    "evaluate",
    "export",
    "load_dataset",
    "load_prior",
    "open_run",
    "run",
    "sample",
    "score",
    "train_prior",
    "tune",
    "write_samples",
]

# Where a name lives that does not live in rl_tuner.api.
_HOMES = {
    "pipelines.melody.build_from_magenta": ("build_magenta_dataset",),
    "pipelines.melody.build": ("build_melody_dataset",),
    "pipelines.molecule.build": ("build_molecule_dataset",),
    "rl_tuner.core.exploration": ("Boltzmann", "EpsilonGreedy"),
    "rl_tuner.core.networks": ("SequenceNetwork",),
    "rl_tuner.core.objectives": ("G", "Objective", "Psi", "Q", "RewardOnly"),
    "rl_tuner.core.starts": ("Primer", "RandomToken", "StartToken"),
    "rl_tuner.core.replay": ("PrioritisedReplay", "UniformReplay"),
    "rl_tuner.core.temperature": ("AdaptiveTemperature", "FixedTemperature"),
    "rl_tuner.core.tuner": ("RLTuner",),
    "rl_tuner.common.errors": ("UserError",),
    "rl_tuner.tuning.collapse": ("Collapse",),
    "rl_tuner.datasets.reader": ("SequenceDataset",),
    "rl_tuner.jobs.devices": ("device",),
    "rl_tuner.policy": (
        *("Evaluation", "Samples", "Scores", "Tuned"),
        *("evaluate", "export", "sample", "score", "write_samples"),
    ),
    "rl_tuner.tasks.melody.reward": ("MusicTheoryReward",),
    "rl_tuner.tasks.melody.task": ("MelodyTask",),
    "rl_tuner.tasks.molecule.reward": ("ComponentReward", "FunctionReward", "PaperReward"),
    "rl_tuner.tasks.molecule.task": ("MoleculeTask",),
    "rl_tuner.core.task": ("HostTask", "Scored", "ServedForm", "Task"),
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "rl_tuner.api")
    globals()[name] = value = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)


class _Package(types.ModuleType):
    """Keeps the commands rl_tuner.evaluate and rl_tuner.export from hiding the functions of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
