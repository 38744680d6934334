import os

import pytest

from pipelines.inputs import InputFile, check_inputs, expand, files_of, list_files
from rl_tuner.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("tunes/a.mid", "tunes/deep/b.mid", "tunes/deep/notes.txt", "tunes/.hidden.mid"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def files(inputs, prefix=""):
    return [file for given in expand(inputs, prefix) for file in files_of(given)]


def test_a_pattern_a_list_and_a_folder_name_their_files_alike(folder):
    wanted = [
        InputFile("tunes/a.mid", f"{folder}/tunes/a.mid"),
        InputFile("tunes/deep/b.mid", f"{folder}/tunes/deep/b.mid"),
    ]
    listed = folder / "paths.txt"
    listed.write_text(f"{folder}/tunes/a.mid\n\n{folder}/tunes/deep/b.mid\r\n")
    assert files([f"{folder}/tunes/**/*.mid"]) == wanted
    assert files([f"@{listed}"]) == wanted
    found = list_files([f"{folder}/tunes"])
    assert [file for file in found if file.name.endswith(".mid")] == wanted


def test_a_pattern_relative_to_the_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder / "tunes")
    assert files(["*.mid"]) == [InputFile("tunes/a.mid", "a.mid")]


def test_a_list_holds_patterns_folders_and_collections(folder):
    listed = folder / "paths.txt"
    listed.write_text(f"music21:oneills1850\n{folder}/tunes/deep\n{folder}/tunes/*.mid\n")
    found = expand([f"@{listed}"], "music21:")
    assert [each.name for each in found] == ["music21:oneills1850", "tunes/deep", "tunes/a.mid"]
    assert not any(each.is_single for each in found)


def test_each_input_once(folder):
    path = f"{folder}/tunes/a.mid"
    assert len(expand([path, path, f"{folder}/tunes/*.mid"])) == 1


def test_a_file_whose_name_looks_like_a_pattern_or_a_list(folder):
    for name in ("take[1].mid", "@home.mid"):
        path = folder / name
        path.write_text("")
        assert files([str(path)]) == [InputFile(name, str(path))]


def test_many_paths(folder):
    paths = [folder / "tunes" / f"{number}.mid" for number in range(2_000)]
    for path in paths:
        path.write_text("")
    listed = folder / "paths.txt"
    listed.write_text("\n".join(map(str, paths)))
    assert [file.path for file in files([f"@{listed}"])] == list(map(str, paths))


def test_errors_name_the_pattern_or_the_line(folder):
    listed = folder / "paths.txt"
    with pytest.raises(UserError, match=r"\*\.kar matches no file"):
        check_inputs([f"{folder}/*.kar"])
    with pytest.raises(UserError, match=r"paths\.txt: the list cannot be read"):
        check_inputs([f"@{listed}"])
    listed.write_text("\n \n")
    with pytest.raises(UserError, match="the list is empty"):
        check_inputs([f"@{listed}"])
    listed.write_text(f"{folder}/tunes/a.mid\nnowhere.mid\n")
    with pytest.raises(UserError, match=r"nowhere\.mid \(.*paths\.txt, line 2\) does not exist"):
        check_inputs([f"@{listed}"])
    with pytest.raises(UserError, match="nowhere does not exist"):
        check_inputs([os.path.join(folder, "nowhere")])
