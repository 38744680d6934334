"""Serialisation of tf.train.SequenceExample without TensorFlow.

The parts of the message that are used here, with their field numbers:
    SequenceExample {context = 1: Features, feature_lists = 2: FeatureLists}
    Features {feature = 1: map of string to Feature}
    FeatureLists {feature_list = 1: map of string to FeatureList}
    FeatureList {feature = 1: repeated Feature}
    Feature {bytes_list = 1: {value = 1}, int64_list = 3: {value = 1, packed}}
"""

import functools
from collections.abc import Iterable, Mapping


def serialise(context: Mapping[str, str | int], tokens: Iterable[int]) -> bytes:
    """Return a SequenceExample in bytes that depend only on its content.

    Args:
        context: the context features: strings become bytes, numbers int64.
        tokens: the feature list "tokens", one int64 per step.

    Raises:
        ValueError: if a number is negative.
    """
    features = b"".join(_entry(name, _feature(context[name])) for name in sorted(context))
    steps = b"".join(_field(1, _feature(int(token))) for token in tokens)
    return _field(1, features) + _field(2, _entry("tokens", steps))


@functools.lru_cache(maxsize=4096)
def _feature(value: str | int) -> bytes:
    if isinstance(value, str):
        return _field(1, _field(1, value.encode("utf-8", "backslashreplace")))
    return _field(3, _field(1, _varint(value)))


def _entry(key: str, value: bytes) -> bytes:
    """Return a map entry, wrapped as field 1 of its map."""
    return _field(1, _field(1, key.encode()) + _field(2, value))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    if value < 0:
        raise ValueError(f"negative numbers are not supported: {value}")
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
