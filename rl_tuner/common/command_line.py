"""The frame of every command: parse the flags, make one call, exit with a code."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags, logging

from rl_tuner.common import flag_errors
from rl_tuner.common.errors import UserError, class_and_message, first_line
from rl_tuner.common.extras import PACKAGE
from rl_tuner.common.interruption import Terminated, raise_terminated, send_again
from rl_tuner.common.outputs import check_folder

_BINDING = re.compile(r"[\w./]+\.\w+\s*=")
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# absl adds the choices of an enum, and that a flag may be repeated, to the help text.
_ABSL_NOISE = re.compile(r"^<[^>]*>: |;?\s*repeat this option to specify a list of values$")
_HELP = {"--help", "-h", "-help", "--helpfull", "--helpshort"}


def run(
    define_flags: Callable[[flags.FlagValues], None],
    call: Callable[[flags.FlagValues], object],
    *,
    usage: str | None,
    argv: Sequence[str] | None = None,
    positional: str | None = None,
    outputs: Sequence[str] = (),
) -> NoReturn:
    """Parse the command line, make the call and exit.

    The exit code is 0 for success, 1 for an error, 2 for incorrect usage, 130 when interrupted and 143 when
    terminated; an error is one line on stderr, with a traceback only if --log=DEBUG asks for it.

    Args:
        define_flags: defines the command's flags on the values it is given, which are not absl's
            global ones, so that several commands can run in one process.
        call: the work; heavy imports belong inside, so that --help answers at once.
        usage: text that --help prints before the flags.
        argv: the command line; None is sys.argv.
        positional: flag that takes an argument given without a flag; None accepts no such argument.
        outputs: flags of folders that the call writes; they are checked before it.
    """
    argv = list(sys.argv if argv is None else argv)
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_enum(
        "log", "WARN", LOG_LEVELS, "The least severe message shown.", flag_values=values
    )
    if _HELP & set(argv[1:]):
        print(f"{(usage or '').strip()}\n\n{_flag_help(values)}")
        sys.exit(0)
    if "--version" in argv[1:] and "version" not in values:
        print(f"{PACKAGE} {importlib.metadata.version(PACKAGE)}")
        sys.exit(0)
    try:
        rest = values(_with_positional(argv, values, positional))[1:]
        if rest:
            raise flags.Error(flag_errors.unexpected(rest[0], values))
        _check_folders(values)
    except flags.Error as error:
        _fail(f"{flag_errors.explain(error, values)} (--help lists the flags)", 2)
    logging.set_verbosity(getattr(logging, {"WARN": "WARNING"}.get(values.log, values.log)))
    if values.log == "DEBUG":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
    # A job that receives SIGTERM cleans up in the same way as one interrupted by Ctrl-C.
    signal.signal(signal.SIGTERM, raise_terminated)
    sys.unraisablehook = send_again
    try:
        _check_outputs(values, outputs)
        call(values)
    except UserError as error:
        # gin appends its call stack to the message; only the first line is ours.
        _fail("\nerror: ".join(map(first_line, error.lines)), 1)
    except KeyboardInterrupt as interruption:
        code = 128 + (signal.SIGTERM if isinstance(interruption, Terminated) else signal.SIGINT)
        _fail("interrupted; rerun the same command to resume", code)
    except Exception as error:
        if values.log == "DEBUG":
            raise
        _fail(_of_files(error) or f"{class_and_message(error)} (--log=DEBUG shows where)", 1)
    sys.exit(0)


def define_gin_flags(values: flags.FlagValues) -> None:
    """Define --gin_file and --gin_param."""
    from rl_tuner.common.gin_files import shipped

    flags.DEFINE_multi_string(
        "gin_file",
        None,
        "Path of a gin file, or the name of one that is part of this program; repeat the flag for"
        f" several. This program has {', '.join(shipped())}.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_multi_string(
        "gin_param",
        [],
        'A gin binding that overrides the files, such as "FixedTemperature.c = 1"; repeat the flag'
        " for several.",
        flag_values=values,
    )


def define_executor(values: flags.FlagValues) -> None:
    """Define --executor, for commands that make several runs."""
    flags.DEFINE_string(
        "executor",
        None,
        "Where the runs are made at the same time: processes:N on this machine, dask://host:port or a"
        " function of your own that returns an executor; by default they are made here, one after another.",
        flag_values=values,
    )


def check_executor_flag(values: flags.FlagValues) -> None:
    """Make sure that there is such an executor, before anything else is done.

    Raises:
        UserError: there is none.
    """
    from rl_tuner.common.executors import check_executor

    try:
        check_executor(values.executor)
    except ValueError as error:
        raise UserError(f"--{error}") from error


def define_work_dir(values: flags.FlagValues) -> None:
    """Define --work_dir."""
    flags.DEFINE_string(
        "work_dir",
        "runs",
        "Folder for runs, and for the datasets and priors shared by runs with the same settings.",
        flag_values=values,
    )


def define_run_dir(values: flags.FlagValues, *, several: bool = False) -> None:
    """Define --run_dir for commands that read a finished run, or `several` of them."""
    define = flags.DEFINE_multi_string if several else flags.DEFINE_string
    text = "Folder of a finished run; the flag's name may be left out."
    text += " Repeat it for several runs." if several else ""
    define("run_dir", None, text, flag_values=values, required=True)
    flags.DEFINE_boolean(
        "trust",
        False,
        "Whether the run may execute modules and functions that are not part of this program; runs made by"
        " yourself on this machine need no flag.",
        flag_values=values,
    )


def default_run_dir(values: flags.FlagValues) -> str:
    """Return work_dir/NAME, where NAME.gin is the last gin file."""
    name = os.path.splitext(os.path.basename(values.gin_file[-1]))[0]
    return os.path.join(values.work_dir, name)


def split_list(values: Sequence[str]) -> list[str]:
    """Split values at their commas, except for values that are existing paths."""
    parts: list[str] = []
    for value in values:
        parts += [value] if os.path.exists(value) else value.split(",")
    return [part for part in parts if part]


def _with_positional(
    argv: list[str], values: flags.FlagValues, positional: str | None
) -> list[str]:
    """Turn arguments without a flag into values of the positional flag.

    Raises:
        flags.Error: an argument has no flag and there is no positional flag, or it is a gin binding.
    """
    arguments, takes_value = argv[:1], False
    for argument in argv[1:]:
        is_flag = argument.startswith("-")
        named = is_flag or takes_value
        if not named and positional is None:
            raise flags.Error(flag_errors.unexpected(argument, values))
        if not named and "gin_param" in values and _BINDING.match(argument):
            raise flags.Error(f'{argument!r} is a gin binding; write --gin_param="{argument}"')
        arguments.append(argument if named else f"--{positional}={argument}")
        name = argument.lstrip("-")
        takes_value = (
            is_flag and "=" not in argument and name in values and not values[name].boolean
        )
    return arguments


def _check_folders(values: flags.FlagValues) -> None:
    """Reject a folder without a name, and two values where one is used."""
    for name in values:
        if name.endswith("_dir") and values[name].value in ("", [""]):
            raise flags.Error(f"--{name} is empty; give a folder")
        if values[name].present > 1 and not isinstance(values[name], flags.MultiFlag):
            raise flags.Error(f"--{name} is given {values[name].present} times; give it once")


def _check_outputs(values: flags.FlagValues, names: Sequence[str]) -> None:
    """Reject folders that cannot be written."""
    for name in names:
        if values[name].value:
            try:
                check_folder(values[name].value)
            except UserError as error:
                raise UserError(f"--{name}: {error}") from error


def _of_files(error: Exception) -> str | None:
    """Return what is said of an error of the file system; None if it is another error."""
    # TensorFlow has errors of its own, which contain the system's words.
    full = re.search(r"(/[^\s;:]+)?[;:]? *No space left on device", str(error))
    if full or getattr(error, "errno", None) == errno.ENOSPC:
        path = getattr(error, "filename", None) or (full and full[1]) or "the disk"
        return f"{path}: no space is left; what was finished is kept: free some and rerun the same command"
    if not isinstance(error, OSError) or not error.filename:
        return None
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return f"{error.filename} needs a folder where there is a file; choose another name"
    return f"{error.filename}: {error.strerror}; correct it, or choose another path"


def _flag_help(values: flags.FlagValues) -> str:
    width = max(40, min(100, shutil.get_terminal_size().columns))
    lines = []
    for name in sorted(values):
        flag = values[name]
        text = _ABSL_NOISE.sub("", " ".join(str(flag.help).split()))
        choices = getattr(flag.parser, "enum_values", None)
        if choices and not all(choice in text for choice in choices):
            text += f" One of {', '.join(choices)}."
        if flag.default not in (None, [], ""):
            text += f" Default: {flag.default_as_str.strip(chr(39))}."
        lines.append(f"  --{name}")
        lines += textwrap.wrap(text, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    if "version" not in values:
        lines += ["  --version", "      Print the version of the program and exit."]
    return "\n".join(lines)


def _fail(message: str, code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
