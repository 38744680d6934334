"""Keras models as priors: the same scores after every token, whatever the chain is built of."""

import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.priors.files import load_matching_prior, load_prior
from rl_tuner.priors.importing import keras_models
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from rl_tuner.tasks.melody.task import MelodyTask
from tests.datasets.test_reader import write
from tests.tiny_job import command

CLASSES = 38
layers = keras.layers


def import_keras(model, output_dir, **options):
    encoding = MELODY_ENCODING if options.get("kind", "melody") == "melody" else None
    return keras_models.import_keras(model, output_dir, encoding=encoding, **options)


def one_hot(*rest, width=CLASSES):
    return keras.Sequential([keras.Input((None, width)), *rest])


def randomised(model, seed=0):
    """Weights of a size that keeps the scores apart; Keras' own biases are zeros."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def functional(embedding=False):
    inputs = keras.Input((None,) if embedding else (None, CLASSES))
    hidden = layers.Embedding(CLASSES, 5)(inputs) if embedding else inputs
    hidden = layers.LSTM(6, return_sequences=True)(hidden)
    hidden = layers.Dropout(0.5)(hidden)
    hidden = layers.LSTM(7, return_sequences=True)(hidden)
    outputs = layers.Activation("softmax")(layers.TimeDistributed(layers.Dense(CLASSES))(hidden))
    return keras.Model(inputs, outputs)


MODELS = {
    "one-hot": lambda: one_hot(
        layers.LSTM(8, return_sequences=True), layers.Dense(CLASSES, activation="softmax")
    ),
    "logits": lambda: one_hot(layers.LSTM(8, return_sequences=True), layers.Dense(CLASSES)),
    "embedding": lambda: keras.Sequential(
        [
            keras.Input((None,)),
            layers.Embedding(CLASSES, 5),
            layers.LSTM(8, return_sequences=True, use_bias=False),
            layers.LSTM(4, return_sequences=True),
            layers.Dense(CLASSES, use_bias=False),
            layers.Softmax(),
        ]
    ),
    "functional": functional,
    "functional embedding": lambda: functional(embedding=True),
}


def expected(model, tokens):
    """Log-probabilities of the Keras model; [B, T, classes]."""
    inputs = tokens if len(model.input_shape) == 2 else tf.one_hot(tokens, model.input_shape[-1])
    outputs = model(inputs)
    last = model.layers[-1]
    named = keras.activations.serialize(
        getattr(last, "activation", None) or keras.activations.softmax
    )
    return tf.math.log(outputs) if named == "softmax" else tf.nn.log_softmax(outputs)


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_the_models(name, tmp_path):
    model = randomised(MODELS[name]())
    path = str(tmp_path / "m.keras")
    model.save(path)
    tokens = np.random.default_rng(1).integers(0, CLASSES, [3, 20])
    import_keras(path, str(tmp_path / "prior"))
    prior = load_matching_prior(str(tmp_path / "prior"), MelodyTask())
    np.testing.assert_allclose(
        tf.nn.log_softmax(prior(tokens)), expected(model, tokens), atol=1e-5, rtol=0
    )
    facts = prior.metadata["provenance"]["imported"]
    assert facts["file"] == "m.keras"
    assert facts["sha256"] == hashlib.sha256((tmp_path / "m.keras").read_bytes()).hexdigest()
    assert facts["start_token"].startswith("zeros")
    assert prior.metadata["provenance"]["class_histogram"] is None


def test_the_start_token_is_an_input_of_zeros_or_the_models_own():
    model = randomised(MODELS["logits"]())
    zeros = keras_models.LSTMStack().convert(model)
    np.testing.assert_allclose(
        zeros(np.array([[CLASSES]]))[0], model(tf.zeros([1, 1, CLASSES]))[0], atol=1e-6
    )
    own = randomised(
        one_hot(layers.LSTM(8, return_sequences=True), layers.Dense(CLASSES), width=CLASSES + 1)
    )
    tokens = np.array([[CLASSES, 3, 0, 14]])
    np.testing.assert_allclose(
        keras_models.LSTMStack().convert(own)(tokens),
        own(tf.one_hot(tokens, CLASSES + 1)),
        atol=1e-5,
    )


def test_a_model_of_the_last_output_scores_every_prefix():
    model = randomised(one_hot(layers.LSTM(8), layers.Dense(CLASSES)))
    tokens = np.array([[2, 0, 14, 0, 1]])
    scores = keras_models.LSTMStack().convert(model)(tokens)
    for length in range(1, 6):
        outputs = model(tf.one_hot(tokens[:, :length], CLASSES))
        np.testing.assert_allclose(scores[:, length - 1], outputs, atol=1e-5)


@pytest.mark.parametrize(
    ("rest", "width", "message"),
    [
        ([layers.LSTM(4, return_sequences=True), layers.Dense(9)], CLASSES, "reads 38 classes"),
        ([layers.LSTM(4), layers.Dense(CLASSES, activation="relu")], CLASSES, "one softmax"),
        ([layers.LSTM(4, activation="relu"), layers.Dense(CLASSES)], CLASSES, "relu and sigmoid"),
        ([layers.LSTM(4, go_backwards=True), layers.Dense(CLASSES)], CLASSES, "backwards"),
        ([layers.LSTM(4, return_sequences=True), layers.GRU(4), layers.Dense(38)], 38, "GRU"),
        ([layers.LSTM(4, return_sequences=True)], CLASSES, "it has nothing in place of"),
        ([layers.LSTM(4), layers.Dense(9)], 9, "38"),
        ([layers.GRU(4), layers.Dense(CLASSES)], CLASSES, "adapter"),
    ],
)
def test_what_would_not_be_exact_is_refused(rest, width, message, tmp_path):
    path = str(tmp_path / "m.keras")
    one_hot(*[layer.__class__.from_config(layer.get_config()) for layer in rest], width=width).save(
        path
    )
    with pytest.raises(UserError, match=message) as caught:
        import_keras(path, str(tmp_path / "prior"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "prior").exists()


def test_branches_are_no_chain():
    inputs = keras.Input((None, CLASSES))
    hidden = layers.LSTM(6, return_sequences=True)(inputs)
    hidden = layers.Concatenate()([hidden, inputs])
    model = keras.Model(inputs, layers.Dense(CLASSES)(hidden))
    assert not keras_models.LSTMStack().matches(model)


def test_files_that_are_no_harmless_model(tmp_path):
    path = str(tmp_path / "lambda.keras")
    one_hot(layers.Lambda(lambda x: x), layers.LSTM(4), layers.Dense(CLASSES)).save(path)
    with pytest.raises(UserError, match="cannot be loaded"):
        import_keras(path, str(tmp_path))
    (tmp_path / "damaged.keras").write_bytes(b"PK\x03\x04 no model")
    (tmp_path / "old.h5").write_bytes(b"\x89HDF")
    for name, message in [
        ("damaged.keras", "loaded"),
        ("old.h5", "keras"),
        ("none.keras", "exist"),
    ]:
        with pytest.raises(UserError, match=message) as caught:
            import_keras(str(tmp_path / name), str(tmp_path))
        assert "\n" not in str(caught.value)


def test_other_kinds_take_their_encoding_from_a_dataset(tmp_path):
    write(tmp_path / "data", [np.arange(2, 30)] * 2, [np.arange(2, 30)])
    path = str(tmp_path / "m.keras")
    MODELS["one-hot"]().save(path)
    with pytest.raises(UserError, match="dataset_dir"):
        import_keras(path, str(tmp_path / "prior"), kind="chords")
    with pytest.raises(UserError, match="not chords sequences"):
        import_keras(path, str(tmp_path), kind="chords", dataset_dir=str(tmp_path / "data"))
    _, prior = import_keras(path, str(tmp_path / "p"), dataset_dir=str(tmp_path / "data"))
    assert prior.metadata["encoding"]["num_classes"] == CLASSES


def test_an_adapter_of_ones_own(tmp_path):
    class Nested:
        """Flattens a model within a model."""

        def matches(self, model):
            return isinstance(model.layers[0], keras.Sequential)

        def convert(self, model):
            body, head = model.layers
            return keras_models.LSTMStack().convert(keras.Sequential([*body.layers, head]))

    body = one_hot(layers.LSTM(6, return_sequences=True), layers.LSTM(5, return_sequences=True))
    model = randomised(keras.Sequential([keras.Input((None, 38)), body, layers.Dense(CLASSES)]))
    path, tokens = str(tmp_path / "m.keras"), np.array([[14, 0, 0, 1, 37]])
    model.save(path)
    with pytest.raises(UserError, match="adapter"):
        import_keras(path, str(tmp_path))
    chosen = [keras_models.LSTMStack(), Nested()]
    _, prior = import_keras(path, str(tmp_path), adapters=chosen)
    np.testing.assert_allclose(prior(tokens), model(tf.one_hot(tokens, CLASSES)), atol=1e-5)
    assert prior.metadata["provenance"]["imported"]["adapter"] == "Nested"


def test_the_command(tmp_path):
    path = str(tmp_path / "m.keras")
    MODELS["one-hot"]().save(path)
    done = command("rl_tuner.import_keras", f"--model={path}", f"--output_dir={tmp_path}/prior")
    assert "38 classes, cells [8]" in done.stdout
    assert isinstance(load_prior(str(tmp_path / "prior")), SequenceNetwork)
