"""Every world within the bounds of `plans`, and proof that a broken one is found."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from crdtshadow import Delta, Replica
from tests.figures import report
from tests.modelcheck.explore import Bounds, Broken, explore
from tests.modelcheck.model import KINDS, SETS
from tests.modelcheck.plans import DEEP, SAME_ID, SHORT

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SHORT)
def test_every_world(name: str) -> None:
    report("worlds explored", explore(SHORT[name]).worlds)


@pytest.mark.deep
@pytest.mark.parametrize("name", DEEP)
def test_every_larger_world(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = time.monotonic()

    def progress(worlds: int, waiting: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 10:
            told = time.monotonic()
            with capsys.disabled():
                print(f"\n{name}: {worlds:,} worlds, {waiting:,} wait", end=" ", flush=True)  # noqa: T201  # progress

    report("worlds explored", explore(DEEP[name], progress=progress).worlds)


def test_worlds_are_counted_as_by_hand() -> None:
    assert explore(Bounds((KINDS,))).worlds == 1 + 3 * 4 * 2**2, "nothing; or who wrote what, and who else has it"
    by_another, by_it_since, by_it_before = 2 * 2**2, 2**2, 2**3
    once_reset = 3 * (1 + 2 * (by_another + by_it_since + by_it_before))
    assert explore(Bounds((SETS,), resets=1)).worlds == 1 + 3 * 2 * 2**2 + once_reset


def test_an_id_that_is_used_again_is_found_out_by_the_checker_and_mostly_by_the_replica() -> None:
    found = explore(SAME_ID)
    assert found.broken > 0, "the checker is blind"
    assert found.reported > found.broken, "most that hear of their own unknown writes say so"


def test_a_broken_world_is_found_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    merge = Replica.merge

    def one_sided(self: Replica, delta: Delta) -> object:
        rows = {path: siblings[-1:] for path, siblings in delta.rows.items()}
        return merge(self, Delta(delta.base, delta.upto, floor=delta.floor, rows=rows))

    monkeypatch.setattr(Replica, "merge", one_sided)
    with pytest.raises(Broken) as caught:
        explore(SHORT["three writes"])
    told, *story = str(caught.value).splitlines()
    assert told.startswith("it holds") and told.endswith("after")
    assert len(story) == 4, "two write, one gets what the other has, a third gets it from there"


def test_the_command_explores_what_it_is_asked_to() -> None:
    command = [sys.executable, "-m", "tests.modelcheck", "--writes", "1", "--removals", "--resets", "1"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "none amiss" in outcome.stderr
