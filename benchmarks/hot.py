"""Hot spots: where our time goes in a workload.

    python -m benchmarks.hot W1 [STEP] [--quick]

First the calls that the workload makes of us and of the rival, by the clock, undisturbed. Then which
functions of ours a step's time goes to; cProfile makes calls dearer than they are, so its shares tell
where to look, not what would be won.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from cProfile import Profile
from functools import partial
from pathlib import Path
from pstats import Stats
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple, cast

from benchmarks.peer import Peer, Replica
from benchmarks.peers import OURS, RIVAL, find_peers, get_peer
from benchmarks.race import ROOT
from benchmarks.tables import seconds, table
from benchmarks.workloads import Laps, Workload, full, quick

SHOWN: Final = 16
ROUNDS: Final = 5
SLOW: Final = ("W3", "W4")
"""One round of these is enough, and takes long."""


class Spot(NamedTuple):
    """A function.

    Attributes:
        where: File, line and name.
        share: Of the time, without that of what it calls.
        inclusive: With it.
        calls: For one copy of the work.
    """

    where: str
    share: float
    inclusive: float
    calls: float


class _Profiled(Laps):
    """Laps that run a profiler during some of the steps."""

    __slots__ = ("_profile", "_steps")

    def __init__(self, profile: Profile, steps: Sequence[str]) -> None:
        super().__init__()
        self._profile = profile
        self._steps = steps

    def __enter__(self) -> None:
        super().__enter__()
        if self._step in self._steps:
            self._profile.enable()

    def __exit__(self, *raised: object) -> None:
        self._profile.disable()
        super().__exit__(*raised)


class _Noted(Laps):
    """Laps that tell a peer's proxy which step is on."""

    __slots__ = ("_proxy",)

    def __init__(self, proxy: _Timed) -> None:
        super().__init__()
        self._proxy = proxy

    def __enter__(self) -> None:
        self._proxy.step = self._step
        super().__enter__()

    def __exit__(self, *raised: object) -> None:
        super().__exit__(*raised)
        self._proxy.step = ""


class _Timed:
    """Stands in for a peer, and notes by step what each of the calls that the workloads make takes."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.step = ""
        self.taken: dict[tuple[str, str], list[float]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.peer, name)
        return partial(self._timed, name, found) if callable(found) else found

    def sync(self, a: Replica, b: Replica) -> int:
        """Make of a sync the calls that it consists of, where it is nothing else."""
        if type(self.peer).sync is Peer.sync:
            return Peer.sync(cast(Peer, self), a, b)
        crossed: int = self._timed("sync", self.peer.sync, a, b)
        return crossed

    def _timed(self, name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        start = perf_counter()
        result = call(*arguments, **options)
        took = perf_counter() - start
        if self.step:
            self.taken.setdefault((self.step, name), []).append(took)
        return result


def time_calls(workload: Workload, peer: Peer, *, rounds: int = ROUNDS) -> dict[tuple[str, str], tuple[int, float]]:
    """Return, by step and call, how often a copy of the work makes it, and the median seconds of one."""
    taken: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds):
        proxy = _Timed(peer)
        workload.run(cast(Peer, proxy), workload.prepare(peer, turn=turn), turn=turn, laps=_Noted(proxy))
        for call, seconds_ in proxy.taken.items():
            taken.setdefault(call, []).extend(seconds_)
    return {call: (round(len(each) / rounds / workload.copies), median(each)) for call, each in taken.items()}


def calls_table(workload: Workload, peers: Sequence[Peer]) -> str:
    """Return what the calls of each step take, of *peers* side by side."""
    columns = [time_calls(workload, peer, rounds=1 if workload.key in SLOW else ROUNDS) for peer in peers]
    rows = []
    for step, name in dict.fromkeys(call for column in columns for call in column):
        cells = []
        for column in columns:
            count, each = column.get((step, name), (0, 0.0))
            cells.append(f"{max(count, 1)} x {seconds(each)}" if each else "-")
        rows.append([step, name, *cells])
    return table(["step", "call", *[peer.name for peer in peers]], rows, right=0)


def find_hot_spots(workload: Workload, step: str, *, rounds: int = ROUNDS) -> list[Spot]:
    """Return the functions in which we spend most of *step* of *workload*, or of the steps that it is the sum of."""
    peer = get_peer(OURS)
    profile = Profile()
    steps = workload.sums.get(step, (step,))
    for turn in range(rounds):
        workload.run(peer, workload.prepare(peer, turn=turn), turn=turn, laps=_Profiled(profile, steps))
    profiled: dict[tuple[str, int, str], tuple[Any, ...]] = Stats(profile).stats  # type: ignore[attr-defined]  # not in typeshed
    spent = sum(row[2] for row in profiled.values())
    spots = [
        Spot(_where(*function), row[2] / spent, row[3] / spent, row[1] / rounds / workload.copies)
        for function, row in profiled.items()
    ]
    return sorted(spots, key=lambda spot: -spot.share)[:SHOWN]


def _where(file: str, line: int, function: str) -> str:
    if file == "~":
        return function.strip("<>").replace("built-in method ", "").replace("method ", "").replace("' of '", "' of ")
    path = Path(file)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
    return f"{shown}:{line} {function}"


def spots_table(spots: Sequence[Spot]) -> str:
    """Return *spots* as a table."""
    rows = [[f"{spot.share:.0%}", f"{spot.inclusive:.0%}", f"{spot.calls:,.4g}", f"`{spot.where}`"] for spot in spots]
    return table(["own", "with calls", "calls", "function"], rows, right=3)


def main(arguments: Sequence[str]) -> None:
    """Profile, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot", description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=[workload.key for workload in full()])
    parser.add_argument("step", nargs="?", help="one of its steps; each by default")
    parser.add_argument("--quick", action="store_true", help="at a tenth of the size")
    options = parser.parse_args(arguments)
    workload = next(each for each in (quick() if options.quick else full()) if each.key == options.workload)
    steps = [*workload.steps, *workload.sums]
    if options.step and options.step not in steps:
        parser.error(f"{workload.key} has the steps {', '.join(steps)}")
    sides = [peer for peer in find_peers([OURS, RIVAL])[0] if peer.name in (OURS, RIVAL)]
    print(f"{workload.key}, calls\n\n{calls_table(workload, sides)}\n")
    for step in [options.step] if options.step else workload.steps:
        spots = find_hot_spots(workload, step, rounds=1 if workload.key in SLOW else ROUNDS)
        print(f"{workload.key}, {step}\n\n{spots_table(spots)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
