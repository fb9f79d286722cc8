"""Costs that are the same on every machine: calls made, and bytes allocated."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

from benchmarks.peer import Peer
from benchmarks.race import with_sums
from benchmarks.workloads import Laps, Workload


def count_calls(work: Callable[..., object], *arguments: object) -> int:
    """Return how many functions *work* calls, those written in C included."""
    with _Counter() as counter:
        work(*arguments)
    return counter.calls


def calls_by_step(workload: Workload, peer: Peer) -> dict[str, float]:
    """Return how many functions each step of *workload* calls, for one copy of the work."""
    laps = _CountedLaps()
    inputs = workload.prepare(peer)
    # Once beforehand, so that what is made once and kept is not counted.
    workload.run(peer, inputs)
    return with_sums(workload, workload.run(peer, inputs, laps=laps))


class _Counter:
    """Counts calls while it is entered."""

    def __init__(self) -> None:
        self.calls = 0

    def _count(self, _frame: FrameType, event: str, _argument: object) -> None:
        self.calls += event in ("call", "c_call")

    def __enter__(self) -> _Counter:
        self._before = sys.getprofile()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *raised: object) -> None:
        sys.setprofile(self._before)


class _CountedLaps(Laps):
    """Laps that count calls where others take the time."""

    def __enter__(self) -> None:
        self._counter = _Counter()
        self._counter.__enter__()

    def __exit__(self, *raised: object) -> None:
        self._counter.__exit__()
        self.seconds[self._step] = self.seconds.get(self._step, 0.0) + self._counter.calls / self._copies


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
