from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.world import World, account


@pytest.fixture
def world() -> Iterator[World]:
    with account() as made:
        yield made
