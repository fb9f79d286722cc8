"""The two things the core is handed: the wall clock, and chance."""

from __future__ import annotations

import secrets
import time

_EPOCH_BITS = 32


def wall_clock_ms() -> int:
    """Return the milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000


def new_epoch() -> int:
    """Return 32 random bits for a new incarnation of a replica, from the system's generator."""
    return secrets.randbits(_EPOCH_BITS)
