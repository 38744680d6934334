"""Tunes once for each temperature c and objective, to measure the frontier of task reward against KL.

python -m rl_tuner.sweep --gin_file=gin/paper_psi_music.gin --c=0.1,0.25,0.5,1,2,4
python -m rl_tuner.sweep --gin_file=gin/paper_psi_music.gin --c=0.25,0.5,1 --objectives=Psi,Q,G

python -m rl_tuner.sweep --gin_file=gin/paper_psi_music.gin --c=0.5,1,2 --executor=processes:3

Every point is a separate run in run_dir/OBJECTIVE_cC, which the other commands can read; finished points
are reused. The frontier is written to frontier.csv and frontier.png.
"""

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.quiet import loading


def main() -> None:
    """Run the command."""
    command_line.run(
        _define_flags, _run, usage=__doc__, positional="gin_file", outputs=("work_dir", "run_dir")
    )


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_gin_flags(values)
    command_line.define_work_dir(values)
    command_line.define_executor(values)
    flags.DEFINE_list(
        "c", None, "Temperatures, separated by commas.", flag_values=values, required=True
    )
    flags.DEFINE_list(
        "objectives",
        None,
        "gin names of objectives, such as Psi,Q,G; by default the objective of the gin file.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "run_dir",
        None,
        "Folder for the sweep; by default work_dir/NAME_sweep for a gin file NAME.gin.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.own_code import is_own_module
    from rl_tuner.jobs import early, points

    points.parse_temperatures(values.c)
    command_line.check_executor_flag(values)
    imports = early.check(values.gin_file, values.gin_param, values.work_dir)
    points.check_names(values.objectives or [], all_known=not any(map(is_own_module, imports)))
    with loading():
        from rl_tuner.jobs import frontier

    run_dir = values.run_dir or command_line.default_run_dir(values) + "_sweep"
    table = frontier.sweep(
        values.gin_file,
        values.gin_param,
        values.c,
        values.objectives,
        work_dir=values.work_dir,
        run_dir=run_dir,
        executor=values.executor,
    )
    print(f"\n{table}\n")
    for name in (frontier.FRONTIER_CSV, frontier.FRONTIER_PNG):
        print(f"{run_dir}/{name}")


if __name__ == "__main__":
    main()
