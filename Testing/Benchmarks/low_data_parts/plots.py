"""The benchmark's plots as SVG files that need nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import log2, sin
from statistics import fmean, stdev

from GenSegLib.reports.charts import COLORS, Frame, ticks

from .arms import ARMS, NNUNET_ARMS, NNUNET_NETWORK
from .summary import Group, Standing, Summary

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#374151}.title{font-size:14px;font-weight:600}"
    ".grid{stroke:#e5e7eb}.zero{stroke:#6b7280;stroke-dasharray:4 3}"
    ".small{font-size:10px}"
)
_LEGEND_WIDTH = 190


def dice_plot(summary: Summary, network: str) -> str:
    """Draw mean Dice against the number of labeled cases, a line an arm, bars for the seeds.

    nnU-Net's where they lie among the others; far below they are named.
    """
    curves = {arm: summary.curve(network, arm) for arm in ARMS}
    peers = {arm: summary.curve(NNUNET_NETWORK, arm) for arm in NNUNET_ARMS}
    low, high = _range_of(curves if any(curves.values()) else peers)
    for arm, curve in peers.items():
        curves[arm] = {count: each for count, each in curve.items() if each.mean >= low}
    below = [
        f"{arm}, N={count}: {each.mean:.3f}"
        for arm, curve in peers.items()
        for count, each in curve.items()
        if each.mean < low
    ]
    curves = {arm: curve for arm, curve in curves.items() if curve}
    counts = sorted({count for curve in curves.values() for count in curve}) or [1]
    limits = log2(counts[0]) - 0.3, log2(counts[-1]) + 0.3
    frame = Frame(720, 380, limits, (low, high), right=_LEGEND_WIDTH, top=34, bottom=42)
    parts = [*_value_axis(frame, "{:.3f}"), *_count_axis(frame, counts)]
    for place, curve in enumerate(curves.values()):
        parts += _curve(frame, curve, place, 3.0 * (place - (len(curves) - 1) / 2))
    parts += [*_legend(frame, curves), *_left_out(frame, "below", below)]
    title = f"Mean Dice on the test cases against labeled cases ({network}; bars: the seeds' range)"
    return _svg(frame, title, parts)


def difference_plot(summary: Summary) -> str:
    """Draw what Dice `genseg` is ahead of each other arm: a dot a test case, 95 % intervals.

    nnU-Net where it lies among the others; where it is far behind it is named.
    """
    groups = {
        theirs: gains
        for ours in summary.standings
        if ours.arm == "genseg" and ours.network == "dynunet"
        for theirs in summary.standings
        if theirs.labeled == ours.labeled and _is_other_arm(theirs)
        for gains in [summary.gains(ours, theirs)]
        if gains
    }
    alike = {group: gains for group, gains in groups.items() if group.network != NNUNET_NETWORK}
    most = max((abs(gain) for gains in (alike or groups).values() for gain in gains), default=0.01)
    drawn = {group: gains for group, gains in groups.items() if fmean(gains) <= most}
    beyond = [
        f"{_name(group)}: {fmean(gains):+.4f}"
        for group, gains in groups.items()
        if group not in drawn
    ]
    width = max(480, 125 * len(drawn) + 70)
    limits = (-1.1 * most, 1.1 * most)
    frame = Frame(width, 380, (-0.5, max(len(drawn), 1) - 0.5), limits, top=34, bottom=42)
    parts = [*_value_axis(frame, "{:+.2f}")]
    parts.append(_line(frame.left, frame.y(0), frame.width - frame.right, frame.y(0), "zero"))
    for place, (group, gains) in enumerate(drawn.items()):
        parts += _strip(frame, place, _name(group), gains)
    parts += _left_out(frame, "beyond", beyond)
    return _svg(frame, "Dice of genseg less another arm's, case by case", parts)


def _range_of(curves: dict[str, dict[int, Standing]]) -> tuple[float, float]:
    values = [dice for curve in curves.values() for s in curve.values() for dice in s.dice.values()]
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = max(0.002, 0.08 * (high - low))
    return low - pad, high + pad


def _name(group: Group) -> str:
    return f"{group.arm}, N={group.labeled}"


def _left_out(frame: Frame, where: str, names: Sequence[str]) -> Iterable[str]:
    """Name what lies outside the frame."""
    if names:
        text = f"{where}: {'; '.join(names)}"
        yield _text(frame.left + 6, frame.top + 12, text, "small", "start")


def _is_other_arm(group: Group) -> bool:
    return group.arm != "genseg" and group.network in ("dynunet", NNUNET_NETWORK)


def _curve(frame: Frame, curve: dict[int, Standing], place: int, aside: float) -> Iterable[str]:
    """Draw an arm's line and the range of its seeds, a little aside so that bars stay apart."""
    color = _color(place)
    points = [(frame.x(log2(count)) + aside, standing) for count, standing in sorted(curve.items())]
    way = " ".join(f"{x:.1f},{frame.y(standing.mean):.1f}" for x, standing in points)
    dashes = "none" if place < len(COLORS) else "6 3"
    yield (
        f'<polyline points="{way}" fill="none" stroke="{color}" stroke-width="2" '
        f'stroke-dasharray="{dashes}"/>'
    )
    for x, standing in points:
        low, high = (frame.y(edge(standing.dice.values())) for edge in (min, max))
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{color}"/>'
        yield f'<circle cx="{x:.1f}" cy="{frame.y(standing.mean):.1f}" r="3.5" fill="{color}"/>'


def _strip(frame: Frame, place: int, name: str, gains: Sequence[float]) -> Iterable[str]:
    for order, gain in enumerate(gains):
        x, y = frame.x(place + 0.3 * sin(2.4 * order)), frame.y(gain)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{_color(place)}" opacity="0.5"/>'
    mean = fmean(gains)
    half = 1.96 * stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
    middle, left, right = (frame.x(place + shift) for shift in (0.0, -0.2, 0.2))
    y, low, high = (frame.y(value) for value in (mean, mean - half, mean + half))
    for x1, y1, x2, y2 in ((left, y, right, y), (middle, low, middle, high)):
        yield (
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#111827" '
            'stroke-width="2"/>'
        )
    yield _text(middle, frame.height - 24, name, "small", "middle")
    yield _text(middle, frame.height - 8, f"{mean:+.4f} ± {half:.4f}", "small", "middle")


def _value_axis(frame: Frame, form: str) -> Iterable[str]:
    for tick in ticks(frame.y_limits, 6):
        y = frame.y(tick)
        yield _line(frame.left, y, frame.width - frame.right, y, "grid")
        yield _text(frame.left - 5, y + 4, form.format(tick), "small", "end")


def _count_axis(frame: Frame, counts: Sequence[int]) -> Iterable[str]:
    for count in counts:
        yield _text(frame.x(log2(count)), frame.height - 24, str(count), "", "middle")
    middle = (frame.left + frame.width - frame.right) / 2
    yield _text(middle, frame.height - 6, "labeled cases", "", "middle")


def _legend(frame: Frame, arms: Iterable[str]) -> Iterable[str]:
    left = frame.width - frame.right + 14
    for place, arm in enumerate(arms):
        y = frame.top + 18 * place + 8
        yield f'<rect x="{left}" y="{y - 8}" width="12" height="4" fill="{_color(place)}"/>'
        yield _text(left + 18, y, arm, "", "start")


def _color(place: int) -> str:
    return COLORS[place % len(COLORS)]


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text class="{kind}" {place} text-anchor="{anchor}">{escape(text)}</text>'


def _svg(frame: Frame, title: str, parts: Iterable[str]) -> str:
    body = "\n".join(parts)
    heading = _text(8, 18, title, "title", "start")
    size = f'viewBox="0 0 {frame.width:g} {frame.height:g}" width="{frame.width:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<style>{_STYLE}</style>\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{heading}\n{body}\n</svg>\n'
    )
