"""Exports the tuned policy of a finished run as a SavedModel: OUTPUT_DIR/1, then OUTPUT_DIR/2 and so on.

python -m rl_tuner.export --run_dir=runs/psi_music --output_dir=served/psi_music

The SavedModel needs only TensorFlow, not this package, and can be served by TensorFlow Serving;
docs/serving.md explains how to use it.
"""

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.progress import working
from rl_tuner.common.quiet import loading


def main() -> None:
    """Run the command."""
    command_line.run(
        _define_flags, _run, usage=__doc__, positional="run_dir", outputs=("output_dir",)
    )


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for the versions of the model, each a SavedModel.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_integer(
        "version",
        None,
        "Number of the version; by default the number after the latest version.",
        1,
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import trust
    from rl_tuner.common.outputs import choose_version
    from rl_tuner.common.run_folder import check_finished

    check_finished(values.run_dir)
    trust.check(values.run_dir, values.trust)
    choose_version(values.output_dir, values.version)
    with loading():
        from rl_tuner import api

    with working("export"):
        policy = api.open_run(values.run_dir, trust=values.trust)
        folder = policy.export_version(values.output_dir, values.version)
    print(folder)


if __name__ == "__main__":
    main()
