"""Settings of the two melody pipelines."""

import dataclasses

from pipelines.melody.extraction import POLYPHONY_CHOICES, SPLIT_CHOICES
from pipelines.settings import DatasetSettings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MelodySettings(DatasetSettings):
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
        "Maximum number of steps of a melody; longer ones are cut to whole bars. 0 for no limit.",
        least=0,
    )
    max_moved: float = setting(
        0.03,
        "Maximum share of notes of a melody outside three octaves. These notes are moved by octaves;"
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
