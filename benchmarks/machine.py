"""Facts about the machine and the packages that figures depend on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

from rl_tuner.common.workers import available_processors

PACKAGES = ("tensorflow", "keras", "numpy", "gin-config", "note-seq", "rdkit")


def machine() -> dict[str, Any]:
    """Processor, cores, and how busy the machine is with other work."""
    return {
        "cores": available_processors(),
        "cpu": cpu_model(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Python and the packages that figures depend on."""
    names = {"python": platform.python_version()}
    return names | {name: metadata.version(name) for name in PACKAGES}


def cpu_model() -> str:
    """The name of the processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
