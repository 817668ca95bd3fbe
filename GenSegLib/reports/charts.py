"""Charts as inline SVG: they stay sharp, print well and need no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .curves import Curve, Phase, smoothed

COLORS = ("#1f6fb2", "#d9662b", "#2f8f5b", "#8457b3", "#c23b5a", "#8a6d3b", "#3aa6a6", "#6b7280")
SMOOTH_FROM, MOST_POINTS = 60, 400


@dataclass(frozen=True)
class Frame:
    """Where data land in a picture: sizes in pixels, limits in the data's own units."""

    width: float
    height: float
    x_limits: tuple[float, float]
    y_limits: tuple[float, float]
    left: float = 44
    right: float = 10
    top: float = 18
    bottom: float = 24

    def x(self, value: float) -> float:
        """Pixel of a value along x."""
        low, high = self.x_limits
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Pixel of a value along y; what lies outside is put on the edge."""
        low, high = self.y_limits
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


def line_chart(
    title: str,
    curves: Sequence[Curve],
    phases: Sequence[Phase] = (),
    y_limits: tuple[float, float] | None = None,
    size: tuple[int, int] = (520, 230),
) -> str:
    """Curves over the steps; noisy ones are smoothed, with the raw values faint behind."""
    frame = Frame(*size, _span([c.steps for c in curves]), y_limits or _robust_span(curves))
    parts = [_phase_bands(frame, phases), _axes(frame)]
    for curve, color in zip(curves, _palette(len(curves))):
        values: Sequence[float] = curve.values
        if len(values) > SMOOTH_FROM:
            parts.append(_line(frame, curve.steps, values, color, "raw"))
            values = smoothed(values, max(5, len(values) // 25))
        parts.append(_line(frame, curve.steps, values, color, "line"))
    return _figure(title, frame, parts, _legend(curves))


def share_chart(title: str, curves: Sequence[Curve], size: tuple[int, int] = (340, 150)) -> str:
    """Shares of a whole, as stacked areas; curves that are no such shares stay curves."""
    steps = sorted(set.intersection(*(set(curve.steps) for curve in curves)))
    if not _are_shares(curves, steps):
        return line_chart(title, curves, size=size)
    stride = max(1, math.ceil(len(steps) / MOST_POINTS))
    steps = [*steps[:-1:stride], steps[-1]]
    frame = Frame(*size, _span([steps]), (0.0, 1.0), top=8)
    tables = [dict(zip(curve.steps, curve.values)) for curve in curves]
    parts, below = [], [0.0] * len(steps)
    for table, color in zip(tables, _palette(len(curves))):
        above = [low + table[step] for low, step in zip(below, steps)]
        outline = [*_points(frame, steps, above), *reversed(_points(frame, steps, below))]
        parts.append(f'<polygon class="area" points="{" ".join(outline)}" fill="{color}"/>')
        below = above
    parts.append(_axes(frame, y_count=2))
    return _figure(title, frame, parts, _legend(curves))


def _are_shares(curves: Sequence[Curve], steps: Sequence[float]) -> bool:
    """Whether the curves have steps in common at which they sum to one."""
    tables = [dict(zip(curve.steps, curve.values)) for curve in curves]
    return bool(steps) and all(
        abs(sum(table[step] for table in tables) - 1) < 0.02
        and all(table[step] >= 0 for table in tables)
        for step in steps
    )


def strip_chart(
    title: str, groups: dict[str, list[tuple[str, float]]], size: tuple[int, int] = (520, 230)
) -> str:
    """One dot a case and group, with the group's mean as a bar; the value axis ends at 1."""
    values = [value for points in groups.values() for _, value in points]
    low = max(0.0, math.floor((min(values) - 0.02) * 10) / 10)
    frame = Frame(*size, (-0.5, len(groups) - 0.5), (low, 1.0), top=10)
    parts = [_y_axis(frame, 4)]
    for place, (name, points) in enumerate(groups.items()):
        color = _palette(len(groups))[place]
        for order, (case, value) in enumerate(points):
            shift = 0.28 * math.sin(2.4 * order)
            parts.append(
                f'<circle cx="{frame.x(place + shift):.1f}" cy="{frame.y(value):.1f}" r="3.2" '
                f'fill="{color}" fill-opacity="0.55"><title>{escape(case)}: {value:.3f}</title>'
                "</circle>"
            )
        mean = sum(value for _, value in points) / len(points)
        left, right, y = frame.x(place - 0.36), frame.x(place + 0.36), frame.y(mean)
        parts.append(
            f'<line class="mean" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{right + 4:.1f}" y="{y + 4:.1f}">{mean:.3f}</text>'
            f'<text class="name" x="{frame.x(place):.1f}" y="{frame.height - 6}">'
            f"{escape(name)}</text>"
        )
    return _figure(title, frame, parts, "")


def _figure(title: str, frame: Frame, parts: Sequence[str], legend: str) -> str:
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {frame.width:g} {frame.height:g}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>{legend}</figure>'
    )


def _legend(curves: Sequence[Curve]) -> str:
    items = (
        f'<li><i style="background:{color}"></i>{escape(_words(curve.name))} '
        f"<b>{number(curve.last)}</b></li>"
        for curve, color in zip(curves, _palette(len(curves)))
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def number(value: float) -> str:
    """Three significant digits, without an exponent where that is readable."""
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"


def _words(name: str) -> str:
    return name.removeprefix("upper/").replace("_", " ").replace("/", ": ")


def _palette(count: int) -> list[str]:
    return [COLORS[k % len(COLORS)] for k in range(count)]


def _line(
    frame: Frame, steps: Sequence[float], values: Sequence[float], color: str, kind: str
) -> str:
    stride = max(1, math.ceil(len(steps) / MOST_POINTS))
    kept = [*range(0, len(steps) - 1, stride), len(steps) - 1]
    points = _points(frame, [steps[k] for k in kept], [values[k] for k in kept])
    dot = points[-1].split(",")
    mark = f'<circle cx="{dot[0]}" cy="{dot[1]}" r="2.6" fill="{color}"/>' if kind == "line" else ""
    return f'<polyline class="{kind}" points="{" ".join(points)}" stroke="{color}"/>{mark}'


def _points(frame: Frame, steps: Sequence[float], values: Sequence[float]) -> list[str]:
    return [f"{frame.x(s):.1f},{frame.y(v):.1f}" for s, v in zip(steps, values)]


def _phase_bands(frame: Frame, phases: Sequence[Phase]) -> str:
    parts = []
    for place, phase in enumerate(phases):
        left = frame.x(max(phase.first, frame.x_limits[0]))
        width = frame.x(min(phase.last, frame.x_limits[1])) - left
        if width <= 0:
            continue
        parts.append(
            f'<rect class="band{place % 2}" x="{left:.1f}" y="{frame.top - 14}" '
            f'width="{width:.1f}" height="{frame.height - frame.bottom - frame.top + 14}"/>'
        )
        if width > 6 * len(phase.name):
            parts.append(
                f'<text class="phase" x="{left + width / 2:.1f}" y="{frame.top - 3}">'
                f"{escape(phase.name)}</text>"
            )
    return "".join(parts)


def _axes(frame: Frame, y_count: int = 4) -> str:
    bottom = frame.height - frame.bottom
    parts = [_y_axis(frame, y_count)]
    for tick in ticks(frame.x_limits, 5):
        anchor = "end" if frame.x(tick) > frame.width - 20 else "middle"
        parts.append(
            f'<text x="{frame.x(tick):.1f}" y="{bottom + 15:.1f}" text-anchor="{anchor}">'
            f"{tick:g}</text>"
        )
    return "".join(parts)


def _y_axis(frame: Frame, count: int) -> str:
    parts = []
    for tick in ticks(frame.y_limits, count):
        y = frame.y(tick)
        parts.append(
            f'<line class="grid" x1="{frame.left}" x2="{frame.width - frame.right}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    return "".join(parts)


def ticks(limits: tuple[float, float], count: int) -> list[float]:
    """About `count` round numbers within the limits."""
    low, high = limits
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _span(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    values = [value for group in groups for value in group]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _robust_span(curves: Sequence[Curve]) -> tuple[float, float]:
    """Limits that a few outliers, as at the start of a training, do not stretch."""
    values = sorted(value for curve in curves for value in curve.values)
    trim = len(values) // 50
    low, high = values[trim], values[-1 - trim]
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return (min(0.0, low) if 0 <= low < 0.4 * high else low - pad), high + pad
