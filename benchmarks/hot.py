"""Hot spots: which functions of ours the time of a workload goes to.

    python -m benchmarks.hot W1 [STEP] [--quick]

cProfile makes calls dearer than they are: shares tell where to look, not what would be won.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from typing import Any, Final, NamedTuple

from benchmarks.peers import OURS, get_peer
from benchmarks.race import ROOT
from benchmarks.tables import table
from benchmarks.workloads import Laps, Workload, full, quick

SHOWN: Final = 12


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


def find_hot_spots(workload: Workload, step: str, *, rounds: int = 3) -> list[Spot]:
    """Return the functions in which we spend most of *step* of *workload*, ``total`` being all that counts for it."""
    peer = get_peer(OURS)
    profile = Profile()
    steps = workload.total if step == "total" else (step,)
    for turn in range(rounds):
        workload.run(peer, workload.prepare(peer, turn=turn), laps=_Profiled(profile, steps))
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
    if options.step and options.step not in workload.steps:
        parser.error(f"{workload.key} has the steps {', '.join(workload.steps)}")
    for step in [options.step] if options.step else workload.steps:
        print(f"{workload.key}, {step}\n\n{spots_table(find_hot_spots(workload, step))}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
