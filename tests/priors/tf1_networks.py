"""Networks as TensorFlow 1 ran and saved them, built of its own cells."""

import numpy as np
import tensorflow as tf
from tf_keras.api._v1.keras.__internal__.legacy import rnn_cell

tf1 = tf.compat.v1

# Where each generation of names keeps the variables that cells call kernel and bias today.
NAMINGS = {
    "LSTMCell to 0.12": ("RNN/MultiRNNCell/Cell{}/LSTMCell", "W_0", "B"),
    "BasicLSTMCell to 0.12": (
        "RNN/MultiRNNCell/Cell{}/BasicLSTMCell/Linear",
        "Matrix",
        "Bias",
    ),
    "LSTMCell 1.0": ("rnn/multi_rnn_cell/cell_{}/lstm_cell", "weights", "biases"),
    "BasicLSTMCell 1.0": ("rnn/multi_rnn_cell/cell_{}/basic_lstm_cell", "weights", "biases"),
    "LSTMCell 1.2": ("rnn/multi_rnn_cell/cell_{}/lstm_cell", "kernel", "bias"),
    "BasicLSTMCell 1.2": ("rnn/multi_rnn_cell/cell_{}/basic_lstm_cell", "kernel", "bias"),
    "BasicLSTMCell alone": ("rnn/basic_lstm_cell", "kernel", "bias"),
    "cuDNN": (
        "cudnn_lstm/rnn/multi_rnn_cell/cell_{}/cudnn_compatible_lstm_cell",
        "kernel",
        "bias",
    ),
}


def write(
    path,
    naming="BasicLSTMCell 1.2",
    sizes=(12,),
    classes=38,
    scope="",
    head=("fully_connected/weights", "fully_connected/biases"),
    extras=None,
    old_format=False,
    inputs=None,
    seed=0,
):
    """Saves a random network; returns tokens [B, T] -> logits [B, T, classes], one step at a time.

    The token -1 is an input of zeros.

    Args:
        path: prefix of the checkpoint.
        naming: a key of NAMINGS.
        sizes: cells of each layer.
        classes: outputs.
        scope: prefix of every name, with its slash.
        head: names of the output layer's weights and biases.
        extras: name -> value of variables that are saved beside.
        old_format: one file, as TensorFlow wrote before 0.12 and bundles hold.
        inputs: numbers per step; the number of classes by default.
        seed: seed of the weights.
    """
    pattern, kernel, bias = NAMINGS[naming]
    kind = rnn_cell.LSTMCell if naming.startswith("LSTM") else rnn_cell.BasicLSTMCell
    forget_bias = 0.0 if naming == "cuDNN" else 1.0
    inputs = inputs or classes
    rng = np.random.default_rng(seed)
    graph = tf.Graph()
    with graph.as_default():
        # Initialisers need one where an earlier test has asked for determinism.
        tf1.set_random_seed(seed)
        cell = rnn_cell.MultiRNNCell([kind(size, forget_bias=forget_bias) for size in sizes])
        step = tf1.placeholder(tf.float32, [None, 1, inputs])
        state = tuple(
            rnn_cell.LSTMStateTuple(*(tf1.placeholder(tf.float32, [None, size]) for _ in range(2)))
            for size in sizes
        )
        outputs, new_state = tf1.nn.dynamic_rnn(cell, step, initial_state=state)
        weights = tf1.get_variable("head_weights", [sizes[-1], classes])
        biases = tf1.get_variable("head_biases", [classes])
        logits = outputs[:, 0] @ weights + biases
        names = {scope + head[0]: weights, scope + head[1]: biases}
        for variable in tf1.global_variables():
            parts = variable.op.name.split("/")
            if parts[-1] in ("kernel", "bias"):
                place = pattern.format(parts[2].removeprefix("cell_"))
                names[f"{scope}{place}/{kernel if parts[-1] == 'kernel' else bias}"] = variable
        loads = [v.assign(rng.normal(0, 0.5, v.shape)) for v in names.values()]
        for name, value in (extras or {}).items():
            names[name] = tf1.Variable(value)
        session = tf1.Session(graph=graph)
        session.run(tf1.global_variables_initializer())
        session.run(loads)
        version = tf1.train.SaverDef.V1 if old_format else tf1.train.SaverDef.V2
        tf1.train.Saver(names, write_version=version).save(session, str(path))

    def run(tokens):
        tokens = np.asarray(tokens)
        now = [[np.zeros([len(tokens), size])] * 2 for size in sizes]
        steps = []
        for column in tokens.T:
            feeds = {step: (column[:, None] == np.arange(inputs))[:, None]}
            feeds |= {
                part: value for pair, values in zip(state, now) for part, value in zip(pair, values)
            }
            scores, now = session.run([logits, new_state], feeds)
            steps.append(scores)
        return np.stack(steps, axis=1)

    return run
