"""Rules for the settings of a job and of its device, known without importing TensorFlow."""

from __future__ import annotations

import re
from typing import Any

from rl_tuner.common.errors import UserError
from rl_tuner.common.ranges import Range, Ranges

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
_COUNT = Range(least=1, whole=True)

RANGES: Ranges = {
    "job": {
        "seed": Range(least=0, most=2**31 - 1, whole=True),
        "prior_seed": Range(least=0, most=2**31 - 1, whole=True, optional=True),
        "evaluation_sequences": _COUNT,
        "evaluation_batch": _COUNT,
        "samples": _COUNT,
    }
}


# A name becomes part of a folder's name.
_NAME = re.compile(r"[\w.-]*\w[\w.-]*")


def check_job(**values: Any) -> None:
    """Reject a name of the dataset that could lead out of the folder of datasets.

    Raises:
        UserError: the name contains more than letters, digits, dots, dashes and underscores.
    """
    name = values.get("dataset_name", "data")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("."):
        raise UserError(
            "job.dataset_name must be a name of letters, digits, dots, dashes and underscores, such as"
            f" 'my_tunes', not {name!r}"
        )


def check_device(**values: Any) -> None:
    """Reject unknown values of the settings of `device`.

    Raises:
        UserError: a value is unknown.
    """
    placement = values.get("placement", "auto")
    kind, colon, number = str(placement).partition(":")
    if placement not in ("auto", "cpu", "gpu") and not (
        kind == "gpu" and colon and number.isdigit()
    ):
        raise UserError(
            f"device.placement must be 'auto', 'cpu', 'gpu' or 'gpu:N', not {placement!r}"
        )
    strategy = values.get("strategy", "one")
    if not re.fullmatch(r"one|mirrored(:[1-9]\d?)?|workers", str(strategy)):
        raise UserError(
            "device.strategy must be 'one', 'mirrored', 'mirrored:N' with the number of replicas, or"
            f" 'workers', not {strategy!r}"
        )
    if strategy != "one" and str(placement).partition(":")[1]:
        raise UserError(
            f"device.strategy {strategy!r} chooses the GPUs; set device.placement to 'auto', 'gpu' or 'cpu',"
            f" not {placement!r}"
        )
    precision = values.get("precision", "auto")
    if precision not in ("auto", *PRECISIONS):
        raise UserError(
            f"device.precision must be 'auto' or one of {', '.join(PRECISIONS)}, not {precision!r}"
        )
    jit_compile = values.get("jit_compile", "auto")
    if jit_compile not in ("auto", True, False):
        raise UserError(f"device.jit_compile must be 'auto', True or False, not {jit_compile!r}")
