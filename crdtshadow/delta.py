"""Deltas: the part of a state that somebody lacks. A whole state is the delta for nobody's clock.

A delta says what its receiver must have seen (``base``), what its sender had seen (``upto``), below
which clock the sender forgot removals (``floor``), and all siblings of every path where the sender
has one that ``base`` does not cover. A path that is absent is untouched, unless the delta is full:
then what ``upto`` covers and the delta lacks is gone.

Source: Almeida, Shoker, Baquero, "Delta state replicated data types" (2018), delta-intervals.
"""

from __future__ import annotations

from collections.abc import Iterator

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock
from crdtshadow.codec import Content, pack, unpack
from crdtshadow.limits import DELTA_BYTES_MAX
from crdtshadow.sibling import Rows


class Delta:
    """A part of a state, immutable, to be joined by whoever has seen ``base``.

    Args:
        base: What the receiver must have seen; empty for a whole state.
        upto: What the sender had seen.
        floor: The clock below which the sender forgot removals.
        rows: Siblings by path, those of each path oldest first.
    """

    __slots__ = ("base", "floor", "rows", "upto")

    base: VectorClock
    upto: VectorClock
    floor: VectorClock
    rows: Rows

    def __init__(self, base: VectorClock, upto: VectorClock, *, floor: VectorClock = EMPTY_CLOCK, rows: Rows) -> None:
        self.base = base
        self.upto = upto
        self.floor = floor
        self.rows = rows

    @property
    def full(self) -> bool:
        """Whether this is a whole state."""
        return not self.base

    def encode(self) -> bytes:
        """Return the canonical bytes (wire format v1).

        >>> Delta(EMPTY_CLOCK, EMPTY_CLOCK, rows={}).encode().hex()
        '9301c40300000090'
        """
        return pack(Content(self.base, self.upto, self.floor, self.rows))

    @classmethod
    def decode(cls, data: bytes, *, bytes_max: int = DELTA_BYTES_MAX) -> Delta:
        """Return the delta that *data* encodes.

        Args:
            data: Untrusted bytes.
            bytes_max: More than this is refused unread.

        Raises:
            DecodeError: Not the canonical encoding of a delta, or beyond a limit.

        >>> Delta.decode(b"")
        Traceback (most recent call last):
        crdtshadow.errors.DecodeError: not wire format 1: No more data to unpack.
        """
        content = unpack(data, bytes_max=bytes_max)
        return cls(content.base, content.upto, floor=content.floor, rows=content.rows)

    def stamps(self) -> Iterator[Stamp]:
        """Yield the stamp of every sibling, paths in order, a stamp as often as it was used."""
        return (one.stamp for path in sorted(self.rows) for one in self.rows[path])

    def __len__(self) -> int:
        """Return the number of paths."""
        return len(self.rows)

    def __bool__(self) -> bool:
        """Tell whether this brings anything to a receiver who has seen just ``base``."""
        return self.base != self.upto

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delta) and self.encode() == other.encode()

    def __hash__(self) -> int:
        return hash(self.encode())

    def __repr__(self) -> str:
        return f"Delta({self.base!r}, {self.upto!r}, floor={self.floor!r}, rows={dict(self.rows)!r})"
