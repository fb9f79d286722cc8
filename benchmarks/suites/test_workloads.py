"""The workloads W1 to W7, whole, of this library alone; against the peers: python -m benchmarks.peers."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.peers import OURS, get_peer
from benchmarks.workloads import Workload, full, quick


def run(benchmark: Any, workload: Workload, *, rounds: int) -> None:
    peer = get_peer(OURS)
    inputs = workload.prepare(peer)
    laps = benchmark.pedantic(workload.run, args=(peer, inputs), rounds=rounds, warmup_rounds=1)
    assert set(laps.seconds) == set(workload.steps)
    assert laps.wrong == ""


@pytest.mark.parametrize("workload", quick(), ids=lambda workload: workload.key)
def test_a_tenth(benchmark: Any, workload: Workload) -> None:
    run(benchmark, workload, rounds=5)


@pytest.mark.deep
@pytest.mark.parametrize("workload", full(), ids=lambda workload: workload.key)
def test_whole(benchmark: Any, workload: Workload) -> None:
    run(benchmark, workload, rounds=3)
