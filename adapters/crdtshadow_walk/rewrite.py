"""Read, derive, write: optimistic concurrency for every change of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from crdtshadow.errors import AdapterError
from crdtshadow_walk.errors import RevisionConflict, StateDamaged
from crdtshadow_walk.messages import ShadowKey
from crdtshadow_walk.ports import Record, Store
from crdtshadow_walk.settle import Settlement

ATTEMPTS_MAX: Final = 8
"""How often a shadow is read, derived and written before others have won too often."""


def no_pause(attempt: int) -> None:
    """Go on at once; for stores where writers wait for each other."""


def rewrite(
    store: Store,
    keys: Iterable[ShadowKey],
    derive: Callable[[ShadowKey, Record], Settlement],
    *,
    pause: Callable[[int], None],
    attempts_max: int,
    known: Mapping[ShadowKey, Record] | None = None,
) -> dict[ShadowKey, Settlement | AdapterError]:
    """Return what was derived for each of *keys* and stored, or why storing it failed.

    Where somebody else wrote first, the record is read and everything derived again.

    Args:
        store: Where shadows are kept.
        keys: Shadows, each once.
        derive: Returns what to store; raises :class:`StateDamaged` for one that cannot be read.
        pause: Called with the number of the attempt that was lost, before the next one.
        attempts_max: How often to try.
        known: Records of all *keys* as they were read before; the first attempt reads none then.

    Raises:
        AdapterError: The store failed as a whole.
    """
    done: dict[ShadowKey, Settlement | AdapterError] = {}
    left = tuple(keys)
    attempt = 0
    while left:
        if attempt:
            pause(attempt)
        attempt += 1
        for key, record in (known or store.load(left)).items():
            try:
                done[key] = derive(key, record)
            except StateDamaged as error:
                done[key] = error
        derived = [done[key] for key in left]
        failed = store.commit([one.change for one in derived if isinstance(one, Settlement) and one.change])
        done.update(failed)
        lost = tuple([key for key in left if isinstance(failed.get(key), RevisionConflict)])
        left = lost if attempt < attempts_max else ()
        known = None
    return done


def single(done: dict[ShadowKey, Settlement | AdapterError]) -> Settlement:
    """Return the one settlement of *done*.

    Raises:
        AdapterError: It is why storing failed.
    """
    (settlement,) = done.values()
    if isinstance(settlement, Settlement):
        return settlement
    raise settlement
