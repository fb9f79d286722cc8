"""What `make test` and `make deep` explore."""

from __future__ import annotations

from typing import Final

from tests.modelcheck.explore import Bounds
from tests.modelcheck.model import KINDS, REMOVALS, SETS

SHORT: Final = {
    "three writes": Bounds((SETS,) * 3),
    "two writes or removals, one reset": Bounds((KINDS,) * 2, resets=1),
    "a write and a removal, one forgets": Bounds((SETS, REMOVALS), forgetful=(1,)),
}
DEEP: Final = {
    "three writes or removals": Bounds((KINDS,) * 3),
    "three writes or removals, one reset": Bounds((KINDS,) * 3, resets=1),
    "four writes, some removals": Bounds((SETS, KINDS, KINDS, SETS)),
    "a write and a removal, all forget": Bounds((SETS[:1], REMOVALS[:1]), forgetful=(0, 1, 2)),
    "a write, a removal and a write, one forgets": Bounds((SETS, REMOVALS, SETS), forgetful=(1,)),
}
SAME_ID: Final = Bounds((SETS,) * 2, resets=1, same_id=True)
"""What must never be done: a replica that lost everything goes on under the id it had."""
