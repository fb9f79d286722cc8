"""The six-step walk of a shadow's messages, ingest, decode, merge, resolve, store, publish, on any store.

A reading order: :mod:`~crdtshadow_walk.messages` (what arrives), :mod:`~crdtshadow_walk.ports` (what a
store must do), :mod:`~crdtshadow_walk.outcomes` (what comes of it), :mod:`~crdtshadow_walk.audit`,
:mod:`~crdtshadow_walk.settle` (one shadow's part of a batch), :mod:`~crdtshadow_walk.rewrite` (the
conditional write), :mod:`~crdtshadow_walk.walk` (a batch), :mod:`~crdtshadow_walk.publish`,
:mod:`~crdtshadow_walk.review` (what people do), :mod:`~crdtshadow_walk.memory` (a store for tests).
"""

from __future__ import annotations

from crdtshadow_walk.audit import Entry, audit
from crdtshadow_walk.errors import RevisionConflict, StateDamaged
from crdtshadow_walk.memory import MemoryStore
from crdtshadow_walk.messages import (
    DeltaMessage,
    DocumentEvent,
    Message,
    OfflineChanges,
    ShadowKey,
    shadow_key,
)
from crdtshadow_walk.outcomes import Echo, Failed, Merged, Outcome, Parked, Refused, Settled, Walked
from crdtshadow_walk.ports import Change, Record, Refusal, Store
from crdtshadow_walk.publish import Publication, outgoing, publication, publish
from crdtshadow_walk.review import resolve_anew, resolve_conflict, set_policy
from crdtshadow_walk.settle import Held, conclude, decode_record
from crdtshadow_walk.walk import walk

__all__ = [
    "Change",
    "DeltaMessage",
    "DocumentEvent",
    "Echo",
    "Entry",
    "Failed",
    "Held",
    "MemoryStore",
    "Merged",
    "Message",
    "OfflineChanges",
    "Outcome",
    "Parked",
    "Publication",
    "Record",
    "Refusal",
    "Refused",
    "RevisionConflict",
    "Settled",
    "ShadowKey",
    "StateDamaged",
    "Store",
    "Walked",
    "audit",
    "conclude",
    "decode_record",
    "outgoing",
    "publication",
    "publish",
    "resolve_anew",
    "resolve_conflict",
    "set_policy",
    "shadow_key",
    "walk",
]
