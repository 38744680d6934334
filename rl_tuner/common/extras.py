"""How to install an optional package."""

from __future__ import annotations

import importlib.metadata
import json
import urllib.parse

PACKAGE = "sequence-tutor"


def install_hint(extra: str) -> str:
    """Return the command that adds an extra, with the folder that this program was installed from.

    Args:
        extra: name of the extra, such as "corpus".
    """
    return f'pip install "{_source()}[{extra}]"'


def _source() -> str:
    try:
        text = importlib.metadata.distribution(PACKAGE).read_text("direct_url.json")
        url = urllib.parse.urlparse(json.loads(text or "{}").get("url", ""))
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return "."
    return urllib.parse.unquote(url.path) if url.scheme == "file" else PACKAGE
