"""Explore with progress: ``python -m tests.modelcheck --writes 4``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.figures import report
from tests.modelcheck.explore import Bounds, Broken, explore
from tests.modelcheck.model import KINDS, NAMES, SETS
from tests.modelcheck.plans import DEEP


def main() -> int:
    """Run it; return 1 if a world is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.modelcheck",
        description="Explore every world of three replicas. Without options: all that `make deep` explores.",
    )
    parser.add_argument("--writes", type=int, help="how many there are in one world, at most")
    parser.add_argument("--removals", action="store_true", help="a write may be a removal, too")
    parser.add_argument("--resets", type=int, default=0, help="how often a replica may lose all and begin again")
    parser.add_argument("--forgetful", type=int, default=0, help="how many replicas forget removals that all have seen")
    chosen = parser.parse_args()
    plans = DEEP
    if chosen.writes is not None:
        kinds = (KINDS if chosen.removals else SETS,) * chosen.writes
        bounds = Bounds(kinds, resets=chosen.resets, forgetful=tuple(range(len(NAMES)))[: chosen.forgetful])
        plans = {"as asked for": bounds}
    for name, bounds in plans.items():
        if not _explore(name, bounds):
            return 1
    return 0


def _explore(name: str, bounds: Bounds) -> bool:
    began = told = time.monotonic()

    def progress(worlds: int, waiting: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            sys.stderr.write(
                f"\r{name}: {worlds:>12,} worlds, {waiting:,} wait, {worlds / (told - began):,.0f} a second "
            )
            sys.stderr.flush()

    try:
        found = explore(bounds, progress=progress)
    except Broken as broken:
        sys.stderr.write(f"\n{name}: {broken}\n")
        return False
    report("worlds explored", found.worlds)
    sys.stderr.write(
        f"\r{name}: {found.worlds:,} worlds of {found.locals:,} local states, {found.steps:,} steps"
        f" in {time.monotonic() - began:.1f} s, none amiss\n"
    )
    return True


if __name__ == "__main__":
    sys.exit(main())
