"""The frame of a melody: the grid and the key that rules, pictures and files take as given."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.tasks.melody.encoding import NUM_SPECIAL_CLASSES
from rl_tuner.tasks.melody.grid import DEFAULT_GRID, Grid
from rl_tuner.tasks.melody.key import C_MAJOR, Key


@dataclasses.dataclass(frozen=True)
class Frame:
    """A grid and a key.

    Attributes:
        grid: steps, range and metre.
        key: tonic and scale.

    Raises:
        UserError: the tonic is outside the range.
    """

    grid: Grid = DEFAULT_GRID
    key: Key = C_MAJOR

    def __post_init__(self) -> None:
        if not self.grid.min_pitch <= self.key.tonic <= self.grid.max_pitch:
            raise UserError(
                f"tonic {self.key.tonic} is outside the range of the melodies, {self.grid.min_pitch} to"
                f" {self.grid.max_pitch}; bind MusicTheoryReward.tonic_pitch"
            )

    @property
    def tonic_class(self) -> int:
        """The class of the tonic."""
        return self.key.tonic - self.grid.pitch_offset

    @property
    def sixteenths(self) -> float:
        """The number of steps per sixteenth note; the rules' lengths are in sixteenths."""
        return self.grid.steps_per_quarter / 4

    @property
    def motif_steps(self) -> int:
        """The length of a motif: two beats, 8 steps in sixteenths of 4/4."""
        return 2 * self.grid.steps_per_beat

    def degree(self, melody_class: int) -> int:
        """Return the semitones of a pitch's class above the tonic, 0 to 11."""
        return (melody_class - self.tonic_class) % 12

    def pitches_of(self, degrees: Collection[int]) -> np.ndarray:
        """Return which classes are pitches of some degrees, bool [num_classes]; specials are none."""
        classes = range(self.grid.num_classes)
        return np.array([k >= NUM_SPECIAL_CLASSES and self.degree(k) in degrees for k in classes])


DEFAULT_FRAME = Frame()
