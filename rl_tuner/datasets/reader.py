"""Reading of datasets: TFRecords of token sequences, described by a dataset.json."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.datasets import checksums

# Whole sequences are padded to a multiple of this number of tokens.
_BUCKET = 8
# Sequences among which the next one is drawn: whole ones, and those that will be cut into windows.
_SEQUENCE_BUFFER, _TUNE_BUFFER = 1_000_000, 16_384
# Shards read in turn when a split is larger than the buffer, so that neighbours in a shard are apart.
_OPEN_SHARDS = 8


class Stream:
    """Training examples that can be passed through any number of times, and are never all in memory.

    Args:
        start: returns an iterator that begins with the first example.
    """

    def __init__(self, start: Callable[[], Iterator[Any]]) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return self._start()


class SequenceDataset:
    """A dataset in a folder, written by one of the pipelines.

    Args:
        directory: the folder with dataset.json and the shards it names.
        cache_mb: largest size of a split's shards, in MiB, up to which its examples stay in memory after the
            first pass; those of a larger split are read from the disk in every pass.

    Raises:
        UserError: there is no readable dataset.json, or a shard that it names is missing or is not the one
            that was written.
    """

    def __init__(self, directory: str, cache_mb: float = 1024.0) -> None:
        self.directory, self._cache_bytes = directory, cache_mb * 2**20
        path = os.path.join(directory, "dataset.json")
        if not os.path.isfile(path):
            wrong = "contains no dataset.json" if os.path.isdir(directory) else "does not exist"
            raise UserError(f"dataset {directory} {wrong}; give the folder of a dataset")
        try:
            with open(path, encoding="utf-8") as file:
                self.description: dict[str, Any] = json.load(file)
            splits = {name: split["shards"] for name, split in self.description["splits"].items()}
            noted = {
                os.path.join(directory, shard): each
                for split in self.description["splits"].values()
                # Earlier versions wrote no checksums.
                for shard, each in zip(split["shards"], split.get("checksums", ()))
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is not a dataset's description ({error}); make it again"
            ) from None
        self._shards = {
            name: [os.path.join(directory, shard) for shard in shards]
            for name, shards in splits.items()
        }
        self._sizes = {
            name: split.get("sequences", 0) for name, split in self.description["splits"].items()
        }
        for shard in (shard for shards in self._shards.values() for shard in shards):
            if not os.path.isfile(shard):
                raise UserError(
                    f"{shard} is missing though {path} names it; make the dataset again"
                )
        for shard, each in noted.items():
            checksums.check(shard, each, path)
        self._cached: dict[str, tf.data.Dataset] = {}

    @property
    def kind(self) -> str:
        """The kind of the sequences, such as "melody"."""
        return self.description["kind"]

    @property
    def num_classes(self) -> int:
        """Number of classes of the encoding."""
        return self.description["encoding"]["num_classes"]

    def examples(self, split: str) -> tf.data.Dataset:
        """Return every example of a split: (int32 [L] tokens, int32 steps per bar, 1 if there are no bars).

        They stay in memory after the first pass unless the split is larger than `cache_mb`.

        Raises:
            UserError: the dataset has no such split.
        """
        if split not in self._cached:
            examples = self._records(split).map(_parse, num_parallel_calls=2)
            self._cached[split] = examples.cache() if self._fits(split) else examples
        return self._cached[split]

    def _fits(self, split: str) -> bool:
        return sum(map(os.path.getsize, self._shards_of(split))) <= self._cache_bytes

    def _shards_of(self, split: str) -> list[str]:
        if split not in self._shards:
            raise UserError(f"{self.directory} has no split {split!r}, only {sorted(self._shards)}")
        return self._shards[split]

    def _records(self, split: str) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(self._shards_of(split)).with_options(_options())

    def _before_shuffle(self, split: str, buffer: int, seed: int, epoch: int) -> tf.data.Dataset:
        """Return the examples as the shards have them; from random shards if there are more than `buffer`."""
        shards = self._shards_of(split)
        if self._sizes[split] <= buffer:
            return self.examples(split)
        order = np.random.default_rng([seed, epoch]).permutation(shards)
        records = tf.data.Dataset.from_tensor_slices(order).interleave(
            tf.data.TFRecordDataset, cycle_length=_OPEN_SHARDS
        )
        return records.with_options(_options()).map(_parse, num_parallel_calls=2)

    def sequences(self, split: str, most: int = -1) -> list[np.ndarray]:
        """Return the tokens of the first `most` examples of a split (-1: of all), as the shards have them."""
        return [*self.stream(split, most=most)]

    def stream(self, split: str, feature: str | None = None, most: int = -1) -> Iterable[Any]:
        """Return the tokens of a split's examples, or a text feature, to be passed through several times.

        They are read once if the split is not larger than `cache_mb`, and else one by one in every pass.

        Args:
            split: "train" or another split.
            feature: name of a text feature; None for the tokens, int32 [L] each.
            most: how many of the first examples; -1 for all.

        Raises:
            UserError: the dataset has no such split, or (while it is read) its examples no such feature.
        """
        if feature:
            stream = Stream(lambda: self._texts(split, feature, most))
        else:
            records = self._records(split).take(most).map(lambda record: _parse(record)[0])
            stream = Stream(records.as_numpy_iterator)
        return [*stream] if self._fits(split) else stream

    def _texts(self, split: str, feature: str, most: int) -> Iterator[str]:
        features = {feature: tf.io.FixedLenFeature([], tf.string)}
        records = self._records(split).take(most)

        def parse(record: tf.Tensor) -> tf.Tensor:
            return tf.io.parse_single_sequence_example(record, context_features=features)[0][
                feature
            ]

        try:
            for text in records.map(parse).as_numpy_iterator():
                yield text.decode()
        except tf.errors.InvalidArgumentError:
            raise UserError(
                f"{self.directory}: the examples contain no {feature!r}; make the dataset again"
            ) from None

    def training_batches(
        self, split: str, batch_size: int, window: int, seed: int, epoch: int
    ) -> tf.data.Dataset:
        """Return one epoch of shuffled windows.

        Every sequence is cut into windows of at most `window` tokens, starting at a random bar line that
        is drawn for every sequence and epoch. The first input of a window is the token before it, or the
        start token at the beginning of a sequence, so that a network learns both to start a sequence and
        to continue after one token. Without a window, sequences stay whole, and a batch contains
        sequences of similar length.

        Args:
            split: "train" or another split.
            batch_size: windows per batch.
            window: length of the longest window in tokens; 0 for whole sequences.
            seed: seed of cuts and order.
            epoch: number of the epoch; seed and epoch determine the batches and their order.

        Returns:
            Batches of (int32 [B, T] inputs, int32 [B, T] labels, float32 [B, T] mask), with T the window
            or, for whole sequences, a multiple of 8 tokens.
        """
        if not window:
            return self._whole_batches(split, batch_size, seed, epoch)
        start_token = self.num_classes

        def cut(index: tf.Tensor, example: tuple[tf.Tensor, tf.Tensor]) -> tf.data.Dataset:
            tokens, steps_per_bar = example
            draw = tf.random.experimental.stateless_fold_in(tf.constant([seed, epoch]), index)
            bars = tf.maximum(1, window // steps_per_bar)
            first = steps_per_bar * tf.random.stateless_uniform(
                [], draw, maxval=bars, dtype=tf.int32
            )
            return tf.data.Dataset.from_tensor_slices(_windows(tokens, first, window, start_token))

        return (
            self._before_shuffle(split, _TUNE_BUFFER, seed, epoch)
            .enumerate()
            .shuffle(_TUNE_BUFFER, seed=_mix(seed, epoch, 0), reshuffle_each_iteration=False)
            .flat_map(lambda index, example: cut(index, example))
            .shuffle(4_096, seed=_mix(seed, epoch, 1), reshuffle_each_iteration=False)
            .batch(batch_size)
            .prefetch(4)
        )

    def _whole_batches(self, split: str, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
        edges = range(_BUCKET + 1, self.description["encoding"]["longest"] + _BUCKET + 1, _BUCKET)
        return (
            self._before_shuffle(split, _SEQUENCE_BUFFER, seed, epoch)
            .shuffle(_SEQUENCE_BUFFER, seed=_mix(seed, epoch, 0), reshuffle_each_iteration=False)
            .map(self._whole)
            .bucket_by_sequence_length(
                lambda inputs, *_: tf.size(inputs),
                bucket_boundaries=list(edges),
                bucket_batch_sizes=[batch_size] * (len(edges) + 1),
                pad_to_bucket_boundary=True,
            )
            # The incomplete batches of all buckets would otherwise come at the end of the epoch.
            .shuffle(64, seed=_mix(seed, epoch, 1), reshuffle_each_iteration=False)
            .prefetch(4)
        )

    def evaluation_batches(self, split: str, batch_size: int) -> tf.data.Dataset:
        """Return whole sequences in order, in batches like those of `training_batches`."""
        return self.examples(split).map(self._whole).padded_batch(batch_size).prefetch(2)

    def _whole(self, tokens: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        inputs = tf.concat([[self.num_classes], tokens[:-1]], axis=0)
        return inputs, tokens, tf.ones_like(tokens, tf.float32)


def _options() -> tf.data.Options:
    # Autotuning has nothing to tune here, and its thread can delay the deletion of an iterator for
    # seconds. Datasets derived from these records inherit the option.
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    context, features = tf.io.parse_single_sequence_example(
        record,
        context_features={"steps_per_bar": tf.io.FixedLenFeature([], tf.int64, default_value=1)},
        sequence_features={"tokens": tf.io.FixedLenSequenceFeature([], tf.int64)},
    )
    return tf.cast(features["tokens"], tf.int32), tf.cast(context["steps_per_bar"], tf.int32)


def _windows(
    tokens: tf.Tensor, first: tf.Tensor, window: int, start_token: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cut one sequence before token `first` and then every `window` tokens: [N, window] each."""
    length = tf.size(tokens)
    cuts = tf.range(tf.minimum(first, length), length, window)
    splits = tf.unique(tf.concat([[0], cuts, [length]], axis=0)).y
    inputs = tf.concat([[start_token], tokens[:-1]], axis=0)

    def rows(values: tf.Tensor) -> tf.Tensor:
        return tf.RaggedTensor.from_row_splits(values, splits).to_tensor(shape=[None, window])

    return rows(inputs), rows(tokens), rows(tf.ones_like(tokens, tf.float32))


def _mix(seed: int, epoch: int, stream: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, stream]).generate_state(1)[0]) % 2**31
