"""Choice of device, precision, determinism and compilation by XLA."""

from __future__ import annotations

from typing import Any

import gin
import keras
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.settings import Cosmetic
from rl_tuner.common.workers import available_processors
from rl_tuner.core import batch_parts, team, xla
from rl_tuner.jobs import rules


@gin.configurable(module="rl_tuner")
def device(
    placement: str = "auto",
    precision: str = "auto",
    deterministic: bool = True,
    jit_compile: bool | str = "auto",
    strategy: Cosmetic[str] = "one",
) -> str:
    """Choose the device and the precision of all later computation; call it before any computation.

    Args:
        placement: "auto" (the first GPU if there is one, else the CPU), "cpu", "gpu" or "gpu:N".
        precision: "auto" (float32), "float32", "mixed_bfloat16" or "mixed_float16"; weights are always
            float32.
        deterministic: whether the same seed gives the same bits on the same machine.
        jit_compile: whether XLA compiles sampling; "auto" does so where it was measured to be faster
            (see `rl_tuner.core.xla`).
        strategy: which replicas train together: "one"; "mirrored", one on each GPU; "mirrored:N", one on each
            of N GPUs or N parts of the CPU; "workers", one in each process that TF_CONFIG names.

    Returns:
        One line that states the choice.

    Raises:
        UserError: a value is unknown, or the GPU does not exist.
    """
    rules.check_device(
        placement=placement, precision=precision, jit_compile=jit_compile, strategy=strategy
    )
    together = team.choose(strategy, placement != "cpu")
    if together is not None and not together.on_cpu:
        chosen = f"{len(together.devices)} GPUs"
        return _finish(chosen, precision, deterministic, jit_compile)
    gpus = tf.config.list_physical_devices("GPU")
    index = _gpu_index(placement)
    if index is not None:
        if index >= len(gpus):
            raise UserError(
                f"device.placement is {placement!r}, but TensorFlow finds {len(gpus)} GPUs on this "
                "machine; set device.placement='cpu'"
            )
        tf.config.set_visible_devices([gpus[index]], "GPU")
        tf.config.experimental.set_memory_growth(gpus[index], True)
        details = tf.config.experimental.get_device_details(gpus[index])
        chosen = f"GPU {index} ({details.get('device_name', 'unknown')})"
    else:
        if gpus:
            tf.config.set_visible_devices([], "GPU")
        chosen = "CPU" + ("" if gpus else " (no GPU found)")
        _share_cores()
    return _finish(chosen, precision, deterministic, jit_compile)


def _finish(chosen: str, precision: str, deterministic: bool, jit_compile: bool | str) -> str:
    """Set what does not depend on the device; return one line that states all choices."""
    if precision == "auto":
        precision = "float32"
    keras.mixed_precision.set_dtype_policy(precision)
    xla.choose(None if jit_compile == "auto" else bool(jit_compile))
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    together = team.chosen()
    replicas = f", {together.count} replicas" if together else ""
    return (
        f"device: {chosen}, {precision}" + (", deterministic" if deterministic else "") + replicas
    )


def begin(strategy: str = "one", placement: str = "auto", **settings: Any) -> None:
    """Make the team of replicas; processes can only be connected before anything is computed.

    Args:
        strategy: see `device`.
        placement: see `device`.
        **settings: other settings of `device`.

    Raises:
        UserError: a value is unknown, or the team cannot be made.
    """
    rules.check_device(strategy=strategy, placement=placement, **settings)
    team.choose(strategy, placement != "cpu")


def device_of_run(placement: str, **settings: Any) -> str:
    """Choose the device for opening a finished run: one, and "auto" if this machine lacks the run's GPU.

    Args:
        placement: placement in the run's settings.
        **settings: other settings of `device`.

    Returns:
        One line that states the choice, and that it differs from the run's settings if it does.

    Raises:
        UserError: a value is unknown.
    """
    # Also against the run's own binding.
    settings["strategy"] = "one"
    index = _gpu_index(placement)
    if index is None or index < len(tf.config.list_physical_devices("GPU")):
        return device(placement, **settings)
    chosen = device("auto", **settings)
    return f"{chosen} (the run's own device.placement={placement!r} is not on this machine)"


def _gpu_index(placement: str) -> int | None:
    """Return the index of the GPU for a placement; None for the CPU.

    Raises:
        UserError: the placement is unknown.
    """
    rules.check_device(placement=placement)
    if placement == "auto":
        return 0 if tf.config.list_physical_devices("GPU") else None
    if placement == "cpu":
        return None
    return int(placement.partition(":")[2] or 0)


def _share_cores() -> None:
    # Computing parts of a batch in parallel uses the cores better than parallelising each operation.
    parts = min(batch_parts.MOST, available_processors())
    try:
        tf.config.threading.set_inter_op_parallelism_threads(parts)
        tf.config.threading.set_intra_op_parallelism_threads(
            max(1, available_processors() // parts)
        )
    except RuntimeError:
        # TensorFlow has already started its threads, so their numbers are fixed.
        return
