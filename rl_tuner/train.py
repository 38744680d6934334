"""Runs a whole job: dataset and prior if they are missing, tuning, evaluation, samples, export.

python -m rl_tuner.train --gin_file=gin/psi_music.gin
python -m rl_tuner.train --gin_file=gin/psi_music.gin --gin_param="MusicTargets.motif = (0.9, None)" \
    --run_dir=runs/more_motifs

A stage is skipped if its output exists and was made with the same settings; an interrupted stage resumes
from its last checkpoint. To watch the run: tensorboard --logdir=runs
Exit code 3 means that the run is complete, but the tuned policy has collapsed.
"""

import sys

from absl import flags

from rl_tuner.common import command_line, locks
from rl_tuner.common.progress import say
from rl_tuner.common.quiet import loading

# Exit code of a run whose final policy has collapsed; its files are complete.
COLLAPSED_EXIT = 3


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
        "Folder for the run; by default work_dir/NAME for a gin file NAME.gin.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.jobs import early

    early.check(values.gin_file, values.gin_param, values.work_dir)
    run_dir = values.run_dir or command_line.default_run_dir(values)
    is_follower = early.is_follower(values.gin_file, values.gin_param)
    if not is_follower:
        locks.check(run_dir)
    with loading():
        from rl_tuner.jobs import configuration, following, job

    configuration.configure(values.gin_file, values.gin_param)
    whole_job = job.Job(values.work_dir, run_dir)
    with following.leading():
        if is_follower:
            return following.follow(whole_job.settings.task, whole_job.settings.seed)
        table = whole_job.run()
    print(f"\n{table}\n{_paths(run_dir)}", flush=True)
    shortcomings = job.shortcomings(run_dir)
    for line in shortcomings:
        say(f"warning: {line}")
    if any(line.startswith(job.COLLAPSED) for line in shortcomings):
        sys.exit(COLLAPSED_EXIT)


def _paths(run_dir: str) -> str:
    rows = (
        ("metrics", "metrics.txt"),
        ("samples", "samples/"),
        ("pictures", "plots/"),
        ("report", "report.html"),
        ("SavedModel", "export/"),
    )
    lines = [f"{label:<12}{run_dir}/{path}" for label, path in rows]
    return "\n".join([*lines, f"{'TensorBoard':<12}tensorboard --logdir={run_dir}"])


if __name__ == "__main__":
    main()
