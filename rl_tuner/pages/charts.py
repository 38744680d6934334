"""Charts as SVG: they print, scale, take the page's colours and tell their points to a mouse and a reader."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence

_WIDTH, _HEIGHT = 460, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 14, 42
# Points that show their numbers; more would only hide each other.
_MOST_POINTS = 120

Point = tuple[float, float]


def line_chart(
    series: Mapping[str, Sequence[Point]],
    title: str,
    x_label: str,
    y_label: str,
    marks: Mapping[str, Point] | None = None,
) -> str:
    """Return a chart of lines as an SVG element.

    Args:
        series: points of each line in the order of drawing, by its name; NaN leaves a gap out.
        title: what the chart shows, also for screen readers.
        x_label: quantity and unit of the horizontal axis.
        y_label: quantity and unit of the vertical axis.
        marks: single points with a name, drawn larger.
    """
    marks = marks or {}
    lines = {name: [p for p in points if _is_drawn(p)] for name, points in series.items()}
    every = [p for points in lines.values() for p in points] + list(marks.values())
    if not every:
        return ""
    x_ticks, y_ticks = (_ticks([p[axis] for p in every]) for axis in (0, 1))

    def place(point: Point) -> Point:
        x = _LEFT + (point[0] - x_ticks[0]) / (x_ticks[-1] - x_ticks[0]) * (_WIDTH - _LEFT - _RIGHT)
        y = (
            _HEIGHT
            - _BOTTOM
            - (point[1] - y_ticks[0]) / (y_ticks[-1] - y_ticks[0]) * (_HEIGHT - _TOP - _BOTTOM)
        )
        return x, y

    parts = [_axes(x_ticks, y_ticks, place, x_label, y_label)]
    for number, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))
        parts.append(f'<polyline class="line s{number % 6}" points="{path}"/>')
        stride = max(1, math.ceil(len(points) / _MOST_POINTS))
        parts += [_dot(place(p), number, _told(name, p, x_label)) for p in points[::stride]]
    for number, (name, point) in enumerate(marks.items()):
        x, y = place(point)
        told = _told(name, point, x_label)
        parts.append(
            f'<circle class="mark s{number % 6}" cx="{x:.1f}" cy="{y:.1f}" r="5">'
            f"<title>{told}</title></circle>"
            f'<text class="name" x="{x + 8:.1f}" y="{y - 6:.1f}">{html.escape(name)}</text>'
        )
    label = html.escape(title, quote=True)
    head = f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">'
    return head + "".join(parts) + "</svg>"


def _is_drawn(point: Sequence[float]) -> bool:
    return all(isinstance(value, (int, float)) and math.isfinite(value) for value in point)


def _dot(place: Point, number: int, told: str) -> str:
    x, y = place
    return f'<circle class="dot s{number % 6}" cx="{x:.1f}" cy="{y:.1f}" r="6"><title>{told}</title></circle>'


def _told(name: str, point: Point, x_label: str) -> str:
    return html.escape(f"{name}: {point[1]:.4g} at {point[0]:.4g} {x_label}")


def _axes(
    x_ticks: list[float],
    y_ticks: list[float],
    place: Callable[[Point], Point],
    x_label: str,
    y_label: str,
) -> str:
    parts = []
    for tick in y_ticks:
        x, y = place((x_ticks[0], tick))
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="tick end" x="{x - 6:.1f}" y="{y + 4:.1f}">{_short(tick)}</text>'
        )
    for tick in x_ticks:
        x, y = place((tick, y_ticks[0]))
        parts.append(
            f'<text class="tick middle" x="{x:.1f}" y="{y + 16:.1f}">{_short(tick)}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="label middle" x="{middle}" y="{_HEIGHT - 6}">{html.escape(x_label)}</text>'
    )
    height = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="label middle" transform="translate(13 {height}) rotate(-90)">'
        f"{html.escape(y_label)}</text>"
    )
    return "".join(parts)


def _ticks(values: Sequence[float], count: int = 5) -> list[float]:
    """Return round numbers that enclose the values."""
    low, high = min(values), max(values)
    if high - low < 1e-12 * max(1.0, abs(low)):
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / (count - 1)
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * factor for factor in (1, 2, 2.5, 5, 10) if scale * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _short(value: float) -> str:
    return f"{value:.6g}" if value else "0"
