"""How values are kept in columns: JSON for what people may want to query, bytes for the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from crdtshadow_walk import DeltaMessage, Entry, ShadowKey

from crdtshadow import REMOVED, Conflict, Decision, Stamp, VectorClock, Write
from crdtshadow.clock import pack_time

CLASSIC = ""
"""The name under which the classic shadow is stored."""


def shadow_name(key: ShadowKey) -> str:
    """Return the column of the shadow's name."""
    return CLASSIC if key.shadow is None else key.shadow


def key_of(thing: str, shadow: str) -> ShadowKey:
    """Return the key that two columns name."""
    return ShadowKey(thing, None if shadow == CLASSIC else shadow)


def pack_json(value: object) -> str:
    """Return *value* as JSON text."""
    return json.dumps(value, separators=(",", ":"))


def pack_field(value: object) -> str | None:
    """Return a field's value as JSON, NULL if there is none."""
    return None if value is None else pack_json(value)


def unpack_field(text: str | None) -> Any:
    """Return what ``pack_field`` packed."""
    return None if text is None else json.loads(text)


def pack_writes(writes: Iterable[Write]) -> str:
    """Return writes as a JSON array of objects."""
    return pack_json([_pack_write(write) for write in writes])


def _pack_write(write: Write) -> dict[str, object]:
    outcome = {"removed": True} if write.value is REMOVED else {"value": write.value}
    return {
        "path": write.path,
        "ms": write.stamp.ms,
        "tick": write.stamp.tick,
        "replica": write.stamp.replica,
        **outcome,
    }


def unpack_writes(text: str) -> tuple[Write, ...]:
    """Return what ``pack_writes`` packed."""
    return tuple(
        [
            Write(one["path"], _stamp(one["ms"], one["tick"], one["replica"]), one.get("value", REMOVED))
            for one in json.loads(text)
        ]
    )


def _stamp(ms: int, tick: int, replica: str) -> Stamp:
    return Stamp(pack_time(ms, tick), replica)


def pack_entry(entry: Entry) -> tuple[object, ...]:
    """Return the columns of a line of the history, from ``path`` on."""
    stamp = entry.stamp
    return (
        entry.path,
        pack_field(entry.before),
        pack_field(entry.after),
        *((None, None, None) if stamp is None else (stamp.ms, stamp.tick, stamp.replica)),
        entry.strategy,
        int(entry.held),
        pack_writes(entry.writes) if entry.writes else "[]",
    )


def unpack_entry(columns: Iterable[Any]) -> Entry:
    """Return what ``pack_entry`` packed."""
    path, before, after, ms, tick, replica, strategy, held, writes = columns
    stamp = None if replica is None else _stamp(ms, tick, replica)
    return Entry(path, unpack_field(before), unpack_field(after), stamp, strategy, bool(held), unpack_writes(writes))


def pack_decision(decision: Decision) -> tuple[object, ...]:
    """Return the columns of a conflict that waits for a review, from ``path`` on."""
    conflict, strategy, accepted, _, reason = decision
    return conflict.path, strategy, reason, pack_writes(conflict.writes), pack_writes(accepted)


def unpack_decision(columns: Iterable[Any]) -> Decision:
    """Return what ``pack_decision`` packed."""
    path, strategy, reason, writes, accepted = columns
    return Decision(Conflict(path, unpack_writes(writes)), strategy, unpack_writes(accepted), True, reason)


def pack_parked(message: DeltaMessage) -> tuple[object, ...]:
    """Return the columns of a parked delta, from ``data`` on."""
    names = None if message.speaks_for is None else pack_json(sorted(message.speaks_for))
    return message.data, names, message.source


def unpack_parked(key: ShadowKey, columns: Iterable[Any]) -> DeltaMessage:
    """Return what ``pack_parked`` packed."""
    data, names, source = columns
    return DeltaMessage(key, data, None if names is None else frozenset(json.loads(names)), source)


def pack_clock(clock: VectorClock) -> str:
    """Return a vector clock as JSON."""
    return pack_json(dict(clock.items()))


def unpack_clock(text: str) -> VectorClock:
    """Return what ``pack_clock`` packed."""
    return VectorClock(json.loads(text))
