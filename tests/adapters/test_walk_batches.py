"""The walk on the reference store: order, duplicates, batches do not matter; echoes and refusals change nothing.

What it proves: that the walk adds nothing to the join and takes nothing away, and what becomes of each message. What it
cannot: that a store on disk does the same; that is compared elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from crdtshadow_walk import (
    Change,
    DeltaMessage,
    DocumentEvent,
    Echo,
    Failed,
    MemoryStore,
    Merged,
    Message,
    OfflineChanges,
    Parked,
    Record,
    Refused,
    RevisionConflict,
    ShadowKey,
    StateDamaged,
    walk,
)
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import AdapterError, LWWMap, Policy, Replica, Shadow, Stamp, resolve
from crdtshadow.clock import pack_time
from crdtshadow.testing.strategies import histories
from tests.adapters.traffic import (
    CLASSIC,
    KEYS,
    NAMED,
    NOW_MS,
    PATCHES,
    batches_of,
    delta_traffic,
    deltas_of,
    events_of,
    gist,
    now,
    states,
    walk_all,
)

Traffic = tuple[list[DeltaMessage], dict[ShadowKey, Shadow]]


def writer(name: str = "gateway", *, at_ms: int = 1_000) -> Replica:
    return Replica(name, epoch=1, now=lambda: at_ms)


def chain(length: int, name: str = "gateway") -> list[DeltaMessage]:
    """Return deltas of which each continues from the one before."""
    replica = writer(name)
    return [DeltaMessage(CLASSIC, replica.set("/reported/n", n).encode()) for n in range(length)]


# Order, duplicates, batches


@given(delta_traffic(), st.data())
def test_deltas_in_any_order_doubled_in_any_batches_end_in_their_join(traffic: Traffic, data: st.DataObject) -> None:
    messages, goals = traffic
    store = MemoryStore()
    outcomes = walk_all(store, batches_of(data, messages))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Refused | Failed)]
    assert states(store) == goals
    assert [store.records[key].parked for key in store.records] == [()] * len(store.records)


@given(
    histories(),
    st.lists(PATCHES, max_size=4),
    st.lists(st.tuples(PATCHES, st.integers(0, 5_000)), max_size=2),
    st.data(),
)
def test_the_order_inside_a_batch_does_not_matter(history, patches, cached, data) -> None:
    deltas, _ = deltas_of(history)
    offline = [OfflineChanges(CLASSIC, state, at_ms) for state, at_ms in cached if state is not None]
    batch: list[Message] = [
        *[DeltaMessage(CLASSIC, delta.encode()) for delta in deltas],
        *events_of(patches),
        *offline,
    ]
    first, second = MemoryStore(), MemoryStore()
    walk(first, batch, now=now)
    walk(second, data.draw(st.permutations(batch)), now=now)
    assert states(first) == states(second)
    assert first.history == second.history


def test_the_order_of_cached_changes_of_one_time_does_not_matter() -> None:
    cached = [OfflineChanges(CLASSIC, {"desired": {"a": value}}, at_ms=0) for value in (1, {"b": 2})]
    first, second = MemoryStore(), MemoryStore()
    walk(first, cached, now=now)
    walk(second, cached[::-1], now=now)
    assert states(first) == states(second)


@given(st.lists(PATCHES, min_size=1, max_size=6), st.data())
def test_events_in_any_order_and_batches_end_in_the_newest_document(patches, data) -> None:
    events = events_of(patches)
    store = MemoryStore()
    walk_all(store, batches_of(data, events))
    current = events[-1].event["current"]
    assert isinstance(current, Mapping)
    shown = resolve(states(store)[CLASSIC], Policy()).document
    assert {name: part for name, part in shown.items() if part} == current["state"]


@given(delta_traffic(), st.data())
def test_what_is_settled_and_kept_for_the_audit_adds_up_to_what_readers_see(traffic: Traffic, data) -> None:
    store = MemoryStore()
    walk_all(store, batches_of(data, traffic[0]))
    for key, shadow in states(store).items():
        told: dict[str, object] = {}
        fought: dict[str, bool] = {}
        for _, entry in store.history.get(key, []):
            assert told.get(entry.path) == entry.before
            told[entry.path] = entry.after
            fought[entry.path] = entry.conflict
        view = resolve(shadow, Policy())
        assert {path: value for path, value in told.items() if value is not None} == view.fields
        for decision in view.decisions:
            assert any(fought.get(path) for path in decision.conflict.paths)


def test_the_audit_has_every_message_of_a_batch() -> None:
    store = MemoryStore()
    (settled,) = walk(store, events_of([{"desired": {"a": value}} for value in (1, 2, 3)]), now=now).settled
    assert [(entry.before, entry.after) for entry in settled.history] == [(None, 1), (1, 2), (2, 3)]
    assert [entry for _, entry in store.history[CLASSIC]] == list(settled.history)
    assert settled.revision == 1


# Echoes


@given(delta_traffic(), st.lists(PATCHES, max_size=3), st.data())
def test_what_was_seen_before_is_not_written_and_not_published(traffic: Traffic, patches, data) -> None:
    messages: list[Message] = [*traffic[0], *events_of(patches), OfflineChanges(CLASSIC, {"reported": {"z": 1}}, 5)]
    store = MemoryStore()
    walk_all(store, batches_of(data, messages))
    before, commits = dict(store.records), store.commits
    walked = walk(store, messages, now=now)
    assert {type(outcome) for outcome in walked.outcomes} == {Echo}
    assert walked.settled == ()
    assert store.records == before
    assert store.commits == commits


def test_an_event_that_brings_only_a_version_is_noted_and_not_published() -> None:
    store = MemoryStore()
    first, second = events_of([{"desired": {"a": 1}}, {"desired": {"a": 1}}])
    walk(store, [first], now=now)
    walked = walk(store, [second], now=now)
    assert [type(one) for one in walked.outcomes] == [Echo]
    assert walked.settled == ()
    assert store.records[CLASSIC].revision == 2
    assert len(store.history[CLASSIC]) == 1


# Refusals


def junk(kind: str) -> Message:
    ahead = Shadow().write({"/reported/x": 1}, Stamp(pack_time(NOW_MS + 60_001), "clock#00000001"))
    theirs = writer("somebody").set("/reported/x", 1).encode()
    messages: dict[str, Message] = {
        "malformed": DeltaMessage(CLASSIC, b"\x95\x01", source="message 7"),
        "too long": DeltaMessage(CLASSIC, bytes(200_000)),
        "clock_drift": DeltaMessage(CLASSIC, ahead.encode()),
        "not_authorized": DeltaMessage(CLASSIC, theirs, frozenset({"thermostat"})),
        "event_refused": DocumentEvent(CLASSIC, {"current": {"version": "1"}}),
        "not an object": DocumentEvent(CLASSIC, [1]),  # type: ignore[arg-type]  # as a parser may bring it
        "no patch": OfflineChanges(CLASSIC, {"reported": 5}, at_ms=5),
        "no time": OfflineChanges(CLASSIC, {"reported": {"x": 5}}, at_ms="5"),  # type: ignore[arg-type]  # likewise
        "no version": OfflineChanges(CLASSIC, {"reported": {"x": 5}}, at_ms=5, version=True),
        "no thing": DeltaMessage(ShadowKey("no/thing"), theirs),
        "no name": DeltaMessage(ShadowKey(5), theirs),  # type: ignore[arg-type]  # likewise
        "surrogate": DocumentEvent(ShadowKey("\ud800"), {"\ud800": 1}, "\ud800"),
        "not a shadow's": DeltaMessage(CLASSIC, foreign_delta()),
    }
    return messages[kind]


def foreign_delta() -> bytes:
    return LWWMap().write({"/elsewhere": 1}, Stamp(1, "a#00000001")).encode()


JUNK = {
    "malformed": "malformed",
    "too long": "malformed",
    "clock_drift": "clock_drift",
    "not_authorized": "not_authorized",
    "event_refused": "event_refused",
    "not an object": "event_refused",
    "no patch": "event_refused",
    "no time": "event_refused",
    "no version": "event_refused",
    "no thing": "event_refused",
    "no name": "event_refused",
    "surrogate": "event_refused",
    "not a shadow's": "malformed",
}


@pytest.mark.parametrize("kind", JUNK)
def test_what_is_refused_changes_nothing_and_hinders_nobody(kind: str) -> None:
    store = MemoryStore()
    good = chain(3)
    walk(store, good[:1], now=now)
    walked = walk(store, [good[1], junk(kind), good[2]], now=now)
    assert [type(outcome) for outcome in walked.outcomes] == [Merged, Refused, Merged]
    refused = walked.outcomes[1]
    assert isinstance(refused, Refused) and refused.code == JUNK[kind] and refused.reason
    expected = MemoryStore()
    walk(expected, good, now=now)
    assert states(store) == states(expected)
    ((at_ms, kept),) = store.refusals
    assert at_ms == NOW_MS
    assert (kept.code, kept.reason) == (refused.code, refused.reason)
    assert len(kept.payload) <= 128 * 1024
    "".join([kept.key.thing, kept.reason, kept.source]).encode()


@pytest.mark.parametrize("kind", JUNK)
def test_what_is_refused_alone_writes_no_record(kind: str) -> None:
    store = MemoryStore()
    walked = walk(store, [junk(kind)], now=now)
    assert store.records == {}
    assert walked.settled == ()
    assert len(store.refusals) == 1


def test_a_refusal_tells_the_sender_what_would_help() -> None:
    (refused,) = walk(MemoryStore(), [junk("clock_drift")], now=now).outcomes
    assert isinstance(refused, Refused)
    assert getattr(refused.error, "now_ms", None) == NOW_MS


def test_a_peer_may_speak_for_its_own_name() -> None:
    own = DeltaMessage(CLASSIC, writer("thermostat").set("/reported/x", 1).encode(), frozenset({"thermostat"}))
    assert [type(one) for one in walk(MemoryStore(), [own], now=now).outcomes] == [Merged]


# Parked deltas


@given(st.integers(2, 8), st.data())
def test_deltas_wait_for_what_they_continue_from(length: int, data: st.DataObject) -> None:
    messages = chain(length)
    later = data.draw(st.permutations(messages[1:]))
    store = MemoryStore()
    walked = walk_all(store, [[message] for message in later])
    assert {type(outcome) for outcome in walked} == {Parked}
    assert set(store.records[CLASSIC].parked) == set(later)
    assert store.records[CLASSIC].state == b""
    released = walk(store, messages[:1], now=now).released
    assert {gist(outcome) for outcome in released} == {("Merged", ("/reported/n",), ())}
    assert {outcome.message for outcome in released} == set(later)
    assert store.records[CLASSIC].parked == ()
    assert states(store)[CLASSIC].siblings("/reported/n")[0].value == length - 1


def test_a_batch_in_the_worst_order_takes_one_pass() -> None:
    messages = chain(2_000)
    store = MemoryStore()
    walked = walk(store, messages[::-1], now=now)
    assert {type(outcome) for outcome in walked.outcomes} == {Merged}
    assert store.records[CLASSIC].revision == 1


def test_parked_deltas_are_bounded_and_the_oldest_give_way() -> None:
    messages = chain(30)[1:]
    store = MemoryStore()
    outcomes = walk_all(store, [[message] for message in messages])
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert list(store.records[CLASSIC].parked) == messages[-16:]
    assert [outcome.message for outcome in refused] == messages[:-16]
    assert {outcome.code for outcome in refused} == {"missing_base"}
    assert len(store.refusals) == len(refused)


def test_parked_deltas_are_bounded_in_bytes() -> None:
    replica = writer()
    replica.set("/reported/first", 1)
    large = [DeltaMessage(CLASSIC, replica.set("/reported/n", "x" * 50_000 + str(n)).encode()) for n in range(4)]
    store = MemoryStore()
    walk_all(store, [[message] for message in large])
    assert list(store.records[CLASSIC].parked) == large[-2:]


def test_a_delta_is_parked_once() -> None:
    _, second = chain(2)
    store = MemoryStore()
    walked = walk(store, [second, second], now=now)
    assert [type(outcome) for outcome in walked.outcomes] == [Parked, Parked]
    revision = store.records[CLASSIC].revision
    walk(store, [second], now=now)
    assert store.records[CLASSIC].parked == (second,)
    assert store.records[CLASSIC].revision == revision


def test_what_a_parked_delta_may_say_is_judged_when_its_turn_comes() -> None:
    first, second = chain(2)
    store = MemoryStore()
    walk(store, [second._replace(speaks_for=frozenset({"gateway"}))], now=now)
    assert store.records[CLASSIC].parked[0].speaks_for == frozenset({"gateway"})
    forged = chain(2, "somebody")[1]._replace(speaks_for=frozenset({"gateway"}))
    (refused,) = walk(store, [forged], now=now).outcomes
    assert isinstance(refused, Refused) and refused.code == "not_authorized"
    assert [type(one) for one in walk(store, [first], now=now).released] == [Merged]


# Others who write


class Contested(MemoryStore):
    """A store in which somebody else writes first, a few times."""

    def __init__(self, rivals: Sequence[Message]) -> None:
        super().__init__()
        self.rivals = list(rivals)

    def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
        if self.rivals:
            other = MemoryStore()
            other.records = self.records
            walk(other, [self.rivals.pop(0)], now=now)
        return super().commit(changes)


@given(delta_traffic(), st.data())
def test_a_lost_write_is_joined_again(traffic: Traffic, data: st.DataObject) -> None:
    messages, goals = traffic
    shuffled = data.draw(st.permutations(messages))
    rivals, mine = shuffled[:5], shuffled[5:]
    store = Contested(rivals)
    pauses: list[int] = []
    walked = walk(store, mine, now=now, pause=pauses.append)
    rest, store.rivals = store.rivals, []
    walk(store, rest, now=now)
    assert not [one for one in walked.outcomes if isinstance(one, Failed)]
    assert states(store) == goals
    assert pauses == list(range(1, len(pauses) + 1))


def test_who_always_loses_is_told_so_and_has_changed_nothing() -> None:
    rivals = chain(9, "rival")
    store = Contested(rivals)
    pauses: list[int] = []
    mine = DeltaMessage(CLASSIC, writer("loser").set("/reported/x", 1).encode())
    bad = DeltaMessage(CLASSIC, b"")
    other = mine._replace(key=NAMED)
    walked = walk(store, [mine, bad, other], now=now, pause=pauses.append, attempts_max=3)
    lost, unjudged, won = walked.outcomes
    assert isinstance(lost, Failed) and isinstance(lost.error, RevisionConflict) and lost.error.retryable
    assert isinstance(unjudged, Failed)
    assert isinstance(won, Merged)
    assert pauses == [1, 2]
    assert states(store)[CLASSIC].siblings("/reported/x") == ()
    assert store.refusals == []
    assert [settled.key for settled in walked.settled] == [NAMED]


def test_a_shadow_that_cannot_be_read_hinders_no_other() -> None:
    store = MemoryStore()
    store.records[CLASSIC] = Record(0, state=b"rotten", revision=3)
    messages = [DeltaMessage(key, chain(1)[0].data) for key in KEYS]
    failed, merged = walk(store, messages, now=now).outcomes
    assert isinstance(failed, Failed) and isinstance(failed.error, StateDamaged) and not failed.error.retryable
    assert "thermostat" in str(failed.error)
    assert isinstance(merged, Merged)
    assert store.records[CLASSIC].state == b"rotten"


def test_a_store_that_fails_fails_the_batch() -> None:
    class Broken(MemoryStore):
        def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
            raise AdapterError("the disk is gone")

    with pytest.raises(AdapterError, match="gone"):
        walk(Broken(), chain(1), now=now)


# One read, one write


def test_a_batch_reads_and_writes_each_shadow_once() -> None:
    class Counting(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.read: list[ShadowKey] = []
            self.written: list[ShadowKey] = []

        def load(self, keys: Sequence[ShadowKey]) -> Mapping[ShadowKey, Record]:
            self.read += keys
            return super().load(keys)

        def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
            self.written += [change.key for change in changes]
            return super().commit(changes)

    store = Counting()
    batch: list[Message] = [*chain(5), *events_of([{"desired": {"a": 1}}] * 3, NAMED), DeltaMessage(CLASSIC, b"")]
    walk(store, batch, now=now)
    assert store.read == store.written == list(KEYS)


def test_the_default_alias_names_the_classic_shadow() -> None:
    store = MemoryStore()
    walk(store, [DeltaMessage(ShadowKey("thermostat", "$default"), chain(1)[0].data)], now=now)
    assert list(store.records) == [CLASSIC]
