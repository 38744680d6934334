"""Import of Magenta's melody networks as priors: note_rnn, basic_rnn and others of plain LSTM layers.

TensorFlow has named the same weights in three ways. S is the scope, such as rnn_model/, or empty:

| | layer k's kernel and bias |
|---|---|
| up to 0.12 | S RNN/MultiRNNCell/Cellk/LSTMCell/{W_0, B}, S .../BasicLSTMCell/Linear/{Matrix, Bias} |
| 1.0, 1.1 | S rnn/multi_rnn_cell/cell_k/{lstm_cell, basic_lstm_cell}/{weights, biases} |
| since 1.2 | S rnn/multi_rnn_cell/cell_k/{lstm_cell, basic_lstm_cell}/{kernel, bias} |

The kernel is [inputs + cells, 4 cells]: rows for the inputs, then rows for the recurrent output. Its
columns and the bias belong to the input gate i, the candidate j, the forget gate f and the output
gate o, in this order; TensorFlow adds 1 to f at run time. Keras has two kernels, with columns i, f, j, o.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.priors.importing.provenance import ZERO_START, save_imported
from rl_tuner.priors.importing.tf1_checkpoints import Checkpoint, open_checkpoint

_CELL = re.compile(
    r"(?P<scope>(?:.+?/)??)(?:cudnn_lstm(?:_(?P<stack>\d+))?/)?(?:RNN|rnn)/"
    r"(?:(?:MultiRNNCell/Cell|multi_rnn_cell/cell_)(?P<index>\d+)/)?"
    r"(?P<cell>[A-Za-z_]*(?:LSTMCell|lstm_cell))/(?P<weight>[^/]+|Linear/[^/]+)"
)
# LSTMCell can be told to split a kernel's rows over W_0, W_1 and so on.
_KERNEL = re.compile(r"W_\d+|Linear/Matrix|weights|kernel")
_BIAS = re.compile(r"B|Linear/Bias|biases|bias")
_OPTIMIZER = re.compile(
    r"/(Adam|Adagrad|AdagradDA|Adadelta|Momentum|RMSProp|Ftrl|ExponentialMovingAverage)(_\d+)?$"
)
_FORGET_BIAS = 1.0


@dataclasses.dataclass
class _Layer:
    """Names of a layer's variables, and the constant added to its forget gate."""

    kernels: list[str] = dataclasses.field(default_factory=list)
    biases: list[str] = dataclasses.field(default_factory=list)
    forget_bias: float = _FORGET_BIAS


@dataclasses.dataclass
class _Weights:
    """One LSTM layer in TensorFlow 1's layout: [inputs + cells, 4 cells] and [4 cells]."""

    kernel: np.ndarray
    bias: np.ndarray

    @property
    def cells(self) -> int:
        return self.bias.size // 4

    @property
    def inputs(self) -> int:
        return self.kernel.shape[0] - self.cells


def import_magenta(
    checkpoint: str,
    output_dir: str,
    melody_encoding: dict[str, Any],
    scope: str | None = None,
    swap_special_classes: bool = False,
) -> tuple[str, SequenceNetwork]:
    """Make a prior from a TensorFlow 1 checkpoint or a bundle.

    The prior's scores are the checkpoint's logits. Magenta's networks have no start token: their first
    input is the first note. We therefore feed an all-zero input in place of our start token, which the
    network never saw in training.

    A network of 38 classes becomes a prior of kind "melody"; any other becomes one of kind "tokens",
    for a user's own task.

    Args:
        checkpoint: prefix or file of a checkpoint, folder with a file "checkpoint", or .mag bundle.
        output_dir: receives prior.keras.
        melody_encoding: `rl_tuner.tasks.melody.encoding.MELODY_ENCODING`.
        scope: variable scope of the network, needed if the checkpoint contains several networks; "" for
            none.
        swap_special_classes: whether class 0 of the checkpoint is "note off" and class 1 "no event",
            the reverse of Magenta's melody encoding and ours.

    Returns:
        The path of the prior's file, and the prior.

    Raises:
        UserError: the checkpoint cannot be read, or contains anything but LSTM layers and an output
            layer.
    """
    with open_checkpoint(checkpoint) as opened:
        network, scope = read_network(opened, scope)
        facts: dict[str, Any] = {
            "importer": "magenta",
            "file": opened.name,
            "sha256": opened.sha256,
            "scope": scope,
            "bundle": opened.bundle or None,
        }
    is_melody = network.num_classes == melody_encoding["num_classes"]
    if swap_special_classes:
        if not is_melody:
            raise UserError(
                f"{checkpoint} has {network.num_classes} classes; swap_special_classes is only for melody "
                f"networks, which have {melody_encoding['num_classes']}"
            )
        swap_classes(network, 0, 1)
    facts |= {"swapped_special_classes": swap_special_classes, "start_token": ZERO_START}
    kind, encoding = (
        ("melody", melody_encoding)
        if is_melody
        else ("tokens", {"num_classes": network.num_classes})
    )
    return save_imported(network, output_dir, kind, encoding, facts), network


def read_network(opened: Checkpoint, scope: str | None = None) -> tuple[SequenceNetwork, str]:
    """Find the variables of a network and convert them.

    Args:
        opened: the checkpoint.
        scope: see `import_magenta`.

    Returns:
        The network and its scope.

    Raises:
        UserError: there is no such network, or it is not a plain LSTM.
    """
    # Scalars are step counters, powers of Adam's betas and learning rates, not weights.
    names = [name for name, shape in opened.shapes.items() if shape and not _OPTIMIZER.search(name)]
    found = _find_layers(names)
    if not found:
        _refuse_attention(opened.path, names)
    scope = _choose(opened.path, sorted(found), scope, names)
    others = tuple(other for other in found if other != scope and other.startswith(scope))
    rest = [
        name
        for name in names
        if name.startswith(scope) and not (others and name.startswith(others))
    ]
    _refuse_attention(opened.path, rest)
    _check_places(opened.path, found[scope])
    layers = [_read_layer(opened, layer) for _, layer in sorted(found[scope].items())]
    used = {name for layer in found[scope].values() for name in (*layer.kernels, *layer.biases)}
    head = _read_head(opened, [name for name in rest if name not in used], layers[-1].cells)
    return _build(opened.path, layers, *head), scope


def swap_classes(network: SequenceNetwork, one: int, other: int) -> None:
    """Exchange two classes of a network in place, as inputs and as outputs; for one-hot inputs only."""
    order = np.arange(network.num_classes + 1)
    order[[one, other]] = order[[other, one]]
    kernel, *recurrent = network.lstms[0].get_weights()
    network.lstms[0].set_weights([kernel[order], *recurrent])
    network.head.set_weights([weight[..., order[:-1]] for weight in network.head.get_weights()])


def _find_layers(names: Iterable[str]) -> dict[str, dict[tuple[int, int], _Layer]]:
    """Return scope -> place -> layer for the variables that are named like those of an LSTM cell."""
    found: dict[str, dict[tuple[int, int], _Layer]] = {}
    for name in sorted(names):
        match = _CELL.fullmatch(name)
        if not match:
            continue
        place = int(match["stack"] or 0), int(match["index"] or 0)
        layer = found.setdefault(match["scope"], {}).setdefault(place, _Layer())
        if match["cell"].startswith("cudnn"):
            layer.forget_bias = 0.0
        if _KERNEL.fullmatch(match["weight"]):
            layer.kernels.append(name)
        elif _BIAS.fullmatch(match["weight"]):
            layer.biases.append(name)
    return found


def _refuse_attention(path: str, names: Iterable[str]) -> None:
    for name in sorted(names):
        if "attention" in name.lower():
            raise UserError(
                f"{path}: {name} belongs to an attention network, which attends to its earlier outputs "
                "and cannot be imported; basic_rnn and note_rnn can"
            )


def _check_places(path: str, places: Iterable[tuple[int, int]]) -> None:
    for _, stack in itertools.groupby(sorted(places), key=lambda place: place[0]):
        indices = [index for _, index in stack]
        if indices != list(range(len(indices))):
            raise UserError(f"{path} contains only layers {indices} of a stack; others are missing")


def _choose(path: str, scopes: list[str], wanted: str | None, names: list[str]) -> str:
    shown = ", ".join(repr(scope.rstrip("/")) for scope in scopes)
    if not scopes:
        some = ", ".join(sorted(names)[:3]) or "no variables"
        raise UserError(
            f"{path} contains no LSTM layers with the names that Magenta gives them ({some} ...)"
        )
    if wanted is not None:
        scope = f"{wanted.rstrip('/')}/" if wanted else ""
        if scope not in scopes:
            raise UserError(f"{path} has no network in scope {wanted!r}, only in {shown}")
        return scope
    if len(scopes) > 1:
        raise UserError(f"{path} contains several networks; choose one by its scope: {shown}")
    return scopes[0]


def _read_layer(opened: Checkpoint, layer: _Layer) -> _Weights:
    if not layer.kernels or len(layer.biases) != 1:
        name = (layer.kernels + layer.biases or ["a cell"])[0]
        raise UserError(f"{opened.path}: the layer of {name} lacks a kernel or a bias")
    shards = sorted(layer.kernels, key=lambda name: (len(name), name))
    parts = [opened.read(name) for name in shards]
    bias = opened.read(layer.biases[0])
    fits = bias.ndim == 1 and bias.size % 4 == 0 and bias.size > 0
    if not fits or any(part.ndim != 2 or part.shape[1] != bias.size for part in parts):
        raise UserError(
            f"{opened.path}: {shards[0]} and its bias do not have the shapes of an LSTM layer: kernel "
            f"{parts[0].shape}, bias {bias.shape}"
        )
    bias = bias.copy()
    forget = slice(bias.size // 2, 3 * bias.size // 4)
    bias[forget] += layer.forget_bias
    return _Weights(np.concatenate(parts), bias)


def _read_head(opened: Checkpoint, names: list[str], cells: int) -> tuple[np.ndarray, np.ndarray]:
    shapes = {name: opened.shapes[name] for name in names}
    matrices = [name for name, shape in shapes.items() if len(shape) == 2 and shape[0] == cells]
    vectors = [
        name
        for name, shape in shapes.items()
        if len(matrices) == 1 and shape == shapes[matrices[0]][1:]
    ]
    strange = sorted(set(names) - set(matrices[:1]) - set(vectors[:1]))
    if strange:
        raise UserError(
            f"{opened.path}: {strange[0]} {list(shapes[strange[0]])} belongs neither to a plain LSTM nor "
            "to the output layer; only LSTM layers and one output layer can be imported"
        )
    if not matrices or not vectors:
        raise UserError(f"{opened.path} has no output layer for {cells} cells")
    return opened.read(matrices[0]), opened.read(vectors[0])


def _build(
    path: str, layers: list[_Weights], head: np.ndarray, head_bias: np.ndarray
) -> SequenceNetwork:
    num_classes = head_bias.size
    if layers[0].inputs != num_classes:
        raise UserError(
            f"{path} feeds {layers[0].inputs} numbers to a network of {num_classes} classes, as lookback "
            "networks do; only one-hot inputs can be imported"
        )
    for below, above in itertools.pairwise(layers):
        if above.inputs != below.cells:
            raise UserError(
                f"{path}: a layer with {above.inputs} inputs follows a layer of {below.cells} cells"
            )
    network = SequenceNetwork(num_classes, [layer.cells for layer in layers], name="prior")
    for index, (lstm, layer) in enumerate(zip(network.lstms, layers)):
        kernel, recurrent = np.split(_keras_gates(layer.kernel), [layer.inputs])
        if index == 0:
            kernel = np.concatenate([kernel, np.zeros_like(kernel[:1])])
        lstm.set_weights([kernel, recurrent, _keras_gates(layer.bias)])
    network.head.set_weights([head, head_bias])
    return network


def _keras_gates(columns: np.ndarray) -> np.ndarray:
    """Reorder columns i, j, f, o as i, f, j, o."""
    i, j, f, o = np.split(columns, 4, axis=-1)
    return np.concatenate([i, f, j, o], axis=-1)
