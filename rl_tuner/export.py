"""Exports the tuned policy of a finished run as a SavedModel with `generate` and `score` signatures.

python -m rl_tuner.export --run_dir=runs/psi_music --output_dir=served/1
"""

from absl import flags

from rl_tuner import commandline


def main() -> None:
    """Runs the command."""
    commandline.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    commandline.define_run_dir(values)
    flags.DEFINE_string(
        "output_dir", None, "Folder of the SavedModel.", flag_values=values, required=True
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.runtime import export, job, registry  # noqa: F401

    _, tuner, _ = job.open_run(values.run_dir)
    export.export(tuner, values.output_dir)
    print(values.output_dir)


if __name__ == "__main__":
    main()
