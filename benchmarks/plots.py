"""Charts as SVG text, of nothing but shapes and labels: bars, dots and lines on logarithmic scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Final, NamedTuple

COLORS: Final = ("#0b6e4f", "#d1495b", "#30638e", "#edae49", "#7a4988", "#66717e", "#00a6a6", "#8d6346", "#b8b8b8")
_STYLE: Final = (
    "<style>text{font:12px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:14px}"
    ".small{font-size:11px;fill:#555}.goal{font-size:11px;fill:#c1121f}</style>"
)


class Bar(NamedTuple):
    """A bar from 1 to *value*, with a whisker from *low* to *high*."""

    label: str
    value: float
    low: float
    high: float
    color: str


class Group(NamedTuple):
    """Bars that belong together, and the value that the first of them should reach, if any."""

    label: str
    bars: Sequence[Bar]
    goal: float | None = None


class Dot(NamedTuple):
    """A value of one of those whom the legend names."""

    label: str
    value: float
    color: str


class Line(NamedTuple):
    """A line through *points*, each ``(x, y)``."""

    label: str
    points: Sequence[tuple[float, float]]
    color: str
    is_dashed: bool = False


def bars(title: str, groups: Sequence[Group], *, axis: str) -> str:
    """Return a chart of horizontal *groups* of bars on one logarithmic axis, with a line at 1."""
    left, width, bar, gap, top = 190, 560, 14, 12, 62
    values = [edge for group in groups for each in group.bars for edge in (each.low, each.high, each.value)]
    values += [1.0, *[group.goal for group in groups if group.goal is not None]]
    x = _log_scale(values, left, left + width)
    y: float = top
    body: list[str] = []
    for at, group in enumerate(groups):
        height = 20 + bar * len(group.bars)
        if at % 2 == 0:
            body.append(_rectangle(0, y - 3, left + width + 70, height + gap - 2, color="#f5f6f7"))
        body.append(_text(8, y + 12, group.label, css="title"))
        if group.goal is not None:
            place = x(group.goal)
            body.append(_stroke(place, y + 8, place, y + 20 + bar, color="#c1121f", width=2))
            side, anchor = (5, "start") if place < left + width - 70 else (-5, "end")
            body.append(_text(place + side, y + 14, f"goal {group.goal:,g}x", anchor=anchor, css="goal"))
        y += 20
        for each in group.bars:
            start, end = sorted((x(1.0), x(each.value)))
            middle = y + (bar - 3) / 2
            body.append(_text(left - 8, y + 10, each.label, anchor="end"))
            body.append(_rectangle(start, y, end - start, bar - 3, color=each.color))
            body.append(_stroke(x(each.low), middle, x(each.high), middle, color="#222", width=1.2))
            body.append(_text(left + width + 8, y + 10, f"{each.value:,.3g}"))
            y += bar
        y += gap
    bottom = y - gap + 6
    scale = _upright_scale(x, values, top=top, bottom=bottom)
    heading = [_text(8, 20, title, css="title"), _text(8, 36, axis, css="small")]
    backs = [each for each in body if "#f5f6f7" in each]
    return _svg(
        left + width + 70, bottom + 10, [*heading, *backs, *scale, *[each for each in body if each not in backs]]
    )


def dots(title: str, rows: Sequence[tuple[str, Sequence[Dot]]], *, axis: str) -> str:
    """Return a chart of *rows* of dots on one logarithmic axis, with a line at 1; the first of a row stands out."""
    left, width, height = 170, 620, 24
    legend = list({dot.label: dot for _, row in rows for dot in row}.values())
    top = 78 + 18 * ((len(legend) - 1) // 4)
    values = [1.0, *[dot.value for _, row in rows for dot in row]]
    x = _log_scale(values, left, left + width)
    body = [_text(8, 20, title, css="title"), _text(8, 36, axis, css="small")]
    for at, dot in enumerate(legend):
        place, line = left + at % 4 * 160, 34 + 18 * (at // 4)
        body += [_circle(place, line + 12, 5, color=dot.color), _text(place + 10, line + 16, dot.label)]
    bottom = top + height * len(rows)
    body += _upright_scale(x, values, top=top, bottom=bottom)
    for at, (label, row) in enumerate(rows):
        y = top + height * (at + 0.5)
        body.append(_stroke(left, y, left + width, y, color="#eee"))
        body.append(_text(left - 10, y + 4, label, anchor="end"))
        for dot in reversed(row):
            is_first = dot is row[0]
            body.append(_circle(x(dot.value), y, 7 if is_first else 4.5, color=dot.color, is_ringed=is_first))
        body.append(_text(left + width + 10, y + 4, f"{row[0].value:,.3g}"))
    body.append(_text(left + width + 10, top - 10, rows[0][1][0].label, css="small"))
    return _svg(left + width + 90, bottom + 12, body)


def _upright_scale(x: Callable[[float], float], values: Sequence[float], *, top: float, bottom: float) -> list[str]:
    """Return lines from *top* to *bottom* at each power of ten, with their labels, and a darker one at 1."""
    scale = [_stroke(x(tick), top - 4, x(tick), bottom, color="#ddd") for tick in _decades(values)]
    scale += [_text(x(tick), top - 10, f"{tick:,g}", anchor="middle", css="small") for tick in _decades(values)]
    return [*scale, _stroke(x(1.0), top - 4, x(1.0), bottom, color="#222")]


def lines(title: str, series: Sequence[Line], *, x_axis: str, y_axis: str) -> str:
    """Return a chart of *series* on two logarithmic axes, each line labelled at its end."""
    left, top, width, height, legend = 66, 50, 470, 300, 190
    xs = [point[0] for line in series for point in line.points]
    ys = [point[1] for line in series for point in line.points]
    x = _log_scale(xs, left, left + width, is_whole=False)
    y = _log_scale(ys, top + height, top)
    body = [_text(8, 20, title, css="title"), _text(left, 40, y_axis, css="small")]
    for tick in _decades(ys):
        body.append(_stroke(left, y(tick), left + width, y(tick), color="#ddd"))
        body.append(_text(left - 8, y(tick) + 4, f"{tick:,g}", anchor="end", css="small"))
    for tick in [tick for tick in _decades(xs) if min(xs) <= tick <= max(xs)]:
        body.append(_stroke(x(tick), top, x(tick), top + height, color="#eee"))
        body.append(_text(x(tick), top + height + 16, f"{tick:,g}", anchor="middle", css="small"))
    body.append(_text(left + width / 2, top + height + 34, x_axis, anchor="middle", css="small"))
    ends = _spread_out([y(line.points[-1][1]) for line in series], top + 6, top + height)
    for line, end in zip(series, ends, strict=True):
        path = " ".join(f"{x(at):.1f},{y(cost):.1f}" for at, cost in line.points)
        dash = ' stroke-dasharray="5 4"' if line.is_dashed else ""
        body.append(f'<polyline points="{path}" fill="none" stroke="{line.color}" stroke-width="2"{dash}/>')
        body += [_circle(x(at), y(cost), 3, color=line.color) for at, cost in line.points]
        last_x, last_y = line.points[-1]
        body.append(_stroke(x(last_x), y(last_y), left + width + 12, end, color=line.color, width=0.6))
        body.append(_text(left + width + 15, end + 4, line.label))
    return _svg(left + width + legend, top + height + 46, body)


def _spread_out(heights: Sequence[float], low: float, high: float) -> list[float]:
    """Return *heights* moved so far apart that labels at them do not touch."""
    apart = 15.0
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    above = low - apart
    for at in order:
        placed[at] = above = max(placed[at], above + apart)
    below = high + apart
    for at in reversed(order):
        placed[at] = below = min(placed[at], below - apart)
    return placed


def _log_scale(values: Sequence[float], start: float, end: float, *, is_whole: bool = True) -> Callable[[float], float]:
    """Return what places a value between *start* and *end*; whole decades, unless told otherwise."""
    low, high = log10(min(values)), log10(max(values))
    if is_whole:
        low, high = floor(low), ceil(high)
    span = max(high - low, 1e-9)
    return lambda value: start + (log10(value) - low) / span * (end - start)


def _decades(values: Sequence[float]) -> list[float]:
    return [10.0**power for power in range(floor(log10(min(values))), ceil(log10(max(values))) + 1)]


def _stroke(x1: float, y1: float, x2: float, y2: float, *, color: str, width: float = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-width="{width}"/>'


def _rectangle(x: float, y: float, width: float, height: float, *, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def _circle(x: float, y: float, radius: float, *, color: str, is_ringed: bool = False) -> str:
    ring = ' stroke="#fff" stroke-width="1.5"' if is_ringed else ' fill-opacity="0.85"'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{color}"{ring}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "") -> str:
    style = f' class="{css}"' if css else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'


def _svg(width: float, height: float, body: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', _STYLE, background, *body, "</svg>"]) + "\n"
