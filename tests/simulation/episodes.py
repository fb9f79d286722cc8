"""Many episodes, one a seed, and what is told of the one that fails."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.simulation.world import Simulation

EVENTS: Final = 500
"""Events of an episode, before everything is mended."""

DISK_EVERY: Final = 16
"""One episode of so many has a replica in a file."""

EPISODES_A_JOB: Final = 32


class SimulationFailed(AssertionError):
    """An episode failed; the message names the seed and tells the last events."""


def run(seed: int, *, events: int) -> int:
    """Run episodes from *seed* on until *events* have happened; return how many have.

    Raises:
        SimulationFailed: The oracle disagrees.
    """
    happened = 0
    with tempfile.TemporaryDirectory() as directory:
        while happened < events:
            happened += run_episode(seed, Path(directory))
            seed += 1
    return happened


def run_many(seed: int, *, events: int, jobs: int) -> Iterator[int]:
    """Run episodes from *seed* on in *jobs* processes until *events* have happened; yield how many have so far.

    Raises:
        SimulationFailed: The oracle disagrees.
    """
    happened = 0
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        starts = range(seed, seed + events // EVENTS + EPISODES_A_JOB, EPISODES_A_JOB)
        for more in pool.imap_unordered(_run_some, starts):
            happened += more
            yield happened
            if happened >= events:
                return


def _run_some(seed: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        return sum(run_episode(seed + at, Path(directory)) for at in range(EPISODES_A_JOB))


def run_episode(seed: int, directory: Path, *, tell: Callable[[str], None] | None = None) -> int:
    """Run the episode of *seed*; return how many events it had.

    Args:
        seed: Which.
        directory: Where a host may have a file.
        tell: Is told every event, as it happens.
    """
    simulation = Simulation(seed, directory=directory if seed % DISK_EVERY == 0 else None, tell=tell)
    try:
        simulation.run(EVENTS)
    except Exception as error:
        lines = "\n  ".join(simulation.story)
        raise SimulationFailed(
            f"event {simulation.events} of seed {seed}: {type(error).__name__}: {error}\n"
            f"replay: python -m tests.simulation {seed} --tell\nthe last events:\n  {lines}"
        ) from error
    finally:
        simulation.close()
    return simulation.events
