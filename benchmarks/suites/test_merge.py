"""Merge: deltas and whole states, as bytes, into replicas; and bytes into bytes."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.shadows import flat
from benchmarks.suites.states import FIELDS, REPLICAS, cloud_with, crowd_of, now, patch_of, shadow_of
from benchmarks.workloads import DEVICE_ID
from crdtshadow import Replica, Shadow, merge_bytes
from crdtshadow.limits import STATE_BYTES_MAX

ROUNDS = 20


def repeat(benchmark: Any, state: Shadow, data: bytes) -> Replica:
    """Time the merge of *data* into copies of *state*; return the last of them."""
    merged: list[Replica] = []

    def setup() -> tuple[tuple[Replica], dict[str, object]]:
        merged[:] = [cloud_with(state)]
        return (merged[0],), {}

    # Copies of a large state take longer than what is timed.
    rounds = ROUNDS if len(state) < 10_000 else 5
    benchmark.pedantic(lambda replica: replica.merge(data, bytes_max=STATE_BYTES_MAX), setup=setup, rounds=rounds)
    return merged[0]


def device_after(state: Shadow, patch: dict[str, Any]) -> Replica:
    """Return a replica of the device that has gone on from *state*."""
    device = Replica("device", epoch=DEVICE_ID + 1, now=now, shadow=state.copy())
    device.update(patch)
    return device


@pytest.mark.parametrize("fields", FIELDS)
def test_a_delta_of_ten_fields_by_fields_held(benchmark: Any, fields: int) -> None:
    device = device_after(shadow_of(fields), patch_of(fields))
    merged = repeat(benchmark, shadow_of(fields), device.delta(shadow_of(fields).clock).encode())
    assert merged.shadow == device.shadow


@pytest.mark.parametrize("changed", [1, 10, 100, 1_000])
def test_a_delta_by_fields_changed(benchmark: Any, changed: int) -> None:
    device = device_after(shadow_of(1_000), flat(1_000, changed=changed).by_device)
    merged = repeat(benchmark, shadow_of(1_000), device.delta(shadow_of(1_000).clock).encode())
    assert merged.shadow == device.shadow


@pytest.mark.parametrize("replicas", REPLICAS)
def test_a_delta_of_one_field_by_replicas(benchmark: Any, replicas: int) -> None:
    device = device_after(crowd_of(replicas), {"reported": {"field00": "new"}})
    merged = repeat(benchmark, crowd_of(replicas), device.delta(crowd_of(replicas).clock).encode())
    assert merged.shadow == device.shadow


@pytest.mark.parametrize("fields", FIELDS)
def test_a_whole_state_one_percent_new(benchmark: Any, fields: int) -> None:
    patch = patch_of(fields) if fields == 20 else flat(fields).by_device
    device = device_after(shadow_of(fields), patch)
    merged = repeat(benchmark, shadow_of(fields), device.shadow.encode())
    assert merged.shadow == device.shadow


@pytest.mark.parametrize("fields", FIELDS)
def test_a_delta_that_brings_nothing(benchmark: Any, fields: int) -> None:
    device = device_after(shadow_of(fields), patch_of(fields))
    data = device.delta(shadow_of(fields).clock).encode()
    cloud = cloud_with(device.shadow)
    assert not benchmark(cloud.merge, data)
    assert cloud.shadow == device.shadow


@pytest.mark.parametrize("fields", FIELDS)
def test_bytes_into_bytes(benchmark: Any, fields: int) -> None:
    state = shadow_of(fields)
    device = device_after(state, patch_of(fields))
    data = device.delta(state.clock).encode()
    assert benchmark(merge_bytes, state.encode(), data) == device.shadow.encode()
