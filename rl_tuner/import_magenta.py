"""Makes a prior from a melody network trained by Magenta.

python -m rl_tuner.import_magenta --checkpoint=note_rnn.ckpt --output_dir=priors/note_rnn
python -m rl_tuner.import_magenta --checkpoint=basic_rnn.mag --output_dir=priors/basic_rnn

To tune the prior, give rl_tuner.train --gin_param="job.prior = 'priors/note_rnn'".
"""

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.progress import working
from rl_tuner.common.quiet import loading


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, outputs=("output_dir",))


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "checkpoint",
        None,
        "A TensorFlow 1 checkpoint (its prefix, one of its files, or a folder with a file"
        " 'checkpoint'), or a bundle (.mag).",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "Folder that receives prior.keras.", flag_values=values, required=True
    )
    flags.DEFINE_string(
        "scope",
        None,
        "Variable scope of the network, needed if the checkpoint contains several; empty for none.",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "swap_special_classes",
        False,
        "Whether class 0 of the checkpoint is 'note off' and class 1 'no event', the reverse of"
        " Magenta's melody encoding.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.priors.importing.locating import checkpoint_prefix

    checkpoint_prefix(values.checkpoint)
    with loading():
        from rl_tuner.priors.importing import magenta_networks
    from rl_tuner.tasks.melody.encoding import MELODY_ENCODING

    with working(f"importing {values.checkpoint}"):
        path, network = magenta_networks.import_magenta(
            values.checkpoint,
            values.output_dir,
            MELODY_ENCODING,
            values.scope,
            values.swap_special_classes,
        )
    kind = network.metadata["kind"]
    print(f"prior       {path}: {kind}, {network.num_classes} classes, cells {network.cells}")


if __name__ == "__main__":
    main()
