"""Decoding of Magenta's melody examples without TensorFlow.

Magenta's basic_rnn is trained on `tf.train.SequenceExample`s with two feature lists of n steps each, in
the 38 classes of `rl_tuner.tasks.melody.encoding`: `inputs` contains classes 0 to n - 1 of a melody as
one-hot float vectors, `labels` contains classes 1 to n as integers. The melody is therefore the first
input followed by all labels, n + 1 classes. The parts of the message that are read here, with their
field numbers:

    SequenceExample {feature_lists = 2: FeatureLists}
    FeatureLists {feature_list = 1: map of string to FeatureList}
    FeatureList {feature = 1: repeated Feature}
    Feature {float_list = 2: {value = 1: repeated float}, int64_list = 3: {value = 1: repeated int64}}
"""

import functools
import itertools
import struct
from collections.abc import Iterator

from rl_tuner.datasets.writer import RejectedError
from rl_tuner.tasks.melody.encoding import NUM_CLASSES

_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}
_ONE_HOT = {
    struct.pack(f"<{NUM_CLASSES}f", *(float(i == hot) for i in range(NUM_CLASSES))): hot
    for hot in range(NUM_CLASSES)
}


def decode_melody(example: bytes) -> bytes:
    """Return the classes of an example's melody, one byte per class.

    Raises:
        RejectedError: if the bytes are not an example, or the example is not a melody in 38 classes with
            consistent inputs and labels.
    """
    lists = {
        _only(entry, 1, "damaged example"): _only(entry, 2, "damaged example")
        for feature_lists in _payloads(example, 2)
        for entry in _payloads(feature_lists, 1)
    }
    if b"inputs" not in lists or b"labels" not in lists:
        raise RejectedError("no inputs and labels")
    inputs = bytes(_input_class(feature) for feature in _payloads(lists[b"inputs"], 1))
    labels = bytes(_label(feature) for feature in _payloads(lists[b"labels"], 1))
    if len(inputs) != len(labels) or not inputs:
        detail = f"{len(inputs)} inputs, {len(labels)} labels"
        raise RejectedError("inputs and labels disagree", detail)
    if inputs[1:] != labels[:-1]:
        pairs = zip(inputs[1:], labels)
        step = next(step for step, (one, other) in enumerate(pairs) if one != other)
        raise RejectedError("inputs and labels disagree", f"at step {step}")
    return inputs[:1] + labels


# A dataset has only as many different features as classes.
@functools.lru_cache(maxsize=256)
def _input_class(feature: bytes) -> int:
    vector = b"".join(_payloads(_only(feature, 2, "another encoding"), 1))
    if len(vector) != 4 * NUM_CLASSES:
        detail = f"{len(vector) // 4} numbers per step, not {NUM_CLASSES}"
        raise RejectedError("another encoding", detail)
    if vector not in _ONE_HOT:
        raise RejectedError("an input is not one-hot")
    return _ONE_HOT[vector]


@functools.lru_cache(maxsize=256)
def _label(feature: bytes) -> int:
    values = []
    for number, wire_type, value in _fields(_only(feature, 3, "another encoding")):
        if number == 1 and wire_type == _BYTES and isinstance(value, bytes):
            at = 0
            while at < len(value):
                label, at = _varint(value, at)
                values.append(label)
        elif number == 1 and isinstance(value, int):
            values.append(value)
    if len(values) != 1 or values[0] >= NUM_CLASSES:
        raise RejectedError("another encoding", f"labels {values[:3]}")
    return values[0]


def _only(message: bytes, number: int, otherwise: str) -> bytes:
    """Return the payload of a field that must occur exactly once; reject the example otherwise."""
    payloads = list(_payloads(message, number))
    if len(payloads) != 1:
        raise RejectedError(otherwise)
    return payloads[0]


def _payloads(message: bytes, number: int) -> Iterator[bytes]:
    return (
        value
        for found, _, value in _fields(message)
        if found == number and isinstance(value, bytes)
    )


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """Yield number, wire type and content of every field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, wire_type, value
            continue
        if wire_type == _BYTES:
            size, at = _varint(message, at)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise RejectedError("damaged example")
        if at + size > len(message):
            raise RejectedError("damaged example")
        yield number, wire_type, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    if at < len(message) and message[at] < 0x80:
        return message[at], at + 1
    value = 0
    for shift, byte in zip(itertools.count(0, 7), message[at : at + 10]):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + shift // 7 + 1
    raise RejectedError("damaged example")
