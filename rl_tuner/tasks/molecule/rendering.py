"""Rendering of molecules as drawings, histograms and files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor

from rl_tuner.common.figures import new_figure
from rl_tuner.common.files import replacing, write_text
from rl_tuner.tasks.molecule import chemistry
from rl_tuner.tasks.molecule.chemistry import Properties
from rl_tuner.tasks.molecule.histograms import QUANTITIES, bin_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (240, 200)
_MEASURED = ("logp", "qed", "sa", "molecular_weight")

# The length of the string depends on the representation, so it is not a property of the molecule.
_HISTOGRAMS = tuple(quantity for quantity in QUANTITIES if quantity.attribute)
_COLOURS = ("#2f6db5", "#d1495b", "#3b8f5a", "#8a5fb0")
_DATA_COLOUR = "#c9ced6"


def legend(smiles: str) -> str:
    """Return a molecule's QED, logP and SA in one line."""
    found = chemistry.properties(smiles)
    return measures(found.qed, found.logp, found.sa) if found else smiles


def measures(qed: float, logp: float, sa: float) -> str:
    """Return QED, logP and SA in one line."""
    return f"QED {qed:.2f}  logP {logp:.1f}  SA {sa:.1f}"


def reward_legend(found: Properties, reward: float, desirabilities: Mapping[str, float]) -> str:
    """Return a molecule's reward, and below it what it is made of.

    Args:
        found: properties of the molecule.
        reward: its reward.
        desirabilities: component name -> desirability; without any, QED, logP and SA are shown.
    """
    if not desirabilities:
        return f"reward {reward:.3g}\n{measures(found.qed, found.logp, found.sa)}"
    parts = [f"{name} {value:.2f}" for name, value in desirabilities.items()]
    lines = ["  ".join(parts[first : first + 2]) for first in range(0, len(parts), 2)]
    return "\n".join([f"reward {reward:.3g}", *lines])


def grid_png(
    smiles: Sequence[str], legends: Sequence[str] | None = None, columns: int = 4
) -> bytes:
    """Draw molecules in a grid, row by row.

    Args:
        smiles: valid SMILES; without any, the drawing is one empty panel.
        legends: text below each molecule; None shows QED, logP and SA.
        columns: number of molecules per row.

    Returns:
        a PNG file.

    Raises:
        ValueError: a SMILES is not valid.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    chemistry.silence()
    mols = [_flat(s) for s in smiles]
    legends = [legend(s) for s in smiles] if legends is None else list(legends)
    columns = max(1, min(columns, len(mols)))
    rows = max(1, -(-len(mols) // columns))
    width, height = _PANEL
    drawer = rdMolDraw2D.MolDraw2DCairo(columns * width, rows * height, width, height)
    drawer.drawOptions().legendFontSize = 14
    lines = max((text.count("\n") + 1 for text in legends), default=1)
    drawer.drawOptions().legendFraction = min(0.5, 0.1 * lines)
    if mols:
        drawer.DrawMolecules(mols, legends=legends)
    else:
        drawer.ClearDrawing()
    drawer.FinishDrawing()
    return drawer.GetDrawingText()


def grid_image(
    smiles: Sequence[str], legends: Sequence[str] | None = None, columns: int = 4
) -> np.ndarray:
    """Return the drawing of `grid_png` as pixels: uint8 [H, W, 3]."""
    from PIL import Image

    with Image.open(io.BytesIO(grid_png(smiles, legends, columns))) as image:
        return np.array(image.convert("RGB"))


def grid_figure(
    columns: Mapping[str, Sequence[str]],
    title: str = "",
    legends: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """Draw some molecules of each model, one column per model.

    Args:
        columns: name -> valid SMILES.
        title: title of the figure; empty for none.
        legends: name -> text below each molecule; None shows QED, logP and SA.

    Returns:
        a matplotlib Figure without global state.

    Raises:
        ValueError: there is no column, or a SMILES is not valid.
    """
    if not columns:
        raise ValueError("A figure needs at least one column.")
    images = {
        name: grid_image(smiles, legends[name] if legends else None, columns=2)
        for name, smiles in columns.items()
    }
    height = max(image.shape[0] for image in images.values()) / 100
    figure = new_figure(5.0 * len(images), height + 0.6)
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    grid = figure.subplots(1, len(images), squeeze=False)[0]
    for axis, (name, image) in zip(grid, images.items()):
        axis.imshow(image)
        axis.set_title(name, fontsize=11)
        axis.set_anchor("N")
        axis.axis("off")
    return figure


def histogram_figure(
    columns: Mapping[str, Sequence[Properties | None]],
    training: Mapping[str, Mapping[str, Any]] | None = None,
) -> Figure:
    """Draw histograms of the properties of valid molecules, for each model and the training data.

    Args:
        columns: name -> properties of sampled molecules, None for an invalid one.
        training: histograms of the training data from its dataset.json: for each property
            `edges` [n + 1] and `counts` [n]; None draws no data.

    Returns:
        a matplotlib Figure without global state.
    """
    figure = new_figure(12.0, 6.4)
    for axis, quantity in zip(figure.subplots(2, 3).flat, _HISTOGRAMS):
        if training and quantity.name in training:
            known = training[quantity.name]
            edges, counts = known["edges"], np.array(known["counts"], float)
            density = counts / max(1.0, counts.sum()) / np.diff(edges)
            axis.stairs(density, edges, fill=True, color=_DATA_COLOUR, label="data")
        for (model, found), colour in zip(columns.items(), _cycle(_COLOURS, len(columns))):
            values = np.array(
                [getattr(p, quantity.attribute) for p in found if p is not None], float
            )
            _draw_outline(axis, values[np.isfinite(values)], quantity.width, model, colour)
        axis.set_xlabel(quantity.label, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.set_yticks([])
        for side in ("top", "left", "right"):
            axis.spines[side].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def _draw_outline(axis: Axes, values: np.ndarray, width: float, label: str, colour: str) -> None:
    if not len(values):
        return
    bins = np.array([bin_of(value, width) for value in values])
    counts = np.bincount(bins - bins.min())
    edges = (bins.min() + np.arange(len(counts) + 1)) * width
    axis.stairs(counts / len(values) / width, edges, color=colour, linewidth=1.5, label=label)


def write_smi(path: str, strings: Sequence[str], properties: Sequence[Properties | None]) -> None:
    """Write generated strings, one per line, each marked as valid or invalid.

    Args:
        path: the file to write.
        strings: SMILES; empty ones are left out.
        properties: properties of each molecule, None for an invalid one.

    Raises:
        OSError: if the file cannot be written.
    """
    lines = [
        f"{string}\t{'invalid' if found is None else 'valid'}_{number}\n"
        for number, (string, found) in enumerate(zip(strings, properties, strict=True))
        if string
    ]
    write_text(path, "".join(lines))


def write_sdf(path: str, properties: Sequence[Properties | None]) -> None:
    """Write the valid molecules with 2D coordinates and their properties.

    Args:
        path: the file to write.
        properties: properties of each molecule; None, for an invalid one, is left out.

    Raises:
        OSError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        writer = Chem.SDWriter(temporary)
        for number, found in enumerate(properties):
            if found is None:
                continue
            mol = _flat(found.canonical)
            mol.SetProp("_Name", f"valid_{number}")
            mol.SetProp("SMILES", found.canonical)
            for name in _MEASURED:
                mol.SetProp(name, f"{getattr(found, name):.6g}")
            writer.write(mol)
        writer.close()


def _flat(smiles: str) -> Chem.Mol:
    """Return a molecule with 2D coordinates."""
    mol = chemistry.parse(smiles)
    if mol is None:
        raise ValueError(f"{smiles!r} is not a valid molecule")
    rdDepictor.Compute2DCoords(mol)
    return mol


def _cycle(colours: Sequence[str], count: int) -> list[str]:
    return [colours[i % len(colours)] for i in range(count)]
