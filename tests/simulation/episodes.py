"""Many episodes, one a seed, and what is told of the one that fails."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.simulation.world import Simulation

EVENTS: Final = 500
"""Events of an episode, before everything is mended."""

DISK_EVERY: Final = 16
"""One episode of so many has a replica in a file."""


class SimulationFailed(AssertionError):
    """An episode failed; the message names the seed and tells the last events."""


def run(seed: int, *, events: int, progress: Callable[[int], None] | None = None) -> int:
    """Run episodes from *seed* on until *events* have happened; return how many have.

    Raises:
        SimulationFailed: The oracle disagrees.
    """
    happened = 0
    with tempfile.TemporaryDirectory() as directory:
        while happened < events:
            happened += run_episode(seed, Path(directory))
            seed += 1
            if progress is not None:
                progress(happened)
    return happened


def run_episode(seed: int, directory: Path) -> int:
    """Run the episode of *seed*; return how many events it had."""
    simulation = Simulation(seed, directory=directory if seed % DISK_EVERY == 0 else None)
    try:
        simulation.run(EVENTS)
    except Exception as error:
        lines = "\n  ".join(simulation.story)
        raise SimulationFailed(
            f"event {simulation.events} of seed {seed}: {type(error).__name__}: {error}\n"
            f"replay: python -m tests.simulation --seed {seed} --events 1\nthe last events:\n  {lines}"
        ) from error
    finally:
        simulation.close()
    return simulation.events
