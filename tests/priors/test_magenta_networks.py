"""Magenta's checkpoints: the same logits at every step, or one line that says why not."""

import hashlib
import json
import os
import warnings
import zipfile

import numpy as np
import pytest
from note_seq.protobuf import generator_pb2

from rl_tuner.common.errors import UserError
from rl_tuner.priors.files import load_matching_prior, load_prior
from rl_tuner.priors.importing import magenta_networks
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.task import MelodyTask
from tests.priors import tf1_networks
from tests.tiny_job import command

MELODIES = np.random.default_rng(7).integers(0, 38, [3, 24])
NOTE_RNN = {
    "naming": "LSTMCell to 0.12",
    "scope": "rnn_model/",
    "head": ("fully_connected/weights", "fully_connected/bias"),
    "old_format": True,
}


def import_magenta(checkpoint, output_dir, **options):
    return magenta_networks.import_magenta(checkpoint, output_dir, MELODY_ENCODING, **options)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def stepped(network, tokens):
    state = network.zero_state(len(tokens))
    scores, step = [], network.stepper()
    for column in tokens.T:
        logits, state = step(column, state)
        scores.append(np.transpose(logits))
    return np.stack(scores, axis=1)


def check(checkpoint, expected, folder, tokens=MELODIES, **options):
    """Imports a checkpoint, reads the prior back, and compares every step's logits."""
    import_magenta(str(checkpoint), str(folder), **options)
    prior = load_prior(str(folder))
    np.testing.assert_allclose(prior(tokens), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(stepped(prior, tokens), expected, atol=1e-5, rtol=0)
    return prior


@pytest.mark.parametrize(
    ("naming", "sizes", "scope", "old_format"),
    [
        ("LSTMCell to 0.12", (12,), "rnn_model/", True),
        ("LSTMCell to 0.12", (9, 5, 7), "", False),
        ("BasicLSTMCell to 0.12", (6, 10), "", True),
        ("LSTMCell 1.0", (8, 6), "rnn_model/", False),
        ("BasicLSTMCell 1.0", (5, 9, 6), "", False),
        ("LSTMCell 1.2", (11,), "some/deep/scope/", True),
        ("BasicLSTMCell 1.2", (7, 4, 9), "", False),
        ("BasicLSTMCell alone", (8,), "", False),
        ("cuDNN", (6, 6), "", False),
    ],
)
def test_logits_are_those_of_tensorflow_1(naming, sizes, scope, old_format, tmp_path):
    path = tmp_path / "model.ckpt-20"
    run = tf1_networks.write(path, naming, sizes, scope=scope, old_format=old_format)
    prior = check(path, run(MELODIES), tmp_path / "prior")
    assert prior.cells == list(sizes)
    assert prior.metadata["provenance"]["imported"]["scope"] == scope


def test_eleven_layers_are_stacked_by_number_not_by_name(tmp_path):
    run = tf1_networks.write(tmp_path / "m", sizes=(3,) * 11)
    check(tmp_path / "m", run(MELODIES), tmp_path / "prior")


@pytest.mark.parametrize("given", ["", "model.ckpt-3", "model.ckpt-3.index", "model.ckpt-3.meta"])
def test_a_checkpoint_by_folder_prefix_or_file(given, tmp_path):
    run = tf1_networks.write(tmp_path / "model.ckpt-3")
    moved = tmp_path / "moved"
    os.mkdir(moved)
    for name in os.listdir(tmp_path):
        if name != "moved":
            os.rename(tmp_path / name, moved / name)
    check(moved / given if given else moved, run(MELODIES), tmp_path / "prior")


def bundle(path, checkpoint):
    message = generator_pb2.GeneratorBundle(
        checkpoint_file=[checkpoint], metagraph_file=b"never read"
    )
    message.generator_details.id = "basic_rnn"
    message.bundle_details.description = "for a test"
    path.write_bytes(message.SerializeToString())


def test_a_bundle_tells_what_it_is(tmp_path):
    run = tf1_networks.write(
        tmp_path / "c", "BasicLSTMCell to 0.12", (10, 10), old_format=True, seed=3
    )
    bundle(tmp_path / "basic_rnn.mag", (tmp_path / "c").read_bytes())
    prior = check(tmp_path / "basic_rnn.mag", run(MELODIES), tmp_path / "prior")
    imported = prior.metadata["provenance"]["imported"]
    assert imported["file"] == "basic_rnn.mag"
    assert imported["bundle"]["generator"] == "basic_rnn"
    assert imported["bundle"]["description"] == "for a test"
    digest = hashlib.sha256((tmp_path / "basic_rnn.mag").read_bytes()).hexdigest()
    assert imported["sha256"] == digest


def test_swapped_classes_are_swapped_coming_and_going(tmp_path):
    run = tf1_networks.write(tmp_path / "m", sizes=(8, 5))
    order = np.array([1, 0, *range(2, 38)])
    expected = run(order[MELODIES])[..., order]
    prior = check(tmp_path / "m", expected, tmp_path / "prior", swap_special_classes=True)
    assert prior.metadata["provenance"]["imported"]["swapped_special_classes"]


def test_after_the_start_token_the_prior_answers_as_to_zeros(tmp_path):
    run = tf1_networks.write(tmp_path / "m", sizes=(8, 5))
    started = np.insert(MELODIES, 0, -1, axis=1)
    tokens = np.where(started < 0, 38, started)
    prior = check(tmp_path / "m", run(started), tmp_path / "prior", tokens)
    assert "zeros" in prior.metadata["provenance"]["imported"]["start_token"]


def test_a_training_checkpoint_of_the_paper_with_its_optimizer(tmp_path):
    doubled = "rnn_model/rnn_model/RNN/MultiRNNCell/Cell0/LSTMCell"
    extras = {
        "rnn_model/global_step": np.int32(1994),
        f"{doubled}/W_0/Adagrad": np.ones([50, 48], np.float32),
        f"{doubled}/B/Adagrad": np.ones([48], np.float32),
        "rnn_model/RNN/MultiRNNCell/Cell0/LSTMCell/W_0/Adam_1": np.ones([50, 48], np.float32),
        "rnn_model/rnn_model/fully_connected/weights/Adagrad": np.ones([12, 38], np.float32),
        "beta1_power": np.float32(0.5),
    }
    run = tf1_networks.write(tmp_path / "m", extras=extras, **NOTE_RNN)
    check(tmp_path / "m", run(MELODIES), tmp_path / "prior")


def test_a_kernel_in_shards(tmp_path):
    run = tf1_networks.write(tmp_path / "m", **NOTE_RNN)
    with magenta_networks.open_checkpoint(str(tmp_path / "m")) as opened:
        values = {name: opened.read(name) for name in opened.shapes}
    cell = "rnn_model/RNN/MultiRNNCell/Cell0/LSTMCell"
    whole = values.pop(f"{cell}/W_0")
    values |= {f"{cell}/W_0": whole[:20], f"{cell}/W_1": whole[20:]}
    tf1 = tf1_networks.tf1
    with tf1_networks.tf.Graph().as_default(), tf1.Session() as session:
        variables = {name: tf1.Variable(value) for name, value in values.items()}
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver(variables).save(session, str(tmp_path / "sharded"))
    check(tmp_path / "sharded", run(MELODIES), tmp_path / "prior")


def test_one_of_several_networks_is_chosen_by_its_scope(tmp_path):
    run = tf1_networks.write(tmp_path / "q", scope="q_network/")
    with magenta_networks.open_checkpoint(str(tmp_path / "q")) as opened:
        extras = {
            name.replace("q_network", "reward_rnn"): opened.read(name) for name in opened.shapes
        }
    other = tf1_networks.write(tmp_path / "m", scope="q_network/", extras=extras, seed=5)
    with pytest.raises(UserError, match=r"several networks.*'q_network', 'reward_rnn'"):
        import_magenta(str(tmp_path / "m"), str(tmp_path / "prior"))
    check(tmp_path / "m", run(MELODIES), tmp_path / "prior", scope="reward_rnn")
    check(tmp_path / "m", other(MELODIES), tmp_path / "prior", scope="q_network/")
    with pytest.raises(UserError, match="no network in scope 'rnn_model'"):
        import_magenta(str(tmp_path / "m"), str(tmp_path / "p"), scope="rnn_model")


def test_a_melody_network_fits_the_melody_task_and_another_does_not(tmp_path):
    tf1_networks.write(tmp_path / "m")
    import_magenta(str(tmp_path / "m"), str(tmp_path / "prior"))
    prior = load_matching_prior(str(tmp_path / "prior"), MelodyTask())
    assert prior.metadata["encoding"]["num_classes"] == 38
    assert prior.metadata["provenance"]["class_histogram"] is None
    with zipfile.ZipFile(tmp_path / "prior" / "prior.keras") as archive:
        assert (
            "imported"
            in json.loads(archive.read("config.json"))["config"]["metadata"]["provenance"]
        )
    tokens = MELODIES % 13
    run = tf1_networks.write(tmp_path / "other", classes=13)
    other = check(tmp_path / "other", run(tokens), tmp_path / "tokens", tokens)
    assert other.metadata["kind"] == "tokens"
    with pytest.raises(UserError, match="generates tokens sequences, but the task needs melody"):
        load_matching_prior(str(tmp_path / "tokens"), MelodyTask())
    with pytest.raises(UserError, match="swap_special_classes"):
        import_magenta(str(tmp_path / "other"), str(tmp_path / "p"), swap_special_classes=True)


MATRIX = np.ones([12, 38], np.float32)
CELL = "rnn/multi_rnn_cell/cell_0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extras": {f"{CELL}/attention_cell_wrapper/kernel": MATRIX}}, "attention"),
        ({"extras": {"another/weights": MATRIX}}, "another/weights"),
        ({"extras": {"rnn/multi_rnn_cell/cell_2/basic_lstm_cell/bias": MATRIX[0]}}, "missing"),
        ({"extras": {f"{CELL}/basic_lstm_cell/w_f_diag": MATRIX[:, 0]}}, "w_f_diag"),
        ({"extras": {f"{CELL}/basic_lstm_cell/projection/kernel": MATRIX.T}}, "projection"),
        ({"inputs": 60}, "lookback"),
        ({"extras": {"rnn/multi_rnn_cell/cell_1/basic_lstm_cell/kernel": MATRIX}}, "lacks"),
        ({"head": ("fully_connected/weights/Adam", "fully_connected/biases")}, "biases"),
    ],
)
def test_what_is_no_plain_network_is_refused(options, message, tmp_path):
    tf1_networks.write(tmp_path / "m", **options)
    with pytest.raises(UserError, match=message) as caught:
        import_magenta(str(tmp_path / "m"), str(tmp_path / "prior"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prior").exists()


def test_an_attention_network_of_one_layer_is_refused_as_such(tmp_path):
    naming = "BasicLSTMCell 1.2"
    pattern, *leaves = tf1_networks.NAMINGS[naming]
    wrapped = pattern.replace("basic", "attention_cell_wrapper/basic")
    tf1_networks.NAMINGS["attention"] = (wrapped, *leaves)
    try:
        tf1_networks.write(tmp_path / "m", "attention")
    finally:
        del tf1_networks.NAMINGS["attention"]
    with pytest.raises(UserError, match="attention network"):
        import_magenta(str(tmp_path / "m"), str(tmp_path / "prior"))


def test_values_that_are_not_finite_are_refused(tmp_path):
    extras = {"s/rnn/basic_lstm_cell/kernel": np.full([50, 48], np.nan, np.float32)}
    extras |= {"s/rnn/basic_lstm_cell/bias": np.ones(48, np.float32), "s/d/kernel": MATRIX}
    extras |= {"s/d/bias": MATRIX[0]}
    tf1_networks.write(tmp_path / "m", extras=extras)
    with pytest.raises(UserError, match="not finite"):
        import_magenta(str(tmp_path / "m"), str(tmp_path / "prior"), scope="s")


def test_damaged_files_are_one_line(tmp_path):
    tf1_networks.write(tmp_path / "v1", **NOTE_RNN)
    tf1_networks.write(tmp_path / "v2")
    old, index = (tmp_path / "v1").read_bytes(), (tmp_path / "v2.index").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(60):
        data = bytearray(old if number % 2 else index)
        if number % 3:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        else:
            data = data[: rng.integers(len(data))]
        path = tmp_path / ("v1" if number % 2 else "v2.index")
        path.write_bytes(data)
        try:
            import_magenta(str(path), str(tmp_path / "prior"))
        except UserError as error:
            assert "\n" not in str(error)
    bundle(tmp_path / "empty.mag", b"")
    (tmp_path / "text.mag").write_text("no bundle")
    (tmp_path / "none.mag").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "checkpoint").write_bytes(b"\xff\xfe no text")
    for name in ("empty.mag", "text.mag", "none.mag", "missing", "missing.mag", "folder"):
        with pytest.raises(UserError) as caught:
            import_magenta(str(tmp_path / name), str(tmp_path / "prior"))
        assert "\n" not in str(caught.value)


def test_the_command(tmp_path):
    tf1_networks.write(tmp_path / "note_rnn.ckpt", **NOTE_RNN)
    flags = [f"--checkpoint={tmp_path}/note_rnn.ckpt", f"--output_dir={tmp_path}/prior"]
    done = command("rl_tuner.import_magenta", *flags, "--swap_special_classes")
    assert "melody, 38 classes, cells [12]" in done.stdout
    (tmp_path / "note_rnn.ckpt").write_bytes(b"damaged")
    done = command("rl_tuner.import_magenta", *flags, check=False)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
