"""Molecules as a page shows them: a drawing, the string and its properties."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.presentation import Exhibit

_SIZE = (260, 190)


def exhibit(string: str, found: Properties | None) -> Exhibit:
    """Return a string as a page shows it.

    Args:
        string: the SMILES as it was generated.
        found: properties of the molecule; None if the string is no molecule.
    """
    if found is None:
        return Exhibit(string or "an empty string", valid=False)
    facts: dict[str, float | str] = {
        "QED": round(found.qed, 3),
        "logP": round(found.logp, 2),
        "SA": round(found.sa, 2),
        "weight": round(found.molecular_weight, 1),
        "largest ring": found.largest_ring,
    }
    if found.scaffold:
        facts["scaffold"] = found.scaffold
    return Exhibit(found.canonical, drawing(found.canonical), facts=facts)


def drawing(smiles: str) -> str:
    """Return the drawing of a molecule as an SVG element without a background."""
    drawer = rdMolDraw2D.MolDraw2DSVG(*_SIZE)
    options = drawer.drawOptions()
    options.clearBackground = False
    # One colour, which the page chooses, is readable in light and dark.
    options.useBWAtomPalette()
    drawer.DrawMolecule(Chem.MolFromSmiles(smiles))
    drawer.FinishDrawing()
    text = drawer.GetDrawingText()
    text = text[text.index("<svg") :].replace("#000000", "currentColor")
    text = re.sub(r" (?:width|height)='\d+px'", "", text, count=2)
    return text.replace(
        "<svg ", f'<svg class="molecule" role="img" aria-label="{html.escape(smiles)}" ', 1
    )


def exhibits(strings: Sequence[str], properties: Sequence[Properties | None]) -> list[Exhibit]:
    """Return strings as a page shows them."""
    return [exhibit(string, found) for string, found in zip(strings, properties)]
