"""Files and folders appear whole or not at all."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from rl_tuner.common.files import replacing, replacing_folder, write_text


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "sub" / "file.txt"
    write_text(str(path), "one")
    with pytest.raises(RuntimeError), replacing(str(path)) as temporary:
        with open(temporary, "w") as file:
            file.write("tw")
        raise RuntimeError
    assert path.read_text() == "one" and os.listdir(tmp_path / "sub") == ["file.txt"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "folder"
    for text in ("one", "two"):
        with replacing_folder(str(path)) as temporary:
            write_text(os.path.join(temporary, text), text)
        assert os.listdir(path) == [text] and os.listdir(tmp_path / "sub") == ["folder"]
    with pytest.raises(RuntimeError), replacing_folder(str(path)) as temporary:
        raise RuntimeError
    assert os.listdir(path) == ["two"] and os.listdir(tmp_path / "sub") == ["folder"]
    # Others may read it as they may read any new folder.
    (tmp_path / "new").mkdir()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "new").stat().st_mode)


def test_what_a_killed_process_left_is_removed(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from rl_tuner.common.files import replacing_folder\n"
        "with replacing_folder(sys.argv[1]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "folder"
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -signal.SIGKILL and len(os.listdir(tmp_path)) == 1
    with replacing_folder(str(path)):
        pass
    assert os.listdir(tmp_path) == ["folder"]
