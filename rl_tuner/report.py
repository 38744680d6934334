"""Writes report.html into the folder of a finished run: one page, without other files, to read and hear.

python -m rl_tuner.report --run_dir=runs/psi_music
python -m rl_tuner.report runs/psi_music runs/g_music --output=comparison.html

Several runs make one page that compares them.
"""

import os

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import track, working
from rl_tuner.common.quiet import loading

_COMPARISON = "comparison.html"


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, positional="run_dir")


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values, several=True)
    flags.DEFINE_integer(
        "seed", 0, "Seed of the sequences that the page shows.", 0, flag_values=values
    )
    flags.DEFINE_string(
        "output",
        None,
        f"File of the page that compares several runs. Default: {_COMPARISON}.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import outputs, trust
    from rl_tuner.common.run_folder import check_finished

    run_dirs = command_line.split_list(values.run_dir)
    if len(run_dirs) == 1 and values.output:
        raise UserError("--output is for several runs; the page of one is in its folder")
    for run_dir in run_dirs:
        check_finished(run_dir)
        trust.check(run_dir, values.trust)
    if len(run_dirs) > 1:
        _compare(run_dirs, values)
        return
    outputs.check_folder(run_dirs[0])
    with loading():
        from rl_tuner import api

    with working("report"):
        print(api.open_run(run_dirs[0], trust=values.trust).write_report(seed=values.seed))


def _compare(run_dirs: list[str], values: flags.FlagValues) -> None:
    from rl_tuner.common import outputs

    output = values.output or _COMPARISON
    if os.path.isdir(output):
        raise UserError(f"--output: {output} is a folder; give a file, such as {_COMPARISON}")
    outputs.check_folder(os.path.dirname(os.path.abspath(output)))
    if len({os.path.realpath(run_dir) for run_dir in run_dirs}) < len(run_dirs):
        raise UserError("a run is given twice; give each once")
    with loading():
        from rl_tuner import api
        from rl_tuner.pages.comparison_page import Compared, write_comparison

    compared = []
    for run_dir in track(run_dirs, total=len(run_dirs), description="runs"):
        policy = api.open_run(run_dir, trust=values.trust)
        rows = policy.sample(10, seed=values.seed).tokens
        compared.append(Compared(run_dir, policy.tuner, rows))
    with working("writing the comparison"):
        print(write_comparison(output, compared, values.seed))


if __name__ == "__main__":
    main()
