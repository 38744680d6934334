"""Places of files: on this machine, or on a file system that Apache Beam knows, such as gs://bucket/folder."""

import re

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")


def is_remote(path: str) -> bool:
    """Return whether a path begins with a scheme."""
    return _SCHEME.match(path) is not None
