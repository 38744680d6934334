"""The melody readers' name for what `rl_tuner.datasets.writer` defines."""

from rl_tuner.datasets.writer import RejectedError as RejectedError
