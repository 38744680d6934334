"""Trains a prior by maximum likelihood; the dataset is made first if it is missing.

python -m rl_tuner.pretrain --gin_file=gin/mle_music.gin
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
    flags.DEFINE_string(
        "run_dir",
        None,
        "Folder for the prior; by default a folder in work_dir/priors named after the settings.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.jobs import early

    early.check(values.gin_file, values.gin_param, values.work_dir)
    with loading():
        from rl_tuner.jobs import configuration, job

    configuration.configure(values.gin_file, values.gin_param)
    path, _ = job.Job(values.work_dir).prior(values.run_dir)
    print(f"prior       {path}")


if __name__ == "__main__":
    main()
