"""Reviews and policies: who settles a conflict has seen all sides; a policy changes what readers see, not the state.

What it proves: the effects on state, audit and pending conflicts. What it cannot: that a strategy chooses well.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from crdtshadow_walk import (
    Change,
    DeltaMessage,
    Entry,
    MemoryStore,
    Merged,
    RevisionConflict,
    ShadowKey,
    resolve_conflict,
    set_policy,
    walk,
)
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import (
    EventRefused,
    InvalidIdentity,
    InvalidValue,
    Policy,
    Replica,
    Stamp,
    UnknownConflict,
    find_conflicts,
    resolve,
)
from crdtshadow.errors import AdapterError
from crdtshadow.testing import FakeClock
from tests.adapters.traffic import CLASSIC, KEYS, delta_traffic, now, states, walk_all

REVIEW = Policy.from_json({"strategy": "manual_review"})


def disputed(*values: object, policy: Policy = REVIEW) -> MemoryStore:
    """Return a store where as many replicas wrote *values* at one path, not knowing of each other."""
    store = MemoryStore(default_policy=policy)
    for at, value in enumerate(values):
        clock = FakeClock(1_000 + at)
        writer = Replica(f"writer-{at}", epoch=at, now=clock)
        walk(store, [DeltaMessage(CLASSIC, writer.set("/desired/mode", value).encode())], now=now)
    return store


def lines(store: MemoryStore) -> list[Entry]:
    return [entry for _, entry in store.history[CLASSIC]]


def test_a_conflict_held_for_review_is_pending_with_all_its_sides() -> None:
    store = disputed("heat", "off")
    (pending,) = store.conflicts[CLASSIC]
    assert pending.held
    assert [write.value for write in pending.conflict.writes] == ["heat", "off"]
    first, second = lines(store)
    assert (first.before, first.after, first.conflict) == (None, "heat", False)
    assert (second.before, second.after, second.held, second.strategy) == ("heat", "off", True, "manual_review")
    assert second.writes == pending.conflict.writes


def test_a_conflict_that_changes_nothing_in_view_is_in_the_audit_too() -> None:
    store = disputed("off", policy=Policy())
    earlier = Replica("writer-x", epoch=9, now=lambda: 5)
    walk(store, [DeltaMessage(CLASSIC, earlier.set("/desired/mode", "heat").encode())], now=now)
    _, fought = lines(store)
    assert (fought.before, fought.after, fought.conflict, fought.held) == ("off", "off", True, False)
    assert store.conflicts[CLASSIC] == ()


def test_values_that_python_thinks_equal_are_told_apart_in_the_audit() -> None:
    store, writer = MemoryStore(), Replica("a", epoch=1, now=now)
    for value in (1, 1.0, True):
        walk(store, [DeltaMessage(CLASSIC, writer.set("/reported/t", value).encode())], now=now)
    assert [repr(line.after) for line in lines(store)] == ["1", "1.0", "True"]


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_a_review_settles_a_conflict(chosen: int) -> None:
    store = disputed("heat", "off", "cool")
    write = store.conflicts[CLASSIC][0].conflict.writes[chosen]
    settled = resolve_conflict(store, CLASSIC, "/desired/mode", choose=write.stamp, now=now)
    assert settled.view.fields == {"/desired/mode": write.value}
    assert settled.conflicts == store.conflicts[CLASSIC] == ()
    assert find_conflicts(states(store)[CLASSIC]) == ()
    last = lines(store)[-1]
    assert (last.after, last.conflict) == (write.value, False)
    assert last.stamp is not None and last.stamp.replica.startswith("cloud-review#")


def test_a_review_may_bring_another_value_or_remove_the_field() -> None:
    store = disputed("heat", "off")
    resolve_conflict(store, CLASSIC, "/desired/mode", value={"day": "heat", "night": "off"}, now=now)
    assert resolve(states(store)[CLASSIC], REVIEW).document["desired"] == {"mode": {"day": "heat", "night": "off"}}
    store = disputed("heat", "off")
    resolve_conflict(store, CLASSIC, "/desired/mode", by="operator", now=now)
    assert resolve(states(store)[CLASSIC], REVIEW).fields == {}
    stamp = lines(store)[-1].stamp
    assert stamp is not None and stamp.replica.startswith("operator#")


def test_reviews_of_one_name_go_on_under_one_identity() -> None:
    store = disputed("heat", "off")
    resolve_conflict(store, CLASSIC, "/desired/mode", value=1, now=now)
    late = Replica("late", epoch=1, now=lambda: 2_000)
    walk(store, [DeltaMessage(CLASSIC, late.set("/desired/mode", "cool").encode())], now=now)
    resolve_conflict(store, CLASSIC, "/desired/mode", value=2, now=lambda: 1)
    assert resolve(states(store)[CLASSIC], REVIEW).fields == {"/desired/mode": 2}
    reviewers = [replica for replica in states(store)[CLASSIC].clock if replica.startswith("cloud-review#")]
    assert len(reviewers) == 1


@given(delta_traffic(), st.sampled_from([None, 1, {"x": 1}]))
def test_after_a_review_no_side_is_left(traffic, value: object) -> None:
    store = MemoryStore(default_policy=REVIEW)
    walk_all(store, [traffic[0]])
    for key in KEYS:
        for _ in range(20):
            pending = store.conflicts.get(key, ())
            if not pending:
                break
            path = pending[0].conflict.path
            before = store.records[key].revision
            settled = resolve_conflict(store, key, path, value=value if path.count("/") > 1 else None, now=now)
            assert settled.revision == before + 1
            assert path not in [decision.conflict.path for decision in settled.conflicts]
        assert store.conflicts.get(key, ()) == ()


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/desired/mode", {"choose": Stamp(1, "nobody#00000001")}),
        ("/desired/other", {"value": 1}),
        ("nonsense", {"value": 1}),
        ("", {"value": 1}),
    ],
)
def test_there_must_be_such_a_conflict(path: str, wanted: dict) -> None:
    store = disputed("heat", "off")
    before = dict(store.records)
    with pytest.raises(UnknownConflict):
        resolve_conflict(store, CLASSIC, path, now=now, **wanted)
    assert store.records == before


def test_a_review_must_be_fit_to_be_written() -> None:
    store = disputed("heat", "off")
    before = dict(store.records)
    with pytest.raises(InvalidValue):
        resolve_conflict(store, CLASSIC, "/desired/mode", value=float("nan"), now=now)
    with pytest.raises(InvalidIdentity):
        resolve_conflict(store, CLASSIC, "/desired/mode", value=1, by="no name", now=now)
    with pytest.raises(EventRefused):
        resolve_conflict(store, ShadowKey(""), "/desired/mode", value=1, now=now)
    assert store.records == before


class Contested(MemoryStore):
    """A store in which somebody else writes first, a few times."""

    def __init__(self, times: int) -> None:
        super().__init__(default_policy=REVIEW)
        self.times = times

    def commit(self, changes: Sequence[Change]) -> dict[ShadowKey, AdapterError]:
        if self.times:
            self.times -= 1
            return {change.key: RevisionConflict("somebody was faster") for change in changes}
        return dict(super().commit(changes))


def test_a_review_that_loses_is_tried_again() -> None:
    store = Contested(0)
    for at in range(2):
        writer = Replica(f"writer-{at}", epoch=at, now=now)
        walk(store, [DeltaMessage(CLASSIC, writer.set("/desired/mode", at).encode())], now=now)
    store.times = 2
    pauses: list[int] = []
    resolve_conflict(store, CLASSIC, "/desired/mode", value=7, now=now, pause=pauses.append)
    assert pauses == [1, 2]
    store.times = 9
    with pytest.raises(RevisionConflict):
        set_policy(store, CLASSIC, None, now=now, attempts_max=3)


def test_a_policy_changes_what_readers_see_and_not_the_state() -> None:
    store = disputed("heat", "off", policy=Policy())
    state = store.records[CLASSIC].state
    first = Policy.from_json({"strategy": "priority_based", "ranks": {"writer-0": 9, "writer-1": 1}})
    settled = set_policy(store, CLASSIC, first, now=now)
    assert settled.view.fields == {"/desired/mode": "heat"}
    assert [(line.before, line.after, line.strategy) for line in settled.history] == [("off", "heat", "priority_based")]
    set_policy(store, CLASSIC, REVIEW, now=now)
    assert len(store.conflicts[CLASSIC]) == 1
    set_policy(store, CLASSIC, None, now=now)
    assert store.conflicts[CLASSIC] == ()
    assert store.records[CLASSIC].state == state
    assert store.records[CLASSIC].policy is None
    assert lines(store)[-1].after == "off"


def test_a_shadow_may_have_a_policy_before_it_has_a_state() -> None:
    store = MemoryStore()
    set_policy(store, CLASSIC, REVIEW, now=now)
    delta = Replica("a", epoch=1, now=now).set("/reported/t", 1).encode()
    assert [type(one) for one in walk(store, [DeltaMessage(CLASSIC, delta)], now=now).outcomes] == [Merged]
    assert store.records[CLASSIC].policy == REVIEW


def test_the_default_policy_holds_for_shadows_without_their_own() -> None:
    store = disputed("heat", "off", policy=Policy())
    set_policy(store, KEYS[1], Policy(), now=now)
    store.set_default_policy(REVIEW, now=now)
    assert len(store.conflicts[CLASSIC]) == 1
    assert store.conflicts[KEYS[1]] == ()
