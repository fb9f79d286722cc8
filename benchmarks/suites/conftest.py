"""Groups every benchmark with those of its function, so that the sizes of one stand together in the tables."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _grouped(request: pytest.FixtureRequest, benchmark: Any) -> None:
    name = request.node.name.partition("[")[0].removeprefix("test_")
    benchmark.group = f"{request.node.path.stem.removeprefix('test_')}: {name.replace('_', ' ')}"
