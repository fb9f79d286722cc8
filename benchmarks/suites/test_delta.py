"""Delta: finding and encoding what a peer lacks, against what is held, what changed, and who wrote."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.shadows import flat
from benchmarks.suites.states import FIELDS, REPLICAS, cloud_with, crowd_of, patch_of, shadow_of


@pytest.mark.parametrize("fields", FIELDS)
def test_of_ten_fields_by_fields_held(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    before = replica.clock
    patch = patch_of(fields)
    replica.update(patch)
    data = benchmark(lambda: replica.delta(before).encode())
    assert data == replica.delta(before).encode()
    assert len(replica.delta(before)) == len(patch["reported"])


@pytest.mark.parametrize("changed", [1, 10, 100, 1_000])
def test_by_fields_changed(benchmark: Any, changed: int) -> None:
    replica = cloud_with(shadow_of(1_000))
    before = replica.clock
    replica.update(flat(1_000, changed=changed).by_device)
    benchmark(lambda: replica.delta(before).encode())
    assert len(replica.delta(before)) == changed


@pytest.mark.parametrize("replicas", REPLICAS)
def test_of_one_field_by_replicas(benchmark: Any, replicas: int) -> None:
    replica = cloud_with(crowd_of(replicas))
    before = replica.clock
    replica.set("/reported/field00", "new")
    benchmark(lambda: replica.delta(before).encode())
    assert len(replica.delta(before)) == 1


@pytest.mark.parametrize("fields", FIELDS)
def test_encode_a_whole_state(benchmark: Any, fields: int) -> None:
    state = shadow_of(fields)
    assert benchmark(state.encode) == state.copy().encode()
