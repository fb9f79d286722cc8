"""Replicas with a clock that moves when told, and exchanges between them."""

from __future__ import annotations

import itertools

from crdtshadow import Policy, Replica, Session, Shadow, Stamp, resolve
from crdtshadow.session import run
from crdtshadow.testing import FakeClock

A, B, C = "a#00000000", "b#00000000", "c#00000000"
START_MS = 1_700_000_000_000


def replicas(*names: str, clock: FakeClock, epoch: int = 1) -> list[Replica]:
    return [Replica(name, epoch=epoch, now=clock) for name in names]


def exchange(here: Replica, there: Replica) -> None:
    """Let both greet each other until both are silent."""
    run([Session(here), Session(there)], Session(here).hello())
    run([Session(there), Session(here)], Session(there).hello())


def exchange_all(*all_of_them: Replica) -> None:
    for _ in range(2):
        for here, there in itertools.combinations(all_of_them, 2):
            exchange(here, there)


def joined(*states: Shadow) -> Shadow:
    whole = Shadow()
    for state in states:
        whole.merge(state)
    whole.check()
    return whole


def shown(state: Shadow, policy: Policy | None = None) -> dict[str, object]:
    return dict(resolve(state, policy or Policy()).fields)


def at(time: int, replica: str) -> Stamp:
    return Stamp(time, replica)
