"""Commands in text: whether their modules, flags, gin files and bindings exist."""

import importlib
import os
import re
import shlex

from absl import flags

from rl_tuner.common import command_line
from rl_tuner.jobs import (
    configuration,
)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Files that a page tells its reader to write.
READERS_OWN = {"mine.gin"}


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
    if module in ("pytest", "venv"):
        return
    values = flags.FlagValues()
    importlib.import_module(module)._define_flags(values)
    flags.DEFINE_enum("log", "WARN", command_line.LOG_LEVELS, "", flag_values=values)
    values(["program", *arguments])
    if "gin_file" in values and not READERS_OWN & set(values.gin_file or []):
        params = [param for param in values.gin_param if "$" not in param]
        configuration.configure(values.gin_file, params)
