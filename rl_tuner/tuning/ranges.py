"""Ranges of the settings of the training loop."""

from rl_tuner.common.ranges import Range, Ranges

_COUNT = Range(least=1, whole=True)

RANGES: Ranges = {
    "tune": {
        "steps": Range(least=1, whole=True, is_long=True),
        "evaluate_every": _COUNT,
        "evaluation_sequences": _COUNT,
        "chunk": _COUNT,
        "checkpoint_seconds": Range(least=0),
        "listen_every": _COUNT,
        "budget": Range(least=1, whole=True, optional=True),
        "patience": Range(least=1, whole=True, optional=True),
        "enough": Range(optional=True),
    },
    "Collapse": {
        "distinct_floor": Range(least=0, most=1),
        "entropy_floor": Range(least=0),
        "commonest_ceiling": Range(least=0, most=1),
    },
}
