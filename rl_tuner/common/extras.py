"""How to install an optional package."""

from __future__ import annotations

import importlib.metadata
import json
import os
import urllib.parse

PACKAGE = "sequence-tutor"


def install_hint(extra: str) -> str:
    """Return the command that adds an extra, with the folder that this program was installed from.

    Args:
        extra: name of the extra, such as "corpus".
    """
    return f'pip install "{_source()}[{extra}]"'


def _source() -> str:
    for distribution in importlib.metadata.distributions(name=PACKAGE):
        noted = json.loads(distribution.read_text("direct_url.json") or "{}")
        url = urllib.parse.urlparse(noted.get("url", ""))
        if url.scheme == "file":
            return urllib.parse.unquote(url.path)
    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return checkout if os.path.isfile(os.path.join(checkout, "setup.py")) else PACKAGE
