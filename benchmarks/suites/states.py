"""States and replicas of all sizes, made once and copied."""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.peer import START_MS
from benchmarks.shadows import THERMOSTAT, Document, Patch, flat
from benchmarks.workloads import CLOUD_ID, DEVICE_ID
from crdtshadow import Replica, Shadow

FIELDS = (20, 1_000, pytest.param(10_000, marks=pytest.mark.deep), pytest.param(100_000, marks=pytest.mark.deep))
REPLICAS = (2, 10, 100)
WRITTEN_MS = START_MS
NOW_MS = START_MS + 60_000
CHANGED = 10


def now() -> int:
    """Return a wall clock that stands still, later than all that was written."""
    return NOW_MS


def document_of(fields: int) -> Document:
    """Return the thermostat's document for 20 fields, else a flat one."""
    return THERMOSTAT if fields == 20 else flat(fields).document


def patch_of(fields: int, *, value: object = 7) -> Patch:
    """Return a patch of 10 fields of such a document."""
    reported = document_of(fields)["reported"]
    leaves = [key for key, held in reported.items() if not isinstance(held, dict)]
    return {"reported": dict.fromkeys(leaves[:: max(len(leaves) // CHANGED, 1)][:CHANGED], value)}


@cache
def shadow_of(fields: int) -> Shadow:
    """Return a state that the device wrote in one update; to be copied, not changed."""
    device = Replica("device", epoch=DEVICE_ID, now=lambda: WRITTEN_MS)
    device.update(document_of(fields))
    return device.shadow


@cache
def crowd_of(replicas: int) -> Shadow:
    """Return a state in which every one of *replicas* wrote one of 50 fields, so that some compete."""
    whole = Shadow()
    for at in range(replicas):
        writer = Replica(f"replica{at:03}", epoch=at, now=lambda: WRITTEN_MS)
        whole.merge(writer.update({"reported": {f"field{at % 50:02}": at}}))
    return whole


def cloud_with(state: Shadow) -> Replica:
    """Return a replica of the cloud that holds a copy of *state*."""
    return Replica("cloud", epoch=CLOUD_ID, now=now, shadow=state.copy())
