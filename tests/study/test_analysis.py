"""The analysis against scipy, published numbers, and raters whose preferences are known."""

import itertools
import json

import numpy as np
import pytest
from scipy import optimize, stats

pytest.importorskip("choix", reason="the extra study is not installed")

from rl_tuner.common.errors import UserError
from rl_tuner.study import agreement, analysis, bradley_terry, significance
from rl_tuner.study.words import p_text, paragraph
from tests.study import simulated

STRENGTHS = (-0.8, 0.0, 0.3, 0.5)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_times_preferred_by_hand():
    ratings = significance.Ratings(
        ("a", "b", "c"),
        np.array([0, 0, 1, 2]),
        np.array([1, 2, 2, 0]),
        np.array([1, 4, 3, 5]),
        np.array([0, 0, 0, 0]),
    )
    found = significance.times_preferred(ratings)
    assert found["a"] == {
        "comparisons": 3,
        "decided": 3,
        "preferred": 2,
        "deviation": pytest.approx(np.sqrt(3 * 2 / 3 * 1 / 3)),
    }
    assert found["b"]["preferred"] == 0 and found["c"]["preferred"] == 1
    assert [sorted(group) for group in significance.of_models(ratings)] == [
        [2, 5, 5],
        [1, 3],
        [1, 3, 4],
    ]


def test_h_of_flips_is_that_of_scipy(rng):
    ratings = simulated.ratings(STRENGTHS, 10, 20, rng, ties=0.2)
    flips = np.random.default_rng(0).integers(0, 2, [significance._CHUNK, len(ratings.rating)])
    statistics = next(significance._flipped_statistics(ratings, 0))
    for flip, h in list(zip(flips, statistics))[:20]:
        mirrored = np.where(flip == 1, 6 - ratings.rating, ratings.rating)
        groups = significance.of_models(ratings._replace(rating=mirrored))
        assert h == pytest.approx(stats.kruskal(*groups).statistic)


def test_a_clear_preference_is_seen_and_its_direction(rng):
    ratings = simulated.ratings((-1.5, 1.5), 10, 20, rng)
    test = significance.kruskal_wallis(ratings, 0)
    assert test["h"] == pytest.approx(stats.kruskal(*significance.of_models(ratings)).statistic)
    assert test["p"] < 0.001 and test["degrees"] == 1
    (pair,) = significance.mann_whitney(ratings)
    forth = ratings.rating[ratings.first == 0]
    back = ratings.rating[ratings.first == 1]
    expected = stats.mannwhitneyu(back, forth, method="asymptotic")
    assert (pair["u"], pair["p"]) == (expected.statistic, pytest.approx(expected.pvalue))
    assert pair["favours"] == "m1" and pair["p_holm"] < 0.001


def test_holms_correction_by_hand():
    # 4 * .01, then 3 * .02, then 2 * .03 which is no smaller, then 1 * .5
    assert significance.holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert significance.holm([0.9, 0.8]) == [1.0, 1.0]
    assert significance.holm([]) == []


def p_values(test, count, rng, **settings):
    found = []
    for seed in range(count):
        ratings = simulated.ratings((0.0,) * 3, 12, 15, rng, seed=seed, **settings)
        found.append(test(ratings, seed))
    return np.array(found)


def of_h(ratings, seed):
    return significance.kruskal_wallis(ratings, seed)["p"]


def of_u(ratings, seed):
    return significance.mann_whitney(ratings)[0]["p"]


@pytest.mark.parametrize("test", [of_h, of_u])
def test_no_preference_gives_uniform_p_values(test, rng, monkeypatch):
    monkeypatch.setattr(significance, "_FLIPS", 1_000)
    found = p_values(test, 200, rng, ties=0.2, order=0.5)
    assert stats.kstest(found, "uniform").pvalue > 0.01, np.quantile(found, [0.05, 0.5, 0.95])


def test_the_papers_way_finds_what_is_not_there(rng):
    # What the module says of mirrored ratings, and why it has p-values of its own.
    found = []
    for seed in range(300):
        ratings = simulated.ratings((0.0, 0.0), 12, 15, rng, seed=seed)
        found.append(significance.mann_whitney(ratings)[0]["p_as_in_paper"])
    # About 16% of them are below .05, of 300 with a deviation of 2%.
    assert np.mean(np.array(found) < 0.05) > 0.09


def test_krippendorffs_alpha_of_his_example():
    # Krippendorff (2011), example C: four observers, twelve units; interval alpha is 0.849.
    gap = np.nan
    table = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, gap, gap, gap],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, gap, 3],
            [gap, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, gap],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, gap],
        ]
    )
    assert agreement.krippendorff_alpha(table) == pytest.approx(0.849, abs=5e-4)
    assert agreement.krippendorff_alpha(np.full([3, 2], 4.0)) is None
    assert agreement.krippendorff_alpha(np.array([[1.0, gap], [gap, 2.0]])) is None


def test_raters_who_agree_are_told_from_those_who_do_not(rng):
    agreed = agreement.agreement(simulated.ratings((-3, 0, 3), 10, 30, rng))
    random = agreement.agreement(simulated.ratings((0, 0, 0), 10, 30, rng))
    assert agreed > 0.8 and abs(random) < 0.2


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
def test_power_is_that_of_simulated_tests(share, rng):
    count = agreement.comparisons_needed(share)
    wins = rng.binomial(count, share, 4_000)
    by_wins = {w: stats.binomtest(int(w), count).pvalue for w in np.unique(wins)}
    seen = np.mean([by_wins[w] < 0.05 for w in wins])
    assert 0.78 < seen < 0.9
    fewer = [stats.binom.sf(stats.binom.isf(0.025, n, 0.5), n, share) for n in range(1, count)]
    assert max(fewer, default=0) < 0.8
    with pytest.raises(ValueError, match=r"above 0\.5"):
        agreement.comparisons_needed(0.5)


def test_the_maximum_of_the_likelihood(rng):
    ratings = simulated.ratings(STRENGTHS, 20, 24, rng, ties=0.1)
    found = [*bradley_terry.maximum_likelihood(ratings).values()]
    wins = bradley_terry.wins(ratings)
    assert wins.sum() == len(ratings.rating)

    def loss(free):
        s = np.append(free, -np.sum(free))
        return -sum(
            wins[i, j] * -np.logaddexp(0, s[j] - s[i])
            for i, j in itertools.permutations(range(4), 2)
        )

    best = optimize.minimize(loss, np.zeros(3), tol=1e-10).x
    assert found == pytest.approx([*best, -best.sum()], abs=1e-4)
    one_sided = simulated.ratings((-40.0, 40.0), 5, 20, rng)
    assert bradley_terry.maximum_likelihood(one_sided) is None


def test_rhat_tells_chains_that_differ(rng):
    mixed = rng.normal(size=[400, 4])
    assert bradley_terry.rhat_of(mixed) == pytest.approx(1, abs=0.02)
    assert bradley_terry.rhat_of(mixed + np.arange(4)) > 1.5
    assert bradley_terry.rhat_of(np.ones([10, 4])) == 1.0


def test_an_analysis_is_written_and_excludes_who_does_not_attend(rng, tmp_path):
    rows = simulated.rows((-1.0, 1.0), 8, 20, rng, ties=0.1)
    checks = [
        rows[0] | {"rater": rater, "is_check": True, "rating": 5 if rater in (2, 6) else 3}
        for rater in range(8)
    ]
    found = analysis.analyse([*rows, *checks], ["m0", "m1"], draws=0)
    assert (found["raters"], found["ratings"], found["excluded_ratings"]) == (6, 120, 40)
    kept = analysis.analyse([*rows, *checks], ["m0", "m1"], draws=0, keep_inattentive=True)
    assert (kept["ratings"], kept["inattentive_raters"], kept["excluded_raters"]) == (160, 2, 0)
    paths = analysis.write(found, str(tmp_path / "out"))
    with open(paths[0], encoding="utf-8") as file:
        assert json.load(file) == found
    words = paragraph(found)
    assert words.startswith("6 raters compared two sequences of different models 120 times")
    assert "2 raters, who preferred one of two equal sequences, and 40 ratings were excl" in words
    assert "m1 over m0 (p < .001)" in words and "Bradley" not in words
    assert paths[2].endswith(".png")
    with pytest.raises(UserError, match="no ratings yet"):
        analysis.analyse(checks, ["m0", "m1"], draws=0)


def test_p_values_as_text():
    assert [p_text(v) for v in (1e-5, 0.0234, 1.0)] == ["p < .001", "p = .023", "p = 1.000"]


def test_the_posterior_agrees_with_the_likelihood_where_there_is_much(rng):
    ratings = simulated.ratings(STRENGTHS, 12, 120, rng)
    found = bradley_terry.posterior(ratings, 300, 0)
    likely = bradley_terry.maximum_likelihood(ratings)
    assert found["converged"], found["rhat"]
    for name, entry in found["strengths"].items():
        assert entry["low"] < likely[name] < entry["high"]
        assert entry["mean"] == pytest.approx(likely[name], abs=0.1)
    assert sum(entry["best"] for entry in found["strengths"].values()) == pytest.approx(1)
    assert found["order"]["low"] < 0 < found["order"]["high"]
    words = paragraph(
        {"posterior": found}
        | {
            k: v
            for k, v in analysis.analyse(
                simulated.rows(STRENGTHS, 3, 24, rng), [f"m{i}" for i in range(4)], draws=0
            ).items()
            if k != "posterior"
        }
    )
    assert "Bradley-Terry strengths in log odds" in words


@pytest.mark.slow
def test_the_intervals_contain_the_true_strengths(rng):
    """95% intervals of raters who differ, who tend to the second, and some of whom see no difference."""
    true = np.array(STRENGTHS) - np.mean(STRENGTHS)
    hits, scales = [], []
    for seed in range(60):
        ratings = simulated.ratings(STRENGTHS, 25, 20, rng, rater_scale=0.5, order=0.2, seed=seed)
        found = bradley_terry.posterior(ratings, 300, seed)
        entries = found["strengths"].values()
        hits += [e["low"] < t < e["high"] for e, t in zip(entries, true)]
        scales.append(found["rater_scale"]["low"] < 0.5 < found["rater_scale"]["high"])
    # 240 intervals, four of a kind together: two standard deviations of 60 independent ones.
    assert 0.89 < np.mean(hits) <= 1.0 and np.mean(scales) > 0.88
