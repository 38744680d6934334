"""Makes a dataset of melodies from the examples that Magenta's melody_rnn trains on.

python -m pipelines.magenta_to_tfrecord --input=training_melodies.tfrecord --output_dir=melodies

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
    from pipelines.melody import build_from_magenta

    signature = inspect.signature(build_from_magenta.build_magenta_dataset)
    default = {name: parameter.default for name, parameter in signature.parameters.items()}
    flags.DEFINE_multi_string(
        "input",
        None,
        "TFRecords of basic_rnn's one-hot examples, or folders of .tfrecord files. Comma-separated or"
        " repeated.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "The folder to make.", flag_values=values, required=True
    )
    booleans = {
        "recursive": "Look into folders within folders.",
        "overwrite": "Replace an existing dataset, once the new one is complete.",
    }
    for name, text in booleans.items():
        flags.DEFINE_boolean(name, default[name], text, flag_values=values)
    integers = {
        "steps_per_bar": "Sixteenth notes of a bar, which the examples do not tell.",
        "num_shards": "Files per split.",
        "num_processes": "Worker processes; 0 for one a processor.",
    }
    for name, text in integers.items():
        flags.DEFINE_integer(name, default[name], text, flag_values=values)
    floats = {
        "validation_ratio": "The share of melodies for validation.",
        "test_ratio": "The share of melodies for testing.",
        "max_record_mb": "Reject larger records.",
    }
    for name, text in floats.items():
        flags.DEFINE_float(name, default[name], text, flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from pipelines.melody import build_from_magenta

    settings = values.flag_values_dict()
    del settings["log"]
    inputs = command_line.split_list(settings.pop("input"))
    description = build_from_magenta.build_magenta_dataset(inputs, **settings)
    splits = ", ".join(f"{n['sequences']} {name}" for name, n in description["splits"].items())
    rejected = ", ".join(f"{n} {reason}" for reason, n in description["rejections"].items())
    print(
        f"{values.output_dir}: {description['melodies']} melodies ({splits}) from"
        f" {description['inputs']} examples; rejected: {rejected or 'none'}"
    )


if __name__ == "__main__":
    main()
