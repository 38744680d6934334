"""What the two melody pipelines can be asked for."""

import dataclasses

from pipelines.melody.extraction import POLYPHONY_CHOICES, SPLIT_CHOICES
from pipelines.settings import DatasetSettings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class MelodySettings(DatasetSettings):
    """The settings of `build_melody_dataset`; a UserError says if a value makes no sense."""

    polyphony: str = setting(
        "skyline",
        "What to do with tracks whose notes start together: keep the highest line (skyline) or"
        " reject them (skip).",
        choices=POLYPHONY_CHOICES,
    )
    split: str = setting(
        "none",
        "Where to cut a tune: nowhere (none), or where its metre changes (metre).",
        choices=SPLIT_CHOICES,
    )
    gap_bars: float = setting(1.0, "A silence of this many bars ends a melody.", least=0)
    min_bars: int = setting(
        7,
        "Reject melodies of fewer bars. 7, as in Magenta, keeps a tune's shortest usual part, 8 bars,"
        " even when its last bar is cut short by the next part's pickup.",
        least=0,
    )
    min_unique_pitches: int = setting(5, "Reject melodies of fewer pitch classes.", least=0)
    max_steps: int = setting(
        512, "Cut melodies to the whole bars that fit; 0 for no limit.", least=0
    )
    max_moved: float = setting(
        0.03,
        "Reject melodies with a larger share of notes outside three octaves; a smaller share is moved"
        " by octaves.",
        least=0,
    )
    timeout_seconds: float = setting(60.0, "The time limit of one tune.", above=0)
    max_file_mb: float = setting(
        20.0, "Reject larger files, and larger records of a TFRecord.", above=0
    )
    worker_memory_mb: int = setting(
        4096, "The address space of a worker in MiB; 0 for no limit.", least=0, cosmetic=True
    )
    allow_any_music21_collection: bool = setting(
        False, "Take collections whose licence is not known to be free."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MagentaSettings(DatasetSettings):
    """The settings of `build_magenta_dataset`; a UserError says if a value makes no sense."""

    steps_per_bar: int = setting(
        16,
        "Sixteenth notes of a bar, which the examples do not tell; windows begin at bars.",
        least=1,
    )
    max_record_mb: float = setting(20.0, "Reject larger records.", above=0)
