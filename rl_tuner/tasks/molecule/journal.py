"""Journal of a run: every molecule that tuning sampled, and the reward against the molecules scored."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.common.figures import new_figure
from rl_tuner.common.files import write_text
from rl_tuner.core.ledger import BEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rl_tuner.core.rollout import Rollout
    from rl_tuner.core.task import Scored

# The part of the reward that a diversity filter takes.
DIVERSITY = "diversity"
MOLECULES_FILE, LEARNING_FILE = "molecules.csv", "learning.csv"
_PROPERTIES = ("logp", "qed", "sa", "largest_ring", "molecular_weight", "heavy_atoms")


class MoleculeJournal:
    """Record of molecules.csv, one row per distinct valid molecule, and learning.csv, one per batch.

    The row of a molecule describes the first time it was sampled: its scores, the number and the
    desirability of every component, the negative log-likelihoods of its string under the prior and under
    the policy of that time (nats), whether the policy sampled it or the memory proposed it, and the numbers
    of sequences and environment steps until then.

    Args:
        run_dir: folder of both files.
        part_names: names of the reward's parts.
    """

    def __init__(self, run_dir: str, part_names: Sequence[str]) -> None:
        self._run_dir, self._part_names = run_dir, tuple(part_names)
        self._molecules: dict[str, dict[str, Any]] = {}
        self._batches: list[dict[str, Any]] = []

    def add(self, episode: Rollout, scored: Scored, step: int) -> None:
        """Record a scored batch, sampled up to environment step `step`."""
        found = scored.details
        nll_prior = -np.sum(episode.log_prior.numpy(), axis=1)
        nll_policy = -np.sum(episode.log_policy.numpy(), axis=1)
        totals = sum(found.rewards.values())
        own = {name: part for name, part in found.rewards.items() if name != DIVERSITY}
        own_totals = sum(own.values()) if len(own) < len(found.rewards) else None
        scored_before = self._batches[-1]["sequences"] if self._batches else 0
        for index, one in enumerate(found.properties):
            if one is None or one.canonical in self._molecules:
                continue
            self._molecules[one.canonical] = {
                "smiles": one.canonical,
                "reward": float(totals[index]),
                **({} if own_totals is None else {"own_reward": float(own_totals[index])}),
                **{f"reward_{n}": float(found.rewards[n][index]) for n in self._part_names},
                **{f"value_{n}": float(column[index]) for n, column in found.values.items()},
                **{f"desirability_{n}": float(c[index]) for n, c in found.desirabilities.items()},
                **{name: getattr(one, name) for name in _PROPERTIES},
                "nll_prior": float(nll_prior[index]),
                "nll_policy": float(nll_policy[index]),
                "source": scored.source,
                "sequence": scored_before + index + 1,
                "step": step,
            }
        if scored.source != "policy" and self._batches:
            # The rows of learning.csv describe what the policy sampled.
            self._batches[-1] |= {"molecules": len(self._molecules), **found.calls}
            return
        valid = [one.canonical for one in found.properties if one]
        self._batches.append(
            {
                "sequences": scored_before + len(found.properties),
                "step": step,
                "reward": float(np.mean(totals)),
                "valid": len(valid) / len(found.properties),
                "unique": len(set(valid)) / max(1, len(valid)),
                "molecules": len(self._molecules),
                "nll_prior": float(np.mean(nll_prior)),
                "nll_policy": float(np.mean(nll_policy)),
                **found.calls,
            }
        )

    def restore(self, step: int) -> None:
        """Read both files again, up to environment step `step`.

        Raises:
            UserError: a file of an interrupted run cannot be read.
        """
        molecules = [row for row in self._read(MOLECULES_FILE) if row["step"] <= step]
        self._molecules = {row["smiles"]: row for row in molecules}
        self._batches = [row for row in self._read(LEARNING_FILE) if row["step"] <= step]

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each file, by its name."""
        return {MOLECULES_FILE: len(self._molecules), LEARNING_FILE: len(self._batches)}

    def calls(self) -> list[tuple[str, float]]:
        """Return the molecules in the order of their first reward, with their own rewards.

        Their own rewards are those without what a diversity filter takes.
        """
        rows = self._molecules.values()
        return [(row["smiles"], row.get("own_reward", row["reward"])) for row in rows]

    def write(self) -> None:
        """Write both files atomically."""
        self._write(MOLECULES_FILE, list(self._molecules.values()))
        self._write(LEARNING_FILE, self._batches)

    def _write(self, name: str, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO()
        if rows:
            writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        write_text(os.path.join(self._run_dir, name), text.getvalue())

    def _read(self, name: str) -> list[dict[str, Any]]:
        path = os.path.join(self._run_dir, name)
        if not os.path.exists(path):
            return []
        try:
            with open(path, encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                if reader.fieldnames and "step" not in reader.fieldnames:
                    raise ValueError("its first line does not name its columns")
                return [{key: _number(key, value) for key, value in row.items()} for row in reader]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be read: {error}; use another run_dir") from error


def read_learning(run_dir: str) -> list[dict[str, Any]]:
    """Return the rows of learning.csv, one per batch.

    Raises:
        UserError: the file cannot be read.
    """
    return MoleculeJournal(run_dir, ())._read(LEARNING_FILE)


def learning_figure(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw reward, validity and uniqueness against the molecules scored, and the best against the calls.

    Args:
        runs: rows of learning.csv by model.
    """
    figure = new_figure(14, 4)
    panels = (("reward", "mean reward"), ("valid", "share valid"), ("unique", "share unique"))
    *others, last = figure.subplots(1, len(panels) + 1)
    _draw_best(last, runs)
    for axes, (name, label) in zip(others, panels):
        for model, rows in runs.items():
            axes.plot([row["sequences"] for row in rows], [row[name] for row in rows], label=model)
        axes.set_xlabel("molecules scored")
        axes.set_title(f"{label} of a batch", fontsize=10)
        axes.grid(alpha=0.3)
        if len(runs) > 1:
            axes.legend()
    return figure


def _draw_best(axes: Axes, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    for model, rows in runs.items():
        # Earlier versions did not count calls.
        counted = [row for row in rows if "calls" in row]
        for count in BEST:
            label = f"top {count}" if len(runs) == 1 else f"{model}, top {count}"
            calls = [row["calls"] for row in counted]
            axes.plot(calls, [row[f"top_{count}"] for row in counted], label=label)
    axes.set_xlabel("distinct molecules rewarded")
    axes.set_title("mean reward of the best", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend()


def read_best(run_dir: str, count: int) -> list[dict[str, Any]]:
    """Return the rows of molecules.csv with the `count` largest rewards of their own, best first.

    Raises:
        UserError: the file cannot be read.
    """
    rows = MoleculeJournal(run_dir, ())._read(MOLECULES_FILE)
    return sorted(rows, key=lambda row: -row.get("own_reward", row["reward"]))[:count]


def _number(key: str, value: str) -> Any:
    if key in ("smiles", "source"):
        return value
    whole = {"step", "sequences", "sequence", "molecules", "largest_ring", "heavy_atoms", "calls"}
    return int(value) if key in whole else float(value)
