"""Signatures of an export, traced into a graph that runs without this program."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from rl_tuner.core.rollout import log_probs, sequence_inputs
from rl_tuner.core.sampling import sample_after
from rl_tuner.core.stepper import State
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tasks.presentation import PADDING, presentation_of

# Limits of a request, which protect servers: of max_length, in horizons, of rows and of all their tokens.
LONGEST, MOST_ROWS, MOST_TOKENS = 16, 100_000, 2**23
# The steps of one sequence follow each other, so they are bounded as well.
MOST_STEPS = 2**16

_TOKENS = tf.TensorSpec([None, None], tf.int32)


class Untracked:
    """A wrapper that hides a value from the export of the module that contains it."""

    def __init__(self, value: Any) -> None:
        self.value = value


def served_function(
    call: Callable[..., dict[str, tf.Tensor]], **inputs: tuple[tf.TensorSpec, tf.Tensor | None]
) -> Any:
    """Return a tf.function whose inputs keep their names and defaults in a SavedModel.

    Args:
        call: takes one tensor per input, by name, and returns the outputs by name.
        **inputs: spec and default value of each input, by name; None for no default. Inputs with a
            default come last.
    """
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty

    def function(*args: tf.Tensor, **kwargs: tf.Tensor) -> dict[str, tf.Tensor]:
        return call(**dict(zip(inputs, args)), **kwargs)

    # TensorFlow reads the names and defaults of the inputs from __signature__.
    function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, kind, default=empty if default is None else default)
            for name, (_, default) in inputs.items()
        ]
    )
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, (spec, _) in inputs.items()]
    return tf.function(function, input_signature=specs)


def require(condition: tf.Tensor, message: str) -> tf.Operation:
    """Return an op that fails with an InvalidArgumentError and `message` unless `condition` is true."""
    return tf.debugging.Assert(condition, [message])


def _few_rows(rows: tf.Tensor) -> tf.Operation:
    return require(rows <= MOST_ROWS, f"a request must have at most {MOST_ROWS} rows")


def _few_tokens(rows: tf.Tensor, length: tf.Tensor) -> tf.Operation:
    total = tf.cast(rows, tf.int64) * tf.cast(length, tf.int64)
    message = f"rows times length must be at most {MOST_TOKENS} tokens, and length {MOST_STEPS}"
    return require((total <= MOST_TOKENS) & (length <= MOST_STEPS), message)


class ServedPolicy(tf.Module):
    """The tuned policy and its prior as functions of tensors of any batch size and length.

    Each function is a signature and, in Python, a method of the loaded object, where an input with a
    default may be left out. B is the batch size, T the length, A the number of classes, P the length of
    a prefix, that is, of the tokens that the networks read before the first token. A prefix without
    columns is the start token; a prefix with a single row applies to every row. Log-probabilities are
    sums over a sequence, in nats.

    `generate(count, temperature=1, seed=0, max_length=horizon, primer=[])` -> `prefix` int32 [count, P],
    `tokens` int32 [count, max_length], 0 past a sequence's end, `lengths` int32 [count] with the end
    token counted, `log_policy` and `log_prior` float32 [count], both at temperature 1, and the outputs
    of `GraphCodec.decode`, primer included. Without a primer, int32 [P], a sequence starts as in
    tuning; with a primer, it follows the start token and the primer.

    `score(tokens, prefix=[[]])` int32 [B, T], int32 [B or 1, P] -> `log_policy`, `log_prior`, `log_ratio`
    float32 [B]. -1 is padding; tokens after an end token are ignored.

    `score_TEXT(TEXT, prefix=[[]])`, such as score_smiles: string [B] -> the same outputs, for tasks
    with a text form that a graph can read.

    `next(tokens, prefix=[[]])` int32 [B, T], T may be 0 -> `policy`, `prior` float32 [B, A],
    probabilities of the token after each row's last; -1 is padding.

    `describe(part="")` -> `json`, a string: the whole description of the model, or one part of it.

    Every function raises tf.errors.InvalidArgumentError for invalid input, which includes more rows or
    tokens than `MOST_ROWS` and `MOST_TOKENS`, or longer rows than `MOST_STEPS`.

    Args:
        tuner: a tuned policy with its prior.
        description: JSON-serialisable parts of the description that `describe` returns.
    """

    def __init__(self, tuner: RLTuner, description: dict[str, Any]) -> None:
        super().__init__(name="served_policy")
        # Only the networks' variables are exported, not the Keras objects.
        self._tuner = Untracked(tuner)
        texts = [json.dumps(part, indent=2) for part in (description, *description.values())]
        self._description = Untracked(dict(zip(["", *description], texts)))
        self.weights = [w.value for n in tuner.policy[:2] for w in n.weights]
        self._codec = Untracked(presentation_of(tuner.task).graph_codec())
        prefix = (_TOKENS, tf.zeros([1, 0], tf.int32))
        scalar = tf.TensorSpec([], tf.int32)
        self.generate = served_function(
            self._generate,
            count=(scalar, None),
            temperature=(tf.TensorSpec([], tf.float32), tf.constant(1.0)),
            seed=(scalar, tf.constant(0)),
            max_length=(scalar, tf.constant(tuner.task.horizon)),
            primer=(tf.TensorSpec([None], tf.int32), tf.zeros([0], tf.int32)),
        )
        self.score = served_function(self._score, tokens=(_TOKENS, None), prefix=prefix)
        self.next = served_function(self._next, tokens=(_TOKENS, None), prefix=prefix)
        self.describe = served_function(
            self._describe, part=(tf.TensorSpec([], tf.string), tf.constant(""))
        )
        self._signatures = ["generate", "score", "next", "describe"]
        if text := self._codec.value.text_name:
            self._signatures.append(f"score_{text}")
            strings = {text: (tf.TensorSpec([None], tf.string), None)}
            setattr(
                self, f"score_{text}", served_function(self._score_text, **strings, prefix=prefix)
            )

    @property
    def signatures(self) -> dict[str, Any]:
        """The signatures for `tf.saved_model.save`, by name."""
        return {name: getattr(self, name) for name in self._signatures}

    def _generate(
        self,
        count: tf.Tensor,
        temperature: tf.Tensor,
        seed: tf.Tensor,
        max_length: tf.Tensor,
        primer: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        tuner, task = self._tuner.value, self._tuner.value.task
        checks = self._request_checks(count, temperature, max_length, primer)
        with tf.control_dependencies(checks):
            # As in `core.sampling.sample`, so that a seed gives the same sequences in both.
            seeds = tf.random.experimental.stateless_split(tf.stack([seed, 0]), 2)
            count, max_length = tf.identity(count), tf.identity(max_length)
            temperature, primer = tf.identity(temperature), tf.identity(primer)
        start_token = tuner.prior.start_token
        prefix = tf.cond(
            tf.size(primer) > 0,
            lambda: tf.tile(tf.concat([[start_token], primer], 0)[tf.newaxis], [count, 1]),
            lambda: tuner.start.prefix(count, start_token, seeds[0]),
        )
        prefix = tf.ensure_shape(prefix, [None, None])
        episode = sample_after(
            tuner.policy, prefix, max_length, seeds[1], task.end_token, temperature
        )
        lengths = tf.cast(tf.reduce_sum(episode.mask, axis=1), tf.int32)
        opening = tf.tile(primer[tf.newaxis], [count, 1])
        whole = tf.concat([opening, episode.tokens], axis=1)
        return {
            "prefix": prefix,
            "tokens": episode.tokens,
            "lengths": lengths,
            "log_policy": tf.reduce_sum(episode.log_policy, axis=1),
            "log_prior": tf.reduce_sum(episode.log_prior, axis=1),
            **self._codec.value.decode(whole, tf.size(primer) + lengths),
        }

    def _request_checks(
        self, count: tf.Tensor, temperature: tf.Tensor, max_length: tf.Tensor, primer: tf.Tensor
    ) -> list[tf.Operation]:
        task = self._tuner.value.task
        limit = LONGEST * task.horizon
        return [
            require(
                (count >= 1) & (count <= MOST_ROWS), f"count must be between 1 and {MOST_ROWS}"
            ),
            _few_tokens(count, tf.size(primer) + max_length),
            require(
                (temperature > 0) & tf.math.is_finite(temperature),
                "temperature must be a positive number",
            ),
            require(
                (max_length >= 1) & (max_length <= limit),
                f"max_length must be between 1 and {limit}",
            ),
            require(
                tf.reduce_all((primer >= 0) & (primer < task.num_classes)),
                f"tokens of a primer must be between 0 and {task.num_classes - 1}",
            ),
            self._continues(primer, "a primer"),
        ]

    def _score(self, tokens: tf.Tensor, prefix: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens, prefix = self._checked(tokens, prefix)
        counts = tokens >= 0
        end_token = self._tuner.value.task.end_token
        if end_token is not None:
            ends = tf.cast(tf.equal(tokens, end_token), tf.int32)
            counts &= tf.equal(tf.cumsum(ends, axis=1, exclusive=True), 0)
        chosen = tf.maximum(tokens, 0)
        inputs = sequence_inputs(prefix, chosen)
        before = tf.shape(prefix)[1] - 1
        targets = tf.pad(chosen, [[0, 0], [before, 0]])
        size = tf.shape(inputs)[1]
        arrays = [tf.TensorArray(tf.float32, size=size, element_shape=[None]) for _ in range(2)]

        def visit(t: tf.Tensor, logs: tuple[tf.Tensor, ...], arrays: list[Any]) -> list[Any]:
            found = [tf.gather(tf.transpose(log), targets[:, t], batch_dims=1) for log in logs]
            return [array.write(t, value) for array, value in zip(arrays, found)]

        mask = tf.cast(counts, tf.float32)
        log_policy, log_prior = (
            tf.reduce_sum(tf.transpose(array.stack()[before:]) * mask, axis=1)
            for array in self._walk(inputs, visit, arrays)
        )
        return {
            "log_policy": log_policy,
            "log_prior": log_prior,
            "log_ratio": log_policy - log_prior,
        }

    def _score_text(self, prefix: tf.Tensor, **texts: tf.Tensor) -> dict[str, tf.Tensor]:
        (strings,) = texts.values()
        name = next(iter(texts))
        total = tf.reduce_sum(tf.cast(tf.strings.length(strings), tf.int64))
        checks = [
            require(tf.size(strings) > 0, f"{name} must contain at least one string"),
            require(total <= MOST_TOKENS, f"{name} must have at most {MOST_TOKENS} bytes in all"),
            _few_rows(tf.size(strings)),
        ]
        with tf.control_dependencies(checks):
            strings = tf.identity(strings)
        return self._score(self._codec.value.encode(strings), prefix)

    def _next(self, tokens: tf.Tensor, prefix: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([self._continues(tokens, "next: tokens")]):
            tokens, prefix = self._checked(tf.identity(tokens), prefix, may_be_empty=True)
        inputs = tf.concat([prefix, tf.maximum(tokens, 0)], axis=1)
        sizes = tf.reduce_sum(tf.cast(tokens >= 0, tf.int32), axis=1)
        last = tf.shape(prefix)[1] - 1 + sizes
        shape = [tf.shape(tokens)[0], self._tuner.value.task.num_classes]

        def visit(t: tf.Tensor, logs: tuple[tf.Tensor, ...], kept: list[Any]) -> list[Any]:
            here = tf.equal(t, last)[:, tf.newaxis]
            return [tf.where(here, tf.transpose(tf.exp(log)), old) for log, old in zip(logs, kept)]

        policy, prior = self._walk(inputs, visit, [tf.zeros(shape), tf.zeros(shape)])
        return {"policy": policy, "prior": prior}

    def _describe(self, part: tf.Tensor) -> dict[str, tf.Tensor]:
        texts = self._description.value
        found = tf.equal(tf.constant([*texts]), part)
        message = f"part must be empty or one of {', '.join(name for name in texts if name)}"
        with tf.control_dependencies([require(tf.reduce_any(found), message)]):
            index = tf.argmax(tf.cast(found, tf.int32))
        return {"json": tf.gather(tf.constant([*texts.values()]), index)}

    def _checked(
        self, tokens: tf.Tensor, prefix: tf.Tensor, may_be_empty: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Check tokens and prefix; return both, the prefix with B rows: int32 [B, P], P >= 1."""
        classes, start_token = (
            self._tuner.value.task.num_classes,
            self._tuner.value.prior.start_token,
        )
        rows = tf.shape(tokens)[0]
        size = rows if may_be_empty else tf.size(tokens)
        given = tf.shape(prefix)[0]
        checks = [
            _few_rows(rows),
            _few_tokens(rows, tf.shape(tokens)[1] + tf.shape(prefix)[1]),
            require(
                size > 0, f"tokens must contain at least one {'row' if may_be_empty else 'token'}"
            ),
            require(
                tf.reduce_all((tokens >= PADDING) & (tokens < classes)),
                f"tokens must be between 0 and {classes - 1}, or be {PADDING} for padding",
            ),
            require(
                ~tf.reduce_any((tokens[:, 1:] >= 0) & (tokens[:, :-1] < 0)),
                f"padding ({PADDING}) must not precede tokens in a row",
            ),
            require(
                tf.reduce_all((prefix >= 0) & (prefix <= start_token)),
                f"tokens of a prefix must be between 0 and {start_token}, which is the start token",
            ),
            require(
                tf.equal(tf.size(prefix), 0) | tf.equal(given, 1) | tf.equal(given, rows),
                "a prefix must have one row, or as many rows as tokens",
            ),
        ]
        with tf.control_dependencies(checks):
            prefix = tf.cond(
                tf.shape(prefix)[1] > 0, lambda: prefix, lambda: tf.fill([1, 1], start_token)
            )
            prefix = tf.broadcast_to(prefix, [rows, tf.shape(prefix)[1]])
            return tf.identity(tokens), tf.ensure_shape(prefix, [None, None])

    def _continues(self, tokens: tf.Tensor, name: str) -> tf.Operation:
        end_token = self._tuner.value.task.end_token
        if end_token is None:
            return tf.no_op()
        message = f"{name} must not contain the end token ({end_token}): nothing follows it"
        return require(tf.reduce_all(tf.not_equal(tokens, end_token)), message)

    def _walk(self, inputs: tf.Tensor, visit: Callable[..., Any], carry: Any) -> Any:
        """Scan int32 [B, L] inputs with visit(t, (log pi, log p), carry) -> carry; return the last carry.

        Both logs are float32 [A, B]. The steps are those of `rollout`, so that both give the same bits.
        Keras's unrolling would not, and on a GPU it would export an LSTM that cannot run on a CPU.
        """
        tuner = self._tuner.value
        rows, size = tf.shape(inputs)[0], tf.shape(inputs)[1]
        online, prior = tuner.policy.network.stepper(), tuner.prior.stepper()

        def step(t: tf.Tensor, state: State, prior_state: State, carry: Any) -> tuple[Any, ...]:
            scores, state = online(inputs[:, t], state)
            prior_logits, prior_state = prior(inputs[:, t], prior_state)
            logs = log_probs(tuner.objective.policy_logits, scores, prior_logits)
            return t + 1, state, prior_state, visit(t, logs, carry)

        states = tuner.policy.network.zero_state(rows), tuner.prior.zero_state(rows)
        *_, carry = tf.while_loop(lambda t, *_: t < size, step, (tf.constant(0), *states, carry))
        return carry
