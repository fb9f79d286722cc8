"""The textbook hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014, figure 5)."""

from __future__ import annotations

from typing import Final, NamedTuple

_COUNTER_BITS: Final = 16


class Clock(NamedTuple):
    """The greatest physical time known, in milliseconds, and the counter within it."""

    ms: int
    counter: int

    @property
    def time(self) -> int:
        """Return both as one integer that orders as they do; a counter that overflows carries."""
        return (self.ms << _COUNTER_BITS) + self.counter


UNSET: Final = Clock(-1, 0)
"""The clock before the first event, so that the first counter is 0 at any wall time from 0."""


def send(clock: Clock, wall: int) -> Clock:
    """Return the clock after a local write, which is also the timestamp of that write.

    >>> send(Clock(10000, 1), 4001)
    Clock(ms=10000, counter=2)
    """
    ms = max(clock.ms, wall)
    return Clock(ms, clock.counter + 1 if ms == clock.ms else 0)


def receive(clock: Clock, message: Clock, wall: int) -> Clock:
    """Return the clock after the reception of a *message* with that timestamp.

    >>> receive(UNSET, Clock(10000, 0), 4000)
    Clock(ms=10000, counter=1)
    """
    ms = max(clock.ms, message.ms, wall)
    if ms == clock.ms == message.ms:
        return Clock(ms, max(clock.counter, message.counter) + 1)
    if ms == clock.ms:
        return Clock(ms, clock.counter + 1)
    if ms == message.ms:
        return Clock(ms, message.counter + 1)
    return Clock(ms, 0)
