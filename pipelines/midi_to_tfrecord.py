"""Makes a dataset of melodies from MIDI, ABC, MusicXML and NoteSequence files.

python -m pipelines.midi_to_tfrecord --input=tunes/,book.abc --output_dir=melodies
python -m pipelines.midi_to_tfrecord --input=music21:oneills1850 --output_dir=melodies

The output folder contains sharded TFRecords of SequenceExamples for training, validation and testing,
dataset.json, which describes them, and rejected.csv, which lists the rejected inputs with the reasons.
"""

from absl import flags

from rl_tuner.common import command_line


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, outputs=("output_dir",))


def _define_flags(values: flags.FlagValues) -> None:
    from pipelines import command
    from pipelines.melody import settings, tunes

    collections = ", ".join(tunes.FREE_MUSIC21_COLLECTIONS)
    command.define_flags(
        values,
        settings.MelodySettings,
        "Files or folders of .mid .midi .rmi .kar .abc .xml .musicxml .mxl, TFRecords of NoteSequences"
        f" (.tfrecord), or music21:NAME ({collections}).",
    )


def _run(values: flags.FlagValues) -> None:
    from pipelines import command
    from pipelines.melody import build

    description = command.call(build.build_melody_dataset, values)
    print(
        f"{values.output_dir}: {description['melodies']} melodies ({command.splits(description)})"
        f" from {description['inputs_with_melody']} of {description['inputs']} tunes;"
        f" {command.losses(description)}"
    )


if __name__ == "__main__":
    main()
