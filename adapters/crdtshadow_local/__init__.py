"""Shadows on one machine, in a SQLite file: a store for the walk, and replicas that survive a crash.

A reading order: :mod:`~crdtshadow_local.schema` (the tables), :mod:`~crdtshadow_local.errors`,
:mod:`~crdtshadow_local.database` (the file and its transactions), :mod:`~crdtshadow_local.rows` and
:mod:`~crdtshadow_local.tables` (what is in them), :mod:`~crdtshadow_local.replica` and
:mod:`~crdtshadow_local.store`, which are what programs use.
"""

from __future__ import annotations

from crdtshadow_walk import new_epoch, wall_clock_ms

from crdtshadow_local.errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreVersion,
)
from crdtshadow_local.replica import LocalReplica
from crdtshadow_local.store import (
    HistoryLine,
    PendingConflict,
    QuarantinedMessage,
    Store,
    StoredShadow,
    StoreStats,
)

__all__ = [
    "HistoryLine",
    "LocalReplica",
    "PendingConflict",
    "QuarantinedMessage",
    "Store",
    "StoreBusy",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreStats",
    "StoreUnavailable",
    "StoreVersion",
    "StoredShadow",
    "new_epoch",
    "wall_clock_ms",
]
