"""Lets people compare what models make, two at a time and blindly, and analyses their answers.

python -m rl_tuner.study serve --study_dir=studies/mine --models=prior:runs/psi_music,psi:runs/psi_music
python -m rl_tuner.study analyse --study_dir=studies/mine
"""

import contextlib
import os
from typing import Any

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import say, warn, working
from rl_tuner.common.quiet import loading

_ACTIONS = ("serve", "analyse")
# Flags that only one action has.
_SERVE = (
    "models",
    "stimuli",
    "comparisons",
    "attention_checks",
    "raters",
    "title",
    "question",
    "consent",
    "host",
    "port",
    "url",
    "trust",
)
_ANALYSE = ("output_dir", "draws", "keep_inattentive")
_FEWEST_DRAWS = 100
# Flags that are fixed when the study is made.
_FIXED = ("stimuli", "comparisons", "attention_checks", "title", "question", "consent", "seed")


def main() -> None:
    """Run the command."""
    command_line.run(_define_flags, _run, usage=__doc__, positional="action")


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "action",
        None,
        _ACTIONS,
        "What to do; the flag's name may be left out. serve makes the study, if its folder has none, and"
        " answers its raters; analyse reads their answers.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string("study_dir", "study", "Folder of the study.", flag_values=values)
    flags.DEFINE_string(
        "database",
        None,
        "SQLAlchemy's URL of the database, such as postgresql+psycopg://user@host/name. Default: an SQLite"
        " file in the study's folder.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seed", 0, "Seed of stimuli and schedules, and of the analysis.", 0, flag_values=values
    )
    _define_serve_flags(values)
    _define_analyse_flags(values)


def _define_serve_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "models",
        [],
        "serve: the models, as NAME:DIR with the folder of a finished run. The name prior means the prior of"
        " its run, every other name the tuned policy.",
        flag_values=values,
    )
    numbers = (
        ("stimuli", 24, 1, "sequences of each model"),
        ("comparisons", 20, 1, "comparisons of each rater"),
        ("attention_checks", 1, 0, "comparisons of a sequence with itself beside them"),
        ("raters", 20, 0, "links to make when the study is made"),
        ("port", 8000, 0, "port of the server; 0 for any free one"),
    )
    for name, default, least, text in numbers:
        flags.DEFINE_integer(name, default, f"serve: {text}.", least, 65_535, flag_values=values)
    texts = (
        ("title", "Which do you prefer?", "heading of the pages"),
        ("question", "Which one pleases you more?", "what the raters are asked"),
        ("consent", None, "text file for the first page, to which raters agree"),
        ("host", "127.0.0.1", "address to answer at; 0.0.0.0 for all of this machine"),
        ("url", None, "address that the links begin with, if it is another one"),
    )
    for name, text_default, text in texts:
        flags.DEFINE_string(name, text_default, f"serve: {text}.", flag_values=values)
    flags.DEFINE_boolean(
        "trust",
        False,
        "serve: whether the runs may execute modules and functions that are not part of this program; runs"
        " made by yourself on this machine need no flag.",
        flag_values=values,
    )


def _define_analyse_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "output_dir",
        None,
        "analyse: folder for the result. Default: analysis in the study's folder.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "draws",
        1_000,
        "analyse: draws of each of four chains of the posterior; 0 leaves it out.",
        0,
        1_000_000,
        flag_values=values,
    )
    flags.DEFINE_boolean(
        "keep_inattentive",
        False,
        "analyse: whether to keep raters who preferred one of two equal sequences.",
        flag_values=values,
    )


def _run(values: flags.FlagValues) -> None:
    from rl_tuner.web import needs

    if strange := [
        n for n in (_ANALYSE if values.action == "serve" else _SERVE) if values[n].present
    ]:
        other = "analyse" if values.action == "serve" else "serve"
        raise UserError(f"--{strange[0]} is for {other}; leave it out")
    if values.action == "serve":
        needs.check_installed((*needs.SERVER, *needs.DATABASE), "the study's server")
        _serve(values)
    else:
        needs.check_installed((*needs.DATABASE, *needs.STATISTICS), "the study's analysis")
        _analyse(values)


def _serve(values: flags.FlagValues) -> None:
    from rl_tuner.study import app, folder
    from rl_tuner.study.admin import add_links
    from rl_tuner.study.store import Store
    from rl_tuner.web import server

    address = (values.url or "").rstrip("/")
    if address and not address.startswith(("http://", "https://")):
        raise UserError(f"--url must begin with http:// or https://, not {values.url!r}")
    is_new = not folder.exists(values.study_dir)
    _check(values, is_new)
    listening = server.bound(values.host, values.port)
    address = address or server.address_of(listening, values.host)
    study = _made(values) if is_new else folder.read(values.study_dir)
    token = folder.admin_token(values.study_dir)
    store = Store(values.database or database_of(values.study_dir), study.id)
    if not store.counts()["links"] and values.raters:
        add_links(study, store, values.raters, address)
    links = os.path.join(values.study_dir, folder.LINKS_FILE)
    say(f"links of the raters: {links}")
    say(f"counts: {address}/admin, token in {os.path.join(values.study_dir, folder.TOKEN_FILE)}")
    application = app.make_app(study, store, token, address)
    server.serve(application, listening, lambda: print(f"serving {address}", flush=True))


def _analyse(values: flags.FlagValues) -> None:
    from rl_tuner.common import outputs
    from rl_tuner.common.files import write_text
    from rl_tuner.study import folder
    from rl_tuner.study.admin import csv_text
    from rl_tuner.study.ratings import rows_of
    from rl_tuner.study.store import Store

    study = folder.read(values.study_dir)
    output_dir = values.output_dir or os.path.join(values.study_dir, folder.ANALYSIS)
    outputs.check_folder(output_dir)
    if values.draws and values.draws < _FEWEST_DRAWS:
        raise UserError(f"--draws must be 0 or at least {_FEWEST_DRAWS}, not {values.draws}")
    if not values.database and not os.path.isfile(
        os.path.join(values.study_dir, folder.DATABASE_FILE)
    ):
        raise UserError(
            f"{values.study_dir} has no ratings yet; serve it first, or give --database"
        )
    store = Store(values.database or database_of(values.study_dir), study.id)
    rows = rows_of(study, store)
    if not rows:
        raise UserError(f"{values.study_dir} has no ratings yet; wait for its raters")
    if store.closed_at() is None:
        warn("the study is still open; close it on its admin page before you draw conclusions")
    with loading() if values.draws else contextlib.nullcontext():
        from rl_tuner.study import analysis

        if values.draws:
            from rl_tuner.study import chains  # noqa: F401  (TensorFlow is imported quietly here)
    found = analysis.analyse(
        rows,
        list(study.models),
        draws=values.draws,
        seed=values.seed,
        keep_inattentive=values.keep_inattentive,
    )
    paths = analysis.write(found, output_dir)
    paths.append(os.path.join(output_dir, folder.RATINGS_FILE))
    write_text(paths[-1], csv_text(study, store))
    with open(paths[1], encoding="utf-8") as file:
        print(file.read().strip())
    say("\n".join(paths))


def database_of(study_dir: str) -> str:
    """Return the URL of the SQLite file in a study's folder."""
    from rl_tuner.study.folder import DATABASE_FILE

    return f"sqlite:///{os.path.abspath(os.path.join(study_dir, DATABASE_FILE))}"


def _check(values: flags.FlagValues, is_new: bool) -> None:
    """Check the settings of a study before anything heavy is imported."""
    from rl_tuner.common import outputs, trust
    from rl_tuner.common.run_folder import PRIOR_FILE, check_finished
    from rl_tuner.priors.locating import metadata_of
    from rl_tuner.study import folder

    if not is_new:
        _check_unchanged(values)
        return
    if not values.models:
        raise UserError(
            f"{values.study_dir} contains no study; give --models=NAME:DIR,NAME:DIR to make one"
        )
    outputs.check_folder(values.study_dir)
    if os.path.isdir(values.study_dir) and os.listdir(values.study_dir):
        raise UserError(
            f"{values.study_dir} is not empty and contains no study; choose another folder"
        )
    kinds = {}
    for name, run_dir in folder.models_of(values.models).items():
        check_finished(run_dir)
        trust.check(run_dir, values.trust)
        kinds[name] = metadata_of(os.path.join(run_dir, PRIOR_FILE)).get("kind", "")
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{name} makes {kind} sequences" for name, kind in kinds.items())
        raise UserError(f"--models: only sequences of one kind can be compared, but {told}")
    if values.consent and not os.path.isfile(values.consent):
        raise UserError(f"--consent: {values.consent} does not exist; give a text file")
    _text(values.consent)


def _check_unchanged(values: flags.FlagValues) -> None:
    """Refuse settings that a study which exists cannot take any more."""
    from rl_tuner.study import folder

    study = folder.read(values.study_dir)
    if values.models and folder.models_of(values.models) != study.models:
        raise UserError(
            f"{values.study_dir} contains a study of {', '.join(study.models)}; leave --models out, or choose"
            " another --study_dir"
        )
    given = [name for name in _FIXED if values[name].present]
    if given:
        raise UserError(
            f"--{given[0]} was fixed when {values.study_dir} was made; leave it out, or choose another"
            " --study_dir"
        )


def _made(values: flags.FlagValues) -> Any:
    import secrets

    from rl_tuner.common import locks
    from rl_tuner.study import folder

    with loading():
        from rl_tuner.study import stimuli

    models = folder.models_of(values.models)
    study = folder.Study(
        folder=values.study_dir,
        id=secrets.token_hex(8),
        title=values.title,
        question=values.question,
        consent=_text(values.consent),
        kind="",
        shows="",
        models=models,
        comparisons=values.comparisons,
        checks=values.attention_checks,
        seed=values.seed,
        stimuli=(),
    )
    with locks.only_writer(values.study_dir, beside=True), working("making the study"):
        return stimuli.make(study, values.stimuli, values.trust)


def _text(path: str | None) -> str:
    """Return the text of a file, "" without one."""
    if path is None:
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except UnicodeDecodeError as error:
        raise UserError(f"--consent: {path} is not a text file; give a text file") from error
    if not text:
        raise UserError(f"--consent: {path} is empty; give a text file")
    return text


if __name__ == "__main__":
    main()
