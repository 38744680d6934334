"""Sentences about flags that absl rejects."""

from __future__ import annotations

import re

from absl import flags

from rl_tuner.common.errors import did_you_mean, first_line

_MISSING = re.compile(r"^flag --(\w+)=None: .* must have a value other than None\.?")
_ILLEGAL = re.compile(r"^flag --(\w+)=(.*?): ")
_UNKNOWN = re.compile(r"^Unknown command line flag '(\w+)'")
_NO_VALUE = re.compile(r"^Missing value for flag --?(\w+)")


def explain(error: flags.Error, values: flags.FlagValues) -> str:
    """Return in one line what is wrong with a command line, and how it is right.

    Args:
        error: absl's error.
        values: the command's flags.
    """
    text = first_line(error)
    if missing := _MISSING.match(text):
        return f"--{missing[1]} is missing"
    if no_value := _NO_VALUE.match(text):
        return f"--{no_value[1]} has no value; write --{no_value[1]}=VALUE"
    known = [f"--{name}" for name in values]
    if unknown := _UNKNOWN.match(text):
        return f"--{unknown[1]} is not a flag{did_you_mean(f'--{unknown[1]}', known)}"
    if (illegal := _ILLEGAL.match(text)) and illegal[1] in values:
        name, value = illegal.groups()
        return f"--{name} must be {_meaning(values[name])}, not {value!r}"
    return text


def unexpected(word: str, values: flags.FlagValues) -> str:
    """Return what is wrong with a word that belongs to no flag."""
    # A required flag has no default; the word is more often an input than an output.
    open_flags = [name for name in values if values[name].default is None]
    inputs = [name for name in open_flags if not name.endswith("_dir")] or open_flags
    example = f", such as --{inputs[0]}={word}" if inputs else ""
    return f"unexpected argument {word!r}; write it as the value of a flag{example}"


def _meaning(flag: flags.Flag) -> str:
    if flag.boolean:
        return "true or false"
    if choices := getattr(flag.parser, "enum_values", None):
        return f"one of {', '.join(choices)}"
    numbers = {flags.IntegerParser: "a whole number", flags.FloatParser: "a number"}
    kind = numbers.get(type(flag.parser), "a value")
    least = getattr(flag.parser, "lower_bound", None)
    return kind if least is None else f"{kind} of at least {least}"
