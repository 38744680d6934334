"""Import of Keras models as priors, by adapters that recognise a model and rebuild it.

To support another kind of model, give `import_keras` an adapter, a class with two methods:

    class MyAdapter:
        def matches(self, model):
            return isinstance(model, MyModel)

        def convert(self, model):
            network = SequenceNetwork(model.num_classes, cells=[model.cells])
            network.lstms[0].set_weights(...)
            network.head.set_weights(...)
            return network

    import_keras("mine.keras", "priors/mine", adapters=[MyAdapter(), LSTMStack()])
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.priors.importing.locating import check_keras_file
from rl_tuner.priors.importing.provenance import ZERO_START, find_encoding, save_imported

_OWN_START = "the model's own: its last input class"
_IDLE = (keras.layers.InputLayer, keras.layers.Dropout)


class PriorAdapter(Protocol):
    """Converter of foreign models into networks that can be tuned."""

    def matches(self, model: keras.Model) -> bool:
        """Return whether the adapter is meant for models of this kind; never raises."""

    def convert(self, model: keras.Model) -> SequenceNetwork:
        """Return a network that computes the same scores; leave the model unchanged.

        The network has one more input class than it has outputs: the start token. If the model
        has no start token, leave the weights of that input at zero.

        Raises:
            ValueError: the model cannot be rebuilt exactly; the message gives the reason in a sentence.
        """


class LSTMStack:
    """Adapter for chains of one-hot vectors or an Embedding, LSTM layers and a Dense head.

    The model may be Sequential or functional. The head's activation is softmax or none, in the Dense
    layer or in a separate layer. The head has one output per class; the input has as many classes, or
    one more, which is then the start token. The last LSTM may return only its last output. Dropout
    layers are left out, since they have no effect at inference.
    """

    def matches(self, model: keras.Model) -> bool:
        """Return whether the model is a chain of layers that includes an LSTM."""
        return any(isinstance(layer, keras.layers.LSTM) for layer in _layers(model))

    def convert(self, model: keras.Model) -> SequenceNetwork:
        """Copy every weight; see `PriorAdapter`."""
        embedding, lstms, head = _parts(_layers(model))
        _check(embedding, lstms)
        num_classes = head.units
        first = _array(embedding.embeddings if embedding else lstms[0].cell.kernel)
        if len(first) - num_classes not in (0, 1):
            raise ValueError(
                f"it reads {len(first)} classes and generates {num_classes}; it may read at most one "
                "more than it generates, the start token"
            )
        network = SequenceNetwork(
            num_classes,
            [lstm.units for lstm in lstms],
            embedding.output_dim if embedding else 0,
            name="prior",
        )
        first = _with_start(first, num_classes)
        if network.embedding is not None:
            network.embedding.set_weights([first])
        for ours, theirs in zip(network.lstms, lstms):
            is_first = theirs is lstms[0] and not embedding
            kernel = first if is_first else _array(theirs.cell.kernel)
            recurrent, bias = (
                _array(theirs.cell.recurrent_kernel),
                _bias(theirs.cell, 4 * theirs.units),
            )
            ours.set_weights([kernel, recurrent, bias])
        network.head.set_weights([_array(head.kernel), _bias(head, num_classes)])
        return network


def import_keras(
    model: str,
    output_dir: str,
    kind: str = "melody",
    dataset_dir: str | None = None,
    encoding: dict[str, Any] | None = None,
    adapters: Sequence[PriorAdapter] = (LSTMStack(),),
) -> tuple[str, SequenceNetwork]:
    """Make a prior from a saved Keras model; loading it does not execute code from the file.

    Args:
        model: path of a .keras file.
        output_dir: receives prior.keras.
        kind: kind of sequences that the model generates.
        dataset_dir: a dataset in the model's encoding; None takes `encoding`.
        encoding: the encoding of the kind if it does not depend on data, such as
            `rl_tuner.tasks.melody.encoding.MELODY_ENCODING`.
        adapters: adapters to try in this order; the first that matches converts the model.

    Returns:
        The path of the prior's file, and the prior.

    Raises:
        UserError: the file cannot be loaded, no adapter matches the model, or its classes are not those
            of the kind.
    """
    loaded = _load(model)
    adapter = next((adapter for adapter in adapters if adapter.matches(loaded)), None)
    if adapter is None:
        names = " ".join(type(layer).__name__ for layer in loaded.layers) or type(loaded).__name__
        raise UserError(
            f"{model} is not a chain of LSTM layers with a Dense head ({names}); give import_keras an adapter"
        )
    try:
        network = adapter.convert(loaded)
    except ValueError as error:
        raise UserError(f"{model} cannot be converted into a prior: {error}") from error
    encoding = find_encoding(kind, network.num_classes, dataset_dir, encoding)
    with open(model, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    first = network.embedding or network.lstms[0]
    has_start = bool(np.any(first.get_weights()[0][-1]))
    facts = {
        "importer": "keras",
        "adapter": type(adapter).__name__,
        "file": os.path.basename(model),
        "sha256": digest,
        "start_token": _OWN_START if has_start else ZERO_START,
    }
    return save_imported(network, output_dir, kind, encoding, facts), network


def _load(path: str) -> keras.Model:
    check_keras_file(path)
    try:
        loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"model {path} cannot be loaded ({reason})") from error
    if not isinstance(loaded, keras.Model):
        raise UserError(f"{path} contains a {type(loaded).__name__}, not a model")
    return loaded


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers in the order of their calls; empty if they do not form a chain."""
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    operations = list(getattr(model, "operations", []))
    if not operations or not isinstance(operations[0], keras.layers.InputLayer):
        return []
    # A functional model lists an operation after those that it depends on.
    chained = all(
        isinstance(after, keras.layers.Layer) and getattr(after, "input", None) is before.output
        for before, after in itertools.pairwise(operations)
    )
    return operations if chained else []


def _parts(
    layers: list[keras.layers.Layer],
) -> tuple[keras.layers.Embedding | None, list[keras.layers.LSTM], keras.layers.Dense]:
    rest = [layer for layer in layers if not isinstance(layer, _IDLE)]
    rest = [layer.layer if type(layer) is keras.layers.TimeDistributed else layer for layer in rest]
    for layer in rest:
        if getattr(layer, "quantization_mode", None):
            raise ValueError(f"layer {layer.name!r} is quantised")
    embedding = rest.pop(0) if type(rest[0]) is keras.layers.Embedding else None
    lstms = list(itertools.takewhile(lambda layer: type(layer) is keras.layers.LSTM, rest))
    head, *after = rest[len(lstms) :] or [None]
    if not lstms or type(head) is not keras.layers.Dense:
        shown = "nothing" if head is None else f"{type(head).__name__} {head.name!r}"
        raise ValueError(f"it has {shown} in place of an LSTM layer or of its Dense head")
    # The activation may be the Dense layer's own, or an Activation or Softmax layer.
    names = [keras.activations.serialize(head.activation)]
    for layer in after:
        is_softmax = type(layer) is keras.layers.Softmax and layer.axis == -1
        activation = getattr(layer, "activation", None)
        names.append(
            "softmax" if is_softmax else activation and keras.activations.serialize(activation)
        )
    if [name for name in names if name != "linear"] not in ([], ["softmax"]):
        raise ValueError("its Dense head must be followed by one softmax, or by nothing")
    return embedding, lstms, head


def _check(embedding: keras.layers.Embedding | None, lstms: list[keras.layers.LSTM]) -> None:
    """Make sure that the layers compute the same as those of a `SequenceNetwork`."""
    if embedding is not None and embedding.mask_zero:
        raise ValueError("its Embedding treats class 0 as padding (mask_zero)")
    for lstm in lstms:
        activations = (lstm.activation, lstm.recurrent_activation)
        names = tuple(keras.activations.serialize(activation) for activation in activations)
        if names != ("tanh", "sigmoid"):
            raise ValueError(
                f"LSTM {lstm.name!r} uses {names[0]} and {names[1]}, not tanh and sigmoid"
            )
        if lstm.go_backwards or lstm.return_state:
            raise ValueError(f"LSTM {lstm.name!r} runs backwards or returns its state")
        if not lstm.return_sequences and lstm is not lstms[-1]:
            raise ValueError(f"LSTM {lstm.name!r} returns only its last output")


def _array(weight: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(weight).astype(np.float32)


def _bias(layer: Any, size: int) -> np.ndarray:
    return _array(layer.bias) if layer.use_bias else np.zeros(size, np.float32)


def _with_start(rows: np.ndarray, num_classes: int) -> np.ndarray:
    """Add a row of zeros for the start token if there is none."""
    return rows if len(rows) > num_classes else np.concatenate([rows, np.zeros_like(rows[:1])])
