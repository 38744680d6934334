"""Makes a prior from a Keras model of LSTM layers.

python -m rl_tuner.import_keras --model=m.keras --output_dir=priors/mine --kind=melody

The model must be a chain of one-hot vectors or an Embedding, LSTM layers and a Dense layer with one output
per class. For other models, write an adapter for rl_tuner.priors.importing.keras_models.import_keras.
"""

import os

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError, did_you_mean
from rl_tuner.common.progress import working
from rl_tuner.common.quiet import loading

MELODY = "melody"


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, outputs=("output_dir",))


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "model", None, "The model, a .keras file.", flag_values=values, required=True
    )
    flags.DEFINE_string(
        "output_dir", None, "Folder that receives prior.keras.", flag_values=values, required=True
    )
    flags.DEFINE_string(
        "kind",
        MELODY,
        "Kind of the sequences; every kind except melody needs --dataset_dir.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "dataset_dir",
        None,
        "Folder of a dataset of this kind with the encoding of the model.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.datasets.writer import DESCRIPTION_FILE
    from rl_tuner.priors.importing.locating import check_keras_file

    check_keras_file(values.model)
    if values.kind != MELODY and not values.dataset_dir:
        hint = did_you_mean(values.kind, [MELODY])
        raise UserError(
            f"--kind={values.kind} needs --dataset_dir, the folder of a dataset of this kind{hint}"
        )
    if values.dataset_dir and not os.path.isfile(
        os.path.join(values.dataset_dir, DESCRIPTION_FILE)
    ):
        raise UserError(
            f"--dataset_dir: {values.dataset_dir} contains no {DESCRIPTION_FILE}; give a dataset"
        )
    with loading():
        from rl_tuner.priors.importing import keras_models
    from rl_tuner.tasks.melody.encoding import MELODY_ENCODING

    # Only the encoding of melodies does not depend on the data.
    encoding = MELODY_ENCODING if values.kind == MELODY else None
    with working(f"importing {values.model}"):
        path, network = keras_models.import_keras(
            values.model, values.output_dir, values.kind, values.dataset_dir, encoding
        )
    print(
        f"prior       {path}: {values.kind}, {network.num_classes} classes, cells {network.cells}"
    )


if __name__ == "__main__":
    main()
