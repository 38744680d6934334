"""Flags that contradict each other, and folders without a name."""

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
