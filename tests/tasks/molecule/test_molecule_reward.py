import math
import sys

import gin
import numpy as np
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import chemistry, components, reward, tokens
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.transforms import Sigmoid, Step

LIMITS = tokens.Encoding(tokens.Vocabulary.of(["CCO"], "atom"), 40, 3, 4)


def molecule(canonical="CCO", ring=6, logp=1.5, qed=0.5, sa=2.0, **probed):
    return Properties(canonical, 3, 46.0, ring, logp, qed, sa, None, probed)


def parts_of(made, strings, properties, finished=None):
    finished = np.ones(len(strings), bool) if finished is None else np.array(finished)
    parts = made.parts(strings, properties, finished, LIMITS)
    assert tuple(parts) == made.part_names
    assert all(p.dtype == np.float32 and p.shape == (len(strings),) for p in parts.values())
    return parts


def as_lists(parts):
    return {name: [round(float(x), 5) for x in values] for name, values in parts.items()}


def test_the_papers_formula_by_hand():
    made = reward.PaperReward(
        w_valid=1, w_logp=2, w_qed=3, w_sa=0.5, w_ring=4, w_invalid=7, w_short=10, w_carbon=20
    )
    # An ordinary one; a large ring; invalid; valid but not finished; short; a run of five C.
    strings = ["CCO", "C1CCC1", "CC(", "CCO", "CC", "CCCCC"]
    properties = [
        molecule(),
        molecule(ring=8, logp=-1),
        None,
        molecule(),
        molecule(),
        None,
    ]
    parts = parts_of(made, strings, properties, [True, True, True, False, True, True])
    assert as_lists(parts) == {
        "valid": [1, 1, 0, 0, 1, 0],
        "logp": [3, -2, 0, 0, 3, 0],
        "qed": [1.5, 1.5, 0, 0, 1.5, 0],
        "sa": [-1, -1, 0, 0, -1, 0],
        "ring": [0, -8, 0, 0, 0, 0],
        "invalid": [0, 0, -7, -7, 0, -7],
        "short": [0, 0, 0, 0, -10, 0],
        "carbon": [0, 0, 0, 0, 0, -20],
    }


def test_the_papers_exploits_are_closed():
    strings = ["N", "CCCCCCCCCCCCCCCCCCCCCC", "CC(=O)Nc1ccccc1"]
    properties = [chemistry.properties(s) for s in strings]
    parts = parts_of(reward.PaperReward(), strings, properties)
    assert (parts["short"] < 0).tolist() == [True, False, False]
    assert (parts["carbon"] < 0).tolist() == [False, True, False]


def test_a_weighted_mean_of_components():
    # 2 * 3/4 * 0.8, and 2 * 1/4 * (10 - 5.5) / 9.
    made = reward.ComponentReward(
        components=[
            components.QED(weight=3.0),
            components.NormalisedSA(weight=1.0, name="easy"),
        ],
        scale=2.0,
        invalid=-1.0,
    )
    parts = parts_of(made, ["CCO", "C("], [molecule(qed=0.8, sa=5.5), None])
    assert as_lists(parts) == {
        "qed": [1.2, 0],
        "easy": [0.25, 0],
        "invalid": [0, -1],
        "short": [0, 0],
        "carbon": [0, 0],
    }
    assert made.wanted == {"qed", "sa"}


def test_a_weighted_geometric_mean_of_components():
    made = reward.ComponentReward(
        components=[components.QED(weight=3.0), components.LogP(transform=Step(0, 2))],
        aggregation="geometric_mean",
    )
    found = [molecule(qed=0.5), molecule(logp=3.0), molecule(qed=0.0), None]
    parts = parts_of(made, ["CCO"] * 4, found)
    np.testing.assert_allclose(parts["score"], [0.5**0.75, 0, 0, 0], rtol=1e-6)
    assert made.part_names == ("score", "invalid", "short", "carbon")


def test_the_values_of_components():
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    similar = components.Similarity(reference=aspirin)
    acid = components.Substructure(smarts="C(=O)[OH]")
    no_acid = components.Substructure(smarts="C(=O)[OH]", required=False)
    probes = [similar.probe, acid.probe]
    found = [
        chemistry.properties(s, probes=probes) for s in ("O=C(O)c1ccccc1OC(C)=O", "C1CCCCCCC1")
    ]
    one = found[1]
    for component, values in (
        (similar, [1.0, 0.0]),
        (acid, [1, 0]),
        (no_acid, [0, 1]),
        (components.Validity(), [1, 1]),
        (components.RingPenalty(), [0, 2]),
        (components.LogP(), [found[0].logp, one.logp]),
        (components.QED(), [found[0].qed, one.qed]),
        (components.SyntheticAccessibility(), [found[0].sa, one.sa]),
        (components.NormalisedSA(), [(10 - found[0].sa) / 9, (10 - one.sa) / 9]),
        (components.MolecularWeight(), [found[0].molecular_weight, one.molecular_weight]),
    ):
        np.testing.assert_allclose(component.values(found), values)
        assert component.values([]).shape == (0,)
    rise = Sigmoid(100, 200)
    weighed = components.MolecularWeight(transform=rise)
    np.testing.assert_allclose(weighed.desirability(found), rise(weighed.values(found)))
    both = reward.ComponentReward(
        components=[
            similar,
            acid,
            components.Substructure(smarts="C(=O)[OH]", required=False, name="again"),
        ]
    )
    assert both.probes == tuple(probes)
    assert both.wanted == frozenset()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: components.Similarity(reference="C("), "Similarity.reference must be a SMILES"),
        (lambda: components.Similarity(), "Similarity.reference must be a SMILES"),
        (lambda: components.Substructure(smarts="[C"), "Substructure.smarts must be a SMARTS"),
        (lambda: components.Substructure(), "Substructure.smarts must be a SMARTS"),
        (lambda: components.QED(weight=0), "QED.weight must be a number above 0"),
        (lambda: components.QED(weight="1"), "QED.weight must be a number above 0"),
        (lambda: components.QED(transform=3), "QED.transform"),
        (lambda: reward.ComponentReward(), "components is empty"),
        (lambda: reward.ComponentReward(components=[components.QED]), "write it as @Name"),
        (
            lambda: reward.ComponentReward(components=[components.QED(), components.QED()]),
            "its own name",
        ),
        (
            lambda: reward.ComponentReward(components=[components.QED(name="short")]),
            "its own name",
        ),
        (
            lambda: reward.ComponentReward(components=[components.QED()], aggregation="max"),
            "'sum' or 'geometric_mean'",
        ),
        (lambda: reward.PaperReward(w_qed=math.nan), "PaperReward.w_qed must be a finite number"),
        (lambda: reward.FunctionReward(), "FunctionReward.function"),
        (lambda: reward.FunctionReward(function="nowhere"), "module.function"),
        (lambda: reward.FunctionReward(function="no_such.f"), "no_such"),
        (lambda: reward.FunctionReward(function="math.pi"), "FunctionReward.function"),
    ],
)
def test_bad_settings_are_one_line(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    # gin adds a line that says which configurable it called.
    assert "\n" not in str(caught.value).split("\n  In call to configurable")[0]


def test_a_users_function_sees_distinct_canonical_smiles():
    calls = []

    def lengths(smiles):
        calls.append(smiles)
        return [len(s) for s in smiles]

    made = reward.FunctionReward(function=lengths, invalid=-2.0)
    found = [molecule("CCO"), None, molecule("CCO"), molecule("CO"), molecule("N")]
    parts = parts_of(made, ["OCC", "C(", "CCO", "CO", "N"], found, [1, 1, 1, 1, 0])
    assert parts["function"].tolist() == [3, 0, 3, 2, 0]
    assert parts["invalid"].tolist() == [0, -2, 0, 0, -2]
    assert calls == [["CCO", "CO"]]


def test_a_failure_of_a_users_function_costs_one_molecule(capsys):
    def fragile(smiles):
        if "CBr" in smiles:
            raise RuntimeError("no\nbromine")
        return [math.nan if s == "CI" else float(len(s)) for s in smiles]

    made = reward.FunctionReward(function=fragile, invalid=-1.0)
    found = [molecule(s) for s in ("CC", "CBr", "CI", "CCC")]
    for _ in range(2):
        parts = parts_of(made, ["CCO"] * 4, found)
        assert parts["function"].tolist() == [2, 0, 0, 3]
        assert parts["invalid"].tolist() == [0, -1, -1, 0]
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: ") and warning.endswith(
        "fragile fails on 2 of 4 molecules, which count as invalid; on CBr: RuntimeError: no bromine"
    )
    # Known to work, it may fail on a batch of one.
    assert parts_of(made, ["CI"], [molecule("CI")])["invalid"].tolist() == [-1]


def test_a_users_function_that_fails_on_every_molecule_ends_the_run(capsys):
    def broken(smiles):
        return smiles.upper()

    made = reward.FunctionReward(function=broken)
    message = r"broken fails on all 2 molecules of a batch; on CC: AttributeError: 'list' object"
    with pytest.raises(UserError, match=message):
        parts_of(made, ["CCO"] * 2, [molecule("CC"), molecule("CCC")])
    with pytest.raises(UserError, match="broken fails on the molecule of a batch"):
        parts_of(made, ["CCO"], [molecule("CC")])
    assert capsys.readouterr().err == ""


def test_a_wrong_number_of_values_is_a_failure():
    def first_only(smiles):
        return [float(len(smiles[0]))]

    made = reward.FunctionReward(function=first_only)
    parts = parts_of(made, ["C", "CC"], [molecule("C"), molecule("CC")])
    assert parts["function"].tolist() == [1, 2]


def test_a_users_function_is_named_from_gin(tmp_path, monkeypatch):
    (tmp_path / "my_reward.py").write_text(
        "import gin\n\ndef plain(smiles):\n    return [1.0] * len(smiles)\n\n"
        "@gin.configurable\ndef score(smiles, value=2.0):\n    return [value] * len(smiles)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    make = gin.get_configurable("FunctionReward")
    try:
        for bindings, value in (
            (["FunctionReward.function = 'my_reward.plain'"], 1.0),
            (["import my_reward", "FunctionReward.function = @my_reward.score"], 2.0),
            (["FunctionReward.function = @my_reward.score", "score.value = 5.0"], 5.0),
        ):
            gin.clear_config()
            gin.parse_config(bindings)
            assert parts_of(make(), ["C"], [molecule("C")])["function"].tolist() == [value]
    finally:
        gin.clear_config()
        sys.modules.pop("my_reward", None)


def test_components_are_bound_from_gin():
    try:
        gin.parse_config(
            """
            ComponentReward.components = [@QED(), @heavy/MolecularWeight(), @Similarity()]
            ComponentReward.aggregation = 'geometric_mean'
            heavy/MolecularWeight.transform = @DoubleSigmoid()
            heavy/MolecularWeight.weight = 2.0
            DoubleSigmoid.low = 200.0
            DoubleSigmoid.high = 500.0
            Similarity.reference = 'CCO'
            """
        )
        made = gin.get_configurable("ComponentReward")()
        assert [c.name for c in made.components] == ["qed", "molecular_weight", "similarity"]
        assert made.components[1].weight == 2.0
        gin.bind_parameter("Similarity.reference", "C(")
        with pytest.raises(ValueError, match=r"Similarity\.reference"):
            gin.get_configurable("ComponentReward")()
    finally:
        gin.clear_config()


def test_arguments_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="every string"):
        reward.PaperReward().parts(["C"], [], np.array([True]), LIMITS)


def test_no_molecules():
    for made in (
        reward.PaperReward(),
        reward.ComponentReward(components=[components.QED()], aggregation="geometric_mean"),
        reward.FunctionReward(function=len),
    ):
        parts_of(made, [], [])
        parts_of(made, ["C("], [None])
