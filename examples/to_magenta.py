"""Write a prior as a TensorFlow 1 checkpoint, under the names of Magenta's Note RNN.

python examples/to_magenta.py priors/tunes/prior.keras note_rnn/model.ckpt
examples/tune_imported.sh note_rnn/model.ckpt

With it, examples/tune_imported.sh can be tried without downloading a model. The weights of the start token
are lost, because Magenta's networks have no start token.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import tensorflow as tf

import rl_tuner

SCOPE = "rnn_model"
# The names that LSTMCell used up to TensorFlow 0.12; it adds 1 to the forget gate when it runs.
CELL = SCOPE + "/RNN/MultiRNNCell/Cell{}/LSTMCell"
FORGET_BIAS = 1.0


def to_magenta(prior: rl_tuner.SequenceNetwork, path: str) -> str:
    """Save the weights and return the checkpoint's prefix.

    Raises:
        UserError: the prior has a token embedding, which Magenta's networks do not have.
    """
    if prior.embedding_size:
        raise rl_tuner.UserError(
            "a Magenta checkpoint cannot contain a prior with a token embedding"
        )
    values = {}
    for index, lstm in enumerate(prior.lstms):
        kernel, recurrent, bias = lstm.get_weights()
        if index == 0:
            kernel = kernel[: prior.num_classes]  # without the start token
        # Keras orders the gates i, f, j, o; TensorFlow 1 orders them i, j, f, o.
        i, f, j, o = np.split(np.concatenate([kernel, recurrent, bias[np.newaxis]]), 4, axis=1)
        f[-1] -= FORGET_BIAS
        gates = np.concatenate([i, j, f, o], axis=1)
        values |= {f"{CELL.format(index)}/W_0": gates[:-1], f"{CELL.format(index)}/B": gates[-1]}
    weights, biases = prior.head.get_weights()
    values |= {f"{SCOPE}/fully_connected/weights": weights}
    values |= {f"{SCOPE}/fully_connected/bias": biases}
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        variables = [tf1.Variable(value, name=name) for name, value in values.items()]
        session.run(tf1.global_variables_initializer())
        return tf1.train.Saver(variables).save(session, path)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/to_magenta.py PRIOR CHECKPOINT")
    print(to_magenta(rl_tuner.load_prior(sys.argv[1]), sys.argv[2]))
