"""Writes new sequences of a finished run: MIDI files for melodies, SMILES and SDF for molecules.

python -m rl_tuner.generate --run_dir=runs/psi_music --output_dir=out --n=10
python -m rl_tuner.generate --run_dir=runs/psi_music --output_dir=out --primer=tune.mid --seed=7
python -m rl_tuner.generate --run_dir=runs/psi_molecules --output_dir=out --n=1000 --prompt="c1ccc2"
"""

from absl import flags

from rl_tuner.common import command_line


def main() -> None:
    """Runs the command."""
    command_line.run(_define_flags, _run, usage=__doc__)


def _define_flags(values: flags.FlagValues) -> None:
    command_line.define_run_dir(values)
    flags.DEFINE_string(
        "output_dir", None, "Folder for the files.", flag_values=values, required=True
    )
    flags.DEFINE_integer("n", 10, "How many sequences.", 1, flag_values=values)
    flags.DEFINE_float(
        "temperature",
        1.0,
        "Divides the policy's logits: below 1 safer, above 1 wilder.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed", 0, "The same seed gives the same sequences.", 0, flag_values=values
    )
    flags.DEFINE_enum("model", "tuned", ["tuned", "prior"], "Which model.", flag_values=values)
    flags.DEFINE_string(
        "primer",
        None,
        "A file to go on from; the files written begin with it.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "prompt", None, "The beginning of a SMILES string to go on from.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common.errors import UserError

    if not 0 < values.temperature < float("inf"):
        raise UserError(f"--temperature must be positive, not {values.temperature}")
    if values.primer and values.prompt:
        raise UserError("--primer and --prompt exclude each other")
    from rl_tuner import generation
    from rl_tuner.jobs import (
        job,
        registry,  # noqa: F401
    )

    _, tuner, _ = job.open_run(values.run_dir)
    paths = generation.generate(
        tuner,
        values.output_dir,
        count=values.n,
        temperature=values.temperature,
        seed=values.seed,
        model=values.model,
        primer=values.primer,
        prompt=values.prompt,
    )
    print("\n".join(paths))


if __name__ == "__main__":
    main()
