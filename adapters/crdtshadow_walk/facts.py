"""How stamps, writes and conflicts are said in JSON, to people and programs; and stamps read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from crdtshadow import REMOVED, Conflict, Decision, InvalidIdentity, Stamp, UnknownConflict, VectorClock, View, Write
from crdtshadow.clock import pack_time, replica_name, split_replica
from crdtshadow_walk.messages import ShadowKey

Data: TypeAlias = "dict[str, object]"
"""What becomes a JSON object."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def say_time(ms: int) -> str:
    """Return milliseconds since 1970 as a person reads them, in UTC.

    >>> say_time(1_700_000_000_123)
    '2023-11-14 22:13:20.123Z'
    """
    try:
        moment = _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:  # 48 bits of milliseconds end in the year 10889, datetime in 9999
        return f"{ms} ms"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def iso_time(ms: int) -> str:
    """Return milliseconds since 1970 in the form of ISO 8601.

    >>> iso_time(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    """
    said = say_time(ms)
    return said.replace(" ", "T") if said.endswith("Z") else said


def say_stamp(stamp: Stamp) -> str:
    """Return *stamp* as ``replica@ms.tick``, which :func:`find_write` understands.

    >>> say_stamp(Stamp((1_000 << 16) + 2, "device#0badcafe"))
    'device#0badcafe@1000.2'
    """
    return f"{stamp.replica}@{stamp.ms}.{stamp.tick}"


def read_stamp(text: str) -> Stamp:
    """Return the stamp that :func:`say_stamp` said.

    Raises:
        InvalidIdentity: Not such a text.

    >>> read_stamp("device#0badcafe@1000.2")
    Stamp(time=65536002, replica='device#0badcafe')
    """
    replica, _, time = text.rpartition("@")
    ms, _, tick = time.partition(".")
    split_replica(replica)
    if not (ms.isascii() and ms.isdigit() and tick.isascii() and tick.isdigit()):
        raise InvalidIdentity(f"{text!r} is not a stamp such as thermostat#0badcafe@1700000000000.0")
    return Stamp(pack_time(int(ms), int(tick)), replica)


def say_list(names: list[str], word: str = "and") -> str:
    """Return *names* as an enumeration.

    >>> say_list(["a", "b", "c"])
    'a, b and c'
    """
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def key_data(key: ShadowKey) -> Data:
    """Return the names of a shadow, for JSON; the classic one has none."""
    return {"thing": key.thing, "shadow": key.shadow}


def stamp_data(stamp: Stamp) -> Data:
    """Return who and when, for JSON."""
    return {
        "writer": replica_name(stamp.replica),
        "replica": stamp.replica,
        "at": iso_time(stamp.ms),
        "stamp": say_stamp(stamp),
    }


def write_data(write: Write) -> Data:
    """Return a write for JSON: ``value``, or ``removed``."""
    said: Data = {"removed": True} if write.value is REMOVED else {"value": write.value}
    return {"path": write.path, **said, **stamp_data(write.stamp)}


def decision_data(decision: Decision) -> Data:
    """Return a conflict and what was made of it, for JSON."""
    return {
        "path": decision.conflict.path,
        "writes": [write_data(write) for write in decision.conflict.writes],
        **verdict_data(decision),
    }


def verdict_data(decision: Decision) -> Data:
    """Return what was made of a conflict, for JSON."""
    return {
        "strategy": decision.strategy,
        "held": decision.held,
        "shows": [write_data(write) for write in sorted(decision.accepted, key=_by_path)],
        "reason": decision.reason,
    }


def field_data(view: View, path: str) -> Data:
    """Return a field that shows, for JSON."""
    return {"path": path, "value": view.fields[path], **stamp_data(view.stamps[path]), "held": path in view.held}


def clock_data(clock: VectorClock) -> Data:
    """Return the newest stamp seen of each replica, for JSON."""
    return {stamp.replica: say_stamp(stamp) for stamp in clock.stamps()}


def find_write(conflict: Conflict, chosen: str) -> Stamp:
    """Return the stamp of the write in *conflict* that *chosen* names.

    Args:
        conflict: The competing writes.
        chosen: A stamp as printed, a replica id, or a writer's name, where that tells one write.

    Raises:
        UnknownConflict: It names no write, or several.
    """
    stamps = sorted({write.stamp for write in conflict.writes})
    named = [stamp for stamp in stamps if chosen in (say_stamp(stamp), stamp.replica, replica_name(stamp.replica))]
    if len(named) == 1:
        return named[0]
    which = "several writes" if named else "no write"
    among = say_list([say_stamp(stamp) for stamp in named or stamps], "or")
    raise UnknownConflict(f"{conflict.path}: {which} of {chosen!r} in this conflict; choose {among}")


def _by_path(write: Write) -> tuple[str, Stamp]:
    return write.path, write.stamp
