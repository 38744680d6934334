"""An analysis in words, to be copied into a paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LEVEL = 0.05


def paragraph(found: Mapping[str, Any]) -> str:
    """Return the result of `analysis.analyse` in sentences."""
    return " ".join(
        [
            *_who(found),
            *_preferred(found),
            *_tests(found),
            *_strengths(found),
            *_agreement(found),
            *_power(found),
        ]
    )


def _who(found: Mapping[str, Any]) -> list[str]:
    raters, ratings = found["raters"], found["ratings"]
    sentences = [
        f"{_count(raters, 'rater')} compared two sequences of different models {_times(ratings)};"
        f" {found['no_preference']} of these ratings were no preference."
    ]
    if found["excluded_raters"]:
        sentences.append(
            f"{_count(found['excluded_raters'], 'rater')}, who preferred one of two equal sequences, and"
            f" {_count(found['excluded_ratings'], 'rating')} were excluded."
        )
    elif found["inattentive_raters"]:
        sentences.append(
            f"{_count(found['inattentive_raters'], 'rater')} preferred one of two equal sequences and"
            " were kept."
        )
    return sentences


def _preferred(found: Mapping[str, Any]) -> list[str]:
    parts = [
        f"{name} {entry['preferred']} of {entry['decided']}"
        for name, entry in sorted(
            found["times_preferred"].items(), key=lambda pair: -pair[1]["preferred"]
        )
    ]
    return [f"Times preferred, of the decided comparisons of each model: {', '.join(parts)}."]


def _tests(found: Mapping[str, Any]) -> list[str]:
    test = found["kruskal_wallis"]
    verb = "differed" if test["p"] < _LEVEL else "did not differ significantly"
    sentences = [
        f"The models {verb} (Kruskal-Wallis H({test['degrees']}) = {test['h']:.2f}, {p_text(test['p'])} by"
        " flipping comparisons)."
    ]
    seen = [entry for entry in found["mann_whitney"] if entry["p_holm"] < _LEVEL]
    if seen:
        told = []
        for entry in seen:
            one, two = sorted(entry["pair"], key=lambda name: name != entry["favours"])
            told.append(f"{one} over {two} ({p_text(entry['p_holm'])})")
        sentences.append(
            f"Significant after Holm's correction (Mann-Whitney U between the two orders of a pair):"
            f" {', '.join(told)}."
        )
    else:
        sentences.append("No pair differed significantly after Holm's correction.")
    return sentences


def _strengths(found: Mapping[str, Any]) -> list[str]:
    posterior = found["posterior"]
    if posterior is None:
        return []
    ranked = sorted(posterior["strengths"].items(), key=lambda pair: -pair[1]["mean"])
    parts = [
        f"{name} {entry['mean']:+.2f} ({entry['low']:+.2f} to {entry['high']:+.2f})"
        for name, entry in ranked
    ]
    best, entry = ranked[0]
    sentences = [
        f"Bradley-Terry strengths in log odds, with 95% intervals of the posterior: {', '.join(parts)};"
        f" {best} is the strongest with probability {entry['best']:.2f}."
    ]
    if not posterior["converged"]:
        sentences.append(
            f"The chains have not converged (R-hat {posterior['rhat']:.2f}); take more draws."
        )
    return sentences


def _agreement(found: Mapping[str, Any]) -> list[str]:
    if found["agreement"] is None:
        return []
    return [f"Krippendorff's alpha over the pairs of models is {found['agreement']:.2f}."]


def _power(found: Mapping[str, Any]) -> list[str]:
    needed = found["comparisons_needed"]
    return [
        f"To see a preference of 60% or 75% in one pair with a power of 80%, it takes {needed['0.6']} or"
        f" {needed['0.75']} decided comparisons of that pair."
    ]


def p_text(value: float) -> str:
    """Return a p-value as text."""
    return "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".", 1)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
