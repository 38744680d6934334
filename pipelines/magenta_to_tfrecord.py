"""Makes a dataset of melodies from the training examples of Magenta's melody_rnn.

python -m pipelines.magenta_to_tfrecord --input=training_melodies.tfrecord --output_dir=melodies

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
    from pipelines.melody import settings

    command.define_flags(
        values,
        settings.MagentaSettings,
        "TFRecord files of basic_rnn's one-hot examples, or folders of .tfrecord files.",
    )


def _run(values: flags.FlagValues) -> None:
    from pipelines import command
    from pipelines.melody import build_from_magenta

    description = command.call(build_from_magenta.build_magenta_dataset, values)
    print(
        f"{values.output_dir}: {description['melodies']} melodies ({command.splits(description)})"
        f" from {description['inputs']} examples; {command.losses(description)}"
    )


if __name__ == "__main__":
    main()
