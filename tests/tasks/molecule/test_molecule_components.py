"""Components: numbers equal to RDKit's own, names by gin scope, gates, means and columns."""

import math
import os
import re

import gin
import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import Descriptors, rdMolDescriptors
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

import rl_tuner.jobs.job  # noqa: F401  (gin knows its settings by importing it)
from pipelines.molecule.readers import list_entries
from rl_tuner.jobs import configuration
from rl_tuner.tasks.molecule import chemistry, components
from rl_tuner.tasks.molecule.component_reward import ComponentReward
from rl_tuner.tasks.molecule.task import ScoredMolecules
from rl_tuner.tasks.molecule.tokens import Encoding, Vocabulary
from rl_tuner.tasks.molecule.transforms import Gaussian, Step
from tests.small_data import ROOT

LIMITS = Encoding(Vocabulary.of(["CCO"], "atom"), 40, 3, 4)
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
PLAIN = ["CCO", ASPIRIN, "c1ccncc1N", "C1CCCCC1C(F)(F)F", "O=[N+]([O-])c1ccccc1", "[NH4+].[Cl-]"]


@pytest.fixture(scope="module")
def molecules():
    entries, _ = list_entries(["builtin:nci"], recursive=False, column=None, max_bytes=2**30)
    found = (chemistry.parse(entry.text) for entry in entries[::5])
    return [mol for mol in found if mol is not None][:1_000]


def measured(component, mols):
    probes = [component.probe]
    found = [chemistry.measure(Chem.Mol(m), Chem.MolToSmiles(m), frozenset(), probes) for m in mols]
    return component.values(found)


@pytest.mark.parametrize(
    "name", ["TPSA", "NumRotatableBonds", "BertzCT", "FractionCSP3", "MolLogP", "RingCount"]
)
def test_descriptors_are_rdkits(name, molecules):
    function = getattr(Descriptors, name)
    expected = [function(mol) for mol in molecules]
    np.testing.assert_array_equal(
        measured(components.Descriptor(descriptor=name), molecules), expected
    )
    assert np.std(expected) > 0


def test_every_descriptor_can_be_measured():
    mol = chemistry.parse(ASPIRIN)
    for name, function in Descriptors.descList:
        component = components.Descriptor(name=name)
        assert component.name == component.descriptor == name
        assert measured(component, [mol])[0] == pytest.approx(function(mol), nan_ok=True)


@pytest.mark.parametrize(
    ("settings", "function"),
    [
        ({}, lambda m: rdMolDescriptors.GetMorganFingerprint(m, 2)),
        ({"radius": 3}, lambda m: rdMolDescriptors.GetMorganFingerprint(m, 3)),
        (
            {"fingerprint": "FCFP"},
            lambda m: rdMolDescriptors.GetMorganFingerprint(m, 2, useFeatures=True),
        ),
        (
            {"fingerprint": "AP"},
            lambda m: rdMolDescriptors.GetAtomPairFingerprint(m, maxLength=10),
        ),
        ({"fingerprint": "TT"}, rdMolDescriptors.GetTopologicalTorsionFingerprint),
    ],
)
def test_similarities_of_counts_are_guacamols(settings, function, molecules):
    # GuacaMol compares the counts of RDKit's older functions, without folding.
    component = components.Similarity(reference=ASPIRIN, counts=True, **settings)
    wanted = function(chemistry.parse(ASPIRIN))
    expected = [DataStructs.TanimotoSimilarity(wanted, function(mol)) for mol in molecules]
    np.testing.assert_array_equal(measured(component, molecules), expected)
    assert max(expected) > 0


@pytest.mark.parametrize("fingerprint", ["ECFP", "FCFP", "AP", "TT", "path", "pharmacophore"])
def test_similarities_of_bits(fingerprint):
    component = components.Similarity(reference=ASPIRIN, fingerprint=fingerprint)
    mols = [chemistry.parse(s) for s in (ASPIRIN, "O=C(O)c1ccccc1O", "CCCCCC")]
    same, near, far = measured(component, mols)
    assert same == 1.0
    assert 0 <= far < near < 1


def test_the_path_fingerprint_is_rdkits(molecules):
    component = components.Similarity(reference=ASPIRIN, fingerprint="path")
    wanted = Chem.RDKFingerprint(chemistry.parse(ASPIRIN))
    expected = [DataStructs.TanimotoSimilarity(wanted, Chem.RDKFingerprint(m)) for m in molecules]
    np.testing.assert_array_equal(measured(component, molecules), expected)


def test_a_formula_by_hand():
    # Ethanol, C2H6O, against C2H4O2: H is off by 2, O by 1, all atoms by 1.
    ethanol = [chemistry.parse("CCO")]
    geometric = components.Formula(formula="C2H4O2")
    assert geometric.name == "C2H4O2"
    assert measured(geometric, ethanol)[0] == pytest.approx(math.exp((-2 - 0.5 - 1 / 8) / 4))
    arithmetic = components.Formula(formula="C2H4O2", mean="arithmetic")
    by_hand = (1 + math.exp(-2) + math.exp(-0.5) + math.exp(-1 / 8)) / 4
    assert measured(arithmetic, ethanol)[0] == pytest.approx(by_hand)
    # Deuterium is hydrogen, whether it is written as an atom or not.
    isomers = [chemistry.parse("OCC=O"), chemistry.parse("[2H]OCC=O"), chemistry.parse("CC(=O)O")]
    assert measured(geometric, isomers).tolist() == [1, 1, 1]


def test_counts_of_groups():
    count = components.SubstructureCount(smarts="[OX2H]")
    mols = [chemistry.parse(s) for s in ("OCC(O)CO", "COC", "c1ccccc1O")]
    assert measured(count, mols).tolist() == [3, 0, 1]
    required = components.Substructure(smarts="[OX2H]")
    assert measured(required, mols).tolist() == [1, 0, 1]


def test_alerts_are_those_of_rdkits_catalog(molecules):
    params = FilterCatalogParams()
    for name in ("PAINS", "BRENK", "NIH"):
        params.AddCatalog(getattr(FilterCatalogParams.FilterCatalogs, name))
    catalog = FilterCatalog(params)
    component = components.Alerts(catalogs=["PAINS", "BRENK", "NIH"])
    expected = [len(catalog.GetMatches(mol)) for mol in molecules]
    np.testing.assert_array_equal(measured(component, molecules), expected)
    assert 0 in expected
    assert max(expected) > 1
    assert component.transform([0, 1, 2]).tolist() == [1, 0, 0]


def test_alerts_of_a_file(tmp_path):
    path = tmp_path / "mine.smarts"
    path.write_text("# groups we cannot buy\n\n[N+](=O)[O-] nitro\nC(F)(F)F\n")
    component = components.Alerts(file=str(path))
    mols = [chemistry.parse(s) for s in PLAIN]
    assert measured(component, mols).tolist() == [0, 0, 0, 1, 1, 0]
    path.write_text("CC\nC(\n")
    with pytest.raises(ValueError, match=r"mine.smarts' line 2 must be a SMARTS, not 'C\('"):
        components.Alerts(file=str(path))


def test_a_scaffold_is_kept():
    kept = components.Scaffold(reference="CCc1ccc(-c2ccncc2)cc1")
    graph = components.Scaffold(reference="CCc1ccc(-c2ccncc2)cc1", generic=True)
    mols = [chemistry.parse(s) for s in ("Fc1ccc(-c2ccncc2)cc1Cl", "c1ccc(-c2ccccc2)cc1", "CCO")]
    assert measured(kept, mols).tolist() == [1, 0, 0]
    assert measured(graph, mols).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: components.Descriptor(name="TPSSA"), "no descriptor 'TPSSA'; did you mean TPSA"),
        (lambda: components.Descriptor(), "Descriptor.descriptor"),
        (lambda: components.Formula(formula="C2Xx"), "'Xx' is not an element"),
        (lambda: components.Formula(formula="ethanol"), "must be a molecular formula"),
        (lambda: components.Formula(formula="CH4", mean="max"), "Formula.mean"),
        (lambda: components.Alerts(), "Alerts has no alerts"),
        (lambda: components.Alerts(catalogs=["PAIN"]), "no list 'PAIN'; did you mean PAINS"),
        (lambda: components.Alerts(file="missing.smarts"), "'missing.smarts' cannot be read"),
        (lambda: components.Scaffold(reference="CCO"), "has no ring"),
        (lambda: components.Scaffold(reference="C("), "Scaffold.reference must be a SMILES"),
        (
            lambda: components.Similarity(reference="C", fingerprint="MACCS"),
            "Similarity.fingerprint must be one of",
        ),
        (
            lambda: components.Similarity(reference="C", fingerprint="pharmacophore", counts=True),
            "Similarity.counts must be False",
        ),
        (lambda: components.Similarity(reference="C", radius=-1), "Similarity.radius"),
        (lambda: components.QED(gate=1), "QED.gate must be True or False"),
        (lambda: ComponentReward(components=[components.QED(gate=True)]), "only gates"),
        (
            lambda: ComponentReward(components=[components.QED()], aggregation="sum"),
            "'sum' is now 'arithmetic_mean'",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def total(reward, found):
    parts = reward.parts(["CCO"] * len(found), found, np.ones(len(found), bool), LIMITS)
    return sum(parts.values())


def test_gates_and_means_by_hand():
    # QED .5 and logP 2 with desirabilities .5 and exp(-.5); the gate closes for the second molecule.
    def found(ring):
        return chemistry.Properties("CCO", 3, 46.0, ring, 2.0, 0.5, 3.0)

    parts = [
        components.QED(weight=3.0),
        components.LogP(transform=Gaussian(1, 1)),
        components.RingPenalty(gate=True, transform=Step(high=0)),
    ]
    x, y = 0.5, math.exp(-0.5)
    for aggregation, expected in (
        ("arithmetic_mean", (3 * x + y) / 4),
        ("geometric_mean", x**0.75 * y**0.25),
        ("product", x**3 * y),
    ):
        reward = ComponentReward(components=parts, aggregation=aggregation, scale=2.0)
        np.testing.assert_allclose(
            total(reward, [found(6), found(9)]), [2 * expected, 0], rtol=1e-6
        )
    columns = reward.columns([found(6), found(9)])
    assert columns["ring_penalty"].tolist() == [1, 0]
    assert columns["qed"].tolist() == [0.5, 0.5]


def test_two_of_a_kind_have_the_names_of_their_gin_scopes():
    gin.clear_config()
    try:
        gin.parse_config(
            """
            Similarity.counts = True
            camphor/Similarity.reference = 'CC1(C)C2CCC1(C)C(=O)C2'
            menthol/Similarity.reference = 'CC(C)C1CCC(C)CC1O'
            ComponentReward.components = [@camphor/Similarity(), @menthol/Similarity()]
            ComponentReward.aggregation = 'geometric_mean'
            """
        )
        reward = gin.get_configurable("ComponentReward")()
    finally:
        gin.clear_config()
    assert [c.name for c in reward.components] == ["camphor", "menthol"]
    assert [c.counts for c in reward.components] == [True, True]
    assert len(set(reward.probes)) == 2


def test_means_of_the_components():
    values = {"qed": np.array([0.5, np.nan, 0.7])}
    details = ScoredMolecules([], [], {}, values, {"qed": np.array([np.nan, np.nan, np.nan])})
    assert details.means() == {"value/qed": pytest.approx(0.6), "desirability/qed": 0.0}


def gin_block(page):
    with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as file:
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", file.read(), re.DOTALL | re.MULTILINE)
    return next(text for language, text in blocks if not language)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("from_reinvent.md", ["rings", "peroxide", "molecular_weight"]),
        ("components.md", ["similarity", "tpsa", "rings", "alerts"]),
    ],
)
def test_the_settings_in_the_documentation_are_right(page, names, tmp_path):
    text = gin_block(page)
    if "include" not in text:
        text = "include 'gin/psi_molecules.gin'\n" + text
    (tmp_path / "mine.gin").write_text(text)
    configuration.configure([str(tmp_path / "mine.gin")], [])
    configuration.check_types("MoleculeTask")
    task = configuration.build("MoleculeTask")
    assert [component.name for component in task.reward.components] == names
    limits = configuration.arguments("tune", ["budget", "enough"])
    assert page != "from_reinvent.md" or limits == {"budget": 6_400, "enough": 0.6}
