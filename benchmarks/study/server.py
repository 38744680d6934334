"""The study's server as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def served(*arguments: str, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """Return a server that answers, and its address; standard error is a pipe."""
    return started("rl_tuner.study", "serve", f"--port={port}", *arguments)


def started(module: str, *arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Return a command that answers requests, and its address."""
    server = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert server.stdout is not None
    line = server.stdout.readline()
    if not line.startswith("serving "):
        raise RuntimeError(server.communicate()[1])
    return server, line.split()[1]


def end(server: subprocess.Popen[str]) -> str:
    """Terminate a server and return what it told."""
    server.send_signal(signal.SIGTERM)
    _, told = server.communicate(timeout=30)
    assert server.returncode == 128 + signal.SIGTERM and "Traceback" not in told, told
    return told


def links_of(folder: str, address: str) -> list[str]:
    """Return the links of a study, as they lead to a server."""
    with open(f"{folder}/links.txt", encoding="utf-8") as file:
        return [f"{address}/r/{line.strip().rpartition('/')[2]}" for line in file]
