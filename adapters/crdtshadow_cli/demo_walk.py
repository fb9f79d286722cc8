"""The demo's walk: the fleet's lines, one by one at the time of their arrival, through a store.

Ends in a :class:`Tale`, all that the demo and its report tell, as values. Nothing is printed here, and
nothing depends on the machine: the wall clock is that of the lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import crdtshadow_walk
from crdtshadow_local import Store, StoreStats
from crdtshadow_walk import (
    DeltaMessage,
    DocumentEvent,
    Held,
    Message,
    Outcome,
    Publication,
    Refused,
    ShadowKey,
    decode_record,
    resolve_conflict,
    set_policy,
)

from crdtshadow import (
    REMOVED,
    Conflict,
    Decision,
    Delta,
    Policy,
    Replica,
    Shade,
    Shadow,
    Stamp,
    VectorClock,
    View,
    Write,
    find_conflicts,
    replica_name,
    resolve,
)
from crdtshadow.document import ShadowDocument, State, apply_update, check_request
from crdtshadow.paths import flatten, nest
from crdtshadow.policy import MANUAL_REVIEW, STRATEGIES
from crdtshadow.sibling import same_outcome
from crdtshadow.testing import FakeClock
from crdtshadow_cli.demo_data import LAMP, PUMP, THERMOSTAT, Fleet, at
from crdtshadow_cli.event_lines import parse_line

CONNECTED_MS: Final = at("Thu 08:45")
"""Until then crdtshadow only listens; now it may publish."""

ANSWERED_MS: Final = at("Thu 08:46")
REVIEWED_MS: Final = at("Thu 09:05")


class Update(NamedTuple):
    """What one writer wrote at once.

    Attributes:
        stamp: Names it.
        writes: Its values and removals, by path.
        seen: What its writer had seen of others, as far as is known.
        arrived_ms: When the store heard of it.
        refused: It was not joined.
    """

    stamp: Stamp
    writes: tuple[Write, ...]
    seen: VectorClock
    arrived_ms: int
    refused: bool = False


class Arrival(NamedTuple):
    """A line of the file, and what became of it.

    Attributes:
        at_ms: When it arrived.
        note: What happened, in words.
        message: What it says.
        size: Of the delta or the event, in bytes.
        outcome: What the walk made of it.
        updates: What was written, as far as it was new here.
        conflicts: How many there are in the shadow now.
    """

    at_ms: int
    note: str
    message: Message
    size: int
    outcome: Outcome
    updates: tuple[Update, ...]
    conflicts: int


class Rival(NamedTuple):
    """A conflict, as each strategy decides it, and as AWS's own rule would have left it.

    Attributes:
        conflict: The competing writes.
        decisions: By strategy.
        in_force: The decision under the shadow's own policy.
        aws: The write that the AWS document would show: the one that arrived last.
        overruled: Writes that are newer than that, and lost there.
    """

    conflict: Conflict
    decisions: Mapping[str, Decision]
    in_force: Decision
    aws: Write
    overruled: tuple[Write, ...]


class Synced(NamedTuple):
    """What a device was sent, and whether it then held the very bytes of the store."""

    name: str
    delta_bytes: int
    state_bytes: int
    same: bool


class Published(NamedTuple):
    """What went out for one shadow.

    Attributes:
        patch: The update of the AWS document, ``None`` if it lacked nothing.
        aws_version: The version that AWS answered.
        echo: What became of the event that AWS published for it.
        synced: The device.
    """

    patch: State | None
    aws_version: int
    echo: Outcome | None
    synced: Synced


class Story(NamedTuple):
    """One shadow's part.

    Attributes:
        key: The shadow.
        strategy: That of its policy.
        updates: All that was written, in the order of writing, refused updates by their arrival.
        view: What readers see before anybody answers.
        rivals: The conflicts in it.
        published: On Thursday morning.
        answer: What was written afterwards, having seen all sides; ``None`` if nothing was.
        republished: After that.
        left: Conflicts that are there still.
        document: What readers see in the end.
    """

    key: ShadowKey
    strategy: str
    updates: tuple[Update, ...]
    view: View
    rivals: tuple[Rival, ...]
    published: Published
    answer: Update | None
    republished: Published
    left: int
    document: Mapping[str, object]


class Tale(NamedTuple):
    """All that the demo tells.

    Attributes:
        arrivals: The lines, in order.
        again: What became of the same lines once more.
        stats: Of the store, before anything was published.
        stories: One for each shadow.
    """

    arrivals: tuple[Arrival, ...]
    again: tuple[Outcome, ...]
    stats: StoreStats
    stories: tuple[Story, ...]


def tell(store: Store, lines: Sequence[bytes], fleet: Fleet) -> Tale:
    """Bring *lines* into *store*, publish, let the devices of *fleet* answer, and return the tale."""
    set_policy(store, ShadowKey(PUMP), Policy.from_json({"strategy": MANUAL_REVIEW}), now=lambda: at("Wed 08:00"))
    arrivals = tuple([_arrive(store, line) for line in lines])
    aws = _Aws(arrivals)
    messages = [arrival.message for arrival in arrivals]
    stats = store.stats()
    again = crdtshadow_walk.walk(store, messages, now=lambda: CONNECTED_MS).outcomes
    shown = last_arrivals(arrivals)
    stories = []
    for key in dict.fromkeys(message.key for message in messages):
        telling = _Telling(store, key, fleet.devices[key.thing], aws, fleet.clock)
        stories.append(telling.story(arrivals, shown[key]))
    return Tale(arrivals, again, stats, tuple(stories))


def _arrive(store: Store, line: bytes) -> Arrival:
    body: dict[str, Any] = json.loads(line)
    at_ms = round(datetime.fromisoformat(body["arrived"]).timestamp() * 1000)
    message = parse_line(line, source=body["note"])
    before = _held(store, message.key)
    (outcome,) = crdtshadow_walk.walk(store, [message], now=lambda: at_ms).outcomes
    after = _held(store, message.key).shadow
    if isinstance(message, DeltaMessage):
        delta, size = Delta.decode(message.data), len(message.data)
        seen = delta.upto
    else:
        delta = after.delta(before.shadow.clock)
        seen, size = before.ledger.clock, len(json.dumps(body["current"]))
    updates = _updates(delta, before.shadow, seen, at_ms, refused=isinstance(outcome, Refused))
    return Arrival(at_ms, body["note"], message, size, outcome, updates, len(find_conflicts(after)))


def _held(store: Store, key: ShadowKey) -> Held:
    return decode_record(key, store.load((key,))[key], default_policy=store.default_policy)


def _updates(
    delta: Delta, before: Shadow, seen: VectorClock, at_ms: int, *, refused: bool = False
) -> tuple[Update, ...]:
    """Return what *delta* brings that *before* had not seen, update by update."""
    writes: dict[Stamp, list[Write]] = {}
    for path in sorted(delta.rows):
        for one in delta.rows[path]:
            if not before.clock.covers(one.stamp) and not isinstance(one.value, Shade):
                writes.setdefault(one.stamp, []).append(Write(path, one.stamp, one.value))
    return tuple([Update(stamp, tuple(writes[stamp]), seen, at_ms, refused) for stamp in sorted(writes)])


def last_arrivals(arrivals: Iterable[Arrival]) -> dict[ShadowKey, dict[str, Write]]:
    """Return which write of each path AWS would show, had everybody updated the AWS document directly.

    A device sends what it has not sent before, update by update; AWS applies what arrives.
    """
    documents: dict[ShadowKey, ShadowDocument] = {}
    shown: dict[ShadowKey, dict[str, Write]] = {}
    sent: dict[tuple[ShadowKey, str], dict[str, Write]] = {}
    for arrival in arrivals:
        key = arrival.message.key
        for update in arrival.updates:
            known = sent.setdefault((key, replica_name(update.stamp.replica)), {})
            news = {one.path: one for one in update.writes if not _says(known.get(one.path), one)}
            known.update(news)
            if news:
                patch = nest({path: None if one.value is REMOVED else one.value for path, one in news.items()})
                request = check_request({"state": patch})
                documents[key] = apply_update(documents.get(key), request, now_s=arrival.at_ms // 1000).document
                shown.setdefault(key, {}).update(news)
    for key, document in documents.items():
        fields = {path: write.value for path, write in shown[key].items() if write.value is not REMOVED}
        assert flatten(document.state) == fields, "AWS shows what arrived last"
    return shown


def _says(known: Write | None, write: Write) -> bool:
    return known is not None and same_outcome(known.value, write.value)


class _Aws:
    """The AWS documents as they are: with what others wrote, and with what is published."""

    def __init__(self, arrivals: Iterable[Arrival]) -> None:
        self._documents: dict[ShadowKey, ShadowDocument] = {}
        for arrival in arrivals:
            if isinstance(arrival.message, DocumentEvent):
                current: Any = arrival.message.event["current"]
                document = ShadowDocument(current["state"], current["metadata"], current["version"])
                self._documents[arrival.message.key] = document

    def update(self, publication: Publication, now_ms: int) -> Mapping[str, object]:
        """Update a document, and return the event that AWS publishes of it."""
        request = check_request({"state": publication.patch, "clientToken": "crdtshadow"})
        updated = apply_update(self._documents[publication.key], request, now_s=now_ms // 1000)
        self._documents[publication.key] = updated.document
        return updated.documents


class _Telling:
    """Tells the part of one shadow, from the moment that crdtshadow may publish."""

    def __init__(self, store: Store, key: ShadowKey, device: Replica, aws: _Aws, clock: FakeClock) -> None:
        self._store = store
        self._key = key
        self._device = device
        self._aws = aws
        self._clock = clock

    def story(self, arrivals: Iterable[Arrival], shown: Mapping[str, Write]) -> Story:
        """Publish, let the device or a reviewer answer, publish again, and return all of it."""
        held = _held(self._store, self._key)
        updates = [update for arrival in arrivals if arrival.message.key == self._key for update in arrival.updates]
        view = resolve(held.shadow, held.policy)
        decided = {
            strategy: resolve(held.shadow, Policy.from_json({"strategy": strategy})).decisions
            for strategy in STRATEGIES
        }
        rivals = [
            _rival(in_force, {strategy: decisions[at] for strategy, decisions in decided.items()}, shown, updates)
            for at, in_force in enumerate(view.decisions)
        ]
        published = self._publish(CONNECTED_MS)
        answer = self._answer()
        republished = self._publish(self._clock())
        after = _held(self._store, self._key)
        final = resolve(after.shadow, after.policy)
        return Story(
            self._key,
            held.policy.strategy,
            tuple(updates),
            view,
            tuple(rivals),
            published,
            answer,
            republished,
            len(final.decisions),
            final.document,
        )

    def _publish(self, now_ms: int) -> Published:
        self._clock.ms = now_ms
        events: list[Mapping[str, object]] = []

        def send(publication: Publication) -> int:
            event = self._aws.update(publication, now_ms)
            events.append(event)
            current: Any = event["current"]
            return int(current["version"])

        sent = crdtshadow_walk.publish(self._store, self._key, send, now=self._clock)
        echo, version = None, 0
        if sent:
            event = DocumentEvent(self._key, events[0])
            current: Any = event.event["current"]
            version = current["version"]
            (echo,) = crdtshadow_walk.walk(self._store, [event], now=self._clock).outcomes
        return Published(sent.patch if sent else None, version, echo, self._sync())

    def _sync(self) -> Synced:
        """Send the device what it lacks, as bytes, and compare its state with the store's."""
        device = self._device
        self._store.acknowledge(self._key, device.id, device.clock.meet(_held(self._store, self._key).shadow.clock))
        delta = self._store.outbox(self._key, device.id)
        data = delta.encode() if delta else b""
        if data:
            device.merge(data)
            self._store.acknowledge(self._key, device.id, device.clock)
        state = _held(self._store, self._key).record.state
        return Synced(device.name, len(data), len(state), device.shadow.encode() == state)

    def _answer(self) -> Update | None:
        """Let somebody write who has seen all sides."""
        before = _held(self._store, self._key).shadow
        if self._key.thing == PUMP:
            self._clock.ms = REVIEWED_MS
            self._review("/desired/mode", "eco")
        else:
            self._clock.ms = ANSWERED_MS
            patch = _ANSWERS[self._key.thing]
            self._device.update({"reported": patch})
            delta = self._device.delta(since=before.clock)
            crdtshadow_walk.walk(self._store, [DeltaMessage(self._key, delta.encode())], now=self._clock)
        after = _held(self._store, self._key).shadow
        (update,) = _updates(after.delta(before.clock), before, before.clock, self._clock())
        return update

    def _review(self, path: str, value: object) -> None:
        held = _held(self._store, self._key)
        choose = next(write.stamp for write in find_conflicts(held.shadow)[0].writes if write.value == value)
        resolve_conflict(self._store, self._key, path, choose=choose, now=self._clock)


_ANSWERS: Final[Mapping[str, dict[str, object]]] = {
    THERMOSTAT: {"target": 21},
    LAMP: {"brightness": 40, "firmware": "2.0"},
}
"""What the devices report once they have heard what is desired."""


def _rival(
    in_force: Decision, decisions: Mapping[str, Decision], shown: Mapping[str, Write], updates: Iterable[Update]
) -> Rival:
    conflict = in_force.conflict
    aws = shown[conflict.path]
    kept = _written_ms(aws, updates)
    overruled = [write for write in conflict.writes if not _says(aws, write) and _written_ms(write, updates) > kept]
    return Rival(conflict, decisions, in_force, aws, tuple(overruled))


def _written_ms(write: Write, updates: Iterable[Update]) -> int:
    """Return when *write* was made: before its first arrival, if that was refused and it was stamped anew."""
    for update in updates:
        if update.refused and any(one.path == write.path and _says(one, write) for one in update.writes):
            return update.arrived_ms
    return write.stamp.ms
