from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.aws.world import World, account

os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # thousands of schedules would fill pages


@pytest.fixture
def world() -> Iterator[World]:
    with account() as made:
        yield made
