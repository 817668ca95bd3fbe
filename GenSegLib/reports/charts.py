"""Charts as inline SVG, drawn by Matplotlib."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from .curves import Curve, Phase, moving_average

COLORS = ("#1f6fb2", "#d9662b", "#2f8f5b", "#8457b3", "#c23b5a", "#8a6d3b", "#3aa6a6", "#6b7280")
_INK, _GRAY, _GRID = "#1c2733", "#5b6875", "#e2e7ec"
_PHASE_COLORS = ("#eef3f8", "#f8fafb")
_SMOOTH_FROM, _MAX_POINTS = 60, 400
_DPI = 72
_LARGE, _SMALL = (520, 230), (340, 150)  # width and height of charts in pixels
_MARGINS = 46, 30, 16, 20  # pixels left, right, above and below the axes, for their labels
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text, in the font of the page
    "svg.hashsalt": "genseg",  # ids depend on the content alone
    "text.parse_math": False,
    "font.size": 8,
}


def line_chart(
    title: str,
    curves: Sequence[Curve],
    phases: Sequence[Phase] = (),
    y_limits: tuple[float, float] | None = None,
    size: tuple[int, int] = _LARGE,
) -> str:
    """Draw curves over the steps; noisy ones are smoothed over their faint raw values.

    Args:
        title: caption of the chart.
        curves: at least one.
        phases: drawn as bands in the background.
        y_limits: None for the values' range without outliers.
        size: width and height in pixels.

    Returns:
        An HTML figure with a legend.
    """

    def draw(axes: Any) -> None:
        axes.set_xlim(*_range([curve.steps for curve in curves]))
        axes.set_ylim(*(y_limits or _robust_range(curves)))
        _draw_phases(axes, phases)
        for curve, color in zip(curves, _palette(len(curves))):
            values: Sequence[float] = curve.values
            if len(values) > _SMOOTH_FROM:
                axes.plot(*_thinned(curve.steps, values), color=color, linewidth=0.8, alpha=0.25)
                values = moving_average(values, max(5, len(values) // 25))
            axes.plot(*_thinned(curve.steps, values), color=color, linewidth=1.6)
            axes.plot(curve.steps[-1:], values[-1:], "o", color=color, markersize=4, clip_on=False)

    return _render(title, size, draw) + _legend(curves) + "</figure>"


def fraction_chart(title: str, curves: Sequence[Curve]) -> str:
    """Draw fractions that sum to one as stacked areas; other curves as lines."""
    steps = sorted(set.intersection(*(set(curve.steps) for curve in curves)))
    tables = [dict(zip(curve.steps, curve.values)) for curve in curves]
    if not steps or not all(_are_fractions([table[step] for table in tables]) for step in steps):
        return line_chart(title, curves, size=_SMALL)
    chosen, _ = _thinned(steps, steps)

    def draw(axes: Any) -> None:
        areas = [[table[step] for step in chosen] for table in tables]
        axes.stackplot(chosen, *areas, colors=_palette(len(curves)), alpha=0.88)
        axes.set_xlim(*_range([steps]))
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1])

    return _render(title, _SMALL, draw) + _legend(curves) + "</figure>"


def strip_chart(title: str, groups: Mapping[str, Sequence[float]]) -> str:
    """Draw one dot per case and group, with each group's mean as a bar, on an axis up to 1."""
    smallest = min(value for values in groups.values() for value in values)

    def draw(axes: Any) -> None:
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_ylim(max(0.0, math.floor((smallest - 0.02) * 10) / 10), 1.0)
        axes.set_xticks(range(len(groups)), list(groups), fontsize=9, color=_INK)
        for index, (values, color) in enumerate(zip(groups.values(), _palette(len(groups)))):
            x = [index + 0.28 * math.sin(2.4 * order) for order in range(len(values))]
            axes.scatter(x, values, s=22, color=color, alpha=0.55, linewidth=0, clip_on=False)
            mean = sum(values) / len(values)
            axes.hlines(mean, index - 0.36, index + 0.36, color=_INK, linewidth=1.8)
            axes.text(index + 0.38, mean, f"{mean:.3f}", color=_GRAY, va="center")

    return _render(title, _LARGE, draw) + "</figure>"


def number(value: float) -> str:
    """Format a value with about three significant digits."""
    if value != 0 and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return f"{value:.1e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"


def _render(title: str, size: tuple[int, int], draw: Callable[[Any], None]) -> str:
    """Draw on axes of the report's style and return an HTML figure without its end tag."""
    import matplotlib as mpl  # slow to import, and only reports need it
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    width, height = size
    left, right, top, bottom = _MARGINS
    box = (
        *(left / width, bottom / height),
        *(1 - (left + right) / width, 1 - (bottom + top) / height),
    )
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width / _DPI, height / _DPI), facecolor="none")
        # a layout engine would draw everything several times
        axes = figure.add_axes(box, facecolor="none")
        axes.spines[:].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color=_GRID, linewidth=0.8)
        axes.tick_params(length=0, labelcolor=_GRAY)
        axes.locator_params(axis="y", nbins=5)
        draw(axes)
        stream = io.StringIO()
        FigureCanvasSVG(figure).print_svg(stream)
    label = f'<svg role="img" aria-label="{escape(title)}" '
    return (
        f'<figure class="chart"><figcaption>{escape(title)}</figcaption>'
        f"{_embeddable(stream.getvalue()).replace('<svg ', label, 1)}"
    )


def _embeddable(svg: str) -> str:
    """Remove what does not belong into an HTML page: the prolog, metadata, style and ids.

    Ids of clip paths and markers stay; they are hashes of the content. Others, such as `axes_1`,
    would occur in every chart.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r"<defs>\s*</defs>", "", svg)
    return re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", svg)


def _draw_phases(axes: Any, phases: Sequence[Phase]) -> None:
    low, high = axes.get_xlim()
    for index, phase in enumerate(phases):
        first, last = max(phase.first, low), min(phase.last, high)
        if first >= last:
            continue
        axes.axvspan(first, last, color=_PHASE_COLORS[index % 2], linewidth=0, zorder=0)
        if (last - first) / (high - low) > 0.014 * len(phase.name):
            place = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
            axes.text((first + last) / 2, 1.01, phase.name, color=_GRAY, **place)


def _legend(curves: Sequence[Curve]) -> str:
    items = (
        f'<li><i style="background:{color}"></i>{escape(_words(curve.name))} '
        f"<b>{number(curve.last)}</b></li>"
        for curve, color in zip(curves, _palette(len(curves)))
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _words(name: str) -> str:
    return name.removeprefix("upper/").replace("_", " ").replace("/", ": ")


def _palette(count: int) -> list[str]:
    return [COLORS[k % len(COLORS)] for k in range(count)]


def _thinned(steps: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return about 400 points of a curve, the last one included."""
    stride = max(1, math.ceil(len(steps) / _MAX_POINTS))
    kept = [*range(0, len(steps) - 1, stride), len(steps) - 1]
    return [steps[k] for k in kept], [values[k] for k in kept]


def _are_fractions(values: Sequence[float]) -> bool:
    return abs(sum(values) - 1) < 0.02 and min(values) >= 0


def _range(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    values = [value for group in groups for value in group]
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _robust_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return axis limits without the most extreme 2 % of values at either end."""
    values = sorted(value for curve in curves for value in curve.values)
    trim = len(values) // 50
    low, high = values[trim], values[-1 - trim]
    pad = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return (min(0.0, low) if 0 <= low < 0.4 * high else low - pad), high + pad
