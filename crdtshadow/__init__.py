"""Device shadows that merge: the JSON state of a device, the same everywhere in the end.

A reading order, from the bottom: :mod:`~crdtshadow.clock` (stamps and vector clocks),
:mod:`~crdtshadow.sibling` (what one update leaves at one path), :mod:`~crdtshadow.codec` (the wire
format), :mod:`~crdtshadow.delta`, :mod:`~crdtshadow.lwwmap` (the map and its join),
:mod:`~crdtshadow.shadow`, :mod:`~crdtshadow.conflicts`, :mod:`~crdtshadow.policy` and
:mod:`~crdtshadow.view` (who wins), :mod:`~crdtshadow.plain` (writers of AWS documents),
:mod:`~crdtshadow.replica` (what most programs hold), :mod:`~crdtshadow.session` (exchange with a
peer). :mod:`~crdtshadow.document` has AWS's own rules, :mod:`~crdtshadow.testing` what helps to test.
"""

from __future__ import annotations

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock, replica_id, replica_name, split_replica
from crdtshadow.conflicts import Conflict, Write, find_conflicts
from crdtshadow.delta import Delta
from crdtshadow.errors import (
    AdapterError,
    BelowFloor,
    ClockDrift,
    CrdtShadowError,
    DecodeError,
    DocumentError,
    EventRefused,
    InvalidIdentity,
    InvalidPath,
    InvalidPolicy,
    InvalidValue,
    LimitExceeded,
    LocalError,
    MissingBase,
    NotAuthorized,
    RemoteError,
    UnknownConflict,
)
from crdtshadow.guard import check_authority, check_drift
from crdtshadow.lwwmap import LWWMap, Merged, merge_bytes
from crdtshadow.plain import Ingested, Ledger, ingest_event, ingest_offline, record_published
from crdtshadow.policy import Policy
from crdtshadow.replica import Replica
from crdtshadow.session import Received, Session
from crdtshadow.shadow import Shadow
from crdtshadow.sibling import REMOVED, Shade, Sibling
from crdtshadow.view import Decision, View, resolve

__all__ = [
    "EMPTY_CLOCK",
    "REMOVED",
    "AdapterError",
    "BelowFloor",
    "ClockDrift",
    "Conflict",
    "CrdtShadowError",
    "Decision",
    "DecodeError",
    "Delta",
    "DocumentError",
    "EventRefused",
    "Ingested",
    "InvalidIdentity",
    "InvalidPath",
    "InvalidPolicy",
    "InvalidValue",
    "LWWMap",
    "Ledger",
    "LimitExceeded",
    "LocalError",
    "Merged",
    "MissingBase",
    "NotAuthorized",
    "Policy",
    "Received",
    "RemoteError",
    "Replica",
    "Session",
    "Shade",
    "Shadow",
    "Sibling",
    "Stamp",
    "UnknownConflict",
    "VectorClock",
    "View",
    "Write",
    "check_authority",
    "check_drift",
    "find_conflicts",
    "ingest_event",
    "ingest_offline",
    "merge_bytes",
    "record_published",
    "replica_id",
    "replica_name",
    "resolve",
    "split_replica",
]
