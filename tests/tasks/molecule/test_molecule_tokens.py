import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.molecule import tokens

ATOM_TOKENS = ["C", "c", "N", "Br", "Cl", "B", "[C@@H]", "[nH]", "[O-]", "(", ")", "=", "1", "%10"]
SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@@H](N)C(=O)[O-]",
    "ClCCBr",
    "C%10CCCCC%10",
    "F/C=C\\F",
    "[Na+].[Cl-]",
    "[13CH3:12]C#N",
    "C%(123)CC%(123)",
]
LONGER = st.lists(st.sampled_from(ATOM_TOKENS), max_size=60)


def naive_carbon_run(smiles):
    """Returns the longest run of the one-character token C, counted one token at a time."""
    longest = run = 0
    for token in tokens.split(smiles, "atom"):
        run = run + 1 if token == "C" else 0
        longest = max(longest, run)
    return longest


def test_atom_tokens_of_strings_a_person_can_read():
    assert tokens.split("ClC[C@@H](Br)c1ccccc1", "atom") == [
        *("Cl", "C", "[C@@H]", "(", "Br", ")"),
        *"c1ccccc1",
    ]
    assert tokens.split("C%10CC%10", "atom") == ["C", "%10", "C", "C", "%10"]
    assert tokens.split("C%(100)C", "atom") == ["C", "%(100)", "C"]
    assert tokens.split("[nH+]Cn", "atom") == ["[nH+]", "C", "n"]


def test_broken_strings_split_too():
    assert tokens.split("C[C%1[", "atom") == ["C", "[", "C", "%", "1", "["]
    assert tokens.split("", "atom") == []


@given(st.text(max_size=40))
def test_any_text_is_its_tokens(text):
    for representation in ("atom", "character"):
        split = tokens.split(text, representation)
        assert tokens.join(split, representation) == text
        assert tokens.length(text, representation) == len(split)
        assert all(split)


@given(LONGER)
def test_splitting_finds_the_tokens_that_were_joined(parts):
    # B before l or r would be read as another atom, as it would by a chemist.
    assume(all(pair not in {("B", "r"), ("C", "l")} for pair in itertools.pairwise(parts)))
    assert tokens.split("".join(parts), "atom") == parts


@pytest.mark.parametrize("representation", ["atom", "character"])
def test_round_trip(representation):
    vocabulary = tokens.Vocabulary.of(SMILES, representation)
    assert vocabulary.num_classes == len(vocabulary.tokens) + 1
    for smiles in SMILES:
        classes = vocabulary.encode(smiles)
        assert classes[-1] == tokens.END
        assert tokens.END not in classes[:-1]
        assert len(classes) == tokens.length(smiles, representation) + 1
        assert vocabulary.decode(classes) == smiles


@given(st.data())
def test_classes_round_trip(data):
    vocabulary = tokens.Vocabulary("atom", tuple(ATOM_TOKENS))
    classes = data.draw(st.lists(st.integers(1, vocabulary.num_classes - 1), max_size=40))
    rest = data.draw(st.lists(st.integers(0, vocabulary.num_classes - 1), max_size=5))
    smiles = vocabulary.decode([*classes, tokens.END, *rest])
    assert smiles == "".join(ATOM_TOKENS[number - 1] for number in classes)
    assert smiles == vocabulary.decode(classes)
    assert vocabulary.encode(smiles) == [*classes, tokens.END]


@given(st.permutations(SMILES))
def test_a_vocabulary_does_not_depend_on_the_order(strings):
    expected = tokens.Vocabulary.of(SMILES, "atom")
    assert tokens.Vocabulary.of([*strings, strings[0]], "atom") == expected


def test_an_unknown_token_is_named():
    vocabulary = tokens.Vocabulary.of(["CCO"], "atom")
    with pytest.raises(UserError, match=r"'\[Xe\]'"):
        vocabulary.encode("C[Xe]")


@pytest.mark.parametrize("wrong", [-1, 3, 100])
def test_a_wrong_class_is_named(wrong):
    vocabulary = tokens.Vocabulary.of(["CO"], "atom")
    with pytest.raises(ValueError, match=f"class {wrong} "):
        vocabulary.decode([1, wrong])
    assert vocabulary.decode([1, 0, wrong]) == "C"


def test_wrong_vocabularies_are_refused():
    for representation, known in [("words", ("C",)), ("atom", ("C", "C")), ("atom", ("",))]:
        with pytest.raises(UserError):
            tokens.Vocabulary(representation, known)


def test_encodings_survive_json():
    vocabulary = tokens.Vocabulary.of(SMILES, "atom")
    encoding = tokens.Encoding.measure(vocabulary, [vocabulary.encode(s) for s in SMILES])
    content = json.loads(json.dumps(encoding.to_json() | {"more": 1}))
    assert tokens.Encoding.from_json(content) == encoding
    assert tokens.Vocabulary.from_json(content) == vocabulary
    assert content["end_token"] == 0
    assert content["num_classes"] == len(content["vocabulary"]) + 1
    assert content["longest"] == 1 + len("CC(=O)Oc1ccccc1C(=O)O")
    assert content["shortest_length"] == len(["[Na+]", ".", "[Cl-]"])
    assert content["longest_carbon_run"] == len("CCCCC")
    for name in encoding.to_json():
        with pytest.raises(UserError, match=name):
            tokens.Encoding.from_json({k: v for k, v in content.items() if k != name})
    with pytest.raises(UserError, match="end token"):
        tokens.Encoding.from_json(content | {"end_token": 1})


@pytest.mark.parametrize(
    ("smiles", "run"),
    [
        ("", 0),
        ("c1ccccc1", 0),
        ("CCCC", 4),
        ("ClCCl", 1),
        ("CCCl", 2),
        ("Cl", 0),
        ("CC[C@H](CCC)CC", 3),
        ("[Cu]CC[CH2]C", 2),
        ("CC=CCC", 3),
        ("CC[CCCC", 4),
    ],
)
def test_carbon_runs(smiles, run):
    assert tokens.carbon_run(smiles) == run


@given(LONGER)
def test_carbon_runs_are_those_of_a_naive_count(parts):
    smiles = "".join(parts)
    assert tokens.carbon_run(smiles) == naive_carbon_run(smiles)


def test_selfies_round_trip_to_the_same_molecule():
    pytest.importorskip("selfies")
    chem = pytest.importorskip("rdkit.Chem")
    strings = ["CC(=O)Oc1ccccc1C(=O)O", "C[C@@H](N)C(=O)[O-]", "ClCCBr", "F/C=C\\F"]
    vocabulary = tokens.Vocabulary.of(strings, "selfies")
    assert all(token.startswith("[") and token.endswith("]") for token in vocabulary.tokens)
    for smiles in strings:
        decoded = vocabulary.decode(vocabulary.encode(smiles))
        assert chem.CanonSmiles(decoded) == chem.CanonSmiles(smiles)
    with pytest.raises(ValueError, match="no SELFIES"):
        vocabulary.encode("not a molecule")


def test_selfies_are_missed_only_where_they_are_wanted(monkeypatch):
    monkeypatch.setitem(sys.modules, "selfies", None)
    assert tokens.Vocabulary.of(["CCO"], "atom").tokens == ("C", "O")
    with pytest.raises(UserError, match=r"pip install .*\[selfies\]"):
        tokens.split("CCO", "selfies")


def test_importing_needs_neither_tensorflow_nor_rdkit_nor_selfies():
    code = (
        "import sys; from rl_tuner.tasks.molecule import tokens;"
        " print(sorted({'tensorflow', 'rdkit', 'selfies'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
