"""A process that dies at any moment between two settings: no output is ever taken for another's."""

import contextlib
import itertools
import os

import pytest

from rl_tuner.jobs.stages import Stage, set_aside
from tests.faults.kills import Kill, Killed

FILES = ("checkpoints", "history.csv", "metrics.txt")


class Work:
    """Work in three files, each of which contains the settings it was made with."""

    def __init__(self, folder, c):
        self.folder, self.c = str(folder), c
        self.stage = Stage("tune", os.path.join(self.folder, "stages", "tune.json"), {"c": c})

    def run(self, upto=3):
        self.stage.run("output", lambda: self._make(upto), self._clear)

    def _clear(self):
        set_aside(self.folder, FILES)

    def _make(self, upto):
        for name in FILES[:upto]:
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                self.check(path)
                continue
            with open(path, "w", encoding="utf-8") as file:
                file.write(str(self.c))
        if upto < len(FILES):
            raise Killed
        return [f"../{name}" for name in FILES]

    def check(self, path):
        with open(path, encoding="utf-8") as file:
            assert file.read() in (str(self.c), ""), f"{path} of other settings was taken"


def left_by(folder, upto):
    """What work with c = 5 leaves, finished or not."""
    work = Work(folder, 5)
    try:
        work.run(upto)
    except Killed:
        assert upto < len(FILES)


@pytest.mark.parametrize("upto", range(len(FILES) + 1))
@pytest.mark.parametrize("then", [5, 0.5])
def test_a_death_at_every_change_takes_nothing_for_the_work_of_other_settings(tmp_path, upto, then):
    for after in itertools.count():
        folder = tmp_path / str(after)
        left_by(folder, upto)
        with pytest.MonkeyPatch.context() as patch:
            kill = Kill(patch, after)
            with contextlib.suppress(Killed):
                Work(folder, 0.5).run()
        work = Work(folder, then)
        work.run()
        for name in FILES:
            work.check(os.path.join(folder, name))
        if not kill.happened:
            break
    assert after > 5
