"""Ranges of the settings of the tuner and of the objects it is made of."""

from rl_tuner.common.ranges import Range, Ranges

_POSITIVE = Range(above=0)
_SHARE = Range(least=0, most=1)
_COUNT = Range(least=1, whole=True)

RANGES: Ranges = {
    "RLTuner": {
        "gamma": _SHARE,
        "eta": Range(above=0, most=1),
        "collect_size": _COUNT,
        "learn_size": _COUNT,
        "updates": _COUNT,
        "learning_rate": _POSITIVE,
        "decay_rate": Range(above=0, most=1),
        "decay_steps": _COUNT,
        "clip_norm": _POSITIVE,
        "l2": Range(least=0),
        "huber": Range(above=0, optional=True),
    },
    "FixedTemperature": {"c": _POSITIVE},
    "AdaptiveTemperature": {
        "target_kl": _POSITIVE,
        "initial_c": _POSITIVE,
        "rate": Range(above=0, most=1),
        "delay": Range(least=0, whole=True),
        "smoothing": Range(least=0, below=1),
        "min_c": _POSITIVE,
        "max_c": _POSITIVE,
    },
    "DualController": {
        "max_kl": _POSITIVE,
        "window": _COUNT,
        "rate": Range(above=0, most=1),
        "spread": _POSITIVE,
        "most": _POSITIVE,
        "tolerated_lag": _POSITIVE,
        "lead": _POSITIVE,
        "growth": Range(least=1),
        "margin": Range(least=0),
        "smoothing": Range(least=0, below=1),
    },
    "Paths": {"lambda_": _SHARE},
    "Boltzmann": {"temperature": _POSITIVE},
    "EpsilonGreedy": {"initial": _SHARE, "final": _SHARE, "anneal_steps": _COUNT},
    "RandomToken": {
        "first": Range(least=0, whole=True),
        "last": Range(least=0, whole=True),
    },
    "UniformReplay": {"capacity": _COUNT},
    "PrioritisedReplay": {
        "capacity": _COUNT,
        "alpha": Range(least=0),
        "beta": _SHARE,
        "anneal_updates": _COUNT,
        "epsilon": _POSITIVE,
    },
}
