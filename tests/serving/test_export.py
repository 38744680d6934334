"""An export in a process that has TensorFlow and nothing of ours, beside the model it was made from."""

import json
import os
import re
import subprocess
import sys

import keras
import note_seq
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import G, Psi, Q, RewardOnly
from rl_tuner.core.sampling import sample
from rl_tuner.core.starts import Primer, RandomToken
from rl_tuner.core.tuner import RLTuner
from rl_tuner.serving import saved_model
from rl_tuner.tasks.melody import encoding
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.task import MelodyTask
from rl_tuner.tasks.molecule import tokens as molecule_tokens
from rl_tuner.tasks.molecule.graph_codec import MoleculeCodec
from rl_tuner.tasks.molecule.task import MoleculeTask
from tests.tiny_job import ROOT

SMILES = ["CCO", "c1ccccc1Br", "C[N+](C)(C)CCl", "O=C%10CCCCC%10", "[nH]1cccc1", "FC(F)(F)S"]
# Name -> objective and what sequences start from; melodies, then molecules.
MODELS = {
    "melody_psi": (Psi(), RandomToken(2, 37)),
    "melody_g": (G(), None),
    "molecule_q": (Q(), None),
    "molecule_reward_only": (RewardOnly(calibrated=False), RandomToken(1, 3)),
}
MODEL = pytest.mark.parametrize("name", MODELS)
MELODY = pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("melody")])
MOLECULE = pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("molecule")])
PRIMER = [5, 3]


def tiny_tuner(name):
    """A tuner of random networks: policy and prior differ, and every token is likely somewhere."""
    objective, start = MODELS[name]
    keras.utils.set_random_seed(3)
    if name.startswith("melody"):
        task, metadata = MelodyTask(horizon=12), {"kind": "melody", "encoding": MELODY_ENCODING}
    else:
        vocabulary = molecule_tokens.Vocabulary.of(SMILES, "atom")
        described = molecule_tokens.Encoding(vocabulary, 14, 2, 6)
        task, metadata = MoleculeTask(), {"kind": "molecule", "encoding": described.to_json()}
        task.adopt(metadata)
    sizes = {"cells": [6, 5], "embedding_size": 4} if name == "molecule_q" else {"cells": [6]}
    prior = SequenceNetwork(task.num_classes, **sizes, metadata=metadata)
    tuner = RLTuner(prior, task, objective, start=start, seed=1)
    for network, seed in ((tuner.prior, 1), (tuner.online, 2)):
        rng = np.random.default_rng(seed)
        network.set_weights([rng.normal(scale=1.5, size=w.shape) for w in network.get_weights()])
    return tuner


ALONE = '''
import json, sys

class Nothing:
    """Finds no package of ours, nor one that only we need."""
    banned = {"rl_tuner", "pipelines", "tests", "gin", "rdkit", "selfies", "note_seq"}

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.banned:
            raise ImportError(name)

sys.meta_path.insert(0, Nothing())
import numpy as np
import tensorflow as tf

empty = tf.zeros([1, 0], tf.int32)

for name in sys.argv[2:]:
    model = tf.saved_model.load(f"{sys.argv[1]}/{name}")
    kept = {}

    def keep(call, outputs):
        for key, value in outputs.items():
            array = np.array(value)
            kept[f"{call}/{key}"] = array.astype("S") if array.dtype == object else array
        return outputs

    limit = json.loads(model.describe()["json"].numpy())["limits"]["max_length"]
    size = limit // 16
    signature = model.signatures["generate"]
    arguments = dict(
        count=tf.constant(6), temperature=tf.constant(0.8), seed=tf.constant(9),
        max_length=tf.constant(size), primer=tf.zeros([0], tf.int32))
    made = keep("generate", signature(**arguments))
    for key, value in signature(**arguments).items():
        np.testing.assert_array_equal(value, made[key])
    keep("defaults", model.generate(4))
    primed = keep("primed", model.generate(count=3, seed=2, primer=[5, 3]))
    keep("short", model.generate(count=6, temperature=0.8, seed=9, max_length=5))
    keep("long", model.generate(count=2, max_length=size + 3))
    keep("score", model.signatures["score"](tokens=made["tokens"], prefix=made["prefix"]))
    keep("score_primed", model.score(primed["tokens"], primed["prefix"]))
    keep("score_start", model.score(made["tokens"]))
    keep("score_one", model.score(made["tokens"][:1], made["prefix"][:1]))
    keep("score_padded", model.score([[5, 3, -1, -1], [4, 2, 1, 3]], prefix=[[2, 3]]))
    keep("next_padded", model.next([[5, 3, -1, -1], [4, 2, 1, 3]], prefix=[[2, 3]]))
    keep("next", model.signatures["next"](tokens=tf.constant([[1, 2]]), prefix=empty))
    keep("next_first", model.next(tf.zeros([2, 0], tf.int32)))
    if hasattr(model, "score_smiles"):
        texts = tf.constant(["CCO", "c1ccccc1Br", ""])
        keep("score_smiles", model.signatures["score_smiles"](smiles=texts, prefix=empty))
    keep("describe", model.signatures["describe"](part=tf.constant("")))
    keep("describe_part", model.describe("objective"))
    np.savez(f"{sys.argv[1]}/{name}.npz", **kept)
    errors = {}

    def refused(what, call):
        try:
            call()
        except tf.errors.InvalidArgumentError as error:
            errors[what] = error.message
        else:
            errors[what] = "accepted"

    classes = model.next([[1]])["policy"].shape[1]
    refused("count", lambda: model.generate(0))
    refused("count high", lambda: model.generate(10**9))
    refused("tokens", lambda: model.generate(100_000, max_length=limit))
    refused("score rows", lambda: model.score(tf.ones([100_001, 1], tf.int32)))
    refused("score tokens", lambda: model.score(tf.ones([10_000, 900], tf.int32)))
    refused("next tokens", lambda: model.next(tf.ones([1, 2**16 + 1], tf.int32)))
    refused("prefix tokens", lambda: model.score([[1]], prefix=tf.ones([1, 2**16], tf.int32)))
    for value in (0.0, -1.0, float("nan"), float("inf")):
        refused(f"temperature {value}", lambda: model.generate(1, temperature=value))
    for value in (0, limit + 1):
        refused(f"max_length {value}", lambda: model.generate(1, max_length=value))
    refused("primer high", lambda: model.generate(1, primer=[classes]))
    refused("primer low", lambda: model.generate(1, primer=[-1]))
    refused("high", lambda: model.score([[classes]]))
    refused("low", lambda: model.score([[-2]]))
    refused("next high", lambda: model.next([[classes]]))
    refused("none", lambda: model.score(tf.zeros([2, 0], tf.int32)))
    refused("padding first", lambda: model.score([[-1, 2]]))
    refused("prefix", lambda: model.score([[1]], prefix=[[classes + 1]]))
    refused("prefix rows", lambda: model.score([[1], [1], [1]], prefix=[[1], [1]]))
    refused("part", lambda: model.describe("everything"))
    if hasattr(model, "score_smiles"):
        refused("primer ended", lambda: model.generate(1, primer=[1, 0]))
        refused("next ended", lambda: model.next([[1, 0]]))
        refused("unknown", lambda: model.score_smiles(["CCO", "CCI"]))
        refused("separator", lambda: model.score_smiles(["C\\x01C"]))
        refused("long", lambda: model.score_smiles(["C" * (2**23 + 1)]))
        refused("no string", lambda: model.score_smiles(tf.zeros([0], tf.string)))
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        json.dump(errors, file)
'''


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Name -> tuner, and the folder of every export with what a process of its own got from it."""
    folder = tmp_path_factory.mktemp("served")
    tuners = {name: tiny_tuner(name) for name in MODELS}
    for name, tuner in tuners.items():
        saved_model.export(tuner, str(folder / name))
    run_alone(sys.executable, folder)
    return tuners, folder


def run_alone(python, folder):
    """Runs every signature of the exports in a folder of their own, without a module of ours."""
    script = folder / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run(
        [python, "-I", str(script), str(folder), *MODELS],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def outputs(served, name):
    tuners, folder = served
    return tuners[name], np.load(folder / f"{name}.npz")


def in_process(tuner, count, seed, start, temperature):
    """The tuner's own sample with the sums of its log-probabilities, compiled as training is."""

    @tf.function
    def draw():
        begins = start or tuner.start
        pair = tf.constant([seed, 0])
        episode = sample(tuner.policy, begins, tuner.task, count, pair, temperature)
        logs = {name: getattr(episode, name) for name in ("log_policy", "log_prior")}
        return episode, {name: tf.reduce_sum(log, axis=1) for name, log in logs.items()}

    return draw()


@MODEL
def test_what_is_generated_equals_the_model_in_process(served, name):
    tuner, found = outputs(served, name)
    calls = {
        "generate": (6, 9, None, 0.8),
        "defaults": (4, 0, None, 1.0),
        "primed": (3, 2, Primer(tuple(PRIMER)), 1.0),
    }
    for call, (count, seed, start, temperature) in calls.items():
        episode, sums = in_process(tuner, count, seed, start, temperature)
        np.testing.assert_array_equal(found[f"{call}/prefix"], episode.prefix)
        # Two graphs round differently, and a token changes where that crosses the number drawn.
        same = np.all(found[f"{call}/tokens"] == episode.tokens, axis=1)
        assert np.sum(~same) <= 1
        lengths = np.sum(episode.mask, axis=1)
        np.testing.assert_array_equal(found[f"{call}/lengths"][same], lengths[same])
        for logs in ("log_policy", "log_prior"):
            wanted = sums[logs].numpy()[same]
            np.testing.assert_allclose(found[f"{call}/{logs}"][same], wanted, rtol=1e-5, atol=1e-5)
    assert len(np.unique(found["generate/tokens"], axis=0)) > 1
    assert not np.array_equal(found["generate/log_policy"], found["generate/log_prior"])


@MODEL
def test_a_length_bounds_what_is_generated(served, name):
    tuner, found = outputs(served, name)
    horizon = tuner.task.horizon
    assert found["generate/tokens"].shape == (6, horizon)
    assert found["long/tokens"].shape == (2, horizon + 3)
    # The same seed: a shorter sequence is the beginning of the longer one.
    np.testing.assert_array_equal(found["short/tokens"], found["generate/tokens"][:, :5])


@MODEL
def test_scores_equal_the_log_probabilities_that_came_with_the_samples(served, name):
    _, found = outputs(served, name)
    for call, scored in (("generate", "score"), ("primed", "score_primed")):
        for logs in ("log_policy", "log_prior"):
            # Two graphs: the same sums in another order.
            wanted = found[f"{call}/{logs}"]
            np.testing.assert_allclose(found[f"{scored}/{logs}"], wanted, rtol=1e-5, atol=1e-5)
    ratio = found["score/log_policy"] - found["score/log_prior"]
    np.testing.assert_allclose(found["score/log_ratio"], ratio, rtol=1e-5, atol=1e-5)


@MODEL
def test_scores_and_next_tokens_equal_whole_sequences_through_the_networks(served, name):
    tuner, found = outputs(served, name)
    rows = [[5, 3], [4, 2, 1, 3]]
    for row, tokens in enumerate(rows):
        inputs = tf.constant([[2, 3, *tokens]])
        both = {
            "policy": tf.nn.softmax(tuner(inputs))[0].numpy(),
            "prior": tf.nn.softmax(tuner.prior(inputs))[0].numpy(),
        }
        for model, table in both.items():
            # Keras sums in another order than single steps do.
            np.testing.assert_allclose(found[f"next_padded/{model}"][row], table[-1], atol=1e-6)
            logs = np.log(table[np.arange(len(tokens)) + 1, tokens]).sum()
            assert found[f"score_padded/log_{model}"][row] == pytest.approx(logs, abs=1e-5)
    start = tf.constant([[tuner.prior.start_token]])
    first = tf.nn.softmax(tuner(start))[0, 0]
    np.testing.assert_allclose(found["next_first/policy"], np.tile(first, (2, 1)), atol=1e-6)
    np.testing.assert_allclose(found["next/policy"].sum(axis=1), 1.0, atol=1e-5)
    single = found["score_one/log_policy"][0]
    assert single == pytest.approx(found["score/log_policy"][0], abs=1e-5)


@MELODY
def test_notes_equal_those_of_the_decoder(served, name):
    _, found = outputs(served, name)
    for call, opening in (("generate", []), ("primed", PRIMER), ("long", [])):
        for row, tokens in enumerate(found[f"{call}/tokens"]):
            wanted = encoding.notes_from_classes([*opening, *tokens.tolist()])
            columns = [found[f"{call}/{key}"][row] for key in ("pitches", "starts", "ends")]
            assert [tuple(note) for note in zip(*columns) if note[0] >= 0] == wanted
            assert all(np.all(column[len(wanted) :] == -1) for column in columns)
    assert found["generate/pitches"].dtype == np.int32


def test_notes_of_every_short_melody():
    import itertools

    rows = np.array(list(itertools.product([0, 1, 2, 37], repeat=5)), np.int32)
    pitches, starts, ends = (
        MelodyTask()
        .presentation()
        .graph_codec()
        .decode(tf.constant(rows), tf.fill([len(rows)], 5))
        .values()
    )
    for row, *columns in zip(rows, pitches.numpy(), starts.numpy(), ends.numpy()):
        found = [note for note in zip(*columns) if note[0] >= 0]
        assert found == encoding.notes_from_classes(row.tolist())


@MOLECULE
def test_smiles_equal_those_of_the_vocabulary(served, name):
    tuner, found = outputs(served, name)
    decode, end = tuner.task.vocabulary.decode, molecule_tokens.END
    for call, opening in (("generate", []), ("primed", PRIMER)):
        rows, lengths = found[f"{call}/tokens"], found[f"{call}/lengths"]
        for row, length, text, finished in zip(
            rows, lengths, found[f"{call}/smiles"], found[f"{call}/finished"]
        ):
            assert text.decode() == decode([*opening, *row[:length].tolist()])
            assert finished == (row[length - 1] == end)
    assert found["generate/finished"].any() and min(found["generate/lengths"]) < 14


@MOLECULE
def test_strings_are_scored_as_their_tokens(served, name):
    tuner, found = outputs(served, name)
    texts = ["CCO", "c1ccccc1Br", ""]
    for index, text in enumerate(texts):
        classes = tuner.task.vocabulary.encode(text)
        inputs = tf.constant([[tuner.prior.start_token, *classes[:-1]]])
        table = tf.nn.log_softmax(tuner(inputs))[0].numpy()
        wanted = table[np.arange(len(classes)), classes].sum()
        assert found["score_smiles/log_policy"][index] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("representation", molecule_tokens.REPRESENTATIONS)
def test_strings_are_read_in_graph_as_by_the_vocabulary(representation):
    texts = [*SMILES, "", "CBrCl", "BC", "C%(12)C[13C@@H]%12"]
    if representation == "selfies":
        pytest.importorskip("selfies")
        texts = SMILES
    split = [molecule_tokens.split(text, representation) for text in texts]
    vocabulary = molecule_tokens.Vocabulary.of_tokens(split, representation)
    form = MoleculeCodec(vocabulary)
    strings = ["".join(tokens) for tokens in split]
    found = tf.function(form.encode)(tf.constant(strings)).numpy()
    wanted = [vocabulary.encode_tokens(tokens) for tokens in split]
    assert [row[row >= 0].tolist() for row in found] == wanted
    lengths = tf.constant([len(row) for row in wanted])
    written = form.decode(tf.constant(np.maximum(found, 0)), lengths)[form.text_name]
    assert [text.decode() for text in written.numpy()] == strings


@MODEL
def test_what_makes_no_sense_is_refused_in_a_sentence(served, name):
    tuner, _ = outputs(served, name)
    with open(served[1] / f"{name}.json") as file:
        errors = json.load(file)
    classes, horizon = tuner.task.num_classes, tuner.task.horizon
    wanted = {
        "count": "count must be between 1 and 100000",
        "count high": "count must be between 1 and 100000",
        "tokens": "rows times length must be at most 8388608 tokens",
        "score rows": "a request must have at most 100000 rows",
        "score tokens": "rows times length must be at most 8388608 tokens",
        "next tokens": "rows times length must be at most 8388608 tokens",
        "prefix tokens": "rows times length must be at most 8388608 tokens",
        "temperature nan": "temperature must be a positive number",
        "max_length 0": f"max_length must be between 1 and {16 * horizon}",
        "primer high": f"tokens of a primer must be between 0 and {classes - 1}",
        "high": f"tokens must be between 0 and {classes - 1}, or be -1 for padding",
        "none": "tokens must contain at least one token",
        "padding first": "padding (-1) must not precede tokens in a row",
        "prefix": f"tokens of a prefix must be between 0 and {classes}, which is the start token",
        "prefix rows": "a prefix must have one row, or as many rows as tokens",
        "part": "part must be empty or one of format, task, encoding",
    }
    if name.startswith("molecule"):
        wanted |= {
            "primer ended": "a primer must not contain the end token (0)",
            "next ended": "next: tokens must not contain the end token (0)",
            "unknown": "smiles: this token is not in the vocabulary of the training data:] [I]",
            "separator": "smiles: this token is not in the vocabulary of the training data",
            "long": "smiles must have at most 8388608 bytes in all",
            "no string": "smiles must contain at least one string",
        }
    assert {key: text for key, text in wanted.items() if text not in errors[key]} == {}
    assert "accepted" not in errors.values(), errors


@MODEL
def test_the_description_rides_inside_and_beside(served, name):
    tuner, found = outputs(served, name)
    inside = json.loads(found["describe/json"].item())
    with open(served[1] / name / "assets.extra" / "description.json") as file:
        assert json.load(file) == inside
    assert inside["objective"]["name"] == type(tuner.objective).__name__
    assert json.loads(found["describe_part/json"].item()) == inside["objective"]
    assert inside["start"]["name"] == type(tuner.start).__name__
    assert inside["task"]["kind"] == name.split("_")[0]
    assert inside["task"]["start_token"] == tuner.task.num_classes
    assert "tensorflow" in inside["versions"] and "config" in inside["gin"]
    if name.startswith("molecule"):
        assert inside["encoding"]["vocabulary"] == list(tuner.task.vocabulary.tokens)
    card = (served[1] / name / "MODEL_CARD.md").read_text()
    assert card.startswith("---\nlicense:") and "\n# Model card" in card


@MODEL
def test_no_accelerator_is_written_into_an_export_and_defaults_are(served, name):
    model = saved_model_pb2.SavedModel()
    model.ParseFromString((served[1] / name / "saved_model.pb").read_bytes())
    (graph,) = model.meta_graphs
    nodes = [*graph.graph_def.node]
    for function in graph.graph_def.library.function:
        nodes += function.node_def
    # TensorFlow itself saves and restores on the CPU, wherever that is.
    assert {node.device for node in nodes} <= {"", "/device:CPU:0", "/device:CPU:*"}
    # An LSTM as Keras unrolls it on a GPU would not run on a CPU.
    assert not any("cudnn" in node.op.lower() for node in nodes)
    assert len(served[0][name].prior.weights) + len(served[0][name].online.weights) == sum(
        node.op == "VarHandleOp" for node in graph.graph_def.node
    )
    defaults = graph.signature_def["generate"].defaults
    assert set(defaults) == {"temperature", "seed", "max_length", "primer"}
    assert defaults["temperature"].float_val[0] == 1.0
    assert defaults["max_length"].int_val[0] == served[0][name].task.horizon


def test_the_command_line_tool_runs_it_as_documented(served):
    commands = [line.split() for line in documented("saved_model_cli")]
    folder = str(served[1] / "molecule_q")
    tool = os.path.join(os.path.dirname(sys.executable), "saved_model_cli")
    started = []
    for _, *arguments in commands:
        arguments = [folder if "served/" in word else word.strip("'") for word in arguments]
        started.append(subprocess.Popen([tool, *arguments], stdout=-1, stderr=-1, text=True))
    printed = ""
    for process in started:
        out, errors = process.communicate()
        assert process.returncode == 0, errors[-2000:]
        printed += out
    assert [arguments[1] for arguments in commands] == ["show", "run"]
    assert "inputs['tokens']" in printed and "shape: (-1, -1)" in printed
    assert "Result for output key smiles:" in printed


def test_the_example_writes_midi_and_smiles_with_tensorflow_alone(served):
    write_with_the_example(sys.executable, *served)


def write_with_the_example(python, tuners, folder):
    """Runs examples/use_export.py on an export of each kind, and compares what it writes."""
    script, out = os.path.join(ROOT, "examples", "use_export.py"), str(folder / "out")
    for name in ("melody_psi", "molecule_q"):
        command = [python, "-I", script, str(folder / name), "--count=4", f"--output_dir={out}"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr[-3000:]
    # What `generate` gave for the same count and seed.
    melodies, molecules = (np.load(folder / f"{name}.npz") for name in ("melody_psi", "molecule_q"))
    for row, tokens in enumerate(melodies["defaults/tokens"]):
        sequence = note_seq.midi_file_to_note_sequence(f"{out}/generated_{row:03d}.mid")
        seconds = 60 / 120 / 4
        found = [
            (note.pitch, round(note.start_time / seconds), round(note.end_time / seconds))
            for note in sequence.notes
        ]
        assert sorted(found) == sorted(encoding.notes_from_classes(tokens.tolist()))
    with open(f"{out}/generated.smi", "rb") as file:
        assert file.read().splitlines() == molecules["defaults/smiles"].tolist()


def documented(word):
    """The lines of code in docs/serving.md that begin with a word."""
    with open(os.path.join(ROOT, "docs", "serving.md"), encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith(f"{word} ")]


def test_documented_requests_have_the_shapes_and_types_of_the_signatures(served):
    with open(os.path.join(ROOT, "docs", "serving.md"), encoding="utf-8") as file:
        requests = [json.loads(text) for text in re.findall(r"-d '([^']*)'", file.read())]
    assert [request["signature_name"] for request in requests] == [
        "generate",
        "score_smiles",
        "describe",
    ]
    model = tf.saved_model.load(str(served[1] / "molecule_q"))
    for request in requests:
        signature = model.signatures[request["signature_name"]]
        specs = signature.structured_input_signature[1]
        # Nested lists become dense tensors of the signature's type: all inputs, by name.
        assert set(request["inputs"]) == set(specs)
        tensors = {
            name: tf.constant(request["inputs"][name], spec.dtype) for name, spec in specs.items()
        }
        for name, tensor in tensors.items():
            assert specs[name].is_compatible_with(tensor), name
        signature(**tensors)


def test_versions_are_counted_up_and_never_replaced(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(saved_model, "export", lambda tuner, folder, run_dir: os.makedirs(folder))
    base = str(tmp_path / "served")
    for version in (None, None, 7, None):
        written.append(saved_model.export_version(None, base, version))
    assert [os.path.basename(folder) for folder in written] == ["1", "2", "7", "8"]
    with pytest.raises(UserError, match="already contains version 7"):
        saved_model.export_version(None, base, 7)
    with pytest.raises(UserError, match="at least 1"):
        saved_model.export_version(None, base, 0)
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_text("")
    for folder, message in (
        (tmp_path / "model", "is itself a SavedModel"),
        (tmp_path, "contains no SavedModel versions"),
        (tmp_path / "thesis.txt", "is a file"),
    ):
        with pytest.raises(UserError, match=message):
            saved_model.export_version(None, str(folder))


def test_an_export_is_whole_or_not_there(tmp_path, monkeypatch):
    def fail(*arguments, **kwargs):
        os.makedirs(arguments[1], exist_ok=True)
        raise OSError("no space left")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="no space"):
        saved_model.export(tiny_tuner("melody_g"), str(tmp_path / "export"))
    assert os.listdir(tmp_path) == []
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="does not contain a SavedModel"):
        saved_model.export(tiny_tuner("melody_g"), str(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_clean_environment_with_tensorflow_alone_runs_it(served, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "clean")], check=True)
    python = str(tmp_path / "clean" / "bin" / "python")
    wanted = f"tensorflow=={tf.__version__}"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wanted], check=True)
    before = {name: dict(np.load(served[1] / f"{name}.npz")) for name in MODELS}
    run_alone(python, served[1])
    for name, kept in before.items():
        again = np.load(served[1] / f"{name}.npz")
        for key, value in kept.items():
            np.testing.assert_array_equal(again[key], value, err_msg=f"{name} {key}")
    write_with_the_example(python, *served)
