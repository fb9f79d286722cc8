"""Document: what a reader gets, nested, and in AWS's shape with metadata."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.suites.states import FIELDS, cloud_with, document_of, shadow_of
from crdtshadow import Policy, resolve


@pytest.mark.parametrize("fields", FIELDS)
def test_nested(benchmark: Any, fields: int) -> None:
    view = resolve(shadow_of(fields), Policy())
    assert benchmark(lambda: view.document) == document_of(fields)


@pytest.mark.parametrize("fields", FIELDS)
def test_read_after_a_write(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))

    def change() -> None:
        replica.set("/reported/added", 1)

    read = benchmark.pedantic(lambda: replica.view().document, setup=change, rounds=20 if fields <= 1_000 else 5)
    assert read["reported"]["added"] == 1


@pytest.mark.parametrize("fields", FIELDS)
def test_in_the_shape_of_aws(benchmark: Any, fields: int) -> None:
    replica = cloud_with(shadow_of(fields))
    document = benchmark(replica.document)
    assert document["state"]["reported"] == document_of(fields)["reported"]
    assert document["metadata"]["reported"].keys() == document_of(fields)["reported"].keys()
