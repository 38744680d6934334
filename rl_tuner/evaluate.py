"""Measures the prior and the tuned policy of a finished run on any number of sequences.

python -m rl_tuner.evaluate --run_dir=runs/psi_music --count=100000 --seed=1
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
    flags.DEFINE_integer(
        "count", 10_000, "Number of sequences of each model.", 1, flag_values=values
    )
    flags.DEFINE_integer("seed", 0, "Seed of the sequences.", 0, flag_values=values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for metrics.json and metrics.txt; by default they are not written.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import trust
    from rl_tuner.common.run_folder import check_finished

    check_finished(values.run_dir)
    trust.check(values.run_dir, values.trust)
    with loading():
        from rl_tuner import api

    with working("evaluate"):
        policy = api.open_run(values.run_dir, trust=values.trust)
        found = policy.evaluate(values.count, seed=values.seed, output_dir=values.output_dir)
    print(found)


if __name__ == "__main__":
    main()
