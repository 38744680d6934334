"""Writes new sequences of a finished run: MIDI files for melodies, SMILES and SD files for molecules.

python -m rl_tuner.generate --run_dir=runs/psi_music --output_dir=out --count=10
python -m rl_tuner.generate --run_dir=runs/psi_music --output_dir=out --formats=mid,musicxml,png --bars=8
python -m rl_tuner.generate --run_dir=runs/psi_music --output_dir=out --primer=tune.abc --seed=7
python -m rl_tuner.generate --run_dir=runs/psi_molecules --output_dir=out --count=1000 --prompt="c1ccc2"
"""

import os

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError
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
        "output_dir", None, "Folder for the files.", flag_values=values, required=True
    )
    flags.DEFINE_integer("count", 10, "Number of sequences.", 1, flag_values=values)
    flags.DEFINE_float(
        "temperature",
        1.0,
        "Divisor of the model's logits: below 1 for more typical, above 1 for more varied sequences.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed", 0, "Seed; the same seed gives the same sequences.", 0, flag_values=values
    )
    flags.DEFINE_enum(
        "model", "tuned", ["tuned", "prior"], "The model to sample from.", flag_values=values
    )
    flags.DEFINE_string(
        "primer",
        None,
        "File to continue: any that the pipeline reads, such as .mid, .abc or .musicxml for melodies, SMILES"
        " for molecules. The output begins with its content; melodies keep its key, mode, metre and tempo.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "prompt", None, "Beginning of a SMILES string, to be continued.", flag_values=values
    )
    flags.DEFINE_boolean(
        "continuation_only",
        False,
        "Whether to leave the content of the primer or the prompt out.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "formats",
        [],
        "File formats of melodies: mid, musicxml, abc, wav, svg, png. Default: mid.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "bars",
        None,
        "Length of melodies in bars, without the primer.",
        1,
        1_000,
        flag_values=values,
    )
    flags.DEFINE_float(
        "qpm",
        None,
        "Tempo of melodies in quarters per minute. Default: that of the primer or the task.",
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "overwrite", False, "Whether to replace files of an earlier call.", flag_values=values
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.common import outputs, trust
    from rl_tuner.common.run_folder import PRIOR_FILE, check_finished
    from rl_tuner.openings import check_kind, check_opening
    from rl_tuner.priors.locating import metadata_of

    if not 0 < values.temperature < float("inf"):
        raise UserError(f"--temperature must be positive, not {values.temperature}")
    if values.primer and values.prompt:
        raise UserError("--primer and --prompt cannot be used together; give one of them")
    if values.primer and not os.path.isfile(values.primer):
        wrong = "is a folder" if os.path.isdir(values.primer) else "does not exist"
        raise UserError(f"--primer: {values.primer} {wrong}; give a file")
    check_finished(values.run_dir)
    trust.check(values.run_dir, values.trust)
    outputs.check_samples(values.output_dir, values.model, overwrite=values.overwrite)
    prior = metadata_of(os.path.join(values.run_dir, PRIOR_FILE))
    check_kind(prior, values.formats, values.bars, values.qpm)
    if values.continuation_only and not (values.primer or values.prompt):
        raise UserError("--continuation_only needs --primer or --prompt")
    check_opening(prior, values.primer, values.prompt)
    with loading():
        from rl_tuner import api

    with working("generate"):
        policy = api.open_run(values.run_dir, trust=values.trust)
        paths = policy.write_samples(
            values.output_dir,
            values.count,
            seed=values.seed,
            temperature=values.temperature,
            model=values.model,
            primer=values.primer,
            prompt=values.prompt,
            overwrite=values.overwrite,
            formats=values.formats,
            bars=values.bars,
            qpm=values.qpm,
            continuation_only=values.continuation_only,
        )
    print("\n".join(paths))


if __name__ == "__main__":
    main()
