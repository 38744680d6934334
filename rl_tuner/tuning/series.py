"""What the series in TensorBoard mean: shown there beside each of them, and listed in docs/tensorboard.md."""

from __future__ import annotations

import fnmatch
import functools
from typing import NamedTuple


class Series(NamedTuple):
    """Series with one meaning.

    Attributes:
        names: their names; capitals and * stand for anything.
        written: how often a point is written.
        meaning: what they show, with its unit.
    """

    names: tuple[str, ...]
    written: str
    meaning: str


SERIES = (
    Series(("collect/task_reward",), "per chunk", "task reward r_T per sequence, with exploration"),
    Series(("collect/log_prior",), "per chunk", "log p(a|s) under the prior, nats per step"),
    Series(("collect/kl",), "per chunk", "exact KL(policy || prior), nats per step"),
    Series(("collect/entropy",), "per chunk", "entropy of the policy, nats per step"),
    Series(("collect/epsilon", "collect/temperature"), "per chunk", "share of random actions; c"),
    Series(
        ("collect/smoothed_kl", "collect/target_kl"),
        "per chunk",
        "KL that AdaptiveTemperature compares, and its target",
    ),
    Series(
        ("collect/valid", "collect/unique"),
        "per chunk",
        "molecules: share of valid strings, and share of distinct ones among them",
    ),
    Series(
        ("collect/value/NAME", "collect/desirability/NAME"),
        "per chunk",
        "molecules: mean number and desirability of each component over the valid ones (0 "
        "if there are none)",
    ),
    Series(
        ("calls/calls", "calls/top_*", "calls/auc_*"),
        "per chunk",
        "molecules: distinct molecules rewarded, mean rewards of the best 1, 10 and 100, "
        "and the areas under them per call",
    ),
    Series(("reward/PART",), "per chunk", "each part of the reward, per sequence"),
    Series(
        ("targets/multiplier_*", "targets/slack_*"),
        "per chunk",
        "with targets, for the low or high bound of each feature: its multiplier, and by "
        "how much it is met (below 0: not met)",
    ),
    Series(
        ("targets/bounds_met", "targets/lag", "targets/softness"),
        "per chunk",
        "number of bounds met; how far the policy lags behind the multipliers, in nats; "
        "above 0.006 if the bounds give way to max_kl",
    ),
    Series(
        ("learn/loss", "learn/target_value", "learn/gradient_norm"),
        "per chunk",
        "averages over the updates; the norm is that before clipping",
    ),
    Series(
        ("evaluate/*",),
        "per evaluation",
        "the same measures and the task's own metrics, without exploration; also "
        "evaluate/distinct and evaluate/length",
    ),
    Series(
        ("collapse/classes_used", "collapse/class_total_variation"),
        "per evaluation",
        "number of classes that occur; total variation distance between their shares and "
        "those of the data",
    ),
    Series(
        ("collapse/distinct_4grams", "collapse/distinct_8grams", "collapse/distinct_*_prior"),
        "per evaluation",
        "share of distinct n-grams; ..._prior is the same for the prior",
    ),
    Series(
        ("collapse/seen_4grams", "collapse/seen_8grams"),
        "per evaluation",
        "share of n-grams that occur in the training data",
    ),
    Series(
        ("sheets/prior", "sheets/tuned"),
        "some evaluations",
        "melodies as sheet music, with the extra [sheet]",
    ),
    Series(
        ("pictures/prior", "pictures/tuned", "collapse/classes"),
        "some evaluations",
        "piano rolls or molecules; class histogram",
    ),
    Series(("sound/prior", "sound/tuned"), "some evaluations", "melodies: four samples"),
    Series(("prior/*",), "per epoch", "training of the prior, in the prior's own folder"),
    Series(("settings",), "once", "the gin file of the run, as a text"),
)


@functools.cache
def description_of(name: str) -> str:
    """Return what a series means; "" if the list does not say."""
    for series in SERIES:
        for pattern in series.names:
            if fnmatch.fnmatchcase(name, _pattern(pattern)):
                return series.meaning
    return ""


def _pattern(name: str) -> str:
    """Return the pattern of file names for a name of the list, such as reward/PART."""
    parts = ["*" if part.isupper() else part for part in name.split("/")]
    return "/".join(parts)
