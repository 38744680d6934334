"""Whether the packages of the web pages are installed, told before anything heavy is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from rl_tuner.common.errors import UserError
from rl_tuner.common.extras import install_hint

SERVER = ("starlette", "uvicorn")
DATABASE = ("sqlalchemy",)
STATISTICS = ("choix",)


def check_installed(packages: Sequence[str], what: str) -> None:
    """Make sure that packages of the extra "study" are installed.

    Args:
        packages: names of modules.
        what: what needs them, for the message.

    Raises:
        UserError: one is missing.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{what} needs {', '.join(missing)}: {install_hint('study')}")
