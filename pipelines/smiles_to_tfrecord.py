"""Makes a dataset of molecules from SMILES files, tables with SMILES and SD files.

python -m pipelines.smiles_to_tfrecord --input=mine.smi,more/ --output_dir=molecules
python -m pipelines.smiles_to_tfrecord --input=builtin:nci --output_dir=molecules

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
    from pipelines.molecule import readers, settings

    builtin = ", ".join(f"builtin:{name}" for name in readers.BUILTIN_SETS)
    command.define_flags(
        values,
        settings.MoleculeSettings,
        f"Files or folders of {' '.join(readers.FORMATS)}, also compressed with gzip, or a set that is"
        f" part of RDKit ({builtin}).",
    )


def _run(values: flags.FlagValues) -> None:
    from pipelines import command
    from pipelines.molecule import build

    description = command.call(build.build_molecule_dataset, values)
    print(
        f"{values.output_dir}: {description['molecules']} molecules (strings:"
        f" {command.splits(description)}) from {description['inputs']},"
        f" {description['encoding']['num_classes']} classes; {command.losses(description)}"
    )


if __name__ == "__main__":
    main()
