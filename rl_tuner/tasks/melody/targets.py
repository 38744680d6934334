"""What a user can ask of melodies, in the units of the paper's Table 1."""

from __future__ import annotations

import dataclasses

import gin

from rl_tuner.core.features import NamedTargets, Pair


@gin.configurable(module="rl_tuner")
@dataclasses.dataclass(frozen=True)
class MusicTargets(NamedTargets):
    """Targets for melodies: each a pair (low, high) with None for no bound; None asks for nothing.

    The names are those of the metrics, see `metrics.table1`; the last note is not in the paper's table.

    Attributes:
        repeated_notes: share of notes that are excessively repeated.
        autocorrelation_lag_1: mean autocorrelation of a melody's classes.
        autocorrelation_lag_2: the same for lag 2.
        autocorrelation_lag_3: the same for lag 3.
        not_in_key: share of notes outside the key.
        starts_with_tonic: share of melodies that start with the tonic.
        leaps_resolved: share of resolved leaps among those resolved or doubled.
        unique_max: share of melodies whose highest class occurs once.
        unique_min: share of melodies whose lowest pitch occurs once.
        motif: share of notes in a motif.
        repeated_motif: share of notes in a repeated motif.
        ends_on_tonic: share of melodies whose last note is the tonic, in any octave.
        log_prior: mean log p(a|s) of the notes under the prior, nats.
        others: targets for parts of the task's own reward, part name -> pair, in reward per melody.

    Raises:
        ValueError: a target is not a pair of numbers or None, or asks for nothing.
    """

    repeated_notes: Pair = None
    autocorrelation_lag_1: Pair = None
    autocorrelation_lag_2: Pair = None
    autocorrelation_lag_3: Pair = None
    not_in_key: Pair = None
    starts_with_tonic: Pair = None
    leaps_resolved: Pair = None
    unique_max: Pair = None
    unique_min: Pair = None
    motif: Pair = None
    repeated_motif: Pair = None
    ends_on_tonic: Pair = None
