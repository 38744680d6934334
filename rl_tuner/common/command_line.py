"""What every command shares: flags in, one call, exit code out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from absl import flags, logging

from rl_tuner.common.errors import UserError

LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_HELP = {"--help", "-h", "-help", "--helpfull", "--helpshort"}


def run(
    define_flags: Callable[[flags.FlagValues], None],
    call: Callable[[flags.FlagValues], object],
    *,
    usage: str,
    argv: Sequence[str] | None = None,
) -> NoReturn:
    """Parses the command line, makes the call and exits.

    The exit code is 0 for success, 1 for an error, 2 for wrong usage and 130 when interrupted; an
    error is one line on stderr, a traceback only where --log=DEBUG asks for it.

    Args:
        define_flags: adds the command's flags to values of its own, so that two commands can live in
            one process.
        call: the work; heavy imports belong inside, so that --help answers at once.
        usage: what --help prints before the flags.
        argv: the command line, sys.argv by default.
    """
    argv = list(sys.argv if argv is None else argv)
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_enum(
        "log", "WARN", LOG_LEVELS, "The least severe message shown.", flag_values=values
    )
    if _HELP & set(argv[1:]):
        print(f"{usage.strip()}\n\n{_flag_help(values)}")
        sys.exit(0)
    try:
        rest = values(argv)[1:]
        if rest:
            raise flags.Error(f"unexpected argument: {rest[0]}")
    except flags.Error as error:
        _fail(f"{_first_line(error)} (--help lists the flags)", 2)
    logging.set_verbosity(getattr(logging, {"WARN": "WARNING"}.get(values.log, values.log)))
    if values.log != "DEBUG":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A killed job should clean up as an interrupted one does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        call(values)
    except UserError as error:
        # gin appends where it was called from; the first line is ours.
        _fail(_first_line(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on where it can", 130)
    except Exception as error:
        if values.log == "DEBUG":
            raise
        _fail(f"{type(error).__name__}: {_first_line(error)} (--log=DEBUG shows where)", 1)
    sys.exit(0)


def define_gin_flags(values: flags.FlagValues) -> None:
    """Defines --gin_file and --gin_param."""
    flags.DEFINE_multi_string(
        "gin_file",
        None,
        "A gin file, from here or one that comes with this program, such as gin/psi_music.gin; repeat"
        " it for several.",
        flag_values=values,
        required=True,
    )
    flags.DEFINE_multi_string(
        "gin_param",
        [],
        'A gin binding that wins over the files, such as "FixedTemperature.c = 1"; repeat it for'
        " several.",
        flag_values=values,
    )


def define_work_dir(values: flags.FlagValues) -> None:
    """Defines --work_dir."""
    flags.DEFINE_string(
        "work_dir",
        "runs",
        "Holds the runs, and the datasets and priors that runs with the same settings share.",
        flag_values=values,
    )


def define_run_dir(values: flags.FlagValues) -> None:
    """Defines --run_dir for commands that read a finished run."""
    flags.DEFINE_string(
        "run_dir", None, "Folder of a finished run.", flag_values=values, required=True
    )


def default_run_dir(values: flags.FlagValues) -> str:
    """work_dir/NAME, after the last gin file NAME.gin."""
    name = os.path.splitext(os.path.basename(values.gin_file[-1]))[0]
    return os.path.join(values.work_dir, name)


def split_list(values: Sequence[str]) -> list[str]:
    """Returns the parts of comma-separated values; an existing path may hold a comma."""
    parts: list[str] = []
    for value in values:
        parts += [value] if os.path.exists(value) else value.split(",")
    return [part for part in parts if part]


def _flag_help(values: flags.FlagValues) -> str:
    lines = []
    for name in sorted(values):
        flag = values[name]
        default = "" if flag.default in (None, []) else f" (default {flag.default_as_str})"
        lines.append(f"  --{name}: {flag.help}{default}")
    return "\n".join(lines)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _fail(message: str, code: int) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
