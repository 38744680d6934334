"""Reading the gin files of runs made by earlier versions, with their names updated."""

from __future__ import annotations

import importlib
import os
import re

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import CONFIG_FILE, PRIOR_FILE
from rl_tuner.jobs import configuration
from rl_tuner.priors.files import load_prior

_LOSS = re.compile(r"^(?:\w+\.)*(Psi|G)\.(lambda_|whole) = (.*)$", re.MULTILINE)
_IMPORT = re.compile(r"^(?:import|from) ", re.MULTILINE)


def configure(run_dir: str) -> None:
    """Read the config.gin of a run, whichever version wrote it.

    Raises:
        UserError: the file cannot be read.
    """
    path = os.path.join(run_dir, CONFIG_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not _IMPORT.search(text):
        _import_kind(run_dir)
    configuration.configure_text(in_todays_names(text), path)


def in_todays_names(text: str) -> str:
    """Return a gin file's text with `lambda_` and `whole` of Psi and G rewritten as a `loss`."""
    found = {(name, setting): value for name, setting, value in _LOSS.findall(text)}
    lines = []
    for name in dict.fromkeys(name for name, _ in found):
        lambda_ = found.get((name, "lambda_"), "0.0")
        if found.get((name, "whole")) == "True":
            lines.append(f"{name}.loss = @WholeSequences()")
        elif float(lambda_) == 0.0:
            lines.append(f"{name}.loss = @OneStep()")
        else:
            lines += [f"{name}.loss = @Paths()", f"Paths.lambda_ = {lambda_}"]
    return "\n".join([_LOSS.sub("", text), *lines, ""])


def _import_kind(run_dir: str) -> None:
    """Import the modules that a run of this kind binds; older gin files did not import them."""
    kind = load_prior(os.path.join(run_dir, PRIOR_FILE)).metadata.get("kind", "")
    for module in (f"rl_tuner.tasks.{kind}.task", f"pipelines.{kind}.build"):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise UserError(
                f"{run_dir} was made by an earlier version for {kind!r} sequences; add the `import` lines of"
                f" its task and dataset to {os.path.join(run_dir, CONFIG_FILE)}"
            ) from error
