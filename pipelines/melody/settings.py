"""Settings of the two melody pipelines."""

import dataclasses

from pipelines.melody.extraction import POLYPHONY_CHOICES, SPLIT_CHOICES
from pipelines.melody.keys import TRANSPOSE_CHOICES
from pipelines.settings import DatasetSettings, SpreadSettings, setting
from rl_tuner.tasks.melody.grid import COMMON_TIME, DEFAULT_GRID, Grid, parse_metre
from rl_tuner.tasks.melody.key import MODES


@dataclasses.dataclass(frozen=True, kw_only=True)
class MelodySettings(SpreadSettings):
    """The settings of `build_melody_dataset`.

    Raises:
        UserError: if a value is invalid.
    """

    polyphony: str = setting(
        "skyline",
        "How to handle tracks with notes that start together: 'skyline' keeps the highest line, 'skip'"
        " rejects the track.",
        choices=POLYPHONY_CHOICES,
    )
    split: str = setting(
        "none",
        "Where to cut a tune: 'none' keeps it whole, 'metre' cuts it at changes of metre.",
        choices=SPLIT_CHOICES,
    )
    steps_per_quarter: int = setting(
        DEFAULT_GRID.steps_per_quarter,
        "Steps per quarter note: 4 for sixteenths, 6 for triplets of sixteenths, 12 for both, 24 for swing.",
    )
    min_pitch: int = setting(DEFAULT_GRID.min_pitch, "Lowest MIDI pitch of the melodies.")
    max_pitch: int = setting(DEFAULT_GRID.max_pitch, "Highest MIDI pitch of the melodies.")
    metre: str = setting(
        "",
        "The metre of the melodies, such as 6/8: tunes in another one are rejected. '' keeps all; rules and"
        " pictures then count bars of 4/4.",
    )
    mode: str = setting(
        "",
        "The mode of the melodies, such as minor: tunes in another one are rejected. '' keeps all.",
        choices=("", *MODES),
    )
    transpose: str = setting(
        "major",
        "Where melodies are moved: 'major' to C by the notes of their major scale, 'relative' to the mode on"
        " the white keys (C major, A minor, D dorian), 'mode' to C with the mode kept, 'none' only by"
        " octaves, if they are outside the range.",
        choices=TRANSPOSE_CHOICES,
    )
    gap_bars: float = setting(1.0, "Length in bars of a silence that ends a melody.", least=0)
    min_bars: int = setting(
        7,
        "Minimum number of bars of a melody. The default is that of Magenta; it keeps parts of 8 bars"
        " whose last bar is cut short by the pickup of the next part.",
        least=0,
    )
    min_unique_pitches: int = setting(5, "Minimum number of pitch classes of a melody.", least=0)
    max_steps: int = setting(
        512,
        "Maximum length of a melody in sixteenths; longer ones are cut to whole bars. 0 for no limit.",
        least=0,
    )
    max_moved: float = setting(
        0.03,
        "Maximum share of notes of a melody outside the range. These notes are moved by octaves;"
        " melodies with more of them are rejected.",
        least=0,
    )
    timeout_seconds: float = setting(60.0, "Time limit of one tune, in seconds.", above=0)
    max_file_mb: float = setting(
        20.0, "Maximum size of a file, or of a record of a TFRecord file, in MiB.", above=0
    )
    worker_memory_mb: int = setting(
        4096,
        "Limit on the address space of a worker, in MiB; 0 for no limit.",
        least=0,
        cosmetic=True,
    )
    allow_any_music21_collection: bool = setting(
        False, "Accept collections whose licence is not known to be free."
    )

    def __post_init__(self) -> None:
        """Check every value."""
        super().__post_init__()
        self.grid()

    def grid(self) -> Grid:
        """Return the grid of the melodies."""
        metre = parse_metre(self.metre) if self.metre else COMMON_TIME
        return Grid(self.steps_per_quarter, self.min_pitch, self.max_pitch, metre)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MagentaSettings(DatasetSettings):
    """The settings of `build_magenta_dataset`.

    Raises:
        UserError: if a value is invalid.
    """

    steps_per_bar: int = setting(
        16,
        "Number of sixteenth notes per bar, which the examples do not contain; windows begin at bars.",
        least=1,
    )
    max_record_mb: float = setting(20.0, "Maximum size of a record, in MiB.", above=0)
