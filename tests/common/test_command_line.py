"""Flags that contradict each other, and folders without a name."""

import errno
import os

import pytest
from absl import flags

from rl_tuner.common import command_line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--run_dir=b"], "--run_dir is given 2 times"),
        (["a", "b"], "--run_dir is given 2 times"),
        (["--run_dir="], "--run_dir is empty"),
    ],
)
def test_a_value_that_would_be_ignored_is_wrong_usage(capsys, arguments, message):
    called = []
    with pytest.raises(SystemExit) as stopped:
        command_line.run(
            command_line.define_run_dir,
            called.append,
            usage=None,
            argv=["evaluate", *arguments],
            positional="run_dir",
        )
    assert (stopped.value.code, called) == (2, [])
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_a_file_in_a_folder_s_place_is_one_line_and_debug_shows_where(
    capsys, tmp_path, monkeypatch
):
    # What a command sets for its whole process must not outlive this test.
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setattr(command_line.signal, "signal", lambda *_: None)
    monkeypatch.setattr(command_line.logging, "set_verbosity", lambda _: None)
    file = tmp_path / "file"
    file.write_text("")

    def run(*arguments):
        command_line.run(
            command_line.define_work_dir,
            lambda values: os.makedirs(file),
            usage=None,
            argv=["train", *arguments],
        )

    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 1
    assert capsys.readouterr().err.startswith(f"error: {file} needs a folder")
    with pytest.raises(FileExistsError):
        run("--log=DEBUG")


def _define(values):
    flags.DEFINE_multi_string("input", None, "Files.", flag_values=values, required=True)
    flags.DEFINE_integer("count", 10, "Number.", 1, flag_values=values)
    flags.DEFINE_float("rate", 1.0, "Rate.", flag_values=values)
    flags.DEFINE_boolean("overwrite", False, "Whether to.", flag_values=values)
    flags.DEFINE_enum("model", "tuned", ["tuned", "prior"], "Which.", flag_values=values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--input is missing"),
        (
            ["a.mid"],
            "unexpected argument 'a.mid'; write it as the value of a flag, such as --input=a.mid",
        ),
        (["--input=a", "--count=ten"], "--count must be a whole number of at least 1, not 'ten'"),
        (["--input=a", "--count=0"], "--count must be a whole number of at least 1, not '0'"),
        (["--input=a", "--rate=hot"], "--rate must be a number, not 'hot'"),
        (["--input=a", "--overwrite=maybe"], "--overwrite must be true or false, not 'maybe'"),
        (["--input=a", "--model=best"], "--model must be one of tuned, prior, not 'best'"),
        (["--input=a", "--cont=3"], "--cont is not a flag; did you mean --count?"),
        (["--input"], "--input has no value; write --input=VALUE"),
    ],
)
def test_wrong_usage_names_what_was_typed_and_what_is_right(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        command_line.run(_define, None, usage=None, argv=["command", *arguments])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {message} (--help lists the flags)\n"


def test_a_binding_without_its_flag_is_told(capsys):
    argv = ["train", "psi_music", "FixedTemperature.c=1"]
    with pytest.raises(SystemExit):
        command_line.run(
            command_line.define_gin_flags, None, usage=None, argv=argv, positional="gin_file"
        )
    assert '; write --gin_param="FixedTemperature.c=1"' in capsys.readouterr().err


def failing(error, capsys, monkeypatch):
    """The line with which a command ends whose call raises `error`."""
    monkeypatch.setattr(command_line.signal, "signal", lambda *_: None)
    monkeypatch.setattr(command_line.logging, "set_verbosity", lambda _: None)

    def call(values):
        raise error

    with pytest.raises(SystemExit) as stopped:
        command_line.run(lambda values: None, call, usage=None, argv=["train"])
    (line,) = capsys.readouterr().err.splitlines()
    return stopped.value.code, line


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/history.csv"),
            "error: runs/history.csv: no space is left; what was finished is kept: free some",
        ),
        (
            RuntimeError(
                "{{node Save}} /runs/ckpt-3.tempstate1; No space left on device [Op:Save]"
            ),
            "error: /runs/ckpt-3.tempstate1: no space is left; what was finished is kept",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/nowhere"),
            "error: /proc/nowhere: No such file or directory; correct it, or choose another path",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/root/x"),
            "error: /root/x: Permission denied; correct it, or choose another path",
        ),
        (KeyError("a"), "error: KeyError: 'a' (--log=DEBUG shows where)"),
    ],
)
def test_an_error_is_one_line_with_its_remedy(capsys, monkeypatch, error, message):
    code, line = failing(error, capsys, monkeypatch)
    assert code == 1 and line.startswith(message)
