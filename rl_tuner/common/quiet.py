"""Import of TensorFlow without its messages about its own build and about missing GPUs."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import TextIO

from rl_tuner.common.progress import say, working

_LOADING = "loading TensorFlow"
# TensorFlow writes these before it reads its log level; any other line is shown.
_NOISE = re.compile(
    r"^(?:[IWE]\d{4} [\d:.]+\s+\d+ (?:port|cudart_stub|cuda_\w+|cpu_feature_guard|computation_placer)\.cc"
    r"|WARNING: All log messages before absl::InitializeLog"
    r"|To enable the following instructions: )"
)


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Import TensorFlow inside this block of a command: announce it, then be `quietly`."""
    if "tensorflow" not in sys.modules:
        say(_LOADING)
    with quietly():
        yield


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Import TensorFlow inside this block; its messages about itself are dropped, others are shown."""
    if "tensorflow" in sys.modules:
        yield
        return
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        with working(_LOADING):
            yield
        return
    with _captured_stderr() as (lines, stream), working(_LOADING, stream):
        yield
    for line in lines:
        if not _NOISE.match(line):
            sys.stderr.write(line)


@contextlib.contextmanager
def _captured_stderr() -> Iterator[tuple[list[str], TextIO]]:
    """Collect the lines that this process writes to file descriptor 2, including those from C++.

    Yields the list, which is filled at the end, and a stream that still writes to the standard error.
    """
    lines: list[str] = []
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):
        # Without a standard error there is nothing to capture.
        yield lines, sys.stderr
        return
    with tempfile.TemporaryFile() as file, open(kept, "w", encoding="utf-8") as stream:
        os.dup2(file.fileno(), 2)
        try:
            yield lines, stream
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines(keepends=True)
