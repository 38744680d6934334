"""Measures prior and tuned policy of a finished run, as many sequences as you like.

python -m rl_tuner.evaluate --run_dir=runs/psi_music --count=100000 --seed=1
"""

from absl import flags

from rl_tuner.common import command_line


def main() -> None:
    """Runs the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values)
    flags.DEFINE_integer("count", 10_000, "Sequences of each model.", 1, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of the sequences.", 0, flag_values=values)
    flags.DEFINE_string(
        "output_dir", None, "Also write metrics.json and metrics.txt here.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    import dataclasses

    from rl_tuner.jobs import (
        job,
        registry,  # noqa: F401
    )
    from rl_tuner.tuning import report

    settings, tuner, dataset_dir = job.open_run(values.run_dir)
    settings = dataclasses.replace(settings, evaluation_sequences=values.count, seed=values.seed)
    columns, _ = job.evaluate(tuner, settings, dataset_dir)
    if values.output_dir:
        report.write_metrics(values.output_dir, settings.task, columns)
    print(report.format_report(settings.task, columns))


if __name__ == "__main__":
    main()
