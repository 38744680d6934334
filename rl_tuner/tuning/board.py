"""What TensorBoard shows beside single series: charts of several, and the settings that a sweep varies."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalars
from tensorboard.plugins.hparams import api as hparams

from rl_tuner.core.tuner import RLTuner

# Category -> chart -> regular expressions of its series.
CHARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "What to look at first": {
        "task reward, with and without exploration": (
            "collect/task_reward",
            "evaluate/task_reward",
        ),
        "KL from the prior": ("collect/kl", "evaluate/kl", "collect/target_kl"),
        "parts of the reward": ("reward/.+",),
        "entropy": ("collect/entropy", "evaluate/entropy"),
    },
    "Targets": {
        "multipliers": ("targets/multiplier_.+",),
        "slacks (below 0: not met)": ("targets/slack_.+",),
    },
    "Policy beside prior": {
        "distinct 4-grams": ("collapse/distinct_4grams", "collapse/distinct_4grams_prior"),
        "distinct 8-grams": ("collapse/distinct_8grams", "collapse/distinct_8grams_prior"),
        "distinct sequences": ("evaluate/distinct",),
    },
    "Molecules": {
        "valid and distinct": ("collect/valid", "collect/unique"),
        "desirability of components": ("collect/desirability/.+",),
        "best so far": ("calls/top_.+",),
    },
    "Learning": {
        "loss": ("learn/loss",),
        "gradient norm": ("learn/gradient_norm",),
    },
}


def write(tuner: RLTuner) -> None:
    """Write charts and settings with the current default writer.

    Args:
        tuner: the tuner of the run, at its start.
    """
    tf.summary.experimental.write_raw_pb(layout().SerializeToString(), step=0)
    hparams.hparams(settings(tuner))


def layout() -> Any:
    """Return the summary of the charts."""
    categories = [
        layout_pb2.Category(
            title=title,
            chart=[
                layout_pb2.Chart(
                    title=name, multiline=layout_pb2.MultilineChartContent(tag=list(tags))
                )
                for name, tags in charts.items()
            ],
        )
        for title, charts in CHARTS.items()
    ]
    return custom_scalars.pb(layout_pb2.Layout(category=categories))


def settings(tuner: RLTuner) -> dict[str, Any]:
    """Return the settings by which runs of a sweep differ most often."""
    found = {
        "objective": type(tuner.objective).__name__,
        "gamma": float(tuner.gamma),
        "eta": float(tuner.eta),
        "seed": int(tuner.seed),
        "cells": " ".join(map(str, tuner.prior.cells)),
    }
    if tuner.rewarded:
        # A float32 such as 0.1 has more digits than were asked for.
        found["c"] = float(f"{float(tuner.temperature.c):.6g}")
        found["temperature"] = type(tuner.temperature).__name__
    return found
