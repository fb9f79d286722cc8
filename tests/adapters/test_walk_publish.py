"""Publishing: the AWS document follows what readers see, updates end, peers get what they lack.

What it proves: with AWS's own rules for documents on the other side, whatever arrives when, both sides end up the same
and fall silent. What it cannot: how AWS itself behaves; its rules here are this library's.
"""

from __future__ import annotations

import pytest
from crdtshadow_walk import (
    DeltaMessage,
    DocumentEvent,
    MemoryStore,
    Publication,
    Record,
    RevisionConflict,
    ShadowKey,
    StateDamaged,
    outgoing,
    publish,
    resolve_conflict,
    walk,
)
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import AdapterError, EventRefused, Policy, Replica, Stamp, resolve
from crdtshadow.document import ShadowDocument, State, apply_update, check_request, diff_states
from crdtshadow.testing.strategies import changes
from tests.adapters.traffic import CLASSIC, NOW_MS, PATCHES, delta_traffic, now, states, walk_all


class Aws:
    """The shadow service for one shadow."""

    def __init__(self) -> None:
        self.document: ShadowDocument | None = None
        self.events: list[DocumentEvent] = []
        self.updates = 0

    @property
    def state(self) -> State:
        return self.document.state if self.document else {}

    def update(self, state: object, token: str = "") -> int:
        self.updates += 1
        request = check_request({"state": state, **({"clientToken": token} if token else {})})
        update = apply_update(self.document, request, now_s=self.updates)
        self.document = update.document
        self.events.append(DocumentEvent(CLASSIC, update.documents))
        return update.document.version

    def send(self, publication: Publication) -> int:
        return self.update(publication.patch, "crdtshadow")


def publish_to(aws: Aws, store: MemoryStore) -> Publication | None:
    return publish(store, CLASSIC, aws.send, now=now)


STEPS = st.one_of(
    st.tuples(st.just("console"), PATCHES),
    st.tuples(st.just("device"), changes()),
    st.tuples(st.just("deliver"), st.integers(0, 3)),
    st.tuples(st.just("publish"), st.none()),
)


@given(st.lists(STEPS, max_size=10))
def test_the_aws_document_becomes_what_readers_see_and_updates_end(steps) -> None:
    aws, store = Aws(), MemoryStore()
    device = Replica("thermostat", epoch=1, now=lambda: 3_000)
    for what, detail in steps:
        match what:
            case "console":
                aws.update(detail)
            case "device":
                for path, value in sorted(detail.items()):
                    walk(store, [DeltaMessage(CLASSIC, device.set(path, _plain(value)).encode())], now=now)
            case "deliver":
                walk(store, aws.events[detail:], now=now)
            case _:
                publish_to(aws, store)
    rounds = 0
    while True:
        walk(store, aws.events, now=now)
        if publish_to(aws, store) is None:
            break
        rounds += 1
        assert rounds <= 2
    shown = resolve(states(store)[CLASSIC], Policy()).document
    assert diff_states(aws.state, shown) == {}  # type: ignore[arg-type]  # a document
    walked = walk(store, aws.events, now=now)
    assert walked.settled == ()
    assert publish_to(aws, store) is None


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str | list | dict) else None


def test_what_was_published_comes_back_as_an_echo() -> None:
    aws, store = Aws(), MemoryStore()
    device = Replica("thermostat", epoch=1, now=now)
    walk(store, [DeltaMessage(CLASSIC, device.update({"reported": {"t": 21}, "desired": {"t": 22}}).encode())], now=now)
    published = publish_to(aws, store)
    assert published is not None
    assert published.patch == published.document == {"reported": {"t": 21}, "desired": {"t": 22}}
    assert published.aws_version == 0
    walked = walk(store, aws.events, now=now)
    assert walked.settled == ()
    assert publish_to(aws, store) is None
    assert aws.updates == 1


def test_a_field_that_waits_for_a_review_stays_as_aws_has_it() -> None:
    aws = Aws()
    store = MemoryStore(default_policy=Policy.from_json({"strategy": "manual_review"}))
    aws.update({"desired": {"mode": "heat", "fan": 1}})
    walk(store, aws.events, now=now)
    device = Replica("thermostat", epoch=1, now=now)
    both = device.update({"desired": {"mode": "off", "fan": 1}, "reported": {"t": 21}})
    walk(store, [DeltaMessage(CLASSIC, both.encode())], now=now)
    assert resolve(states(store)[CLASSIC], store.default_policy).fields["/desired/mode"] == "off"
    published = publish_to(aws, store)
    assert published is not None and published.patch == {"reported": {"t": 21}}
    resolve_conflict(store, CLASSIC, "/desired/mode", value="off", now=now)
    published = publish_to(aws, store)
    assert published is not None and published.patch == {"desired": {"mode": "off"}}


def test_a_field_that_aws_never_had_is_not_pushed_before_its_review() -> None:
    store = MemoryStore(default_policy=Policy.from_json({"strategy": "manual_review"}))
    for name in ("a", "b"):
        writer = Replica(name, epoch=1, now=now)
        walk(store, [DeltaMessage(CLASSIC, writer.update({"desired": {"mode": name, "fan": 1}}).encode())], now=now)
    published = publish_to(Aws(), store)
    assert published is not None and published.patch == published.document == {"desired": {"fan": 1}}


def test_nothing_is_noted_of_an_update_that_failed() -> None:
    store = MemoryStore()
    device = Replica("thermostat", epoch=1, now=now)
    walk(store, [DeltaMessage(CLASSIC, device.set("/reported/t", 21).encode())], now=now)
    before = store.records[CLASSIC]

    def send(publication: Publication) -> int:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        publish(store, CLASSIC, send, now=now)
    assert store.records[CLASSIC] == before
    assert publish_to(Aws(), store) is not None


def test_who_always_loses_the_note_of_an_update_is_told_so() -> None:
    class Busy(MemoryStore):
        def commit(self, changes):
            return {change.key: RevisionConflict("somebody was faster") for change in changes}

    store = Busy()
    store.records[CLASSIC] = Record(0, Replica("a", epoch=1, now=now).set("/reported/t", 1).encode(), revision=1)
    with pytest.raises(RevisionConflict):
        publish_to(Aws(), store)


def test_publishing_needs_a_shadow_that_aws_allows() -> None:
    with pytest.raises(EventRefused):
        publish(MemoryStore(), ShadowKey("no/thing"), Aws().send, now=now)


def test_a_state_that_cannot_be_read_is_not_published() -> None:
    store = MemoryStore()
    store.records[CLASSIC] = Record(0, b"rotten", revision=1)
    with pytest.raises(StateDamaged):
        publish_to(Aws(), store)
    assert issubclass(StateDamaged, AdapterError)


@given(delta_traffic(), st.integers(0, 12))
def test_a_peer_gets_what_it_lacks_and_then_nothing(traffic, known: int) -> None:
    messages, goals = traffic
    store = MemoryStore()
    walk_all(store, [messages[:known], messages[known:]])
    for key, goal in goals.items():
        record = store.load((key,))[key]
        peer = Replica("peer", epoch=1, now=lambda: NOW_MS)
        for delta in (outgoing(key, record, peer.clock), outgoing(key, record, goal.clock)):
            if delta is not None:
                peer.merge(delta)
        assert peer.shadow == goal
        assert outgoing(key, record, peer.clock) is None


def test_a_peer_that_has_acknowledged_gets_only_the_rest() -> None:
    store = MemoryStore()
    device = Replica("thermostat", epoch=1, now=now)
    walk(store, [DeltaMessage(CLASSIC, device.set("/reported/t", 21).encode())], now=now)
    acknowledged = states(store)[CLASSIC].clock
    walk(store, [DeltaMessage(CLASSIC, device.set("/reported/u", 22).encode())], now=now)
    delta = outgoing(CLASSIC, store.records[CLASSIC], acknowledged)
    assert delta is not None and list(delta.rows) == ["/reported/u"]
    assert all(isinstance(stamp, Stamp) for stamp in delta.stamps())
