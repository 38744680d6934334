"""How many floating-point operations the work needs, from the shapes of the networks.

Only matrix products count, two operations for a multiply and its add: element-wise work (gates, softmax) is
what separates a good program from its roofline. A token's row of the first kernel (times the embedding, where
there is one: a product for all tokens at once) is looked up and costs nothing; `one_hot=True` counts it as
the product with a one-hot vector that it replaces.
"""

from __future__ import annotations

from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.tuner import RLTuner


def products(network: SequenceNetwork, one_hot: bool = False) -> dict[str, int]:
    """Operations of each product that scores one more token: `input`, then `rest`.

    `input` is the product with the tokens alone, whose gradient nobody needs with respect to them.
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
    """Operations that score one token."""
    return sum(products(network, one_hot).values())


def update(network: SequenceNetwork, one_hot: bool = False) -> int:
    """Operations that score one token and carry its gradient back: to weights, and to what is below."""
    parts = products(network, one_hot)
    return 2 * parts["input"] + 3 * parts["rest"]


def rollout(tuner: RLTuner, one_hot: bool = False) -> int:
    """Operations that generate one token: the online network, without its value, and the prior score it."""
    # They have one shape.
    return 2 * forward(tuner.prior, one_hot)


def learning(tuner: RLTuner, one_hot: bool = False) -> int:
    """Operations that learn one transition: online forward and backward, target forward, maybe prior."""
    needed = update(tuner.online, one_hot) + forward(tuner.target, one_hot)
    return needed + (forward(tuner.prior, one_hot) if tuner.objective.needs_prior else 0)


def learned_per_step(tuner: RLTuner) -> float:
    """Transitions learned for one environment step."""
    return tuner.learn_size * tuner.updates / tuner.collect_size


def training(tuner: RLTuner, one_hot: bool = False) -> float:
    """Operations of one environment step: generating it, and learning as many as are learned for it."""
    return rollout(tuner, one_hot) + learned_per_step(tuner) * learning(tuner, one_hot)
