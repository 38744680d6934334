"""Diversity filters, by hand."""

import json
import math

import numpy as np
import pytest

from rl_tuner.tasks.molecule.diversity import Buckets, DiversityFilter

BENZENES = ["Cc1ccccc1", "Oc1ccccc1", "Nc1ccccc1", "Fc1ccccc1"]
PYRIDINE, CYCLOHEXANE = "Cc1ccccn1", "CC1CCCCC1"


def factors(settings, *molecules):
    return Buckets(settings).factors(molecules).tolist()


def test_a_step_lets_the_first_of_a_scaffold_pass():
    found = factors(DiversityFilter(size=2), *((s, 0.9) for s in [*BENZENES, PYRIDINE]))
    assert found == [1, 1, 0, 0, 1]


def test_only_good_molecules_are_counted_and_each_once():
    settings = DiversityFilter(size=1, threshold=0.5)
    found = factors(settings, (BENZENES[0], 0.4), (BENZENES[1], 0.5), (BENZENES[2], 0.9))
    assert found == [1, 1, 0]
    # Sampled again, the molecule that filled the bucket keeps its place.
    assert factors(settings, (BENZENES[1], 0.5), (BENZENES[1], 0.5), (BENZENES[0], 0.9)) == [
        1,
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("linear", [1, 0.5, 0, 0]),
        ("sigmoid", [1 - 1 / (1 + math.exp(-(n - 1) / 0.15)) for n in range(4)]),
        ("tanh", [1 - math.tanh(1.5 * n) for n in range(4)]),
    ],
)
def test_shapes(shape, expected):
    found = factors(DiversityFilter(size=2, shape=shape), *((s, 1.0) for s in BENZENES))
    np.testing.assert_allclose(found, expected)


def test_buckets():
    rings = [(BENZENES[0], 1.0), (CYCLOHEXANE, 1.0), (PYRIDINE, 1.0)]
    assert factors(DiversityFilter(size=1), *rings) == [1, 1, 1]
    assert factors(DiversityFilter(size=1, bucket="generic_scaffold"), *rings) == [1, 0, 0]
    same = [("CCO", 1.0), ("CCO", 1.0), ("CCN", 1.0)]
    assert factors(DiversityFilter(size=1, bucket="molecule"), *same) == [1, 0, 1]
    near = [("CCCCCCCCO", 1.0), ("CCCCCCCCCO", 1.0), ("c1ccncc1", 1.0)]
    assert factors(DiversityFilter(size=1, bucket="similarity"), *near) == [1, 0, 1]


@pytest.mark.parametrize("bucket", ["scaffold", "molecule", "similarity"])
def test_restored_buckets_are_the_same(bucket):
    settings = DiversityFilter(size=2, bucket=bucket, shape="linear")
    first = [(s, 0.9) for s in [*BENZENES, *BENZENES[:2], PYRIDINE]]
    second = [(s, 0.9) for s in [BENZENES[0], CYCLOHEXANE, PYRIDINE, "CCO"]]
    whole, before, after = (Buckets(settings) for _ in range(3))
    whole.factors(first)
    before.factors(first)
    after.restore(json.loads(json.dumps(before.state())))
    assert after.factors(second).tolist() == whole.factors(second).tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bucket": "ring"}, r"DiversityFilter\.bucket must be one of"),
        ({"shape": "ramp"}, r"DiversityFilter\.shape must be one of"),
        ({"size": 0}, r"DiversityFilter\.size must be a whole number of at least 1"),
        ({"radius": 2}, r"DiversityFilter\.radius"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        DiversityFilter(**settings)
