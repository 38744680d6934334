"""Building of a dataset of melodies from tunes, the work of `midi_to_tfrecord`."""

import collections
import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import gin

from pipelines import drivers, parallel
from pipelines.facts import Facts
from pipelines.inputs import Input, InputFile, check_inputs
from pipelines.melody import extraction, keys, readers, tunes
from pipelines.melody.settings import MelodySettings
from pipelines.plan import Example, Plan
from pipelines.settings import builder
from rl_tuner.common.workers import Outcome
from rl_tuner.datasets import descriptions, sequence_examples, writer
from rl_tuner.datasets.writer import RejectedError

_PACKAGES = ("note-seq", "music21", "tensorflow", "numpy", "protobuf")


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
@builder(MelodySettings, functools.partial(check_inputs, prefix=tunes.MUSIC21_PREFIX))
def build_melody_dataset(
    inputs: list[str], output_dir: str, settings: MelodySettings
) -> dict[str, Any]:
    """Read tunes, extract their melodies and write them as a dataset.

    The result depends only on the tunes and the settings, not on the number of processes, the order of
    the inputs or their folders.

    Args:
        inputs: Files, folders and "music21:NAME" collections.
        output_dir: Folder for the dataset.
        settings: Settings of the pipeline.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is invalid, or no tune yields a melody.
    """
    return drivers.build(MelodyPlan(settings), inputs, output_dir)


@dataclasses.dataclass(frozen=True)
class _Found:
    """A melody and the tune that it is from; all melodies of a tune are in the same split."""

    id: str
    source: str
    split: str
    melody: extraction.Melody

    @property
    def preference(self) -> tuple[str, str, int]:
        """Of identical melodies, that of the first tune is kept."""
        return self.source, self.split, self.melody.steps_per_bar

    def as_duplicate(self, kept: "_Found") -> writer.Rejection:
        """Return the rejection of this melody, which is that of another tune."""
        return writer.Rejection(self.source, "duplicate", f"of {kept.source}")


class MelodyPlan(Plan):
    """The steps from tunes to melodies."""

    unit = "tunes"
    settings: MelodySettings

    @property
    def max_bytes(self) -> int:
        """Size above which a file or a record is rejected."""
        return int(self.settings.max_file_mb * 2**20)

    def files(self, inputs: Iterable[str]) -> list[tuple[InputFile, Input]]:
        """Return the files of all inputs, each with its input."""
        return tunes.list_files(
            inputs,
            recursive=self.settings.recursive,
            allow_any_music21_collection=self.settings.allow_any_music21_collection,
        )

    def items(self, file: InputFile, given: Input, facts: Facts) -> list[tunes.Tune]:
        """Return the tunes of a file."""
        del given
        found, rejections = tunes.tunes_of(file, self.max_bytes)
        facts.rejections += rejections
        return found

    def outcomes(self, items: list[tunes.Tune], num_processes: int) -> Iterable[Outcome]:
        """Yield the outcome of `read_melodies` for every tune."""
        fields = dataclasses.fields(extraction.ExtractionSettings)
        values = {f.name: getattr(self.settings, f.name) for f in fields if f.name != "grid"}
        wanted = extraction.ExtractionSettings(**values, grid=self.settings.grid())
        return parallel.map_isolated(
            functools.partial(read_melodies, settings=wanted, max_bytes=self.max_bytes),
            items,
            num_processes=num_processes,
            timeout_seconds=self.settings.timeout_seconds,
            memory_mb=self.settings.worker_memory_mb,
            preload=["note_seq", "pipelines.melody.readers"],
        )

    def candidates(self, outcome: Outcome, facts: Facts) -> Sequence[_Found]:
        """Return the melodies of a tune."""
        name = outcome.item.name
        if outcome.failure:
            facts.rejections.append(writer.Rejection(name, outcome.failure, outcome.detail))
            return []
        melodies, refused, changes = outcome.value
        facts.rejections += [writer.Rejection(name, *reason) for reason in refused]
        facts.count("changes", collections.Counter(changes))
        facts.count("yielding", [""] if melodies else [])
        digests = [hashlib.sha256(melody.classes) for melody in melodies]
        split = writer.split_of(
            b"".join(digest.digest() for digest in digests),
            validation_ratio=self.settings.validation_ratio,
            test_ratio=self.settings.test_ratio,
        )
        return [
            _Found(digest.hexdigest(), name, split, melody)
            for digest, melody in zip(digests, melodies)
        ]

    def examples(self, candidate: _Found, decision: None, facts: Facts) -> list[Example]:
        """Return the example of a melody."""
        melody = candidate.melody
        context: dict[str, str | int] = {
            "id": candidate.id,
            "source": candidate.source,
            "length": len(melody.classes),
            "steps_per_bar": melody.steps_per_bar,
            "metre": "{}/{}".format(*melody.metre),
            "key": keys.name_of(melody.key),
        }
        facts.count("melodies", [""])
        facts.count("metres", [context["metre"]])
        facts.count("modes", [melody.key[1]])
        facts.count("classes", melody.classes)
        record = sequence_examples.serialise(context, melody.classes)
        return [Example(candidate.id, record, candidate.split, len(melody.classes))]

    def complaint(self, inputs: Sequence[str], facts: Facts) -> str | None:
        """Return that there are no tunes or no melodies."""
        if not facts.of("inputs").total():
            return f"no tunes in {', '.join(inputs)}"
        if not facts.of("melodies"):
            return f"no melody in {facts.of('inputs').total()} tunes"
        return None

    def description(self, inputs: Sequence[str], decision: None, facts: Facts) -> dict[str, Any]:
        """Return the description of a dataset of melodies."""
        encoding = self.settings.grid().to_json()
        transpose = self.settings.transpose
        return descriptions.describe(
            kind="melody",
            encoding=encoding if transpose == "major" else encoding | {"transpose": transpose},
            source=inputs,
            settings=self.settings.to_json(),
            inputs=facts.of("inputs").total(),
            inputs_with_melody=facts.of("yielding").total(),
            melodies=facts.of("melodies").total(),
            metres=descriptions.count(facts.of("metres").elements()),
            modes=descriptions.count(facts.of("modes").elements()),
            changes=dict(sorted(facts.of("changes").items())),
            reasons=facts.reasons,
            class_histogram=[
                facts.of("classes")[number] for number in range(self.settings.grid().num_classes)
            ],
            packages=_PACKAGES,
        )


def read_melodies(
    tune: tunes.Tune, settings: extraction.ExtractionSettings, max_bytes: int
) -> tuple[list[extraction.Melody], list[tuple[str, str]], dict[str, int]]:
    """Read one tune.

    Returns:
        Its melodies, the (reason, detail) of each rejection, and the numbers of repairs, moved notes and
        omissions.
    """
    try:
        reading = readers.read_tune(tune, max_bytes=max_bytes)
    except RejectedError as error:
        return [], [(error.reason, error.detail)], {}
    melodies: list[extraction.Melody] = []
    rejections: list[RejectedError] = []
    mended = ", ".join(f"{count} {what}" for what, count in sorted(reading.counts.items()))
    for sequence in reading.sequences:
        result = extraction.extract_melodies(sequence, settings)
        melodies += result.melodies
        # In a file of several songs, a song without notes only sets the tempo.
        if sequence.notes or len(reading.sequences) == 1:
            rejections += result.rejections
        reading.counts.update(result.counts)
    changes = {name: count for name, count in reading.counts.items() if count}
    details = [", ".join(filter(None, (error.detail, mended))) for error in rejections]
    return melodies, [(e.reason, detail) for e, detail in zip(rejections, details)], changes
