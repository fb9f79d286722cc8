"""Update: what a writer waits for, against the number of fields held."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from benchmarks.suites.states import FIELDS, cloud_with, patch_of, shadow_of


@pytest.mark.parametrize("fields", FIELDS)
def test_patch_of_ten_fields(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    patch = patch_of(fields)
    delta = benchmark(replica.update, patch)
    assert len(delta) == len(patch["reported"])


@pytest.mark.parametrize("fields", FIELDS)
def test_set_of_one_field(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    values = count()
    delta = benchmark(lambda: replica.set("/reported/added", next(values)))
    assert len(delta) == 1
    assert replica.view().fields["/reported/added"] == next(values) - 1


@pytest.mark.parametrize("fields", FIELDS)
def test_fields_as_a_mapping(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    values = count()

    def write() -> None:
        replica.reported["added"] = next(values)

    benchmark(write)
    assert replica.reported["added"] == next(values) - 1
