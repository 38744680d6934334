"""Stages of a job: each is skipped when its output is there and was made with the same settings."""

from __future__ import annotations

import dataclasses
import json
import os
import uuid
from collections.abc import Sequence
from typing import Any

from rl_tuner.common.files import write_text


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage and what its output depends on.

    Attributes:
        name: what is shown to the user.
        manifest: path of the JSON file that says how the output was made; written last.
        settings: JSON-serialisable settings that decide the output.
        inputs: by name, the `build_id` of every stage whose output this one reads.
    """

    name: str
    manifest: str
    settings: dict[str, Any]
    inputs: dict[str, str] = dataclasses.field(default_factory=dict)

    def build_id(self) -> str | None:
        """Identifies the output that is there; None when it is absent, incomplete or out of date."""
        return None if self.why_stale() else self._read()["build_id"]

    def why_stale(self) -> str | None:
        """Why the output has to be made, in a few words; None when it can be used as it is."""
        made = self._read()
        if made is None:
            return "not made yet"
        folder = os.path.dirname(self.manifest)
        missing = [
            name for name in made["outputs"] if not os.path.exists(os.path.join(folder, name))
        ]
        if missing:
            return f"{os.path.join(folder, missing[0])} is missing"
        changed = differences(made["settings"], self.settings)
        if changed:
            return "changed settings: " + ", ".join(changed[:3])
        if made["inputs"] != self.inputs:
            newer = [
                name for name, build in self.inputs.items() if made["inputs"].get(name) != build
            ]
            return f"{', '.join(newer) or 'an input'} was made anew"
        return None

    def begin(self) -> bool:
        """Notes that the work starts; tells whether unfinished work of the same settings may go on."""
        started = {"settings": self.settings, "inputs": self.inputs}
        path = self.manifest + ".started"
        try:
            with open(path, encoding="utf-8") as file:
                resumable = json.load(file) == json.loads(json.dumps(started))
        except (OSError, ValueError):
            resumable = False
        resumable = resumable and not os.path.exists(self.manifest)
        if os.path.exists(self.manifest):
            os.remove(self.manifest)
        os.makedirs(os.path.dirname(self.manifest), exist_ok=True)
        write_text(path, json.dumps(started, indent=2) + "\n")
        return resumable

    def finish(self, outputs: Sequence[str]) -> str:
        """Writes the manifest.

        Args:
            outputs: paths, relative to the manifest's folder, that have to be there for the output
                to be used again.

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

    def _read(self) -> dict[str, Any] | None:
        try:
            with open(self.manifest, encoding="utf-8") as file:
                made = json.load(file)
            return made if {"build_id", "settings", "inputs", "outputs"} <= made.keys() else None
        except (OSError, ValueError, AttributeError):
            return None


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two JSON values differ, as "path: old -> new"."""
    new = json.loads(json.dumps(new))
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted(old.keys() | new.keys())
            for line in differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if old == new else [f"{path}: {old} -> {new}"]
