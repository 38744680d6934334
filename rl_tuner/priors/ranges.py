"""Ranges of the settings of a prior's training."""

from rl_tuner.common.ranges import Range, Ranges

_COUNT = Range(least=1, whole=True)
# The number of cells of each layer.
CELLS = _COUNT
_WHOLE = Range(least=0, whole=True)
_POSITIVE = Range(above=0)

RANGES: Ranges = {
    "pretrain": {
        "embedding_size": _WHOLE,
        "batch_size": _COUNT,
        "window": _WHOLE,
        "learning_rate": _POSITIVE,
        "decay_rate": Range(above=0, most=1),
        "decay_steps": _COUNT,
        "decay_epochs": Range(above=0, optional=True),
        "clip_norm": _POSITIVE,
        "l2": Range(least=0),
        "weight_dropout": Range(least=0, below=1),
        "skip_steps": _WHOLE,
        "max_epochs": _COUNT,
        "patience": _COUNT,
        "cache_mb": Range(least=0),
        "checkpoint_seconds": Range(least=0),
    }
}
