"""Makes a dataset of melodies from MIDI, ABC, MusicXML and NoteSequence files.

python -m pipelines.midi_to_tfrecord --input=tunes/,book.abc --output_dir=melodies
python -m pipelines.midi_to_tfrecord --input=music21:oneills1850 --output_dir=melodies

The folder gets sharded TFRecords of SequenceExamples for training, validation and testing,
dataset.json, which describes them, and rejected.csv, which says what was left out and why.
"""

import inspect

from absl import flags

from rl_tuner.common import command_line


def main() -> None:
    """Runs the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    from pipelines.melody import build, extraction, tunes

    signature = inspect.signature(build.build_melody_dataset)
    default = {name: parameter.default for name, parameter in signature.parameters.items()}
    collections = ", ".join(tunes.FREE_MUSIC21_COLLECTIONS)
    flags.DEFINE_multi_string(
        "input",
        None,
        "Files or folders of .mid .midi .rmi .kar .abc .xml .musicxml .mxl, TFRecords of NoteSequences"
        f" (.tfrecord), or music21:NAME ({collections}). Comma-separated or repeated.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "The folder to make.", flag_values=values, required=True
    )
    choices = {
        "polyphony": (
            extraction.POLYPHONY_CHOICES,
            "What to do with tracks whose notes start together: keep the highest line or reject.",
        ),
        "split": (
            extraction.SPLIT_CHOICES,
            "Where to cut a tune: nowhere or where its metre changes.",
        ),
    }
    for name, (known, text) in choices.items():
        flags.DEFINE_enum(name, default[name], known, text, flag_values=values)
    booleans = {
        "recursive": "Look into folders within folders.",
        "overwrite": "Replace an existing dataset, once the new one is complete.",
        "allow_any_music21_collection": "Take collections whose licence is not known to be free.",
    }
    for name, text in booleans.items():
        flags.DEFINE_boolean(name, default[name], text, flag_values=values)
    integers = {
        "min_bars": "Reject melodies of fewer bars. 7, as in Magenta, keeps a tune's shortest"
        " usual part, 8 bars, even when its last bar is cut short by the next part's pickup.",
        "min_unique_pitches": "Reject melodies of fewer pitch classes.",
        "max_steps": "Cut melodies to the whole bars that fit; 0 for no limit.",
        "num_shards": "Files per split.",
        "num_processes": "Worker processes; 0 for one a processor.",
        "worker_memory_mb": "The address space of a worker in MiB; 0 for no limit.",
    }
    for name, text in integers.items():
        flags.DEFINE_integer(name, default[name], text, flag_values=values)
    floats = {
        "max_moved": "Reject melodies with a larger share of notes outside three octaves; a smaller"
        " share is moved by octaves.",
        "gap_bars": "A silence of this many bars ends a melody.",
        "validation_ratio": "The share of tunes for validation.",
        "test_ratio": "The share of tunes for testing.",
        "timeout_seconds": "The time limit of one tune.",
        "max_file_mb": "Reject larger files, and larger records of a TFRecord.",
    }
    for name, text in floats.items():
        flags.DEFINE_float(name, default[name], text, flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from pipelines.melody import build

    settings = values.flag_values_dict()
    del settings["log"]
    inputs = command_line.split_list(settings.pop("input"))
    description = build.build_melody_dataset(inputs, **settings)
    splits = ", ".join(f"{n['sequences']} {name}" for name, n in description["splits"].items())
    rejected = ", ".join(f"{n} {reason}" for reason, n in description["rejections"].items())
    changes = ", ".join(f"{n} {what}" for what, n in description["changes"].items())
    print(
        f"{values.output_dir}:"
        f" {description['melodies']} melodies ({splits}) from {description['inputs_with_melody']}"
        f" of {description['inputs']} tunes; rejected: {rejected or 'none'};"
        f" changed: {changes or 'nothing'}"
    )


if __name__ == "__main__":
    main()
