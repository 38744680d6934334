"""The replicas that train together: on the devices of this machine, or one in each of several processes."""

from __future__ import annotations

import json
import os
from typing import Any

import tensorflow as tf

from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.core import sharing

# Characters of the longest message between processes.
_LONGEST = 8192
# What was chosen, and the team that was made of it.
_chosen: tuple[str, Team | None] = ("one", None)


class Team:
    """Replicas that train together, see `tf.distribute`.

    Args:
        strategy: a MirroredStrategy or a MultiWorkerMirroredStrategy with one replica per process.

    Attributes:
        strategy: the strategy.
        count: number of replicas in all processes.
        devices: the devices of the replicas in this process.
        first: number of the first of them.
        is_chief: whether this process writes, and says what is done next.
        is_spread: whether there are several processes.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.count: int = strategy.num_replicas_in_sync
        self.devices: tuple[str, ...] = tuple(strategy.extended.worker_devices)
        self.is_spread = self.count > len(self.devices)
        resolver = strategy.cluster_resolver if self.is_spread else None
        self.first = 0
        if resolver is not None:
            spec = resolver.cluster_spec().as_dict()
            number = int(resolver.task_id or 0)
            self.first = number + (
                len(spec.get("chief", [])) if resolver.task_type == "worker" else 0
            )
        self.is_chief = self.first == 0

    @property
    def on_cpu(self) -> bool:
        """Whether the replicas of this process are on its CPU."""
        return "CPU" in self.devices[0].upper()

    def number_here(self) -> int:
        """Return which of this process's replicas runs; call it in a function that `strategy.run` runs."""
        context = tf.distribute.get_replica_context()
        return int(tf.get_static_value(context.replica_id_in_sync_group)) - self.first

    def of_each(self, value: Any) -> tuple[Any, ...]:
        """Return what each of this process's replicas returned."""
        return self.strategy.experimental_local_results(value)

    def values(self, of_each: list[Any]) -> Any:
        """Return one value for each of this process's replicas as an argument of `strategy.run`."""
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: of_each[int(context.replica_id_in_sync_group) - self.first]
        )

    def tell(self, **message: Any) -> None:
        """Say to the other processes what is done next; only the chief does."""
        if self.is_spread:
            self._exchange(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        """Wait for the chief, and return what is done next."""
        return json.loads(self._exchange(""))

    def agree(self, number: float) -> float:
        """Return the chief's number, in all processes."""
        if not self.is_spread:
            return number
        return json.loads(self._exchange(json.dumps(number) if self.is_chief else ""))

    def _exchange(self, text: str) -> str:
        codes = list(text.encode())
        if len(codes) > _LONGEST:
            raise ValueError(f"a message of {len(codes)} characters is longer than {_LONGEST}")
        padded = tf.constant(codes + [0] * (_LONGEST - len(codes)), tf.int32)
        heard = self.of_each(self._sum(padded))[0].numpy()
        return bytes(int(code) for code in heard if code).decode()

    @tf.function(autograph=False)
    def _sum(self, codes: tf.Tensor) -> Any:
        # An argument has no device, which the sum goes by.
        return self.strategy.run(lambda given: sharing.total(tf.identity(given)), args=(codes,))


def choose(strategy: str, use_gpus: bool = True) -> Team | None:
    """Make the team that a setting names; call it before any computation.

    Args:
        strategy: "one", "mirrored" (every GPU), "mirrored:N" (N GPUs, or N parts of the CPU) or "workers"
            (one replica in each process that TF_CONFIG names).
        use_gpus: whether GPUs may be used.

    Raises:
        UserError: the devices are not there, TF_CONFIG is missing or wrong, or computation has begun.
    """
    global _chosen
    if strategy != _chosen[0]:
        _chosen = strategy, _made(strategy, use_gpus)
    return _chosen[1]


def chosen() -> Team | None:
    """Return the team that was chosen; None for one replica."""
    return _chosen[1]


def _made(strategy: str, use_gpus: bool) -> Team | None:
    name, _, number = strategy.partition(":")
    if name == "one":
        return None
    if name == "workers":
        return Team(_workers())
    gpus = tf.config.list_physical_devices("GPU") if use_gpus else []
    if gpus and number and int(number) > len(gpus):
        raise UserError(
            f"device.strategy is {strategy!r}, but TensorFlow finds {len(gpus)} GPUs on this machine"
        )
    if not gpus and not number:
        raise UserError(
            "device.strategy is 'mirrored', but there is no GPU; 'mirrored:2' makes two replicas on the CPU"
        )
    count = int(number) if number else len(gpus)
    if not gpus:
        _divide_cpu(count)
    kind = "GPU" if gpus else "CPU"
    return Team(tf.distribute.MirroredStrategy([f"/{kind}:{place}" for place in range(count)]))


def _divide_cpu(count: int) -> None:
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError as error:
        if len(tf.config.list_logical_devices("CPU")) != count:
            raise UserError(
                f"device.strategy 'mirrored:{count}' must be chosen before any computation; start the"
                " program again"
            ) from error


def _workers() -> tf.distribute.Strategy:
    given = os.environ.get("TF_CONFIG")
    if not given:
        raise UserError(
            "device.strategy is 'workers', but the environment has no TF_CONFIG, which names the processes; "
            "see docs/scaling.md"
        )
    try:
        json.loads(given)["cluster"]["worker"]
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, KeyError, TypeError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            f"device.strategy 'workers': TF_CONFIG: {class_and_message(error)}"
        ) from error
