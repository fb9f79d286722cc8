"""A wall clock for tests."""

from __future__ import annotations


class FakeClock:
    """A wall clock that stands still until it is moved; it may step back, as real ones do.

    >>> clock = FakeClock(1_000)
    >>> clock.advance(500)
    >>> clock()
    1500
    """

    __slots__ = ("ms",)

    def __init__(self, ms: int = 0) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms

    def advance(self, ms: int) -> None:
        """Move by *ms* milliseconds, backwards if negative."""
        self.ms += ms
