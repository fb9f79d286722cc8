"""Real processes on one store: killed at any moment, or several at once.

What it proves: what was acknowledged is there, no time was used twice, and an identity goes on after a kill. What it
cannot: that a disk keeps what it said it has written when the power fails.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from crdtshadow_local import Store
from crdtshadow_walk import ShadowKey

from crdtshadow import Stamp

ROOT = Path(__file__).parents[2]
KEY = ShadowKey("thermostat")


class Acknowledged(NamedTuple):
    number: int
    stamp: Stamp


def start(path: Path, kind: str, name: str, first: int, count: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}
    command = [sys.executable, "-m", "tests.adapters.writer", str(path), kind, name, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)


def parse(line: str) -> Acknowledged:
    _, number, time, replica = line.split()
    return Acknowledged(int(number), Stamp(int(time), replica))


def finish(process: subprocess.Popen[str]) -> list[Acknowledged]:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return [parse(line) for line in output.splitlines()]


def kill_after(process: subprocess.Popen[str], lines: int) -> list[Acknowledged]:
    """Kill the process once it has written so much; return all that it was acknowledged before it died."""
    assert process.stdout is not None
    with process:
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout
    return [parse(line) for line in told if line.endswith("\n")]


def held(store: Store) -> dict[str, Stamp]:
    found = store.get(KEY)
    assert found is not None
    return {path: row[-1].stamp for path in found.shadow.paths() for row in [found.shadow.siblings(path)]}


@pytest.mark.parametrize("kind", ["replica", "walk"])
def test_what_was_acknowledged_survives_a_kill_at_any_moment(tmp_path: Path, kind: str) -> None:
    path, dice = tmp_path / "shadows.db", random.Random(7)
    told: list[Acknowledged] = []
    for generation in range(4):
        process = start(path, kind, "gateway", generation * 100_000, 100_000)
        told += kill_after(process, dice.randrange(1, 40))
    with Store.open(path, create=False) as store:
        store.check()
        stamps = held(store)
        for number, stamp in told:
            assert stamps[f"/reported/gateway-{number}"] == stamp
        written = [line.entry.stamp for line in store.history() if line.entry.path != "/reported/last"]
        assert max(Counter(written).values()) == 1
        assert len({stamp.replica for stamp in stamps.values()}) == (1 if kind == "replica" else 4)
        replica = store.open_replica(KEY.thing, name="gateway")
        (after,) = {*replica.set("/reported/after", 1).stamps()}
        assert after > max(stamp for _, stamp in told)


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    path, count = tmp_path / "shadows.db", 60
    processes = [
        start(path, "replica", "same", 0, count),
        start(path, "replica", "same", count, count),
        start(path, "replica", "other", 0, count),
        start(path, "walk", "guest", 0, count),
    ]
    told = [finish(process) for process in processes]
    assert [len(one) for one in told] == [count] * 4
    with Store.open(path, create=False) as store:
        store.check()
        stamps = held(store)
        for name, acknowledged in zip(("same", "same", "other", "guest"), told, strict=True):
            for number, stamp in acknowledged:
                assert stamps[f"/reported/{name}-{number}"] == stamp
        used = [stamp for acknowledged in told for _, stamp in acknowledged]
        assert len(set(used)) == len(used)
        assert {replica for _, replica in used[: 2 * count]} == {store.open_replica(KEY.thing, name="same").id}
        assert store.stats().shadows == 1
