import math
import os
import sys
import threading
import time

import gin
import numpy as np
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import (
    chemistry,
    component_reward,
    components,
    reward,
    tokens,
    user_function,
)
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
    made = component_reward.ComponentReward(
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
    made = component_reward.ComponentReward(
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
    both = component_reward.ComponentReward(
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
        (lambda: component_reward.ComponentReward(), "components is empty"),
        (
            lambda: component_reward.ComponentReward(components=[components.QED]),
            "write it as @Name",
        ),
        (
            lambda: component_reward.ComponentReward(
                components=[components.QED(), components.QED()]
            ),
            "its own name",
        ),
        (
            lambda: component_reward.ComponentReward(components=[components.QED(name="short")]),
            "its own name",
        ),
        (
            lambda: component_reward.ComponentReward(
                components=[components.QED()], aggregation="max"
            ),
            "'arithmetic_mean', 'geometric_mean'",
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

    made = reward.FunctionReward(function=lengths, invalid=-2.0, num_processes=0)
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


def sleeps(smiles):
    if "CI" in smiles:
        time.sleep(600)
    return [float(len(s)) for s in smiles]


def leaves(smiles):
    if "CI" in smiles:
        sys.exit(0)
    return [float(len(s)) for s in smiles]


def crashes(smiles):
    if "CI" in smiles:
        os._exit(3)
    return [float(len(s)) for s in smiles]


def hoards(smiles):
    if "CI" in smiles:
        bytearray(10 * 2**30)
    return [float(len(s)) for s in smiles]


def floods(smiles):
    for stream in (sys.stdout, sys.stderr):
        stream.write("x" * 10**7)
    return [math.nan if s == "CI" else float(len(s)) for s in smiles]


def answers(value):
    """A function that answers with `value` for one of the molecules."""
    return lambda smiles: [value if s == "CI" else float(len(s)) for s in smiles]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (sleeps, "it exceeded FunctionReward.timeout_seconds"),
        (leaves, "it ended its process (exit code 0)"),
        (crashes, "it ended its process (exit code 3)"),
        (hoards, "MemoryError"),
        (floods, "it returned nan"),
        (answers(None), "it returned nan"),
        (answers(math.inf), "it returned inf"),
        (answers(1e39), "it returned 1e+39"),
        (answers("much"), "ValueError: could not convert string to float"),
    ],
)
def test_whatever_a_function_does_costs_its_molecule(capfd, function, reason):
    made = reward.FunctionReward(function=function, invalid=-1.0, timeout_seconds=2.0)
    found = [molecule(s) for s in ("CC", "CI", "CCC")]
    parts = parts_of(made, ["CCO"] * 3, found)
    assert parts["function"].tolist() == [2, 0, 3] and parts["invalid"].tolist() == [0, -1, 0]
    output = capfd.readouterr()
    (warning,) = output.err.splitlines()
    assert f"fails on 1 of 3 molecules, which count as invalid; on CI: {reason}" in warning
    assert output.out == "" and "failed on 1 of 3 molecules" in made.remarks()[0]
    made.close()


def test_one_number_for_a_whole_batch_is_an_error():
    made = reward.FunctionReward(function=lambda smiles: 1.0)
    with pytest.raises(UserError, match="fails on all 2 molecules of a batch; on CC: TypeError"):
        parts_of(made, ["CCO"] * 2, [molecule("CC"), molecule("CCC")])


def test_a_slow_program_keeps_all_processes_busy():
    def slow(smiles):
        time.sleep(0.5 * len(smiles))
        return [1.0] * len(smiles)

    made = reward.FunctionReward(function=slow, num_processes=8)
    parts_of(made, ["CCO"] * 8, [molecule("C" * n) for n in range(1, 9)])
    start = time.monotonic()
    parts_of(made, ["CCO"] * 16, [molecule("C" * n) for n in range(9, 25)])
    # One after another, it would take 8 seconds; in eight processes, 1.
    assert time.monotonic() - start < 4
    made.close()


def test_scores_are_remembered_and_do_not_depend_on_the_number_of_processes():
    found = [molecule("C" * n) for n in (3, 1, 4, 1, 5, 9, 2, 6)]
    seen = []
    for processes in (1, 3):
        made = reward.FunctionReward(function=lengths_and_time, num_processes=processes)
        first = parts_of(made, ["CCO"] * 8, found)["function"]
        assert parts_of(made, ["CCO"] * 8, found)["function"].tolist() == first.tolist()
        seen.append([int(value) for value in first])
        made.close()
    assert seen[0] == seen[1] == [3, 1, 4, 1, 5, 9, 2, 6]


def lengths_and_time(smiles):
    return [len(s) + 0.5 * (time.monotonic() % 1) for s in smiles]


def test_a_score_that_is_forgotten_for_others_of_its_batch_is_still_returned(monkeypatch):
    monkeypatch.setattr(user_function, "_REMEMBERED", 2)
    made = reward.FunctionReward(function=lambda s: [float(len(x)) for x in s], num_processes=0)
    parts_of(made, ["CCO"] * 2, [molecule("C"), molecule("CC")])
    found = [molecule(s) for s in ("C", "CCC", "CCCC", "CC")]
    assert parts_of(made, ["CCO"] * 4, found)["function"].tolist() == [1, 3, 4, 2]


def test_too_many_failures_end_the_run():
    made = reward.FunctionReward(
        function=lambda smiles: [math.nan if len(s) % 2 else 1.0 for s in smiles],
        num_processes=0,
        max_failures=0.4,
    )
    with pytest.raises(UserError, match=r"failed on 60 of 120 molecules, more than .* = 0\.4"):
        parts_of(made, ["CCO"] * 120, [molecule("C" * n) for n in range(1, 121)])


def test_what_cannot_be_sent_to_another_process_runs_here_with_a_warning(capsys):
    lock = threading.Lock()

    def locked(smiles):
        with lock:
            return [1.0] * len(smiles)

    made = reward.FunctionReward(function=locked)
    assert parts_of(made, ["CCO"], [molecule("CC")])["function"].tolist() == [1]
    assert "runs in this process, without limits of time and memory" in capsys.readouterr().err


def test_a_function_is_not_named_if_its_module_leaves(tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="SystemExit"):
        reward.FunctionReward(function="leaving.score")


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
        assert [c.name for c in made.components] == ["qed", "heavy", "similarity"]
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
        component_reward.ComponentReward(
            components=[components.QED()], aggregation="geometric_mean"
        ),
        reward.FunctionReward(function=len),
    ):
        parts_of(made, [], [])
        parts_of(made, ["C("], [None])


def no_iodine(smiles):
    if "CI" in smiles:
        raise RuntimeError("iodine")
    return [float(len(s)) for s in smiles]


def test_an_executor_gives_the_same_rewards():
    found = [molecule(s) for s in ("CC", "CI", "CCC", "CC")]
    made = reward.FunctionReward(function=no_iodine, executor="processes:2", batch_size=2)
    parts = parts_of(made, ["CCO"] * 4, found)
    made.close()
    assert parts["function"].tolist() == [2, 0, 3, 2]
    assert made.remarks() == [
        f"{no_iodine.__module__}.no_iodine failed on 1 of 3 molecules (1 RuntimeError)"
    ]
    with pytest.raises(ValueError, match=r"FunctionReward\.executor must be"):
        reward.FunctionReward(function=no_iodine, executor="my_cluster")
