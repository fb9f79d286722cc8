"""How many rows a listing has: bounded for people, all in JSON, unless asked otherwise."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from crdtshadow_cli.output import Output

ROWS_MAX: Final = 1_000
"""Rows of a table, if not asked otherwise."""

_T = TypeVar("_T")


def add_limit(parser: argparse.ArgumentParser) -> None:
    """Add the argument that bounds a listing."""
    parser.add_argument(
        "--limit", type=_natural, metavar="N", help=f"at most N rows, 0 for all ({ROWS_MAX:,} by default, all in JSON)"
    )


def limited(items: Iterable[_T], limit: int | None, out: Output) -> Iterator[_T]:
    """Yield at most *limit* of *items*, and say on standard error if there are more.

    Args:
        items: Any number.
        limit: ``None`` for the default, 0 for all.
        out: Knows whether people read it.
    """
    if limit is None:
        limit = 0 if out.json else ROWS_MAX
    left = iter(items)
    yield from islice(left, limit or None)
    if limit and next(left, None) is not None:
        out.note(f"there are more than {limit:,}; --limit 0 shows all")


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)
