"""Writers that know nothing of CRDTs: what they did to the AWS shadow document, as writes.

A plain MQTT device, the console and the AWS CLI write the AWS document itself, and AWS publishes
each new version (``update/documents``). A *ledger* remembers, for one shadow, the last version
ingested, its content, and the vector clock of what its readers could know. A newer version is
ingested as the difference: what changed in ``reported`` is the device's writing, what changed in
``desired`` the cloud's or an app's, by ``clientToken``. It was written *as of* the clock of the
version before it, so a write that the AWS document did not show yet is a true conflict.

Since every version holds the whole state, lost versions cost nothing and late ones are ignored.
What we published ourselves comes back as a version too: what agrees with it is nobody's writing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgpack

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock, pack_time, replica_id, split_replica
from crdtshadow.delta import Delta
from crdtshadow.errors import DecodeError, EventRefused, InvalidPath, InvalidValue, LimitExceeded
from crdtshadow.limits import CACHED_CHANGES_MAX, CLOCK_MS_MAX, PUBLISHED_VERSIONS_MAX
from crdtshadow.paths import check as check_path
from crdtshadow.paths import escape, flatten
from crdtshadow.paths import parse as keys_of
from crdtshadow.shadow import SECTIONS, Changes, Shadow, patch_changes
from crdtshadow.sibling import REMOVED, Removed
from crdtshadow.values import Value, canonical, check, same

DEVICE: Final = "device"
CLOUD: Final = "cloud"
APPS: Final[Mapping[str, str]] = {"app": "app"}
"""Beginnings of a ``clientToken``, and the names of the replicas that use them."""

LEDGER_VERSION: Final = 1
_DIGEST_BYTES: Final = 8


class Published(NamedTuple):
    """A version that we wrote ourselves and that has not come back as an event yet."""

    aws_version: int
    clock: VectorClock
    document: Mapping[str, object]


class Ledger(NamedTuple):
    """What is known of the AWS document of one shadow; immutable.

    Attributes:
        aws_version: The last version ingested, 0 for none.
        timestamp_s: Its time in epoch seconds.
        document: Its ``state``.
        clock: What whoever reads that version has seen.
        versions: The clocks of the latest versions, oldest first.
        published: Our own versions not ingested yet, oldest first.
        cached: Digests of the cached changes ingested last, oldest first.
    """

    aws_version: int = 0
    timestamp_s: int = 0
    document: Mapping[str, object] = {}
    clock: VectorClock = EMPTY_CLOCK
    versions: tuple[tuple[int, VectorClock], ...] = ()
    published: tuple[Published, ...] = ()
    cached: tuple[bytes, ...] = ()

    def clock_at(self, aws_version: int) -> VectorClock:
        """Return what a writer who read *aws_version* had seen; nothing if that is not remembered."""
        known = [clock for version, clock in self.versions if version <= aws_version]
        return known[-1] if known else EMPTY_CLOCK

    def encode(self) -> bytes:
        """Return bytes to keep it in.

        >>> Ledger.decode(Ledger().encode()) == Ledger()
        True
        """
        clocks = [self.clock, *(clock for _, clock in self.versions), *(one.clock for one in self.published)]
        replicas = sorted({replica for clock in clocks for replica in clock})
        packed: bytes = msgpack.packb(
            [
                LEDGER_VERSION,
                self.aws_version,
                self.timestamp_s,
                self.document,
                replicas,
                _times(self.clock, replicas),
                [[version, _times(clock, replicas)] for version, clock in self.versions],
                [[one.aws_version, _times(one.clock, replicas), one.document] for one in self.published],
                list(self.cached),
            ]
        )
        return packed

    @classmethod
    def decode(cls, data: bytes) -> Ledger:
        """Return the ledger that ``encode`` kept.

        Raises:
            DecodeError: Not such bytes.
        """
        try:
            match msgpack.unpackb(data, raw=False, strict_map_key=True):
                case [
                    int(kind), int(aws_version), int(timestamp_s), dict(document), list(replicas), list(times),
                    list(versions), list(published), list(cached),
                ] if kind == LEDGER_VERSION:  # fmt: skip
                    ledger = cls(
                        aws_version,
                        timestamp_s,
                        _document(document),
                        _clock(times, replicas),
                        tuple([(_integer(version), _clock(each, replicas)) for version, each in versions]),
                        tuple(
                            [
                                Published(_integer(version), _clock(each, replicas), _document(whole))
                                for version, each, whole in published
                            ]
                        ),
                        tuple([_digest(each) for each in cached]),
                    )
                    if ledger.encode() == data:
                        return ledger
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise DecodeError(f"not a ledger: {error}") from None
        raise DecodeError("not a ledger of this version")


def _times(clock: VectorClock, replicas: list[str]) -> list[int]:
    return [clock.get(replica) for replica in replicas]


def _clock(times: list[object], replicas: list[str]) -> VectorClock:
    known = [(replica, _integer(time)) for replica, time in zip(replicas, times, strict=True)]
    for replica, _ in known:
        split_replica(replica)
    return VectorClock({replica: time for replica, time in known if time >= 0})


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{type(value).__name__} instead of an integer")
    return value


def _document(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} instead of a document")
    flatten(value)
    return value


def _digest(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} instead of a digest")
    return value


class Ingested(NamedTuple):
    """What became of an event.

    Attributes:
        ledger: To be kept in place of the one before.
        delta: What was written into the shadow; false if nothing.
        ignored: Why the event says nothing new, ``""`` if it does.
    """

    ledger: Ledger
    delta: Delta
    ignored: str


def ingest_event(
    shadow: Shadow,
    ledger: Ledger,
    event: object,
    *,
    epoch: int,
    now_ms: int,
    apps: Mapping[str, str] = APPS,
) -> Ingested:
    """Write into *shadow* what the event says that plain writers did.

    Args:
        shadow: Is changed, unless the event is refused or says nothing new.
        ledger: What was ingested before.
        event: The payload of ``.../update/documents``: ``previous``, ``current``, ``timestamp``,
            ``clientToken``.
        epoch: Of the replicas that stand for plain writers; one for as long as *shadow* is kept.
        now_ms: No write is dated later than this.
        apps: Which replica a ``clientToken`` means, by its beginning; the longest decides.

    Raises:
        EventRefused: Not such an event; nothing was changed.

    Source: AWS IoT Core Developer Guide, "Device Shadow MQTT topics", ``/update/documents``.
    """
    version, timestamp_s, document, metadata, created = _parse(event)
    if version <= ledger.aws_version and not (created and timestamp_s > ledger.timestamp_s):
        return _ignore(shadow, ledger, f"version {version} is not newer than {ledger.aws_version}, ingested already")
    ours = [one for one in ledger.published if one.aws_version <= version]
    seen = ledger.clock
    for one in ours:
        seen = seen.join(one.clock)
    changes = _difference(ledger.document, document, [one.document for one in ours])
    app = _app(event, apps)
    updates: dict[tuple[int, str], Changes] = {}
    for path, value in changes.items():
        writer = DEVICE if path.startswith("/reported/") else app
        at_ms = min(_written_s(metadata, path, timestamp_s) * 1000, now_ms)
        updates.setdefault((at_ms, writer), {})[path] = value
    scratch, before = shadow.copy() if len(updates) > 1 else shadow, shadow.clock
    try:
        for (at_ms, writer), update in sorted(updates.items(), key=_by_time):
            seen = seen.with_stamp(_write_as_of(scratch, update, replica_id(writer, epoch), at_ms=at_ms, seen=seen))
    except LimitExceeded as error:
        raise EventRefused(f"current.state: {error}") from None
    delta = scratch.delta(since=before)
    if scratch is not shadow:
        shadow.merge(delta)
    kept = ledger._replace(
        aws_version=version,
        timestamp_s=timestamp_s,
        document=document,
        clock=seen,
        versions=(*[one for one in ledger.versions if one[0] < version], (version, seen))[-PUBLISHED_VERSIONS_MAX:],
        published=tuple([one for one in ledger.published if one.aws_version > version]),
    )
    return Ingested(kept, delta, "")


def record_published(ledger: Ledger, document: Mapping[str, object], *, aws_version: int, clock: VectorClock) -> Ledger:
    """Return *ledger* knowing that we wrote *document* as *aws_version*.

    Args:
        ledger: What was known before.
        document: The ``state`` that we left there, ``desired`` and ``reported`` whole.
        aws_version: From the answer to our update.
        clock: Of the shadow when *document* was read from it.
    """
    others = [one for one in ledger.published if one.aws_version != aws_version]
    if aws_version <= ledger.aws_version:
        return ledger
    published = sorted([*others, Published(aws_version, clock, document)], key=lambda one: one.aws_version)
    return ledger._replace(published=tuple(published[-PUBLISHED_VERSIONS_MAX:]))


def ingest_offline(
    shadow: Shadow,
    ledger: Ledger,
    state: object,
    *,
    epoch: int,
    now_ms: int,
    at_ms: int,
    aws_version: int | None = None,
    offline_ms: int | None = None,
) -> Ingested:
    """Write into *shadow* what a plain device did while it was cut off, with its own times.

    Args:
        shadow: Is changed, unless the changes are refused or were ingested before.
        ledger: What was ingested before.
        state: A patch: ``desired``, ``reported``, or both; ``None`` removes.
        epoch: Of the replicas that stand for plain writers.
        now_ms: No write is dated later than this.
        at_ms: When the device made these changes.
        aws_version: The version of the AWS document that it saw last, if it knows.
        offline_ms: Else: when it went offline; it had seen what was written before. *at_ms* by default.

    Raises:
        EventRefused: Not such a patch; nothing was changed.
    """
    if abs(at_ms) > CLOCK_MS_MAX:
        raise EventRefused(f"cached changes: made at {at_ms}, needs milliseconds since 1970")
    try:
        fingerprint = _fingerprint(state, at_ms)
        if fingerprint in ledger.cached:
            return _ignore(shadow, ledger, f"these cached changes of {at_ms} were ingested already")
        if aws_version is not None:
            seen = ledger.clock_at(aws_version)
        else:
            seen = _clock_before(shadow.clock, at_ms if offline_ms is None else offline_ms)
        changes = patch_changes(ledger.document, state)
        before = shadow.clock
        if changes:
            _write_as_of(shadow, changes, replica_id(DEVICE, epoch), at_ms=min(at_ms, now_ms), seen=seen)
    except (InvalidPath, InvalidValue, LimitExceeded) as error:
        raise EventRefused(f"cached changes: {error}") from None
    cached = (*ledger.cached, fingerprint)[-CACHED_CHANGES_MAX:]
    return Ingested(ledger._replace(cached=cached), shadow.delta(since=before), "")


def _ignore(shadow: Shadow, ledger: Ledger, reason: str) -> Ingested:
    return Ingested(ledger, Delta(shadow.clock, shadow.clock, floor=shadow.floor, rows={}), reason)


def _parse(event: object) -> tuple[int, int, Mapping[str, object], object, bool]:
    """Return version, time, state and metadata of an event, and whether the shadow is a new one."""
    body = _object(event, "the event")
    current = _object(body.get("current"), "current")
    version = current.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version < 1 << 63:
        raise EventRefused(f"current.version: {version!r}, needs an integer from 0")
    timestamp = body.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or not 0 <= timestamp < 1 << 38:
        raise EventRefused(f"timestamp: {timestamp!r}, needs epoch seconds")
    state = _object(current.get("state", {}), "current.state")
    for name, section in state.items():
        if name not in SECTIONS:
            raise EventRefused(f"current.state: {name!r}, knows desired and reported")
        _object(section, f"current.state.{name}")
    if "previous" not in body:
        raise EventRefused("the event has no member 'previous'; is it an update/documents event?")
    return version, timestamp, state, current.get("metadata"), body["previous"] is None


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise EventRefused(f"{where}: needs an object, not {'nothing' if value is None else type(value).__name__}")
    return value


def _app(event: object, apps: Mapping[str, str]) -> str:
    token = event.get("clientToken") if isinstance(event, Mapping) else None
    if not isinstance(token, str):
        return CLOUD
    fitting = [prefix for prefix in apps if token.startswith(prefix)]
    return apps[max(fitting, key=len)] if fitting else CLOUD


def _difference(old: Mapping[str, object], new: Mapping[str, object], ours: list[Mapping[str, object]]) -> Changes:
    """Return what turns *old* into *new*, without what is as one of *ours* left it."""
    changes: Changes = {}
    try:
        for section in SECTIONS:
            _compare(_members(old.get(section)), _members(new.get(section)), f"/{section}", changes)
    except (InvalidPath, InvalidValue) as error:
        raise EventRefused(f"current.state: {error}") from None
    return {
        path: value
        for path, value in changes.items()
        if not any(_is_as_left(value, _at(document, path)) for document in ours)
    }


def _compare(old: Mapping[str, object], new: Mapping[str, object], above: str, changes: Changes) -> None:
    """Add to *changes* what turns the members *old* into *new*; what did not change costs little."""
    for key in old:
        if key not in new:
            changes[f"{above}/{escape(key)}"] = REMOVED
    for key, value in new.items():
        before = old.get(key, _NOTHING)
        if isinstance(value, Mapping):
            path = _path(above, key)
            _compare(_members(before), value, path, changes)
            if not value and before != {}:
                changes[path] = {}
        elif before is _NOTHING or not _is_same(before, value):
            path = _path(above, key)
            changes[path] = check(value, path)


_NOTHING: Final = REMOVED
"""Stands for a member that is not there, which no value equals."""


def _members(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _path(above: str, key: object) -> str:
    if not isinstance(key, str):
        raise InvalidPath(f"{above}: key {key!r} is not a string")
    return check_path(f"{above}/{escape(key)}")


def _is_same(old: object, new: object) -> bool:
    try:
        return same(old, new)  # type: ignore[arg-type]  # what is no value differs, and is refused then
    except (TypeError, OverflowError, ValueError):
        return False


def _is_as_left(value: Value | Removed, ours: object) -> bool:
    return ours is _NOTHING if isinstance(value, Removed) else ours is not _NOTHING and _is_same(ours, value)


def _at(document: object, path: str) -> object:
    """Return what *document* has at *path*."""
    for key in keys_of(path):
        document = document.get(key, _NOTHING) if isinstance(document, Mapping) else _NOTHING
    return document


def _written_s(metadata: object, path: str, otherwise: int) -> int:
    """Return when AWS says that the field at *path* was written, in epoch seconds."""
    metadata = _at(metadata, path)
    while isinstance(metadata, list) and metadata:
        metadata = metadata[0]
    written = metadata.get("timestamp") if isinstance(metadata, Mapping) else None
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= otherwise:
        return written
    return otherwise


def _write_as_of(shadow: Shadow, changes: Changes, replica: str, *, at_ms: int, seen: VectorClock) -> Stamp:
    """Write *changes* at *at_ms*, or as soon after as what its writer had seen demands."""
    seen = seen.meet(shadow.clock)
    time = max(pack_time(max(at_ms, 0)), shadow.clock.get(replica) + 1, seen.newest() + 1)
    stamp = Stamp(time, replica)
    shadow.write(changes, stamp, as_of=seen)
    return stamp


def _clock_before(clock: VectorClock, ms: int) -> VectorClock:
    """Return what of *clock* is older than *ms*."""
    end = pack_time(max(ms, 0)) - 1
    return VectorClock({replica: min(time, end) for replica, time in clock.items()})


def _fingerprint(state: object, at_ms: int) -> bytes:
    from hashlib import blake2b

    leaves = sorted(flatten(state).items()) if isinstance(state, Mapping) else []
    text = canonical([at_ms, *([path, None if value is None else check(value, path)] for path, value in leaves)])
    return blake2b(text, digest_size=_DIGEST_BYTES).digest()


def _by_time(update: tuple[tuple[int, str], Changes]) -> tuple[int, str]:
    return update[0]
