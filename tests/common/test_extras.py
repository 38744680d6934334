import importlib.metadata

from rl_tuner.common import extras


class Distribution:
    def __init__(self, text):
        self.text = text

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.text


def test_the_hint_names_where_the_program_came_from(monkeypatch):
    for text, source in (
        ('{"url": "file:///home/me/my%20tutor", "dir_info": {}}', "/home/me/my tutor"),
        (None, "sequence-tutor"),
    ):
        found = Distribution(text)
        monkeypatch.setattr(importlib.metadata, "distribution", lambda name, found=found: found)
        assert extras.install_hint("corpus") == f'pip install "{source}[corpus]"'


def test_an_uninstalled_checkout_is_named_as_here(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert extras.install_hint("selfies") == 'pip install ".[selfies]"'
