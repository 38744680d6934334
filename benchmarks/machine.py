"""Facts about the machine and the versions of packages, recorded with every result."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from rl_tuner.common.workers import available_processors

PACKAGES = ("tensorflow", "keras", "numpy", "gin-config", "note-seq", "rdkit")


def machine() -> dict[str, Any]:
    """Return the processor, the number of cores and the load of the machine."""
    return {
        "cores": available_processors(),
        "cpu": cpu_model(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    names = {"python": platform.python_version()}
    return names | {name: metadata.version(name) for name in PACKAGES}


def cpu_model() -> str:
    """Return the name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
