"""Decode: untrusted bytes to deltas and states."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.suites.states import FIELDS, REPLICAS, cloud_with, crowd_of, now, patch_of, shadow_of
from crdtshadow import Delta, Replica, Shadow


@pytest.mark.parametrize("fields", FIELDS)
def test_a_whole_state(benchmark: Any, fields: int) -> None:
    data = shadow_of(fields).encode()
    assert benchmark(Shadow.decode, data).encode() == data


@pytest.mark.parametrize("fields", FIELDS)
def test_a_delta_of_ten_fields(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    before = replica.clock
    replica.update(patch_of(fields))
    data = replica.delta(before).encode()
    assert benchmark(Delta.decode, data).encode() == data


@pytest.mark.parametrize("replicas", REPLICAS)
def test_a_state_of_many_writers(benchmark: Any, replicas: int) -> None:
    data = crowd_of(replicas).encode()
    assert benchmark(Shadow.decode, data).encode() == data


@pytest.mark.parametrize("fields", FIELDS)
def test_load_a_saved_replica(benchmark: Any, fields: int) -> None:
    saved = cloud_with(shadow_of(fields)).save()
    assert benchmark(lambda: Replica.load(saved, epoch=7, now=now)).shadow == shadow_of(fields)
