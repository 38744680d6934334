"""Places of output: what is there already is told before any work, and never replaced unasked."""

import os

import pytest

from rl_tuner.common import outputs
from rl_tuner.common.errors import UserError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_text("")
    return tmp_path


def test_a_file_in_a_folder_s_place_is_named(folder):
    with pytest.raises(UserError, match="file is a file; choose another folder"):
        outputs.check_folder(str(folder / "file"))
    with pytest.raises(UserError, match=r"below needs a folder where .*file is a file"):
        outputs.check_folder(str(folder / "file" / "below"))
    outputs.check_folder(str(folder / "new" / "deep"))
    assert sorted(os.listdir(folder)) == ["file", "model"]


def test_a_place_that_is_read_only_is_named(folder, monkeypatch):
    monkeypatch.setattr(outputs.os, "access", lambda *_: False)
    with pytest.raises(UserError, match=f"new cannot be written: {folder} is read-only"):
        outputs.check_folder(str(folder / "new"))


def test_samples_are_replaced_only_on_request(folder):
    (folder / "tuned_000.mid").write_text("")
    with pytest.raises(UserError, match=r"tuned_000\.mid exists; .* set overwrite"):
        outputs.check_samples(str(folder), "tuned", overwrite=False)
    outputs.check_samples(str(folder), "tuned", overwrite=True)
    outputs.check_samples(str(folder), "prior", overwrite=False)


def test_an_export_is_replaced_only_on_request(folder):
    with pytest.raises(UserError, match=r"contains a SavedModel; .* set overwrite"):
        outputs.check_export(str(folder / "model"), overwrite=False)
    outputs.check_export(str(folder / "model"), overwrite=True)
    with pytest.raises(UserError, match="does not contain a SavedModel"):
        outputs.check_export(str(folder), overwrite=True)
