"""Writes report.html into the folder of a finished run: one page, without other files, to read and hear.

python -m rl_tuner.report --run_dir=runs/psi_music
"""

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.progress import working
from rl_tuner.common.quiet import loading


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, positional="run_dir")


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values)
    flags.DEFINE_integer(
        "seed", 0, "Seed of the sequences that the page shows.", 0, flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import outputs, trust
    from rl_tuner.common.run_folder import check_finished

    check_finished(values.run_dir)
    trust.check(values.run_dir, values.trust)
    outputs.check_folder(values.run_dir)
    with loading():
        from rl_tuner import api

    with working("report"):
        print(api.open_run(values.run_dir, trust=values.trust).write_report(seed=values.seed))


if __name__ == "__main__":
    main()
