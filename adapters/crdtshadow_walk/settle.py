"""One shadow's part of a batch: decode, merge, resolve. Values in, values out; no store, no clock.

Messages of a batch have no order, so they are given one that does not depend on how they arrived:
deltas first, in an order that respects who had seen whom, then AWS's events by version, then cached
changes by time; then deltas that continue from what those wrote. So one batch always ends in one
state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from crdtshadow import (
    Delta,
    Ingested,
    Ledger,
    MissingBase,
    Policy,
    Shadow,
    VectorClock,
    View,
    check_authority,
    check_drift,
    ingest_event,
    ingest_offline,
    resolve,
)
from crdtshadow.errors import CrdtShadowError, DecodeError, EventRefused
from crdtshadow_walk.audit import Entry, audit
from crdtshadow_walk.errors import StateDamaged
from crdtshadow_walk.messages import (
    DeltaMessage,
    DocumentEvent,
    Message,
    OfflineChanges,
    ShadowKey,
    kind_of,
    payload_of,
    printable,
)
from crdtshadow_walk.outcomes import Echo, Merged, Outcome, Parked, Refused, Settled
from crdtshadow_walk.ports import Change, Record, Refusal

PARKED_MAX: Final = 16
"""Deltas that wait for their base, per shadow; the oldest are refused for newer ones."""

PARKED_BYTES_MAX: Final = 128 * 1024
"""The same in bytes: a third of a DynamoDB item."""


class Held(NamedTuple):
    """A record, decoded."""

    key: ShadowKey
    record: Record
    shadow: Shadow
    ledger: Ledger
    policy: Policy


class Settlement(NamedTuple):
    """What a batch does to one shadow.

    Attributes:
        change: To be stored, if anything is.
        settled: What there is to publish then, if the state changed.
        outcomes: One for each message, in their order.
        released: Of what was parked before and is parked no more.
    """

    change: Change | None = None
    settled: Settled | None = None
    outcomes: tuple[Outcome, ...] = ()
    released: tuple[Outcome, ...] = ()


def decode_record(key: ShadowKey, record: Record, *, default_policy: Policy) -> Held:
    """Return *record* decoded.

    Raises:
        StateDamaged: Its bytes are not what the walk wrote.
    """
    try:
        shadow = Shadow.decode(record.state) if record.state else Shadow()
        ledger = Ledger.decode(record.ledger) if record.ledger else Ledger()
    except DecodeError as error:
        raise StateDamaged(f"shadow {key}: what is stored cannot be read: {error}") from None
    return Held(key, record, shadow, ledger, record.policy or default_policy)


def settle(
    key: ShadowKey,
    record: Record,
    messages: Sequence[Message],
    *,
    default_policy: Policy,
    now_ms: int,
    drift_ms_max: int,
) -> Settlement:
    """Return what *messages*, all for the shadow *key*, do to its *record*.

    Raises:
        StateDamaged: The record's bytes cannot be read.
    """
    held = decode_record(key, record, default_policy=default_policy)
    merging = _Merging(held, now_ms=now_ms, drift_ms_max=drift_ms_max)
    everything, parked = _park(key, merging.run((*messages, *record.parked)), first=len(messages))
    ledger = record.ledger if merging.ledger is held.ledger else merging.ledger.encode()
    kept = record._replace(ledger=ledger, parked=parked)
    change, settled = Change(key, now_ms), None
    if any(isinstance(one, Merged) for one in everything):
        change, settled = _written(key, kept, held.shadow, merging.view, tuple(merging.history), now_ms=now_ms)
    elif kept != record:
        change = change._replace(record=kept._replace(revision=record.revision + 1))
    change = change._replace(refusals=tuple([refusal_of(key, one) for one in everything if isinstance(one, Refused)]))
    return Settlement(
        change if change.record is not None or change.refusals else None,
        settled,
        tuple(everything[: len(messages)]),
        tuple([one for one in everything[len(messages) :] if not isinstance(one, Parked)]),
    )


def conclude(
    key: ShadowKey, record: Record, shadow: Shadow, before: View, after: View, *, now_ms: int
) -> tuple[Change, Settled]:
    """Return what to store, and then to publish, of a shadow that was changed at once.

    Args:
        key: The shadow.
        record: What was held of it; all but the state is kept.
        shadow: What it has become.
        before: What readers saw.
        after: What they see of *shadow*.
        now_ms: The wall clock.
    """
    return _written(key, record, shadow, after, audit(before, after, shadow), now_ms=now_ms)


def _written(
    key: ShadowKey, record: Record, shadow: Shadow, view: View, history: tuple[Entry, ...], *, now_ms: int
) -> tuple[Change, Settled]:
    kept = record._replace(state=shadow.encode(), revision=record.revision + 1)
    waiting = tuple([decision for decision in view.decisions if decision.held])
    return Change(key, now_ms, kept, history, waiting), Settled(key, kept.revision, view, history)


def refuse(message: Message, error: CrdtShadowError, *, now_ms: int) -> Settlement:
    """Return what becomes of a message that names no shadow."""
    refused = Refused(message, error)
    change = Change(message.key, now_ms, refusals=(refusal_of(message.key, refused),))
    return Settlement(change, outcomes=(refused,))


def refusal_of(key: ShadowKey, refused: Refused) -> Refusal:
    """Return what the quarantine keeps of a message that was refused for the shadow *key*."""
    message = refused.message
    thing, shadow = (None if name is None else printable(name) for name in key)
    return Refusal(
        ShadowKey(thing or "", shadow),
        refused.code,
        printable(refused.reason),
        kind_of(message),
        payload_of(message),
        printable(message.source),
    )


def _park(key: ShadowKey, outcomes: Sequence[Outcome], *, first: int) -> tuple[list[Outcome], tuple[DeltaMessage, ...]]:
    """Return *outcomes* with what finds no room refused, and all that is parked, oldest first.

    Args:
        key: The shadow.
        outcomes: Those of new messages, then those of what was parked before.
        first: Where the latter begin.
    """
    waiting: dict[tuple[bytes, frozenset[str] | None], dict[int, Parked]] = {}
    for at in (*range(first, len(outcomes)), *range(first)):
        one = outcomes[at]
        if isinstance(one, Parked):
            waiting.setdefault((one.message.data, one.message.speaks_for), {})[at] = one
    bounded = list(outcomes)
    kept: list[DeltaMessage] = []
    room = PARKED_BYTES_MAX
    for (data, _), same in reversed(waiting.items()):
        room -= len(data)
        if room >= 0 and len(kept) < PARKED_MAX:
            message = next(iter(same.values())).message
            kept.append(message._replace(key=key, source=printable(message.source)))
        else:
            bounded = [Refused(*same[at]) if at in same else one for at, one in enumerate(bounded)]
    return bounded, tuple(reversed(kept))


class _Merging:
    """Messages on their way into one shadow.

    Attributes:
        ledger: What is known of AWS's document by now.
        view: What readers see by now.
        history: What each message changed of that, in the order in which they were merged.
    """

    def __init__(self, held: Held, *, now_ms: int, drift_ms_max: int) -> None:
        self.ledger = held.ledger
        self.view = resolve(held.shadow, held.policy)
        self.history: list[Entry] = []
        self._shadow = held.shadow
        self._policy = held.policy
        self._epoch = held.record.epoch
        self._now_ms = now_ms
        self._drift_ms_max = drift_ms_max

    def run(self, messages: Sequence[Message]) -> list[Outcome]:
        """Decode and merge *messages* and return what became of each."""
        outcomes: dict[int, Outcome] = {}
        deltas: list[tuple[int, DeltaMessage, Delta]] = []
        others: list[tuple[int, DocumentEvent | OfflineChanges]] = []
        for at, message in enumerate(messages):
            if not isinstance(message, DeltaMessage):
                others.append((at, message))
                continue
            try:
                deltas.append((at, message, Delta.decode(message.data)))
            except DecodeError as error:
                outcomes[at] = Refused(message, error)
        deltas.sort(key=lambda arrival: (_extent(arrival[2].upto), arrival[1].data))
        others.sort(key=lambda arrival: _order(arrival[1]))
        for at, message, delta in deltas:
            outcomes[at] = self._join(message, delta)
        for at, plain in others:
            outcomes[at] = self._ingest(plain)
        for at, message, delta in deltas:
            if isinstance(outcomes[at], Parked):
                outcomes[at] = self._join(message, delta)
        return [outcomes[at] for at in range(len(messages))]

    def _join(self, message: DeltaMessage, delta: Delta) -> Outcome:
        try:
            check_drift(self._shadow, delta, now_ms=self._now_ms, drift_ms_max=self._drift_ms_max)
            if message.speaks_for is not None:
                check_authority(self._shadow, delta, message.speaks_for)
            merged = self._shadow.merge(delta)
        except MissingBase as error:
            return Parked(message, error)
        except CrdtShadowError as error:
            return Refused(message, error)
        if not merged:
            return Echo(message, "all of it was seen before")
        self._take_note()
        return Merged(message, merged.changed, merged.clones)

    def _ingest(self, message: DocumentEvent | OfflineChanges) -> Outcome:
        try:
            ingested = self._read(message)
        except EventRefused as error:
            return Refused(message, error)
        self.ledger = ingested.ledger
        if ingested.delta:
            self._take_note()
            return Merged(message, tuple(sorted(ingested.delta.rows)))
        return Echo(message, ingested.ignored or "it says what was known before")

    def _take_note(self) -> None:
        """Note for the audit what the last merge changed for readers."""
        before, self.view = self.view, resolve(self._shadow, self._policy)
        self.history += audit(before, self.view, self._shadow)

    def _read(self, message: DocumentEvent | OfflineChanges) -> Ingested:
        if isinstance(message, DocumentEvent):
            return ingest_event(self._shadow, self.ledger, message.event, epoch=self._epoch, now_ms=self._now_ms)
        for name in ("at_ms", "version", "offline_ms"):
            _check_time(getattr(message, name), name, required=name == "at_ms")
        return ingest_offline(
            self._shadow,
            self.ledger,
            message.state,
            epoch=self._epoch,
            now_ms=self._now_ms,
            at_ms=message.at_ms,
            aws_version=message.version,
            offline_ms=message.offline_ms,
        )


def _check_time(value: object, name: str, *, required: bool) -> None:
    if value is None and not required:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise EventRefused(f"cached changes: {name}: {value!r}, needs an integer from 0")


def _extent(clock: VectorClock) -> int:
    """Return a number that is greater for whoever has seen more (a linear extension of the partial order)."""
    return sum(time + 1 for _, time in clock.items())


def _order(message: DocumentEvent | OfflineChanges) -> tuple[int, int, int, bytes]:
    if isinstance(message, OfflineChanges):
        return 1, _number(message.at_ms), 0, payload_of(message)
    event = message.event if isinstance(message.event, Mapping) else {}
    current = event.get("current")
    version = current.get("version") if isinstance(current, Mapping) else None
    return 0, _number(event.get("timestamp")), _number(version), b""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
