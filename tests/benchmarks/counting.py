"""Costs that are the same on every machine: calls made, and bytes allocated."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType


def count_calls(work: Callable[..., object], *arguments: object) -> int:
    """Return how many functions *work* calls, those written in C included."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work(*arguments)
    finally:
        sys.setprofile(before)
    return calls


def peak_bytes(work: Callable[..., object], *arguments: object) -> int:
    """Return the most that *work* allocates at a time; what is done to every field in C shows here, if not in calls."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work(*arguments)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before
