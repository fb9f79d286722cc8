"""Resolve: from a state to its view, with and without conflicts, under each strategy."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from benchmarks.suites.states import FIELDS, REPLICAS, WRITTEN_MS, crowd_of, shadow_of
from crdtshadow import Policy, Replica, Shadow, find_conflicts, resolve
from crdtshadow.policy import STRATEGIES


@cache
def contested(fields: int) -> Shadow:
    """Return a state in which two replicas wrote each of *fields* fields."""
    whole = Shadow()
    for epoch, name in enumerate(("device", "cloud")):
        writer = Replica(name, epoch=epoch, now=lambda: WRITTEN_MS)
        whole.merge(writer.update({"reported": {f"field{at:03}": name for at in range(fields)}}))
    return whole


@pytest.mark.parametrize("fields", FIELDS)
def test_without_conflicts(benchmark: Any, fields: int) -> None:
    view = benchmark(resolve, shadow_of(fields), Policy())
    assert len(view.fields) == fields
    assert view.decisions == ()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_twenty_conflicts(benchmark: Any, strategy: str) -> None:
    view = benchmark(resolve, contested(20), Policy.from_json({"strategy": strategy}))
    assert len(view.decisions) == 20
    assert len(view.fields) == 20


@pytest.mark.parametrize("conflicts", [1, 10, 100])
def test_by_conflicts(benchmark: Any, conflicts: int) -> None:
    assert len(benchmark(resolve, contested(conflicts), Policy()).decisions) == conflicts


@pytest.mark.parametrize("replicas", REPLICAS)
def test_by_replicas(benchmark: Any, replicas: int) -> None:
    view = benchmark(resolve, crowd_of(replicas), Policy())
    assert len(view.fields) == min(replicas, 50)


@pytest.mark.parametrize("fields", FIELDS)
def test_find_conflicts_where_there_are_none(benchmark: Any, fields: int) -> None:
    assert benchmark(find_conflicts, shadow_of(fields)) == ()
