"""The analysis of a study: numbers as JSON, a picture, and a paragraph in words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.figures import new_figure, save_figure
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import say, working
from rl_tuner.study import bradley_terry, significance
from rl_tuner.study.agreement import agreement, comparisons_needed
from rl_tuner.study.ratings import NO_PREFERENCE
from rl_tuner.study.words import paragraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JSON_FILE, TEXT_FILE, PICTURE_FILE = "analysis.json", "analysis.txt", "analysis.png"
_SHARES = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)
_LEVEL = 0.05


def analyse(
    rows: Sequence[Mapping[str, Any]],
    models: Sequence[str],
    *,
    draws: int = 1_000,
    seed: int = 0,
    keep_inattentive: bool = False,
) -> dict[str, Any]:
    """Return the analysis of ratings.

    Args:
        rows: rows of `ratings.rows_of`.
        models: names of the models.
        draws: draws of each chain of the posterior; 0 leaves it out.
        seed: seed of flips and chains.
        keep_inattentive: whether to keep raters who preferred one of two equal stimuli.

    Raises:
        UserError: there are no ratings.
    """
    inattentive = sorted(
        {row["rater"] for row in rows if row["is_check"] and row["rating"] != NO_PREFERENCE}
    )
    excluded = [] if keep_inattentive else inattentive
    used = [row for row in rows if not row["is_check"] and row["rater"] not in excluded]
    if not used:
        why = f", after {len(excluded)} inattentive raters were excluded" if excluded else ""
        raise UserError(f"the study has no ratings yet{why}; wait for its raters")
    if excluded:
        say(f"{len(excluded)} raters preferred one of two equal stimuli and are excluded")
    ratings = significance.table_of(used, models)
    pairs = max(1, len(models) * (len(models) - 1) // 2)
    found = {
        "ratings": len(used),
        "raters": len({row["rater"] for row in used}),
        "no_preference": sum(row["rating"] == NO_PREFERENCE for row in used),
        "inattentive_raters": len(inattentive),
        "excluded_raters": len(excluded),
        "excluded_ratings": sum(not r["is_check"] and r["rater"] in excluded for r in rows),
        "times_preferred": significance.times_preferred(ratings),
        "kruskal_wallis": significance.kruskal_wallis(ratings, seed),
        "mann_whitney": significance.mann_whitney(ratings),
        "bradley_terry": bradley_terry.maximum_likelihood(ratings),
        "posterior": None,
        "agreement": agreement(ratings),
        "comparisons_needed": {
            str(share): comparisons_needed(share, _LEVEL / pairs) for share in _SHARES
        },
    }
    if draws:
        with working("posterior of the strengths"):
            found["posterior"] = bradley_terry.posterior(ratings, draws, seed)
    return found


def write(found: Mapping[str, Any], output_dir: str) -> list[str]:
    """Write an analysis as JSON, words and picture; return the paths."""
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in (JSON_FILE, TEXT_FILE, PICTURE_FILE)]
    write_text(paths[0], json.dumps(found, indent=1) + "\n")
    write_text(paths[1], paragraph(found) + "\n")
    save_figure(figure(found), paths[2])
    return paths


def figure(found: Mapping[str, Any]) -> Figure:
    """Return the paper's Figure 3 and, if there is a posterior, the strengths with their intervals."""
    preferred, posterior = found["times_preferred"], found["posterior"]
    names = list(preferred)
    made = new_figure(5 * (1 + bool(posterior)), 3.6)
    left, *rest = made.subplots(1, 1 + bool(posterior), squeeze=False)[0]
    left.bar(
        names,
        [preferred[name]["preferred"] for name in names],
        yerr=[preferred[name]["deviation"] for name in names],
        capsize=4,
        color="#1f6fb5",
    )
    left.set_ylabel("times preferred")
    left.set_title(f"{found['ratings']} ratings of {found['raters']} raters")
    for axes in rest:
        strengths = [posterior["strengths"][name] for name in names]
        middles = [entry["mean"] for entry in strengths]
        below = [entry["mean"] - entry["low"] for entry in strengths]
        above = [entry["high"] - entry["mean"] for entry in strengths]
        axes.errorbar(middles, range(len(names)), xerr=[below, above], fmt="o", capsize=4)
        axes.set_yticks(range(len(names)), names)
        axes.axvline(0.0, color="#999999", linewidth=0.8)
        axes.set_xlabel("strength, log odds (95% interval)")
        axes.set_title("Bradley-Terry")
    return made
