"""Stages of a job: a stage is skipped if its output exists and was made with the same settings."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from rl_tuner.common.files import write_text
from rl_tuner.common.progress import say, working
from rl_tuner.common.run_folder import PREVIOUS
from rl_tuner.common.settings import digest_of_settings

# Ending of the file that says with which settings unfinished work has started.
_STARTED = ".started"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage with the settings and inputs that determine its output.

    Attributes:
        name: name shown to the user.
        manifest: path of the JSON file that records how the output was made; written last.
        settings: JSON-serialisable settings that determine the output.
        inputs: the `build_id` of every stage whose output this one reads, by name.
    """

    name: str
    manifest: str
    settings: dict[str, Any]
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)

    def run(
        self,
        output: str,
        make: Callable[[], Sequence[str]],
        clear: Callable[[], None] | None = None,
    ) -> str:
        """Make or reuse the output, and print which of the two is done.

        Args:
            output: path of the output, to be printed.
            make: makes the output, or goes on with what is there of it, and returns the paths of its files
                relative to the manifest's folder.
            clear: moves away or removes what is there; called unless unfinished work with the same
                settings can go on. None if the work is never resumed: `make` starts anew.

        Returns:
            The build_id of the output.
        """
        why = self.why_stale()
        if why is None:
            say(f"{self.name}: reusing {output}")
            return self._read()["build_id"]
        say(f"{self.name}: making {output} ({why})")
        with working(self.name):
            if clear is not None:
                self.begin(clear)
            return self.finish(make())

    def build_id(self) -> str | None:
        """Return the id of the output; None if the output is missing, incomplete or out of date."""
        return None if self.why_stale() else self._read()["build_id"]

    def why_stale(self) -> str | None:
        """Return a short reason why the output must be made; None if it is up to date."""
        made = self._read()
        if not made:
            return "not made yet"
        folder = os.path.dirname(self.manifest)
        missing = [
            name for name in made["outputs"] if not os.path.exists(os.path.join(folder, name))
        ]
        if missing:
            return f"{os.path.normpath(os.path.join(folder, missing[0]))} is missing"
        changed = differences(made["settings"], self.settings)
        if changed:
            return "changed settings: " + ", ".join(changed[:3])
        if made["inputs"] != self.inputs:
            newer = [
                name for name, build in self.inputs.items() if made["inputs"].get(name) != build
            ]
            return f"{', '.join(newer) or 'an input'} was made again"
        return None

    @property
    def digest(self) -> str:
        """A hash of the settings and inputs, which the work's checkpoints contain."""
        return digest_of_settings([self.settings, self.inputs], 32)

    def begin(self, clear: Callable[[], None]) -> None:
        """Record the start of the work, after what was made with other settings has been moved.

        The order makes it safe to be killed at any moment: nothing that is there can be taken for work
        with these settings before all of it is gone.
        """
        path = self.manifest + _STARTED
        if not os.path.exists(self.manifest) and _read(path) == self._started():
            return
        remove("", path)
        clear()
        remove("", self.manifest)
        self._note_start()

    def reopen_unless(self, is_whole: Callable[[], bool]) -> bool:
        """Turn finished work whose last output is damaged into work that `run` goes on with.

        Args:
            is_whole: says whether the last output is not damaged; called if the work is finished.

        Returns:
            Whether the work is finished, up to date and whole.
        """
        if self.why_stale() is not None:
            return False
        if is_whole():
            return True
        self._note_start()
        os.remove(self.manifest)
        return False

    def _started(self) -> dict[str, Any]:
        return json.loads(json.dumps({"settings": self.settings, "inputs": self.inputs}))

    def _note_start(self) -> None:
        os.makedirs(os.path.dirname(self.manifest), exist_ok=True)
        write_text(self.manifest + _STARTED, json.dumps(self._started(), indent=2) + "\n")

    def finish(self, outputs: Sequence[str]) -> str:
        """Write the manifest.

        Args:
            outputs: paths, relative to the manifest's folder, that must exist for the output to be
                reused.

        Returns:
            The new build_id.
        """
        build_id = uuid.uuid4().hex
        content = {
            "stage": self.name,
            "build_id": build_id,
            "settings": self.settings,
            "inputs": self.inputs,
            "outputs": sorted(outputs),
        }
        os.makedirs(os.path.dirname(self.manifest), exist_ok=True)
        write_text(self.manifest, json.dumps(content, indent=2) + "\n")
        return build_id

    def _read(self) -> dict[str, Any]:
        made = _read(self.manifest)
        return made if {"build_id", "settings", "inputs", "outputs"} <= made.keys() else {}


def digest_of_manifest(path: str) -> str | None:
    """Return the `Stage.digest` with which the output of a manifest was made; None if it has none."""
    made = _read(path)
    if not {"settings", "inputs"} <= made.keys():
        return None
    return digest_of_settings([made["settings"], made["inputs"]], 32)


def _read(path: str) -> dict[str, Any]:
    """Return the content of a JSON file; empty if it is missing or damaged."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return the differences of two JSON values, each as "path: old -> new"."""
    new = json.loads(json.dumps(new))
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted(old.keys() | new.keys())
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if old == new else [f"{path}: {old} -> {new}"]


def set_aside(folder: str, names: Sequence[str]) -> None:
    """Move output of an earlier run into folder/previous, replacing anything of that name there."""
    for name in names:
        path, previous = os.path.join(folder, name), os.path.join(folder, PREVIOUS, name)
        if not os.path.exists(path):
            continue
        remove(os.path.join(folder, PREVIOUS), name)
        os.makedirs(os.path.dirname(previous), exist_ok=True)
        os.rename(path, previous)


def remove(folder: str, *names: str) -> None:
    """Delete files and folders where they exist."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)
