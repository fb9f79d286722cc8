"""The figures of a run: what each layer explored, counted by the layers themselves.

A layer says what it did, where it did it:

    from tests.figures import report

    def test_every_world_of_three_writes() -> None:
        worlds = explore(writes=3)
        report("worlds explored", worlds)

Figures of one name add up over a run. `pytest` prints them below its summary; `make deep` collects those of all its
steps, says whether they reach what they have to (`FIGURES`), and writes `tests/RESULTS.md`. Processes that pytest or
`make deep` start report as well: what they share is the file that the variable `CRDTSHADOW_FIGURES` names.

A new layer adds a line to `FIGURES`. `report` refuses names that are not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import pytest

VARIABLE: Final = "CRDTSHADOW_FIGURES"


class Figure(NamedTuple):
    """What is counted.

    Attributes:
        layer: The folder or module that counts it.
        test_min: What `make test` has to reach.
        deep_min: What `make deep` has to reach.
        percent_min: If it is a part of something: how much of it.
    """

    layer: str
    test_min: int = 0
    deep_min: int = 0
    percent_min: float = 0.0


FIGURES: Final = {
    "law triples": Figure("tests/core", 531_441, 531_441),
    "worlds explored": Figure("tests/modelcheck", 34_000, 1_700_000),
    "simulated events": Figure("tests/simulation", 300_000, 10_000_000),
    "obligations proved": Figure("tests/proof", 30, 30),
    "refutations that stand": Figure("tests/proof", 10, 10),
    "fuzz executions": Figure("tests/fuzz", 10_000, 5_000_000),
    "crashers replayed": Figure("tests/fuzz"),
    "seeded bugs killed": Figure("tests/seeded_bugs", 15, 15),
    "bugs of others kept out": Figure("tests/regressions", 20, 20),
    "mutants killed": Figure("tests/mutation", percent_min=95.0),
}


class Count(NamedTuple):
    """How much of a figure, and of how many if it is a part."""

    reached: int
    of: int = 0

    def __str__(self) -> str:
        if not self.of:
            return f"{self.reached:,}"
        return f"{self.reached:,} of {self.of:,} ({self.percent:.1f} %)"

    @property
    def percent(self) -> float:
        return 100.0 * self.reached / self.of if self.of else 0.0


_here: dict[str, Count] = {}


def report(figure: str, count: int, *, of: int = 0) -> None:
    """Add *count* to *figure* of this run.

    Args:
        figure: A key of `FIGURES`.
        count: How many.
        of: How many there were, where not all have to be reached.
    """
    if figure not in FIGURES:
        raise KeyError(f"no figure {figure!r}; FIGURES in tests/figures.py has {', '.join(FIGURES)}")
    _add(_here, figure, Count(count, of))
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([figure, count, of]) + "\n")


def read(path: Path) -> dict[str, Count]:
    """Return the figures that a run left in the file at *path*."""
    found: dict[str, Count] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        figure, count, of = json.loads(line)
        _add(found, figure, Count(count, of))
    return found


def _add(found: dict[str, Count], figure: str, more: Count) -> None:
    so_far = found.get(figure, Count(0))
    found[figure] = Count(so_far.reached + more.reached, so_far.of + more.of)


def missed(found: dict[str, Count]) -> list[str]:
    """Return the figures that a deep run has to reach and did not."""
    return [
        name
        for name, figure in FIGURES.items()
        if found.get(name, Count(0)).reached < figure.deep_min or found.get(name, Count(0)).percent < figure.percent_min
    ]


def lines(found: dict[str, Count]) -> Iterable[str]:
    """Yield a line of text for each of the figures *found*."""
    width = max(map(len, found), default=0)
    return (f"{name:<{width}}  {found[name]}" for name in FIGURES if name in found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests of this process reported; `tests/conftest.py` makes this a hook."""
    if _here:
        terminalreporter.section("figures", sep="-")
        for line in lines(_here):
            terminalreporter.write_line(line)
