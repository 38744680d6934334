"""Completion in a shell: flags as they are typed, and gin files where a command takes them."""

import subprocess

import pytest

from rl_tuner.completion import COMMANDS, flags_of, script


def test_every_command_is_completed():
    text = script()
    assert all(module in text for module in COMMANDS)
    assert {"--min_bars=", "--input=", "--overwrite"} <= set(flags_of("pipelines.midi_to_tfrecord"))
    assert {"--log=", "--help", "--version"} <= set(flags_of("rl_tuner.train"))
    # Its own flag has this name.
    assert "--version=" in flags_of("rl_tuner.export")
    assert "--version" not in flags_of("rl_tuner.export")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("python -m rl_tuner.train --run", "--run_dir="),
        ("python -m rl_tuner.generate --over", "--overwrite"),
        ("python -m rl_tuner.train psi_molec", "psi_molecules"),
        ("st-train --gin_f", "--gin_file="),
        ("python -m rl_tuner.evaluate psi_molec", ""),
        ("python -m rl_tuner.evaluate --vers", "--version"),
    ],
)
def test_bash_completes(words, found, tmp_path):
    number = len(words.split()) - 1
    check = f"{script()}\nCOMP_WORDS=({words})\nCOMP_CWORD={number}\n_sequence_tutor\n"
    done = subprocess.run(
        ["bash", "-c", check + 'echo "${COMPREPLY[@]}"'],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout == f"{found}\n", done.stderr
