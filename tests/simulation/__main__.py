"""Run the simulation: ``python -m tests.simulation --seed N --events M``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.episodes import SimulationFailed, run


def main() -> int:
    """Run it; return 1 if an episode failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate replicas in a bad world.")
    parser.add_argument("--seed", type=int, default=1, help="the first episode's; the next ones count on")
    parser.add_argument("--events", type=int, default=100_000, help="how many, at least; an episode is never cut short")
    chosen = parser.parse_args()
    began = told = time.monotonic()

    def progress(happened: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            rate = happened / (told - began)
            sys.stderr.write(f"\r{happened:>12,} of {chosen.events:,} events, {rate:,.0f} a second")
            sys.stderr.flush()

    try:
        happened = run(chosen.seed, events=chosen.events, progress=progress)
    except SimulationFailed as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    seconds = time.monotonic() - began
    sys.stderr.write(f"\r{happened:,} events from seed {chosen.seed} in {seconds:.1f} s, none amiss\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
