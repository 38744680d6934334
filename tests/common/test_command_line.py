"""Flags that contradict each other, and folders without a name."""

import os

import pytest

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
