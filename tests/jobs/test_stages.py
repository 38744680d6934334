import glob
import json

import gin
import pytest

from rl_tuner.common import progress
from rl_tuner.common.errors import UserError
from rl_tuner.jobs import configuration, job  # noqa: F401  (gin knows its names by importing it)
from rl_tuner.jobs.stages import Stage, differences


def stage(tmp_path, settings=None, inputs=None):
    return Stage("stage", str(tmp_path / "stage.json"), settings or {"a": 1}, inputs or {"in": "x"})


def test_a_finished_stage_is_current_until_something_changes(tmp_path):
    made = stage(tmp_path)
    assert made.why_stale() == "not made yet" and made.build_id() is None
    (tmp_path / "out").write_text("")
    build = made.finish(["out"])
    assert stage(tmp_path).why_stale() is None and stage(tmp_path).build_id() == build
    assert stage(tmp_path, {"a": 2}).why_stale() == "changed settings: a: 1 -> 2"
    assert stage(tmp_path, inputs={"in": "y"}).why_stale() == "in was made again"
    (tmp_path / "out").unlink()
    assert "out is missing" in stage(tmp_path).why_stale()


def test_a_stage_that_takes_long_is_told_of(tmp_path, capsys, monkeypatch):
    for name in ("_SECONDS_BETWEEN_FIRST_LINES", "_TICK"):
        monkeypatch.setattr(progress, name, 0.001)

    def make():
        while "stage: " not in capsys.readouterr().err:
            pass
        return []

    assert stage(tmp_path).run("output", make)


def begun(tmp_path, **kwargs):
    """Whether the start of the work clears what is there."""
    cleared = []
    stage(tmp_path, **kwargs).begin(lambda: cleared.append(True))
    return bool(cleared)


def test_unfinished_work_goes_on_only_with_the_same_settings(tmp_path):
    assert begun(tmp_path) and not begun(tmp_path)
    assert begun(tmp_path, settings={"a": 2}) and begun(tmp_path, settings={"a": 1})
    assert begun(tmp_path, inputs={"in": "y"})


def test_finished_work_that_became_stale_is_not_gone_on_with(tmp_path):
    begun(tmp_path)
    stage(tmp_path).finish([])
    assert begun(tmp_path)


def test_finished_work_can_be_opened_again(tmp_path):
    stage(tmp_path).finish([])
    assert stage(tmp_path).reopen_unless(lambda: True) and begun(tmp_path)
    stage(tmp_path).finish([])
    assert not stage(tmp_path).reopen_unless(lambda: False)
    assert stage(tmp_path).why_stale() == "not made yet" and not begun(tmp_path)


def test_a_torn_manifest_counts_as_none(tmp_path):
    (tmp_path / "stage.json").write_text('{"build_id": ')
    assert stage(tmp_path).why_stale() == "not made yet"


def test_differences_name_the_path():
    old, new = {"a": {"b": 1, "c": [1, 2]}, "d": 0}, {"a": {"b": 2, "c": (1, 2)}, "e": 0}
    assert differences(old, new) == ["a.b: 1 -> 2", "d: 0 -> None", "e: None -> 0"]


@pytest.fixture
def bindings():
    yield lambda *params: configuration.configure(["gin/paper_psi_music.gin"], params)
    gin.clear_config()


def test_settings_follow_references_and_include_defaults(bindings):
    bindings(
        "FixedTemperature.c = 3.0",
        "MusicTheoryReward.motif = 9.0",
        "MelodyTask.reward = @MusicTheoryReward()",
    )
    tuner = configuration.settings("RLTuner")
    assert tuner["temperature"] == {"@FixedTemperature": {"c": 3.0}}
    assert tuner["objective"] == {"@Psi": {"calibrated": True, "loss": {"@OneStep": {}}}}
    assert tuner["collect_size"] == 128
    task = configuration.settings("job")["task"]["@MelodyTask"]
    assert task["reward"]["@MusicTheoryReward"]["motif"] == 9.0
    assert task["reward"]["@MusicTheoryReward"]["tonic"] == 3.0
    json.dumps([tuner, task])


@pytest.mark.parametrize("name", sorted(glob.glob("*.gin", root_dir="gin")))
def test_every_gin_file_names_only_what_exists(name, bindings):
    configuration.configure([f"gin/{name}"], [])


def test_a_missing_gin_file_or_include_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no_such\.gin does not exist"):
        configuration.configure(["no_such.gin"], [])
    path = tmp_path / "bad.gin"
    path.write_text("include 'gin/none.gin'\n")
    with pytest.raises(UserError, match=r"none\.gin") as error:
        configuration.configure([str(path)], [])
    assert "\n" not in str(error.value)
