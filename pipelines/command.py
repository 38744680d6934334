"""Common parts of the pipelines' commands: flags from settings, and the summary of the result."""

import dataclasses
from collections.abc import Callable
from typing import Any

from absl import flags

from pipelines.settings import DatasetSettings
from rl_tuner.common import command_line


def define_flags(
    values: flags.FlagValues, settings_class: type[DatasetSettings], inputs: str
) -> None:
    """Define --input, --output_dir and one flag per setting.

    Args:
        values: Receives the flags.
        settings_class: The settings, with their defaults.
        inputs: Help text for --input.
    """
    flags.DEFINE_multi_string(
        "input",
        None,
        f"{inputs} Also a pattern such as 'tunes/**/*', or @FILE, a text file with one input per line."
        " Separate several by commas, or repeat the flag.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_string(
        "output_dir", None, "Folder for the dataset.", flag_values=values, required=True
    )
    for field in dataclasses.fields(settings_class):
        _define_flag(values, field)


def call(build: Callable[..., dict[str, Any]], values: flags.FlagValues) -> dict[str, Any]:
    """Call a builder with the flags; return the dataset's description."""
    settings = values.flag_values_dict()
    del settings["log"]
    inputs = command_line.split_list(settings.pop("input"))
    return build(inputs, **settings)


def splits(description: dict[str, Any]) -> str:
    """Return the number of sequences of each split as text."""
    return ", ".join(f"{n['sequences']} {name}" for name, n in description["splits"].items())


def losses(description: dict[str, Any]) -> str:
    """Return the numbers of rejections and changes as text."""
    found = f"rejected: {_counts(description['rejections']) or 'none'}"
    changes = description.get("changes")
    return f"{found}; changed: {_counts(changes)}" if changes else found


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _define_flag(values: flags.FlagValues, field: dataclasses.Field) -> None:
    text, choices = field.metadata["help"], field.metadata["choices"]
    arguments = (field.name, field.default)
    if choices:
        flags.DEFINE_enum(*arguments, choices, text, flag_values=values)
    elif field.type is bool:
        flags.DEFINE_boolean(*arguments, text, flag_values=values)
    elif field.type is int:
        flags.DEFINE_integer(*arguments, text, flag_values=values)
    elif field.type is float:
        flags.DEFINE_float(*arguments, text, flag_values=values)
    elif field.type is str:
        flags.DEFINE_string(*arguments, text, flag_values=values)
    else:
        default: Any = field.default
        flags.DEFINE_list(field.name, ",".join(default), text, flag_values=values)
