"""Sheet music of melodies as SVG and PNG, engraved by verovio and drawn by resvg (the extra "sheet")."""

from __future__ import annotations

import importlib.util
import io

import numpy as np

from rl_tuner.common.errors import UserError
from rl_tuner.common.extras import install_hint
from rl_tuner.tasks.melody.musicxml import to_musicxml
from rl_tuner.tasks.melody.notation import Piece

_PACKAGES = ("verovio", "resvg_py")
_OPTIONS = {
    "adjustPageHeight": True,
    "footer": "none",
    "header": "none",
    "mnumInterval": 1,
    "pageHeight": 60_000,
    "pageWidth": 1_600,
    "scale": 50,
    "svgViewBox": False,
}
_PNG_WIDTH = 1_000


def is_available() -> bool:
    """Return whether the packages of the extra are installed."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def check_available() -> None:
    """Make sure that sheet music can be drawn.

    Raises:
        UserError: the extra is not installed.
    """
    if not is_available():
        raise UserError(f"sheet music needs verovio and resvg: {install_hint('sheet')}")


def to_svg(piece: Piece) -> str:
    """Return a melody as sheet music, one page.

    Raises:
        UserError: the extra is not installed.
        ValueError: if a class is unknown, or the melody is empty.
    """
    check_available()
    import verovio

    verovio.enableLog(verovio.LOG_ERROR)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    if not toolkit.loadData(to_musicxml(piece, metronome=False)):
        raise ValueError("verovio cannot read the melody")
    return str(toolkit.renderToSVG(1))


def to_png(piece: Piece) -> bytes:
    """Return a melody as a PNG picture of its sheet music; see `to_svg`."""
    svg = to_svg(piece)
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=_PNG_WIDTH, background="white"))


def to_pixels(piece: Piece) -> np.ndarray:
    """Return a melody as sheet music, uint8 [H, W, 3]; see `to_svg`."""
    from PIL import Image

    with Image.open(io.BytesIO(to_png(piece))) as picture:
        return np.asarray(picture.convert("RGB"))


def stacked(pieces: list[Piece]) -> np.ndarray:
    """Return several melodies below one another, uint8 [H, W, 3]; see `to_svg`.

    Raises:
        UserError: the extra is not installed.
        ValueError: if there are no melodies, or one cannot be written.
    """
    pictures = [to_pixels(piece) for piece in pieces]
    width = max(picture.shape[1] for picture in pictures)
    padded = [
        np.pad(p, [(0, 0), (0, width - p.shape[1]), (0, 0)], constant_values=255) for p in pictures
    ]
    return np.concatenate(padded)
