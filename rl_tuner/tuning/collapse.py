"""Detection of collapse: a policy reduced to a few classes, n-grams or sequences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import gin
import numpy as np

from rl_tuner.common.figures import new_figure, pixels
from rl_tuner.common.ranges import check
from rl_tuner.tuning.ranges import RANGES

NGRAMS = (4, 8)
# Metrics of a set of sequences in which a collapse shows first, and what they are the share of.
COMMONEST = {
    "commonest_opening_5": "the same first 5 notes",
    "commonest_opening_8": "the same first 8 notes",
    "commonest_scaffold": "the same scaffold",
}


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class Collapse:
    """The criterion for a collapsed policy, and whether a collapsed run stops.

    Attributes:
        distinct_floor: smallest acceptable share of distinct sequences in an evaluation.
        entropy_floor: smallest acceptable entropy of the policy, nats per step.
        commonest_ceiling: largest acceptable share of sequences with the same opening of 5 or 8 notes, or
            of molecules with the same scaffold.
        stop: whether a collapsed run stops; otherwise it only warns.

    Raises:
        ValueError: a limit is one that every policy or no policy keeps.
    """

    distinct_floor: float = 0.5
    entropy_floor: float = 0.1
    commonest_ceiling: float = 0.5
    stop: bool = False

    def __post_init__(self) -> None:
        """Reject invalid floors."""
        limits = {name: getattr(self, name) for name in RANGES["Collapse"]}
        check(RANGES, "Collapse", **limits)

    def complaint(self, evaluation: Mapping[str, float]) -> str | None:
        """Return a one-line complaint if an evaluation shows a collapse, else None.

        Args:
            evaluation: contains `step`, `distinct` (share), `entropy` (nats per step), and those of
                `COMMONEST` that the task has.
        """
        faults = []
        if evaluation["distinct"] < self.distinct_floor:
            faults.append(
                f"{evaluation['distinct']:.0%} of the sequences are distinct "
                f"(Collapse.distinct_floor = {self.distinct_floor:g})"
            )
        if evaluation["entropy"] < self.entropy_floor:
            faults.append(
                f"the entropy is {evaluation['entropy']:.3f} nats per step "
                f"(Collapse.entropy_floor = {self.entropy_floor:g})"
            )
        for name, what in COMMONEST.items():
            share = evaluation.get(name)
            if share is not None and share > self.commonest_ceiling:
                faults.append(
                    f"{share:.0%} of the sequences have {what} "
                    f"(Collapse.commonest_ceiling = {self.commonest_ceiling:g})"
                )
        if not faults:
            return None
        return (
            f"the policy collapsed after {evaluation['step']:,} steps: {' and '.join(faults)}; "
            "ask for less: looser targets, a larger temperature c or a lower RLTuner.learning_rate"
        )


class Diversity:
    """A comparison of a policy's sequences with the training data and with samples of the prior.

    Args:
        prior_sequences: int [N, T], samples of the prior; N is also the number of the policy's samples.
        num_classes: number of classes.
        end_token: class that ends a sequence; None if all sequences have length T.
        data_histogram: number of steps of each class in the training data; None counts those of the
            prior's samples.
        corpus: tokens of training sequences, int [L] each, in which n-grams are looked up; None for
            none.
    """

    def __init__(
        self,
        prior_sequences: np.ndarray,
        num_classes: int,
        end_token: int | None = None,
        data_histogram: Sequence[int] | None = None,
        corpus: Sequence[np.ndarray] | None = None,
    ) -> None:
        self._num_classes, self._end_token = num_classes, end_token
        ends = lengths(prior_sequences, end_token)
        self._data_shares = (
            class_shares(prior_sequences, ends, num_classes)
            if data_histogram is None
            else np.asarray(data_histogram) / np.sum(data_histogram)
        )
        self._corpus_ngrams = (
            {n: {gram for row in corpus for gram in _grams(row, n)} for n in NGRAMS}
            if corpus
            else {}
        )
        self._prior_ngrams = {n: distinct_ngrams(prior_sequences, ends, n) for n in NGRAMS}

    def metrics(self, sequences: np.ndarray) -> dict[str, float]:
        """Return the scalars for TensorBoard.

        Returns:
            `class_total_variation` between the class shares of the sequences and of the training data
            (0 equal, 1 disjoint), `classes_used`, `distinct_Ngrams` of the sequences and
            `distinct_Ngrams_prior` of the prior's samples; with a corpus, also `seen_Ngrams`: the share
            of the n-grams that occur in it.
        """
        ends = lengths(sequences, self._end_token)
        shares = class_shares(sequences, ends, self._num_classes)
        metrics = {
            "class_total_variation": total_variation(shares, self._data_shares),
            "classes_used": float(np.count_nonzero(shares)),
        }
        for n, of_prior in self._prior_ngrams.items():
            metrics[f"distinct_{n}grams"] = distinct_ngrams(sequences, ends, n)
            metrics[f"distinct_{n}grams_prior"] = of_prior
        for n, known in self._corpus_ngrams.items():
            grams = [g for row, end in zip(sequences, ends) for g in _grams(row[:end], n)]
            metrics[f"seen_{n}grams"] = sum(g in known for g in grams) / max(1, len(grams))
        return metrics

    def picture(self, sequences: np.ndarray) -> np.ndarray:
        """Draw the class histograms of the policy and of the data: uint8 [1, H, W, 3]."""
        figure = new_figure(8, 3)
        axes = figure.subplots()
        shares = class_shares(sequences, lengths(sequences, self._end_token), self._num_classes)
        classes = np.arange(self._num_classes)
        axes.bar(classes - 0.2, self._data_shares, width=0.4, label="training data")
        axes.bar(classes + 0.2, shares, width=0.4, label="policy")
        axes.set_xlabel("class")
        axes.set_ylabel("share of steps")
        axes.legend()
        return pixels(figure)[np.newaxis]


def _grams(row: np.ndarray, n: int) -> list[bytes]:
    row = np.asarray(row, np.int32)
    return [row[i : i + n].tobytes() for i in range(len(row) - n + 1)]


def lengths(sequences: np.ndarray, end_token: int | None) -> np.ndarray:
    """Return the number of steps of each sequence, including its end token: int [N, T] -> int [N]."""
    count, horizon = sequences.shape
    if end_token is None:
        return np.full(count, horizon)
    is_end = sequences == end_token
    return np.where(is_end.any(axis=1), is_end.argmax(axis=1) + 1, horizon)


def class_shares(sequences: np.ndarray, ends: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the share of each class among all steps: float [A].

    Args:
        sequences: int [N, T].
        ends: int [N], number of steps of each sequence.
        num_classes: A.
    """
    inside = np.arange(sequences.shape[1]) < ends[:, np.newaxis]
    counts = np.bincount(sequences[inside], minlength=num_classes)
    return counts / max(1, counts.sum())


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Return half the sum of |p - q| of two distributions: 0 if equal, 1 if disjoint."""
    return float(0.5 * np.abs(p - q).sum())


def distinct_ngrams(sequences: np.ndarray, ends: np.ndarray, n: int) -> float:
    """Return the share of distinct n-grams among all n-grams; 1 if there are none.

    The share falls with the number of sequences, so only compare samples of equal size.

    Args:
        sequences: int [N, T].
        ends: int [N], number of steps of each sequence.
        n: length of the n-grams.
    """
    if sequences.shape[1] < n:
        return 1.0
    windows = np.lib.stride_tricks.sliding_window_view(sequences, n, axis=1)
    inside = np.arange(windows.shape[1]) + n <= ends[:, np.newaxis]
    grams = windows[inside]
    return len(np.unique(grams, axis=0)) / len(grams) if len(grams) else 1.0
