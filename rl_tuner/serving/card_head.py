"""The head of a model card in YAML, as model hubs read it, and how the model can be made again."""

from __future__ import annotations

import datetime
import json
import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from rl_tuner.common.extras import PACKAGE
from rl_tuner.common.run_folder import CONFIG_FILE
from rl_tuner.common.tables import Row
from rl_tuner.datasets.licences import known_licences

REPEAT = f"python -m rl_tuner.train --gin_file={CONFIG_FILE}"
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def head(description: Mapping[str, Any], rows: Sequence[Row] = ()) -> str:
    """Return the head with its dashes: licence, tags and, if something was measured, metrics.

    Args:
        description: description from `describe`.
        rows: rows of the task's table, which name the metrics.
    """
    task, objective = description["task"], description["objective"]["name"]
    sources = _sources(description["prior"])
    lines = [
        "---",
        *_licence(description["prior"], sources),
        f"library_name: {_quoted('tensorflow')}",
        "tags:",
        *(
            f"- {_quoted(tag)}"
            for tag in (PACKAGE, "kl-control", "reinforcement-learning", task["kind"], objective)
        ),
        *_results(description, sources, rows),
        "---",
    ]
    return "\n".join(lines)


def made_by(description: Mapping[str, Any], has_config: bool) -> list[str]:
    """Return sentences about when and with what the model was made, and the command that repeats it.

    Args:
        description: description from `describe`.
        has_config: whether the run has a gin file.
    """
    lines = [f"written on {datetime.date.today().isoformat()}"]
    if version := description["versions"].get(PACKAGE):
        commit = commit_of_program()
        lines.append(f"made with {PACKAGE} {version}{f', commit {commit}' if commit else ''}")
    if has_config:
        lines.append(f"the command that repeats it, in the run's folder: `{REPEAT}`")
    return lines


def commit_of_program(checkout: str = _CHECKOUT) -> str | None:
    """Return the commit of this program's checkout, with "-dirty" for changes; None outside of one."""
    git = shutil.which("git")
    # A virtual environment may lie in a checkout of something else.
    own = all(os.path.exists(os.path.join(checkout, name)) for name in (".git", "setup.py"))
    if git is None or not own:
        return None
    command = [git, "-C", checkout, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _sources(prior: Mapping[str, Any]) -> list[str]:
    sources = prior.get("source") or []
    return [sources] if isinstance(sources, str) else list(sources)


def _licence(prior: Mapping[str, Any], sources: Sequence[str]) -> list[str]:
    """Return the licence: that of the data, if it is known for all of them, as hubs have no name for it."""
    known = known_licences(sources) | (prior.get("licence") or {})
    if not sources or not all(source in known for source in sources):
        return ["license: unknown"]
    told = "; ".join(dict.fromkeys(known[source] for source in sources))
    return ["license: other", f"license_name: {_quoted(told)}"]


def _results(
    description: Mapping[str, Any], sources: Sequence[str], rows: Sequence[Row]
) -> list[str]:
    tuned = (description["metrics"] or {}).get("tuned", {})
    labels = {row.metric: row.label for row in rows}
    numbers = {
        name: value
        for name, value in tuned.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    if not numbers:
        return []
    kind = description["task"]["kind"]
    # Only the names of the user's own files: a card may be published, local paths should not be.
    data = ", ".join(os.path.basename(source.rstrip("/")) for source in sources) or "unknown"
    lines = [
        "model-index:",
        f"- name: {_quoted(f'{kind} model tuned with ' + description['objective']['name'])}",
        "  results:",
        "  - task:",
        f"      type: {_quoted(f'{kind}-generation')}",
        "    dataset:",
        f"      name: {_quoted(data)}",
        f"      type: {_quoted(data)}",
        "    metrics:",
    ]
    for name, value in numbers.items():
        lines += [f"    - type: {_quoted(name)}", f"      value: {json.dumps(value)}"]
        lines += [f"      name: {_quoted(labels[name])}"] if name in labels else []
    return lines


def _quoted(text: str) -> str:
    """Return a text as YAML, of which JSON is a part."""
    return json.dumps(text)
