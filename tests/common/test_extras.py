import importlib.metadata

from rl_tuner.common import extras
from tests.small_data import ROOT


class Distribution:
    def __init__(self, text):
        self.text = text

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.text


def test_the_hint_names_where_the_program_came_from(monkeypatch):
    noted = '{"url": "file:///home/me/my%20tutor", "dir_info": {}}'
    for texts, source in (((None, noted), "/home/me/my tutor"), ((None,), ROOT), ((), ROOT)):
        found = [Distribution(text) for text in texts]
        monkeypatch.setattr(importlib.metadata, "distributions", lambda found=found, **_: found)
        assert extras.install_hint("corpus") == f'pip install "{source}[corpus]"'
