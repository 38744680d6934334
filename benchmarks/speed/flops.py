"""Numbers of floating-point operations, computed from the shapes of the networks.

Only matrix products count, with two operations for a multiplication and its addition; element-wise work
(gates, softmax) is overhead in this measure. A token's row of the first kernel is looked up at no cost (with
an embedding, the product of embedding and kernel is computed for all tokens at once); `one_hot=True` counts
the look-up as the product with a one-hot vector that it replaces.
"""

from __future__ import annotations

from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.tuner import RLTuner


def products(network: SequenceNetwork, one_hot: bool = False) -> dict[str, int]:
    """Return the operations of the products that score one more token: `input` and `rest`.

    `input` is the product with the tokens, for which no gradient with respect to the tokens is needed.
    """
    gates = 4 * network.cells[0]
    first = 2 * (network.num_classes + 1) * gates if one_hot else 0
    rest = 0
    for index, cells in enumerate(network.cells):
        below = network.cells[index - 1] if index else 0
        rest += 2 * (below + cells) * 4 * cells
    rest += 2 * network.cells[-1] * (network.num_classes + bool(network.value_head))
    return {"input": first, "rest": rest}


def forward(network: SequenceNetwork, one_hot: bool = False) -> int:
    """Return the operations for scoring one token."""
    return sum(products(network, one_hot).values())


def update(network: SequenceNetwork, one_hot: bool = False) -> int:
    """Return the operations for scoring one token and computing its gradients."""
    parts = products(network, one_hot)
    return 2 * parts["input"] + 3 * parts["rest"]


def rollout(tuner: RLTuner, one_hot: bool = False) -> int:
    """Return the operations for generating one token: scoring by the online network and the prior."""
    # Without its value head, the online network has the shape of the prior.
    return 2 * forward(tuner.prior, one_hot)


def learning(tuner: RLTuner, one_hot: bool = False) -> int:
    """Return the operations for learning one transition: online update, target and maybe prior."""
    needed = update(tuner.online, one_hot) + forward(tuner.target, one_hot)
    return needed + (forward(tuner.prior, one_hot) if tuner.objective.needs_prior else 0)


def learned_per_step(tuner: RLTuner) -> float:
    """Return the number of transitions learned per environment step."""
    return tuner.learn_size * tuner.updates / tuner.collect_size


def training(tuner: RLTuner, one_hot: bool = False) -> float:
    """Return the operations per environment step: generating it and learning transitions."""
    return rollout(tuner, one_hot) + learned_per_step(tuner) * learning(tuner, one_hot)
