"""Makes a dataset of molecules from SMILES, tables of them and SD files.

python -m pipelines.smiles_to_tfrecord --input=mine.smi,more/ --output_dir=molecules
python -m pipelines.smiles_to_tfrecord --input=builtin:nci --output_dir=molecules

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
    from pipelines.molecule import build, readers
    from rl_tuner.tasks.molecule import tokens

    signature = inspect.signature(build.build_molecule_dataset)
    default = {name: parameter.default for name, parameter in signature.parameters.items()}
    builtin = ", ".join(f"builtin:{name}" for name in readers.BUILTIN_SETS)
    flags.DEFINE_multi_string(
        "input",
        None,
        "Files or folders of .smi .smiles .csv .tsv .sdf, each also as .gz, or a set that comes"
        f" with RDKit ({builtin}). Comma-separated or repeated.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "The folder to make.", flag_values=values, required=True
    )
    flags.DEFINE_string(
        "column",
        default["column"],
        "The column of SMILES in .csv and .tsv files; by default the one called smiles.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "elements",
        ",".join(default["elements"]),
        "Reject molecules with other elements.",
        flag_values=values,
    )
    choices = {
        "representation": (
            tokens.REPRESENTATIONS,
            "What a token is: an atom or a bond, one character, or a SELFIES symbol.",
        ),
        "split": (
            build.SPLITTINGS,
            "What shares a split: nothing, or molecules of one Bemis-Murcko scaffold.",
        ),
    }
    for name, (known, text) in choices.items():
        flags.DEFINE_enum(name, default[name], known, text, flag_values=values)
    _define_plain_flags(values, default)


def _define_plain_flags(values: flags.FlagValues, default: dict[str, object]) -> None:
    booleans = {
        "recursive": "Look into folders within folders.",
        "overwrite": "Replace an existing dataset, once the new one is complete.",
        "strip_salts": "Keep only the largest fragment of a molecule.",
        "neutralise": "Take charges away where adding or removing hydrogen does it.",
        "keep_stereo": "Keep stereochemistry.",
        "property_histograms": "Describe the training molecules' properties: most of the work.",
    }
    for name, text in booleans.items():
        flags.DEFINE_boolean(name, default[name], text, flag_values=values)
    integers = {
        "min_length": "Reject molecules of fewer tokens.",
        "max_length": "Reject molecules of more tokens.",
        "min_heavy_atoms": "Reject molecules of fewer heavy atoms.",
        "max_heavy_atoms": "Reject molecules of more heavy atoms; 0 for no limit.",
        "min_token_count": "Reject training molecules with a token that fewer of them have.",
        "augment": "Random spellings of each training molecule beside the canonical one.",
        "seed": "What random spellings hang on.",
        "num_shards": "Files per split.",
        "num_processes": "Worker processes; 0 for one a processor.",
        "worker_memory_mb": "The address space of a worker in MiB; 0 for no limit.",
    }
    for name, text in integers.items():
        flags.DEFINE_integer(name, default[name], text, flag_values=values)
    floats = {
        "validation_ratio": "The share of molecules, or scaffolds, for validation.",
        "test_ratio": "The share of molecules, or scaffolds, for testing.",
        "timeout_seconds": "The time limit of one molecule.",
        "max_file_mb": "Reject files that are larger, once unpacked.",
    }
    for name, text in floats.items():
        flags.DEFINE_float(name, default[name], text, flag_values=values)


def _run(values: flags.FlagValues) -> None:
    from pipelines.molecule import build

    settings = values.flag_values_dict()
    del settings["log"]
    inputs = command_line.split_list(settings.pop("input"))
    description = build.build_molecule_dataset(inputs, **settings)
    splits = ", ".join(f"{n['sequences']} {name}" for name, n in description["splits"].items())
    rejected = ", ".join(f"{n} {reason}" for reason, n in description["rejections"].items())
    print(
        f"{values.output_dir}: {description['molecules']} molecules (strings: {splits}) from"
        f" {description['inputs']}, {description['encoding']['num_classes']} classes;"
        f" rejected: {rejected or 'none'}"
    )


if __name__ == "__main__":
    main()
