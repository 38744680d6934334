"""Conversion between classes and strings as a graph, for exported models."""

from __future__ import annotations

import tensorflow as tf

from rl_tuner.tasks.molecule.tokens import END, Vocabulary
from rl_tuner.tasks.presentation import GraphCodec

# The same tokens as `tokens.split` finds, in the syntax of TensorFlow's regular expressions.
_TOKENS = {
    "atom": r"(?s)(\[[^\[\]]*\]|Br|Cl|%\d\d|%\(\d+\)|.)",
    "character": r"(?s)(.)",
    "selfies": r"(?s)(\[[^\]]*\]|.)",
}
# No SMILES contains it; a string that does gets an empty token, which is not in any vocabulary.
_SEPARATOR = "\x01"


class MoleculeCodec(GraphCodec):
    """Codec between classes and strings: SELFIES if the vocabulary is in SELFIES, else SMILES.

    SELFIES are not converted into SMILES, because that needs the Python package `selfies`.

    Args:
        vocabulary: vocabulary of the classes.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.text_name: str = "selfies" if vocabulary.representation == "selfies" else "smiles"

    def decode(self, tokens: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return `smiles` (or `selfies`) string [B], without the end token, and `finished` bool [B].

        A sequence that is not finished has no end token, and its string may not be a molecule.
        """
        inside = tf.range(tf.shape(tokens)[1]) < lengths[:, tf.newaxis]
        ends = inside & tf.equal(tokens, END)
        spelled = inside & tf.equal(tf.cumsum(tf.cast(ends, tf.int32), axis=1), 0)
        words = tf.gather(tf.constant(["", *self._vocabulary.tokens]), tf.where(spelled, tokens, 0))
        return {
            self.text_name: tf.strings.reduce_join(words, axis=1),
            "finished": tf.reduce_any(ends, axis=1),
        }

    def encode(self, texts: tf.Tensor) -> tf.Tensor:
        """Return the classes of strings [B] as `Vocabulary.encode_tokens`: int32 [B, T], padded with -1.

        Raises:
            tf.errors.InvalidArgumentError: a token is not in the vocabulary.
        """
        pattern = _TOKENS[self._vocabulary.representation]
        marked = tf.strings.regex_replace(texts, pattern, rf"\1{_SEPARATOR}")
        words = tf.strings.split(marked, _SEPARATOR)
        # A separator follows every token, so the last word is empty.
        words = words[:, :-1]
        same = tf.equal(words.flat_values[:, tf.newaxis], tf.constant(self._vocabulary.tokens))
        known = tf.reduce_any(same, axis=1)
        unknown = tf.boolean_mask(words.flat_values, ~known)
        sentence = f"{self.text_name}: this token is not in the vocabulary of the training data:"
        check = tf.debugging.Assert(tf.reduce_all(known), [sentence, unknown], summarize=1)
        with tf.control_dependencies([check]):
            classes = words.with_flat_values(tf.argmax(same, axis=1, output_type=tf.int32) + 1)
        ends = tf.fill([tf.shape(texts)[0], 1], END)
        return tf.concat([classes, ends], axis=1).to_tensor(-1)
