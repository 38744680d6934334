"""List of all configurables, by which wrong names are found without importing every module.

python -m rl_tuner.jobs.catalogue        (writes configurables.json; a test checks that it is current)
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil

import gin

from rl_tuner.common.files import write_text
from rl_tuner.common.gin_files import CATALOGUE
from rl_tuner.common.settings import annotated_type
from rl_tuner.core.objectives import Objective

_PACKAGES = ("rl_tuner", "pipelines")
# Not gin files, or without configurables and with imports of an extra.
_LEFT_OUT = {"rl_tuner.gin", "pipelines.beam_driver", "pipelines.beam_steps"}
# What a job does not import by itself, because the gin file chooses.
_IMPORTED = ("pipelines.", "rl_tuner.tasks.")


def catalogue() -> dict[str, dict[str, str]]:
    """Return every configurable of this program: name -> parameter -> type."""
    for package in map(importlib.import_module, _PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name not in _LEFT_OUT:
                importlib.import_module(module.name)
    found = {}
    for _, wrapper in gin.config._REGISTRY.items():
        if wrapper.module.split(".")[0] in _PACKAGES:
            denied = set(wrapper.denylist or ())
            parameters = inspect.signature(wrapper.wrapped).parameters
            found[wrapper.name] = {
                name: annotated_type(parameter.annotation)
                for name, parameter in parameters.items()
                if name not in denied and name not in ("self", "cls")
            }
    return dict(sorted(found.items()))


def objectives() -> list[str]:
    """Return the names of the objectives among the configurables."""
    wrappers = [wrapper for _, wrapper in gin.config._REGISTRY.items()]
    return sorted(
        each.name
        for each in wrappers
        if each.module.split(".")[0] in _PACKAGES
        and inspect.isclass(each.wrapped)
        and issubclass(each.wrapped, Objective)
    )


def modules() -> dict[str, str]:
    """Return the module of every configurable that a gin file has to import."""
    wrappers = [wrapper for _, wrapper in gin.config._REGISTRY.items()]
    homes = {each.name: each.wrapped.__module__ for each in wrappers}
    return {name: home for name, home in sorted(homes.items()) if home.startswith(_IMPORTED)}


def text() -> str:
    """Return the list as JSON."""
    content = {"configurables": catalogue(), "objectives": objectives(), "modules": modules()}
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    write_text(CATALOGUE, text())
