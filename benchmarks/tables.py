"""Tables and figures as text that reads well in a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_SIZES: Final = ((1 << 20, "MiB"), (1 << 10, "KiB"))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: int | None = None) -> str:
    """Return a table in Markdown, its columns aligned; all but the first to the right, or the first *right* ones.

    >>> print(table(["peer", "time"], [["ours", "9 ms"], ["another", "12 ms"]]))
    | peer    |  time |
    | ------- | ----: |
    | ours    |  9 ms |
    | another | 12 ms |
    """
    is_right = [at > 0 if right is None else at < right for at in range(len(heads))]
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]
    rule = ["-" * (width - 1) + (":" if to_right else "-") for width, to_right in zip(widths, is_right, strict=True)]
    lines = []
    for row in [heads, rule, *rows]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, is_right, strict=True)
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def seconds(value: float) -> str:
    """Return *value* seconds in the unit that suits.

    >>> seconds(0.00001234), seconds(0), seconds(2)
    ('12.3 µs', '0 ns', '2 s')
    """
    scale, unit = next((each for each in _UNITS if value >= each[0]), _UNITS[-1])
    return f"{_digits(value / scale)} {unit}"


def ratio(value: float) -> str:
    """Return *value* in three digits.

    >>> ratio(0.01234), ratio(1.5), ratio(1234)
    ('0.0123', '1.50', '1,234')
    """
    if value < 1:
        return f"{value:.3g}"
    return _digits(value) if value >= 10 else f"{value:.2f}"


def size(value: float) -> str:
    """Return *value* bytes in the unit that suits.

    >>> size(334), size(1 << 21), size(0.25)
    ('334', '2 MiB', '0.25')
    """
    for scale, unit in _SIZES:
        if value >= 10 * scale or (value >= scale and scale == 1 << 20):
            return f"{_digits(value / scale)} {unit}"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
