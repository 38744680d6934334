"""Sequence Tutor: KL-control fine-tuning of pre-trained LSTMs on TensorFlow.

    import rl_tuner

    prior = rl_tuner.load_prior("runs/priors/mine")
    policy = rl_tuner.tune(prior, rl_tuner.MelodyTask(), "runs/first", objective=rl_tuner.Psi(), c=0.5)
    policy.sample(10, seed=0).save("out")

docs/python.md shows more. Names are imported when they are first used, so that importing this package and
showing the help of its commands do not import TensorFlow; __init__.pyi lists where each name is defined.
"""

import lazy_loader

from rl_tuner.common.quiet import quietly

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    from rl_tuner.common.gin_messages import keep_to_one_line

    keep_to_one_line()
    with quietly():
        return _attribute(name)
