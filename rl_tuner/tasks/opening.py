"""Early check of the beginning of a sequence that is to be continued."""

from __future__ import annotations

from typing import Any

from rl_tuner.tasks.melody import opening as melody
from rl_tuner.tasks.molecule import opening as molecule

_CHECKS = {"melody": melody.check, "molecule": molecule.check}


def check(metadata: dict[str, Any], primer: str | None, prompt: str | None) -> None:
    """Check a primer or a prompt for a prior, without importing TensorFlow.

    A task of the user's own checks them later, when it reads them.

    Args:
        metadata: the prior's description, with its kind and encoding.
        primer: path of a file; None for none.
        prompt: text; None for none.

    Raises:
        UserError: sequences of this kind cannot begin with it.
    """
    known = _CHECKS.get(metadata.get("kind", ""))
    if known is not None and (primer or prompt):
        known(metadata, primer, prompt)
