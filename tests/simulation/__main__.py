"""Replay one seed (``python -m tests.simulation SEED``), or run many (``--events N``)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.figures import report
from tests.simulation.episodes import SimulationFailed, run_episode, run_many


def main() -> int:
    """Run it; return 1 if an episode failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate replicas in a bad world.")
    parser.add_argument("seed", type=int, nargs="?", help="replay this episode alone")
    parser.add_argument("--tell", action="store_true", help="with a seed: print every event")
    parser.add_argument("--events", type=int, default=100_000, help="how many, at least; no episode is cut short")
    parser.add_argument("--first", type=int, help="the first episode's seed; the next ones count on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    asked = parser.parse_args()
    console = Console(stderr=True)
    try:
        if asked.seed is not None:
            with tempfile.TemporaryDirectory() as directory:
                happened = run_episode(asked.seed, Path(directory), tell=_say if asked.tell else None)
            console.print(f"{happened:,} events of seed {asked.seed}, none amiss", highlight=False)
        else:
            first = SystemRandom().randrange(1, 1 << 40) if asked.first is None else asked.first
            _run_many(first, asked.events, asked.jobs, console)
    except SimulationFailed as error:
        console.print(str(error), highlight=False, markup=False)
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _run_many(first: int, events: int, jobs: int, console: Console) -> None:
    console.print(f"simulating {events:,} events from seed {first} on, in {jobs} processes", highlight=False)
    began = time.monotonic()
    columns = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
        BarColumn(),
        TextColumn("{task.fields[rate]:,.0f} a second"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    happened = 0
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=events, rate=0.0)
        for happened in run_many(first, events=events, jobs=jobs):
            progress.update(task, completed=happened, rate=happened / (time.monotonic() - began))
    report("simulated events", happened)
    seconds = time.monotonic() - began
    console.print(f"{happened:,} events in {seconds:,.0f} s, none amiss", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
