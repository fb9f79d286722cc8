"""Bugs that were found in this library by the layers of its own tests; each with the smallest case that showed it."""

from __future__ import annotations

import msgpack
import pytest

from crdtshadow import REMOVED, DecodeError, EventRefused, Policy, Replica, Shadow, VectorClock, ingest_offline, resolve
from crdtshadow.clock import replica_id
from crdtshadow.plain import Ledger
from crdtshadow.testing import FakeClock
from tests.regressions.peers import START_MS, A, B, C, at, exchange_all, replicas, shown

FIELD = "/desired/x"


def forgetful_and_contested() -> tuple[Shadow, Shadow]:
    """Return one shadow that has forgotten a removal, and one where a concurrent value stands beside it."""
    forgetful, contested = Shadow(), Shadow()
    first = forgetful.write({FIELD: 1}, at(1, A))
    contested.merge(first)
    value = contested.copy().write({FIELD: 5}, at(3, C))
    removal = forgetful.write({FIELD: REMOVED}, at(2, A))
    contested.merge(removal)
    contested.merge(value)
    assert [one.value for one in contested.siblings(FIELD)] == [REMOVED, 5]
    assert forgetful.forget(forgetful.clock) == (FIELD,)
    return forgetful, contested


def test_a_forgotten_removal_goes_everywhere_though_a_value_stands_beside_it() -> None:
    """A removal that its writer had forgotten stayed where a concurrent value stood beside it: a delta did not do what
    the whole state did, and two shadows of one clock and one floor kept different bytes for ever.

    Found while stating the rule of the floor for Z3 (`tests/proof`): the state was no function of what was seen.
    """
    forgetful, contested = forgetful_and_contested()
    by_delta, by_state = contested.copy(), contested.copy()
    by_delta.merge(forgetful.delta(contested.clock))
    by_state.merge(forgetful)
    assert by_delta == by_state
    assert by_delta.encode() == by_state.encode()
    forgetful.merge(contested.delta(forgetful.clock))
    assert forgetful == by_state
    assert shown(forgetful) == {FIELD: 5}


@pytest.mark.parametrize("late", ["/desired/x", "/desired/x/y"])
def test_a_late_writer_s_value_and_a_forgotten_removal_end_the_same_everywhere(late: str) -> None:
    """The same through replicas, by a plain writer's update as of an older clock: both sides said to be level."""
    clock = FakeClock(START_MS)
    a, gateway = replicas("a", "gateway", clock=clock)
    a.set(FIELD, 1)
    exchange_all(a, gateway)
    before = gateway.clock
    a.remove(FIELD)
    exchange_all(a, gateway)
    assert a.forget() == (FIELD,)
    clock.advance(1)
    gateway.set(late, 5, as_of=before)
    exchange_all(a, gateway)
    assert a.clock == gateway.clock
    assert a.shadow == gateway.shadow
    assert shown(a.shadow) == {late: 5}


def test_a_removal_that_still_competes_is_not_forgotten_with_later_ones() -> None:
    """The floor is one time a replica: it must not pass a removal that waits for a review, or it would vanish."""
    a, b = Shadow(), Shadow()
    a.write({FIELD: 1, "/desired/z": 1}, at(1, A))
    b.merge(a)
    b.write({FIELD: 2}, at(3, B))
    a.write({FIELD: REMOVED}, at(2, A))
    a.write({"/desired/z": REMOVED}, at(3, A))
    a.merge(b)
    assert a.forget(a.clock) == ()
    assert [one.value for one in a.siblings(FIELD)] == [REMOVED, 2]
    a.write({FIELD: 2}, at(4, A))
    assert a.forget(a.clock) == ("/desired/z",)
    assert a.floor == VectorClock({A: 3})


@pytest.mark.parametrize("key", ["[" * 3_000, "NaN", "1e999", "[1]", "{}", "null"])
def test_a_set_shows_no_element_that_is_none(key: str) -> None:
    """A peer's path below a set, `[[[[…`, made every view of that shadow raise a `RecursionError`; others showed NaN.

    Found by reading for the fuzzer (`tests/fuzz`), whose targets resolve what they have decoded.
    """
    policy = Policy.from_json({"overrides": [{"path": "/desired/s", "rule": "set"}]})
    shadow = Shadow()
    shadow.write({f"/desired/s/{key}": True}, at(1, B))
    assert resolve(shadow, policy).fields == {f"/desired/s/{key}": True}


def test_a_counter_shows_no_sum_that_is_no_value() -> None:
    """Two finite entries summed to infinity, which no JSON document can say."""
    policy = Policy.from_json({"overrides": [{"path": "/desired/c", "rule": "counter"}]})
    for entries in ({"a": 1.7e308, "b": 1.7e308}, {"a": 2**64 - 1, "b": 1}):
        shadow = Shadow()
        fields = {f"/desired/c/{name}": number for name, number in entries.items()}
        shadow.write(dict(fields), at(1, B))
        assert resolve(shadow, policy).fields == fields


def test_a_replica_with_many_peers_can_be_loaded_again() -> None:
    """What `save` returned was refused by `load` once a peer's clock took more than a message may."""
    replica = Replica("a", epoch=1, now=lambda: START_MS)
    clock = VectorClock({replica_id("x" * 100 + str(number), number): number + 1 for number in range(2_000)})
    replica.acknowledge(B, clock)
    assert Replica.resume(replica.save(), last_time=replica.last_time, now=lambda: START_MS).save() == replica.save()


def test_a_saved_replica_that_cannot_write_is_refused() -> None:
    """Saved bytes whose last time lay before what their state had seen loaded well, and every write failed then.

    Found by the fuzzer: `tests/fuzz/crashers/replica-f64556ca5da2`.
    """
    replica = Replica("a", epoch=1, now=lambda: START_MS)
    replica.reported["n"] = 1
    parts = msgpack.unpackb(replica.save())
    parts[2] -= 1
    with pytest.raises(DecodeError):
        Replica.load(msgpack.packb(parts), epoch=2, now=lambda: START_MS)


@pytest.mark.parametrize(
    ("place", "value"),
    [(3, {b"desired": 1}), (4, [1.5]), (4, ["nobody"]), (5, ["1"]), (6, [["1", []]]), (7, [[1, [], 5]]), (8, [7])],
)
def test_a_ledger_of_wrong_parts_is_refused(place: int, value: object) -> None:
    """A ledger took versions, clocks and documents of any type, and broke where it was used, by any error.

    Found by the fuzzer: `tests/fuzz/crashers/ledger-*`.
    """
    parts = msgpack.unpackb(Ledger().encode())
    parts[place] = value
    if place == 4:
        parts[5] = [1]
    with pytest.raises(DecodeError):
        Ledger.decode(msgpack.packb(parts))


@pytest.mark.parametrize("at_ms", [2**70, -(2**70), 2**64])
def test_cached_changes_of_an_impossible_time_are_refused(at_ms: int) -> None:
    """A device's time beyond 64 bits ended in an `OverflowError` of msgpack.

    Found by the fuzzer: `tests/fuzz/crashers/event-65d9b968a2bb`.
    """
    with pytest.raises(EventRefused):
        ingest_offline(Shadow(), Ledger(), {"reported": {"t": 1}}, epoch=1, now_ms=START_MS, at_ms=at_ms)
