"""Ranges of the settings of molecule rewards."""

from rl_tuner.common.ranges import Range, Ranges

RANGES: Ranges = {
    "FunctionReward": {
        "num_processes": Range(least=0, most=1024, whole=True),
        "timeout_seconds": Range(above=0),
        "memory_mb": Range(least=0, whole=True),
        "batch_size": Range(least=1, whole=True),
        "max_failures": Range(least=0, most=1),
    }
}
