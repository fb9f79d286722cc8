"""The six-step walk of a shadow's messages, ingest, decode, merge, resolve, store, publish, on any store.

A reading order: :mod:`~crdtshadow_walk.messages` (what arrives), :mod:`~crdtshadow_walk.parse` (as JSON, read
strictly by :mod:`~crdtshadow_walk.json_text`), :mod:`~crdtshadow_walk.ports` (what a store must do),
:mod:`~crdtshadow_walk.outcomes` (what comes of it), :mod:`~crdtshadow_walk.audit`,
:mod:`~crdtshadow_walk.settle` (one shadow's part of a batch), :mod:`~crdtshadow_walk.rewrite` (the
conditional write), :mod:`~crdtshadow_walk.walk` (a batch), :mod:`~crdtshadow_walk.publish`,
:mod:`~crdtshadow_walk.review` (what people do), :mod:`~crdtshadow_walk.facts` (all of this as JSON),
:mod:`~crdtshadow_walk.identity` (the wall clock, and chance), :mod:`~crdtshadow_walk.memory` (a store for tests).
"""

from __future__ import annotations

from crdtshadow_walk.audit import Entry, audit
from crdtshadow_walk.errors import MessageRefused, RevisionConflict, StateDamaged
from crdtshadow_walk.facts import (
    Data,
    clock_data,
    decision_data,
    field_data,
    find_write,
    iso_time,
    key_data,
    read_stamp,
    say_list,
    say_stamp,
    say_time,
    stamp_data,
    verdict_data,
    write_data,
)
from crdtshadow_walk.identity import new_epoch, wall_clock_ms
from crdtshadow_walk.json_text import decode_json
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
from crdtshadow_walk.parse import MESSAGE_BYTES_MAX, SECONDS_MAX, parse_message, read_message, read_offline
from crdtshadow_walk.ports import Change, Record, Refusal, Store
from crdtshadow_walk.publish import Publication, forget_document, note_published, outgoing, publication, publish
from crdtshadow_walk.review import resolve_anew, resolve_conflict, set_policy
from crdtshadow_walk.settle import Held, conclude, decode_record, refusal_of
from crdtshadow_walk.walk import walk

__all__ = [
    "MESSAGE_BYTES_MAX",
    "SECONDS_MAX",
    "Change",
    "Data",
    "DeltaMessage",
    "DocumentEvent",
    "Echo",
    "Entry",
    "Failed",
    "Held",
    "MemoryStore",
    "Merged",
    "Message",
    "MessageRefused",
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
    "clock_data",
    "conclude",
    "decision_data",
    "decode_json",
    "decode_record",
    "field_data",
    "find_write",
    "forget_document",
    "iso_time",
    "key_data",
    "new_epoch",
    "note_published",
    "outgoing",
    "parse_message",
    "publication",
    "publish",
    "read_message",
    "read_offline",
    "read_stamp",
    "refusal_of",
    "resolve_anew",
    "resolve_conflict",
    "say_list",
    "say_stamp",
    "say_time",
    "set_policy",
    "shadow_key",
    "stamp_data",
    "verdict_data",
    "walk",
    "wall_clock_ms",
    "write_data",
]
