"""Joins that took short cuts, deltas that did something else than whole states, and ties."""

from __future__ import annotations

import itertools

import pytest

from crdtshadow import REMOVED, Delta, MissingBase, Shadow, merge_bytes
from crdtshadow.shadow import Changes
from crdtshadow.testing import check_join
from tests.regressions.peers import A, B, C, at, joined, shown

FOO, BAR, BAZ = "/desired/foo", "/desired/bar", "/desired/baz"


def test_a_removal_counts_though_the_other_side_has_seen_more() -> None:
    """A merge that took the side with the greater clock kept what had been removed.

    https://github.com/basho/riak_dt/pull/78
    """
    a, b = Shadow(), Shadow()
    a.write({FOO: 1}, at(1, A))
    a.write({BAR: 1}, at(2, A))
    b.write({BAZ: 1}, at(1, B))
    c = joined(a, b)
    a.write({BAR: REMOVED}, at(3, A))
    assert shown(joined(a, c)) == shown(joined(c, a)) == {FOO: 1, BAZ: 1}


@pytest.mark.parametrize("first", [A, B])
def test_a_clock_that_is_ahead_is_no_reason_to_take_that_side_unseen(first: str) -> None:
    """A merge that picks the map whose clock dominates is an optimisation that loses fields.

    https://github.com/basho/riak_dt/pull/82
    """
    a, b = Shadow(), Shadow()
    a.write({FOO: 1, BAR: 1}, at(1, A))
    b.merge(a)
    b.write({BAR: REMOVED, BAZ: 1}, at(2, B))
    assert a.clock < b.clock
    expected = {FOO: 1, BAZ: 1}
    assert shown(joined(*((a, b) if first == A else (b, a)))) == expected
    a.write({FOO: 2}, at(2, A))
    assert shown(joined(*((a, b) if first == A else (b, a)))) == {FOO: 2, BAZ: 1}


def test_states_are_equal_however_they_came_together() -> None:
    """Equality that looked at the order of dicts called equal maps unequal, so they never settled.

    https://github.com/basho/riak_dt/commit/925f28c
    """
    written: list[tuple[str, Changes]] = [(A, {FOO: 1}), (B, {FOO: 2, BAR: {}}), (C, {BAZ: [{"x": 1, "y": 2}]})]
    states = []
    for order in itertools.permutations(written):
        whole = Shadow()
        for replica, changes in order:
            part = Shadow()
            part.write(changes, at(1, replica))
            whole.merge(part)
        states.append(whole)
    assert all(one == states[0] for one in states)
    assert len({one.encode() for one in states}) == len({one.digest() for one in states}) == 1
    swapped = Shadow()
    swapped.write({BAZ: [{"y": 2, "x": 1}]}, at(1, C))
    assert not states[0].merge(swapped)


def test_a_delta_with_a_removal_does_what_the_whole_state_does() -> None:
    """The delta of an add and a remove left what the merge of the whole states removed.

    https://github.com/akka/akka-core/issues/22648
    """
    one, two = Shadow(), Shadow()
    one.write({FOO: "B1"}, at(1, A))
    two.write({FOO: "B2"}, at(1, B))
    two.write({FOO: REMOVED}, at(2, B))
    for here, there in ((one, two), (two, one)):
        by_state, by_delta = here.copy(), here.copy()
        by_state.merge(there)
        by_delta.merge(there.delta(here.clock))
        assert by_state == by_delta
        assert [sibling.value for sibling in by_state.siblings(FOO)] == ["B1", REMOVED]


def test_an_add_and_its_removal_in_one_group_of_deltas_leave_nothing() -> None:
    """A group of deltas, put and then removed, left an empty entry behind at some nodes only.

    https://github.com/akka/akka-core/issues/22631
    """
    source = Shadow()
    source.write({FOO: 1}, at(1, A))
    late, level = source.copy(), source.copy()
    for delta in (source.write({BAR: 1}, at(2, A)), source.write({BAR: REMOVED}, at(3, A))):
        level.merge(delta)
    late.merge(source.delta(late.clock))
    assert late == level == source
    assert shown(late) == {FOO: 1}


def test_adds_go_on_after_many_rounds_of_adds_and_removals_on_every_node() -> None:
    """After some rounds of adding and removing by deltas, one node's adds vanished for ever.

    https://github.com/akka/akka-core/issues/22890
    """
    nodes = {replica: Shadow() for replica in (A, B, C)}
    time = 0
    for number in range(40):
        for replica, state in nodes.items():
            time += 1
            field = f"/desired/{replica[0]}{number}"
            delta = state.write({field: number}, at(time, replica))
            for peer in nodes.values():
                if peer is not state and delta.base <= peer.clock:
                    peer.merge(delta)
            assert shown(state)[field] == number
            time += 1
            state.write({field: REMOVED}, at(time, replica))
        for here, there in itertools.permutations(nodes.values(), 2):
            here.merge(there.delta(here.clock))
    assert len({state.encode() for state in nodes.values()}) == 1
    assert shown(nodes[A]) == {}


def test_what_is_relayed_together_is_neither_lost_nor_doubled() -> None:
    """Two updates merged into one before sending lost a part, or brought one twice.

    https://github.com/y-crdt/y-crdt/issues/268
    """
    a, b = Shadow(), Shadow()
    updates = [a.write({FOO: "aaa"}, at(1, A)), a.write({BAR: "aaa"}, at(2, A))]
    updates += [b.write({FOO: "bb"}, at(1, B)), b.write({BAR: "b"}, at(2, B)), b.write({BAZ: "bbb"}, at(3, B))]
    state = b""
    for update in updates:
        state = merge_bytes(state, update.encode())
    assert merge_bytes(joined(a).encode(), b.delta().encode()) == state
    assert merge_bytes(state, state) is state
    values = [one.value for path in (FOO, BAR, BAZ) for one in Shadow.decode(state).siblings(path)]
    assert values == ["aaa", "bb", "aaa", "b", "bbb"]


def test_removals_are_applied_behind_what_was_forgotten() -> None:
    """Applying removals stopped at the first collected block, so later ones were lost.

    https://github.com/y-crdt/y-crdt/issues/607, https://github.com/y-crdt/y-crdt/pull/614
    """
    a, b = Shadow(), Shadow()
    fields = [f"/desired/{number}" for number in range(6)]
    a.write(dict.fromkeys(fields, 1), at(1, A))
    b.merge(a)
    a.write({fields[0]: REMOVED, fields[2]: REMOVED}, at(2, A))
    b.merge(a)
    assert b.forget(a.clock) == (fields[0], fields[2])
    a.write(dict.fromkeys(fields[1:4], REMOVED), at(3, A))
    b.merge(a.delta(b.clock))
    a.merge(b)
    assert a == b
    assert shown(a) == {fields[4]: 1, fields[5]: 1}


def test_a_removal_that_comes_before_what_it_removed_is_not_lost() -> None:
    """Removals of what had not arrived yet were dropped silently.

    https://github.com/y-crdt/y-crdt/pull/628
    """
    source, receiver = Shadow(), Shadow()
    first = source.write({FOO: 1}, at(1, A))
    second = source.write({FOO: REMOVED}, at(2, A))
    with pytest.raises(MissingBase):
        receiver.merge(second)
    assert receiver == Shadow()
    for delta in (first, second):
        receiver.merge(delta)
    assert receiver == source
    assert shown(receiver) == {}


@pytest.mark.parametrize("values", [(1, 2), (1, True), (1.0, 1), ("b", "a"), (REMOVED, 0), ({}, [])])
def test_on_a_tie_both_sides_take_the_same(values: tuple[object, object]) -> None:
    """A register that keeps its own value, or takes the other's, on equal times, never converges.

    https://github.com/apache/pekko/blob/main/distributed-data/src/main/scala/org/apache/pekko/cluster/ddata/LWWRegister.scala
    """
    for replicas in ((A, B), (A, A)):
        one, two = Shadow(), Shadow()
        for state, value, replica in zip((one, two), values, replicas, strict=True):
            state.write({FOO: value}, at(5, replica))  # type: ignore[dict-item]  # values of all kinds
        assert joined(one, two) == joined(two, one)
        check_join(one, two, Shadow(), join=joined)
        assert len(joined(one, two).siblings(FOO)) == len(set(replicas))


def test_a_live_delta_is_not_joined_over_a_gap() -> None:
    """A later delta, joined without the ones before it, made later adds of that node invisible.

    https://github.com/akka/akka-core/issues/22890
    """
    source, receiver = Shadow(), Shadow()
    deltas = [source.write({FOO: number}, at(number, A)) for number in range(1, 4)]
    for late in deltas[1:]:
        with pytest.raises(MissingBase) as refused:
            receiver.merge(late)
        assert refused.value.clock == receiver.clock
    repaired = Delta.decode(source.delta(receiver.clock).encode())
    assert receiver.merge(repaired)
    assert receiver == source
