"""The simulation as `make test` runs it, in parts so that it spreads over cores; and that it is fair to the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from crdtshadow import REMOVED
from tests.figures import report
from tests.oracle import denotation
from tests.oracle.denotation import Write
from tests.simulation.episodes import run
from tests.simulation.judge import RANKS
from tests.simulation.meaning import NOTHING, PATHS, Chronicle, Sight, conflicts, newest_view, ranked_view

PARTS = 12
EVENTS = 60_000 // PARTS
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("part", range(PARTS))
def test_replicas_keep_their_promises_in_a_bad_world(part: int) -> None:
    report("simulated events", run(1 + 1_000 * part, events=EVENTS))


def test_the_same_seed_is_the_same_episode(tmp_path: Path) -> None:
    from tests.simulation.world import Simulation

    def story(directory: Path) -> list[str]:
        directory.mkdir()
        simulation = Simulation(16, directory=directory)
        try:
            simulation.run(200)
        finally:
            simulation.close()
        return [f"{simulation.events} events", *simulation.story]

    assert story(tmp_path / "once") == story(tmp_path / "again")


def test_one_seed_is_replayed_from_the_command_line() -> None:
    command = [sys.executable, "-m", "tests.simulation", "3", "--tell"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "none amiss" in outcome.stderr
    assert "device#" in outcome.stdout, "the episode is told"


@pytest.mark.parametrize("seed", range(40))
def test_the_oracle_that_is_kept_up_says_what_the_definition_says(seed: int) -> None:
    """Compare `meaning`, which is quick, with `tests.oracle.denotation`, which is short, on random histories."""
    dice = Random(seed)
    names = ("cloud#1", "device#1", "app#1")
    chronicle = Chronicle()
    sights: dict[str, Sight] = dict.fromkeys(names, NOTHING)
    writes: list[Write] = []
    fields = [path for path in PATHS if path.count("/") > 1]
    for time in range(16):
        name = dice.choice(names)
        if dice.random() < 0.4:
            sights[name] = sights[name].union(sights[dice.choice(names)])
            continue
        value = REMOVED if dice.random() < 0.3 else dice.choice((1, 1.0, True, "x"))
        path = dice.choice(fields)
        before = sights[name]
        sights[name] = chronicle.write(before, (time, name), [(path, value)])
        writes.append(
            Write(
                f"w{len(writes)}",
                name,
                time,
                tuple(path[1:].split("/")),
                "del" if value is REMOVED else "set",
                None if value is REMOVED else value,
                frozenset(f"w{at}" for at in range(len(writes)) if before.mask >> at & 1),
            )
        )
    for sight in sights.values():
        seen = [write for at, write in enumerate(writes) if sight.mask >> at & 1]
        assert sorted(fact.stamp for fact in sight.live) == sorted((w.time, w.replica) for w in denotation.live(seen))
        assert sorted(sorted(stamp for _, stamp in members) for _, members in conflicts(sight)) == sorted(
            sorted((write.time, write.replica) for write in conflict.siblings)
            for conflict in denotation.conflicts(seen)
        )
        assert newest_view(sight) == _texts(denotation.lww_view(seen))
        ranked = denotation.priority_view(seen, lambda write: RANKS[write.replica.split("#")[0]])
        assert ranked_view(sight, RANKS) == _texts(ranked)


def _texts(fields: denotation.Fields) -> dict[str, str]:
    return {"/" + "/".join(path): repr(value) for path, value in fields.items()}
