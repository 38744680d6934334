"""Matplotlib figures without global state, and atomic writing of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rl_tuner.common.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure; width and height are in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str) -> None:
    """Write a figure as a PNG."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def pixels(figure: Figure) -> np.ndarray:
    """Return a figure as uint8 [H, W, 3]."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def save_pixels(picture: np.ndarray, path: str) -> None:
    """Write a picture, uint8 [H, W, 3], as a PNG atomically."""
    from matplotlib.image import imsave

    with replacing(path) as temporary:
        imsave(temporary, picture, format="png")
