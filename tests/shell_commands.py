"""Commands in text: whether their modules, flags, gin files and bindings exist."""

import importlib
import os
import re
import shlex
from unittest import mock

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.jobs import configuration, job  # noqa: F401  (gin knows `job` by importing it)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Files that a page tells its reader to write.
READERS_OWN = {"mine.gin"}
# Modules with neither flags nor gin files of ours.
PLAIN = {"pytest", "venv", "rl_tuner.jobs.catalogue"}


def blocks(text, language):
    """The fenced code blocks of a language in Markdown."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [code for name, code in found if name == language]


def commands(script):
    """The `python -m` commands of a shell script, as lists of words after -m."""
    lines = re.sub(r"\\\n", " ", script).splitlines()
    split = [shlex.split(line, comments=True) for line in lines if "python -m" in line]
    return [words[words.index("-m") + 1 :] for words in split if "-m" in words]


def check(words):
    """Makes sure that a command could start."""
    module, *arguments = words
    if module in PLAIN:
        importlib.import_module(module)
        return
    define_flags, positional = _command(module)
    # A script passes on what it is given.
    arguments = [argument for argument in arguments if not argument.startswith("$")]
    if not arguments:
        return
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_enum("log", "WARN", command_line.LOG_LEVELS, "", flag_values=values)
    rest = values(command_line._with_positional(["program", *arguments], values, positional))[1:]
    if rest:
        raise flags.Error(f"unexpected argument: {rest[0]}")
    if "gin_file" in values and not READERS_OWN & set(values.gin_file or []):
        files = values.gin_file if isinstance(values.gin_file, list) else [values.gin_file]
        params = [param for param in values.gin_param if "$" not in param]
        configuration.configure(files, params)


def _command(module):
    """What the main function of a module gives to `command_line.run`: its flags and its positional."""
    found = importlib.import_module(module)
    if not hasattr(found, "main"):
        found = importlib.import_module(f"{module}.__main__")
    with mock.patch.object(command_line, "run") as run:
        found.main()
    return run.call_args.args[0], run.call_args.kwargs.get("positional")
