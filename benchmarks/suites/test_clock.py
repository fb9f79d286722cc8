"""Clock: stamps and vector clocks, against the number of replicas."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.suites.states import REPLICAS
from crdtshadow import Stamp, VectorClock, replica_id
from crdtshadow.clock import pack_time, receive, send


def clock_of(replicas: int, *, ms: int = 1_000) -> VectorClock:
    return VectorClock({replica_id(f"replica{at:03}", at): pack_time(ms + at) for at in range(replicas)})


def test_send(benchmark: Any) -> None:
    assert benchmark(send, pack_time(5), 5) == pack_time(5, 1)


def test_receive(benchmark: Any) -> None:
    assert benchmark(receive, pack_time(5), pack_time(9, 1), 7) == pack_time(9, 2)


@pytest.mark.parametrize("replicas", REPLICAS)
def test_covers(benchmark: Any, replicas: int) -> None:
    clock = clock_of(replicas)
    assert benchmark(clock.covers, Stamp(pack_time(1_000), "replica000#00000000"))


@pytest.mark.parametrize("replicas", REPLICAS)
def test_compare(benchmark: Any, replicas: int) -> None:
    assert benchmark(clock_of(replicas).compare, clock_of(replicas, ms=2_000)) == "before"


@pytest.mark.parametrize("replicas", REPLICAS)
def test_join_of_concurrent_clocks(benchmark: Any, replicas: int) -> None:
    ours = clock_of(replicas).with_stamp(Stamp(pack_time(9_000), "device#00000001"))
    theirs = clock_of(replicas).with_stamp(Stamp(pack_time(9_000), "cloud#00000002"))
    assert len(benchmark(ours.join, theirs)) == replicas + 2


@pytest.mark.parametrize("replicas", REPLICAS)
def test_with_stamp(benchmark: Any, replicas: int) -> None:
    assert len(benchmark(clock_of(replicas).with_stamp, Stamp(pack_time(9_000), "device#00000001"))) == replicas + 1
