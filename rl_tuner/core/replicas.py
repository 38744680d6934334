"""Data-parallel tuning: each replica samples, stores and replays its own share, and gradients are averaged.

All replicas have the same weights, because they begin with the same ones and make the same updates. N
replicas with B/N sequences each make the update that one with B makes, up to rounding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core import sharing
from rl_tuner.core.replay import UniformReplay
from rl_tuner.core.rollout import Rollout
from rl_tuner.core.task import HostTask, Scored
from rl_tuner.core.team import Team
from rl_tuner.core.tuner import RLTuner, Share


class Replicas:
    """The replicas of one tuner in this process; the first of them stands for all.

    Args:
        team: the team of all replicas.
        make: makes a tuner with the given share, always with new objects for replay, temperature and so on.

    Raises:
        UserError: the task or the replay cannot be shared.
    """

    def __init__(self, team: Team, make: Callable[[Share], RLTuner]) -> None:
        self.team = team
        self.here: list[RLTuner] = []
        for number, device in enumerate(team.devices):
            with tf.device(device):
                self.here.append(make(Share(team.first + number, team.count)))
        self.lead.replicas = self
        if team.is_spread and isinstance(self.lead.task, HostTask):
            raise UserError(
                f"device.strategy 'workers' does not suit {type(self.lead.task).__name__}, which keeps a"
                " journal of what one process scores; use 'mirrored', or FunctionReward.executor to"
                " score on many machines"
            )

    @property
    def lead(self) -> RLTuner:
        """The replica that stands for all: it is evaluated and saved."""
        return self.here[0]

    def train_iterations(
        self, count: int, observer: Callable[[Rollout, Scored], None] | None = None
    ) -> dict[str, float]:
        """Run iterations on all replicas, see `RLTuner.train_iterations`."""
        if self.team.is_chief:
            self.team.tell(do="train", count=count)
        task, done = self.lead.task, 0
        totals: dict[str, Any] = {}
        while done < count and not (done and self.lead.ledger.why_over()):
            if isinstance(task, HostTask):
                metrics = self._with_host(task, observer)
            else:
                metrics = self._collect() | self._learn()
            for replica in self.here:
                replica.iteration.assign_add(1)
            totals = {name: totals.get(name, 0.0) + value for name, value in metrics.items()}
            done += 1
        return {name: float(value) / done for name, value in totals.items()}

    def learn(self, batches: list[Any]) -> tuple[list[tf.Tensor], ...]:
        """Make one update on given sequences, one `ReplayBatch` for each replica of this process.

        Returns:
            The averaged gradients that each replica of this process has used.
        """
        gradients = self._gradients_of(self.team.values(batches))
        self._apply(gradients)
        return self.team.of_each(gradients)

    @contextlib.contextmanager
    def whole(self, *, gather: bool) -> Iterator[None]:
        """Let the lead have the replay of all replicas within the block, as if it were the only one.

        Row k of replica r is row k N + r of the whole, whose memory is the processor's. After the block,
        every replica of this process has its share of what is then the whole.

        Args:
            gather: whether to gather the contents; else the whole is empty at first.
        """
        replay, count = _replay(self.lead), self.team.count
        if gather:
            if self.team.is_chief:
                self.team.tell(do="gather")
            columns = [column.numpy() for column in self.team.of_each(self._columns())[0]]
            values = [np.swapaxes(c, 0, 1).reshape(-1, *c.shape[2:]) for c in columns]
        else:
            values = [
                np.zeros((v.shape[0] * count, *v.shape[1:]), v.dtype.as_numpy_dtype)
                for v in replay.per_row
            ]
        with tf.device("cpu"):
            whole = [tf.Variable(value, trainable=False) for value in values]
        replay.added.assign(replay.added * count)
        own = replay.exchange(whole)
        try:
            yield
        finally:
            values = [variable.numpy() for variable in replay.exchange(own)]
            replay.added.assign(replay.added // count)
            for replica in self.here:
                for variable, value in zip(_replay(replica).per_row, values):
                    variable.assign(value[replica.share.index :: count])
                _replay(replica).refresh()

    def follow_lead(self) -> None:
        """Give the lead's state, except the contents of its replay, to the other replicas of this process."""
        for replica in self.here[1:]:
            for mine, theirs in zip(_state(replica), _state(self.lead), strict=True):
                mine.assign(theirs)

    def help_gather(self) -> None:
        """Take part in what the chief does in `whole`."""
        self._columns()

    def _mine(self) -> RLTuner:
        return self.here[self.team.number_here()]

    @tf.function(autograph=False)
    def _columns(self) -> Any:
        def gather() -> list[tf.Tensor]:
            return [
                sharing.gathered(column[tf.newaxis]) for column in _replay(self._mine()).per_row
            ]

        return self.team.strategy.run(gather)

    @tf.function(autograph=False)
    def _act(self) -> Any:
        return self.team.strategy.run(lambda: self._mine().act())

    @tf.function(autograph=False)
    def _store(self, episode: Any, parts: Any, features: Any) -> Any:
        def step(episode: Any, parts: Any, features: Any) -> Any:
            return sharing.average(self._mine().store_now(episode, parts, features))

        return self.team.strategy.run(step, args=(episode, parts, features))

    @tf.function(autograph=False)
    def _collect_in_graph(self) -> Any:
        def step() -> Any:
            tuner = self._mine()
            episode = tuner.act()
            parts, features = tuner.rewards(episode)
            return sharing.average(tuner.store_now(episode, parts, features))

        return self.team.strategy.run(step)

    def _collect(self) -> dict[str, tf.Tensor]:
        return self.team.of_each(self._collect_in_graph())[0]

    @tf.function(autograph=False)
    def _update(self, index: tf.Tensor) -> tuple[Any, Any]:
        def step(index: tf.Tensor) -> tuple[Any, Any]:
            tuner = self._mine()
            batch, rows, weights = tuner.draw(index)
            metrics, sizes, gradients = tuner.gradients(batch, weights)
            tuner.replay.update(rows, sizes)
            return sharing.average(metrics), gradients

        metrics, gradients = self.team.strategy.run(step, args=(index,))
        self._apply(gradients)
        return metrics

    def _learn(self) -> dict[str, tf.Tensor]:
        totals: dict[str, tf.Tensor] = {}
        for index in range(self.lead.updates):
            metrics = self.team.of_each(self._update(tf.constant(index)))[0]
            totals = {name: totals.get(name, 0.0) + value for name, value in metrics.items()}
        return {name: value / self.lead.updates for name, value in totals.items()}

    @tf.function(autograph=False)
    def _gradients_of(self, batches: Any) -> Any:
        return self.team.strategy.run(
            lambda batch: self._mine().gradients(batch, None)[2], args=(batches,)
        )

    def _apply(self, gradients: Any) -> None:
        # Outside of strategy.run: there, Keras expects the strategy's own variables.
        for tuner, device, own in zip(self.here, self.team.devices, self.team.of_each(gradients)):
            with tf.device(device):
                tuner.apply(own)

    def _with_host(
        self, task: HostTask, observer: Callable[[Rollout, Scored], None] | None
    ) -> dict[str, tf.Tensor]:
        """Score the share of each replica while all learn; see `RLTuner.train_iterations`."""
        ledger = self.lead.ledger
        episodes = list(self.team.of_each(self._act()))
        tickets = [task.submit(each.tokens.numpy(), each.mask.numpy()) for each in episodes]
        if task.propose(ledger, [self.lead.seed, int(self.lead.iteration)]) is not None:
            raise UserError(
                f"{type(task).__name__} proposes sequences of its own, which needs device.strategy = 'one'"
            )
        learned = self._learn() if int(self.lead.replay.added) else None
        parts, features = [], []
        metrics: dict[str, Any] = {}
        for number, ticket in enumerate(tickets):
            scored = task.counted_result(ticket, ledger)
            found = self.lead.host_rewards(task, episodes[number], scored)
            episodes[number] = found[0]
            parts.append(found[1])
            features.append(found[2])
            for name, value in scored.metrics.items():
                name = f"collect/{name}"
                metrics[name] = metrics.get(name, 0.0) + value / len(tickets)
            if observer:
                observer(episodes[number], scored)
        values = (self.team.values(each) for each in (episodes, parts, features))
        stored = self.team.of_each(self._store(*values))[0]
        return stored | (self._learn() if learned is None else learned) | metrics


def _replay(tuner: RLTuner) -> UniformReplay:
    """Return the replay of a tuner; `RLTuner` lets only this kind be shared."""
    assert isinstance(tuner.replay, UniformReplay)
    return tuner.replay


def _state(tuner: RLTuner) -> list[tf.Variable]:
    """Return the variables of a tuner, except the rows of its replay."""
    rows = {id(variable) for variable in _replay(tuner).per_row}
    parts: list[Any] = [tuner.replay, tuner.temperature, tuner.controller or tf.Module()]
    found = [v for part in parts for v in part.variables if id(v) not in rows]
    networks = [tuner.online, tuner.target, *([tuner.average] if tuner.controller else [])]
    return [
        *(weight for network in networks for weight in network.weights),
        *tuner.optimizer.variables,
        *found,
        tuner.iteration,
        tuner.environment_steps,
    ]
