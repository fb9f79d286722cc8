"""What is done with hostile bytes, decoder by decoder, and what must hold then.

Each target returns if all is well. Whatever escapes it is a bug: an exception of another family than the documented
one, or an `AssertionError` from here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from crdtshadow import (
    DecodeError,
    Delta,
    DocumentError,
    EventRefused,
    Ingested,
    InvalidIdentity,
    InvalidPolicy,
    Ledger,
    LimitExceeded,
    LWWMap,
    Policy,
    RemoteError,
    Replica,
    Session,
    Shadow,
    ingest_event,
    ingest_offline,
    merge_bytes,
    record_published,
    resolve,
)
from crdtshadow.document import Tombstone, apply_patch, apply_update, diff, get_accepted, parse_request
from tests.fuzz import corpus


class Target(NamedTuple):
    """A decoder under attack.

    Attributes:
        run: What is done with the bytes.
        seeds: Returns inputs to begin with.
        kind: How they are written, see :class:`tests.fuzz.mutate.Mutator`.
        share: How much of all executions it gets.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], tuple[bytes, ...]]
    kind: str
    share: int


def _now() -> int:
    return corpus.NOW_MS


def _state_for(data: bytes) -> Shadow:
    """Return a copy of one of the shadows; which, follows from the bytes."""
    held = corpus.shadows()
    return held[sum(data) % len(held)].copy()


def _check_view(state: LWWMap, data: bytes) -> None:
    policies = corpus.policies()
    view = resolve(state, policies[len(data) % len(policies)])
    assert set(view.stamps) == set(view.fields)


def decode_delta(data: bytes) -> None:
    try:
        delta = Delta.decode(data)
    except DecodeError as error:
        assert len(str(error).splitlines()) == 1
        return
    assert delta.encode() == data
    assert delta.base <= delta.upto and delta.floor <= delta.upto
    assert all(delta.upto.covers(stamp) for stamp in delta.stamps())
    state = _state_for(data)
    before = state.encode()
    try:
        state.merge(delta)
    except RemoteError:
        assert state.encode() == before
        return
    state.check()
    after = state.encode()
    assert not state.merge(delta) and state.encode() == after
    assert Shadow.decode(after).encode() == after
    _check_view(state, data)


def decode_state(data: bytes) -> None:
    for kind in (LWWMap, Shadow):
        try:
            state = kind.decode(data)
        except DecodeError:
            continue
        assert state.encode() == data
        state.check()
        assert state.copy() == state
        if kind is Shadow:
            _check_view(state, data)


def merge_state_bytes(data: bytes) -> None:
    held = corpus.states()
    state = held[sum(data) % len(held)]
    try:
        merged = merge_bytes(state, data)
    except RemoteError:
        pass
    else:
        assert merge_bytes(merged, data) is merged
    with suppress(RemoteError):
        merge_bytes(data, state)


def decode_ledger(data: bytes) -> None:
    try:
        ledger = Ledger.decode(data)
    except DecodeError:
        return
    assert ledger.encode() == data
    ledger.clock_at(1)
    record_published(ledger, {}, aws_version=2, clock=ledger.clock)
    for event in corpus.events()[:2]:
        shadow = Shadow()
        ingest_event(shadow, ledger, event, epoch=1, now_ms=corpus.NOW_MS).ledger.encode()
        shadow.check()
    patch = {"reported": {"led": 1}}
    ingest_offline(Shadow(), ledger, patch, epoch=1, now_ms=corpus.NOW_MS, at_ms=9, aws_version=1).ledger.encode()


def load_replica(data: bytes) -> None:
    for load in (
        lambda: Replica.load(data, epoch=9, now=_now),
        lambda: Replica.resume(data, last_time=2**63, now=_now),
    ):
        try:
            replica = load()
        except (DecodeError, InvalidIdentity):
            continue
        _use_replica(replica)


def _use_replica(replica: Replica) -> None:
    replica.shadow.check()
    saved = replica.save()
    assert Replica.resume(saved, last_time=2**64 - 1, now=_now).shadow == replica.shadow
    replica.forget()
    replica.document()
    if not replica.cloned:
        before = replica.clock
        try:
            replica.set("/reported/fuzz", 1)
        except LimitExceeded:
            return
        assert before < replica.clock


def receive_message(data: bytes) -> None:
    replica = Replica("here", epoch=3, now=_now, shadow=_state_for(data))
    before = replica.shadow.encode()
    received = Session(replica, speaks_for=None if len(data) % 2 else ("app", "a")).receive(data)
    replica.shadow.check()
    if not received.merged:
        assert replica.shadow.encode() == before
    assert (received.refused is None) or received.merged is None
    assert len(received.replies) <= 2
    peer = Session(Replica("there", epoch=4, now=_now))
    for reply in received.replies:
        answer = peer.receive(reply)
        assert answer.refused is None or isinstance(answer.refused, RemoteError)
    replica.forget()
    replica.save()


def read_policy(data: bytes) -> None:
    try:
        policy = Policy.from_json(data)
    except InvalidPolicy:
        return
    assert Policy.from_json(json.dumps(policy.to_json())) == policy
    state = _state_for(data)
    view = resolve(state, policy)
    assert set(view.stamps) == set(view.fields)
    for path in ("/desired/a", "/reported/a/b/c", "/desired"):
        assert policy.priority(path, "cloud") == policy.priority(path, "cloud")


def read_request(data: bytes) -> None:
    try:
        request = parse_request(data)
    except DocumentError as error:
        assert error.status in (400, 413, 415) and len(str(error).splitlines()) == 1
        return
    document: Any = Tombstone(3, 0)
    for now_s in (1, 2):
        try:
            update = apply_update(document, request, now_s=now_s)
        except DocumentError as error:
            assert error.status in (409, 413)
            return
        json.dumps([update.accepted, update.delta, update.documents], allow_nan=False).encode()
        get_accepted(update.document, now_s=now_s)
        document = update.document
        request = request._replace(version=None)
    for name in ("desired", "reported"):
        old, new = corpus.DOCUMENTS[0].get(name), document.state.get(name)
        assert (apply_patch(old, diff(old, new)) or {}) == (new or {})


def read_event(data: bytes) -> None:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    shadow = _state_for(data)
    ledger = Ledger.decode(corpus.ledgers()[sum(data) % len(corpus.ledgers())])
    current = event.get("current") if isinstance(event, dict) else event
    state = current.get("state") if isinstance(current, dict) else current
    at_ms = event.get("timestamp") if isinstance(event, dict) else 0
    _check_ingest(shadow, lambda: ingest_event(shadow, ledger, event, epoch=1, now_ms=corpus.NOW_MS))
    _check_ingest(
        shadow,
        lambda: ingest_offline(
            shadow, ledger, state, epoch=1, now_ms=corpus.NOW_MS, at_ms=at_ms if isinstance(at_ms, int) else 0
        ),
    )


def _check_ingest(shadow: Shadow, ingest: Callable[[], Ingested]) -> None:
    before = shadow.encode()
    try:
        ingested = ingest()
    except EventRefused:
        assert shadow.encode() == before
        return
    shadow.check()
    kept = ingested.ledger.encode()
    assert Ledger.decode(kept).encode() == kept
    assert Delta.decode(ingested.delta.encode()) == ingested.delta


TARGETS: Final = {
    "delta": Target(decode_delta, corpus.deltas, "delta", 5),
    "state": Target(decode_state, corpus.states, "delta", 3),
    "merge_bytes": Target(merge_state_bytes, corpus.deltas, "delta", 2),
    "ledger": Target(decode_ledger, corpus.ledgers, "msgpack", 2),
    "replica": Target(load_replica, corpus.replicas, "msgpack", 2),
    "session": Target(receive_message, corpus.messages, "msgpack", 2),
    "policy": Target(read_policy, corpus.policy_texts, "json", 1),
    "request": Target(read_request, corpus.requests, "json", 2),
    "event": Target(read_event, corpus.event_texts, "json", 1),
}
