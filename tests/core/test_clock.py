"""Time and causality: stamps, hybrid logical clocks, vector clocks.

What it proves: hybrid times follow causality and stay at the wall clock, whatever that does, held against the
happened-before relation itself; vector clocks are the sets of updates that they stand for. What it cannot: that a
caller hands in honest times; who checks them is tested with `guard`.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdtshadow.clock import (
    EMPTY_CLOCK,
    TICK_BITS,
    Stamp,
    VectorClock,
    pack_time,
    receive,
    replica_id,
    replica_name,
    send,
    split_replica,
)
from crdtshadow.errors import InvalidIdentity
from crdtshadow.limits import CLOCK_MS_MAX, NAME_CHARS_MAX

TICK_MAX = (1 << TICK_BITS) - 1
TIME_MAX = pack_time(CLOCK_MS_MAX, TICK_MAX)
NAME_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@$+-"

names = st.text(NAME_CHARS, min_size=1, max_size=3) | st.text(NAME_CHARS, min_size=1, max_size=NAME_CHARS_MAX)
epochs = st.sampled_from([0, 1, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
few_ids = st.sampled_from([replica_id(name, epoch) for name in "ab" for epoch in (0, 1)])
clocks = st.dictionaries(few_ids, st.integers(0, 5)).map(VectorClock)
walls = st.integers(-1, 5) | st.sampled_from([CLOCK_MS_MAX - 1, CLOCK_MS_MAX, CLOCK_MS_MAX + 1, -(2**70), 2**70])
times = st.builds(pack_time, st.integers(0, 5), st.sampled_from([0, 1, TICK_MAX - 1, TICK_MAX]))


# Identities


@given(names, epochs)
def test_an_id_tells_its_name_and_epoch(name: str, epoch: int) -> None:
    replica = replica_id(name, epoch)
    assert split_replica(replica) == (name, epoch)
    assert replica_name(replica) == name


@given(st.lists(st.tuples(names, epochs), max_size=6))
def test_ids_are_ordered_as_their_names_then_by_epoch(parts: list[tuple[str, int]]) -> None:
    assert sorted(replica_id(*part) for part in parts) == [replica_id(*part) for part in sorted(parts)]


@given(st.text("ab#0f F_+x-", max_size=12) | st.text(max_size=12))
@example("a#0000000A")
@example("a#+0000001")
@example("a#0_000001")
@example("a#0x000001")
@example("a# 0000001")
@example("a#\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0661")
def test_a_text_is_an_id_only_if_it_is_the_id_of_its_parts(text: str) -> None:
    try:
        parts = split_replica(text)
    except InvalidIdentity:
        return
    assert replica_id(*parts) == text


@pytest.mark.parametrize("name", ["", "a" * (NAME_CHARS_MAX + 1), "a#", "a b", "a/b", "é", "a\n", None, 1, b"a"])
def test_a_wrong_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidIdentity, match="replica name"):
        replica_id(name, 0)


@pytest.mark.parametrize("epoch", [-1, 1 << 32, 1.0, "0", None])
def test_a_wrong_epoch_is_refused(epoch: Any) -> None:
    with pytest.raises(InvalidIdentity, match="replica epoch"):
        replica_id("a", epoch)


@pytest.mark.parametrize("replica", ["", "a", "a#", "a#0000000", "a#000000000", "a#0000000g", "a#0000000A", None, 7])
def test_what_is_no_id_is_refused(replica: Any) -> None:
    with pytest.raises(InvalidIdentity, match="is not a replica id"):
        split_replica(replica)


@pytest.mark.parametrize("replica", ["#00000000", "a b#00000000", "a#00000000#00000000"])
def test_an_id_with_a_wrong_name_is_refused(replica: str) -> None:
    with pytest.raises(InvalidIdentity, match="replica name"):
        split_replica(replica)


# Stamps


@given(st.integers(0, CLOCK_MS_MAX), st.integers(0, TICK_MAX))
def test_a_time_tells_its_milliseconds_and_tick(ms: int, tick: int) -> None:
    stamp = Stamp(pack_time(ms, tick), "a#00000000")
    assert (stamp.ms, stamp.tick) == (ms, tick)
    assert 0 <= stamp.time < 1 << 64


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), few_ids), max_size=8))
def test_stamps_are_totally_ordered_by_time_then_tick_then_replica(parts: list[tuple[int, int, str]]) -> None:
    stamps = [Stamp(pack_time(ms, tick), replica) for ms, tick, replica in parts]
    assert sorted(stamps) == [Stamp(pack_time(ms, tick), replica) for ms, tick, replica in sorted(parts)]
    for a, b in product(stamps, repeat=2):
        assert (a < b) + (a == b) + (a > b) == 1


# Hybrid logical clocks


@given(times, walls)
def test_a_new_time_is_after_the_last_one_and_at_the_wall_clock_if_that_is_later(last: int, wall: int) -> None:
    time = send(last, wall)
    assert time > last
    possible = min(max(wall, 0), CLOCK_MS_MAX)
    assert time == (pack_time(possible) if pack_time(possible) > last else last + 1)


@given(times, times, walls)
def test_a_time_after_a_message_is_beyond_all_that_was_seen(last: int, seen: int, wall: int) -> None:
    time = receive(last, seen, wall)
    assert time > last and time > seen
    assert send(time, wall) > time
    assert receive(last, seen, wall) == receive(seen, last, wall)


def test_a_tick_that_overflows_carries_into_the_milliseconds() -> None:
    full = pack_time(7, TICK_MAX)
    assert send(full, 3) == receive(full, 0, 3) == receive(0, full, 3) == pack_time(8, 0)


def test_times_order_a_day_with_the_clock_an_hour_back() -> None:
    clock = [1_000, 1_001, 1_001, 0, 0, 500, 1_001, 1_002]
    times = [send(0, clock[0])]
    for wall in clock[1:]:
        times.append(send(times[-1], wall))
    assert all(a < b for a, b in pairwise(times))
    assert [time >> TICK_BITS for time in times] == [1_000, 1_001, 1_001, 1_001, 1_001, 1_001, 1_001, 1_002]


@given(st.lists(st.tuples(st.integers(0, 2), st.none() | st.integers(0, 9), st.integers(0, 5)), max_size=20))
def test_hybrid_times_follow_causality_and_are_the_newest_wall_clock_of_the_causal_past(
    events: list[tuple[int, int | None, int]],
) -> None:
    """Kulkarni et al. 2014, theorems 1 and 2: e before f implies time e < time f; ms is the greatest wall before."""
    last = [0, 0, 0]
    pasts: list[set[int]] = [set(), set(), set()]
    recorded: list[tuple[int, set[int]]] = []
    for number, (process, message, wall) in enumerate(events):
        past = set(pasts[process])
        if message is None or not recorded:
            time = send(last[process], wall)
        else:
            sent, cause = recorded[message % len(recorded)]
            time = receive(last[process], sent, wall)
            past |= cause
        for earlier in past:
            assert recorded[earlier][0] < time
        past.add(number)
        assert time >> TICK_BITS == max(events[at][2] for at in past)
        assert time & TICK_MAX <= len(past)
        last[process], pasts[process] = time, past
        recorded.append((time, past))


@given(times, times, walls, st.integers(0, 5))
def test_whatever_is_later_in_gives_later_out(last: int, seen: int, wall: int, more: int) -> None:
    assert send(last + more, wall) >= send(last, wall)
    assert send(last, wall + more) >= send(last, wall)
    assert receive(last, seen + more, wall) >= receive(last, seen, wall)
    assert receive(last, seen, wall + more) >= receive(last, seen, wall)


# Vector clocks, held against the sets of updates that they stand for


def updates(clock: VectorClock) -> frozenset[tuple[int, str]]:
    return frozenset((time, replica) for replica, newest in clock.items() for time in range(newest + 1))


@given(clocks, st.integers(0, 5), few_ids)
def test_a_clock_covers_what_was_seen(clock: VectorClock, time: int, replica: str) -> None:
    stamp = Stamp(time, replica)
    assert clock.covers(stamp) == ((time, replica) in updates(clock))
    seen = clock.with_stamp(stamp)
    assert updates(seen) == updates(clock) | {(earlier, replica) for earlier in range(time + 1)}


@given(clocks, clocks)
def test_clocks_are_ordered_as_the_sets_of_what_was_seen(a: VectorClock, b: VectorClock) -> None:
    ours, theirs = updates(a), updates(b)
    assert (a <= b, a < b, a >= b, a > b) == (ours <= theirs, ours < theirs, ours >= theirs, ours > theirs)
    assert (a == b) == (ours == theirs) and (a != b) == (ours != theirs)
    assert a != b or hash(a) == hash(b)
    expected = "equal" if ours == theirs else "before" if ours < theirs else "after" if ours > theirs else "concurrent"
    assert a.compare(b) == expected


@given(clocks, clocks)
def test_join_and_meet_are_union_and_intersection(a: VectorClock, b: VectorClock) -> None:
    before = a.items(), b.items()
    assert updates(a.join(b)) == updates(a) | updates(b)
    assert updates(a.meet(b)) == updates(a) & updates(b)
    assert (list(a.items()), list(b.items())) == tuple(map(list, before))


@given(clocks, clocks, clocks)
def test_clocks_are_a_distributive_lattice(a: VectorClock, b: VectorClock, c: VectorClock) -> None:
    assert a.join(b) == b.join(a) and a.meet(b) == b.meet(a)
    assert a.join(b).join(c) == a.join(b.join(c)) and a.meet(b).meet(c) == a.meet(b.meet(c))
    assert a.join(a) == a == a.meet(a)
    assert a.join(a.meet(b)) == a == a.meet(a.join(b))
    assert a.meet(b.join(c)) == a.meet(b).join(a.meet(c))
    assert a.join(EMPTY_CLOCK) == a and a.meet(EMPTY_CLOCK) == EMPTY_CLOCK


@given(st.dictionaries(few_ids, st.integers(0, 5)))
def test_a_clock_reads_as_a_sorted_mapping(entries: dict[str, int]) -> None:
    clock = VectorClock(entries)
    assert list(clock.items()) == sorted(entries.items())
    assert list(clock) == sorted(entries)
    assert list(clock.stamps()) == [Stamp(time, replica) for replica, time in sorted(entries.items())]
    assert len(clock) == len(entries) and bool(clock) == bool(entries)
    assert all(replica in clock and clock.get(replica) == time for replica, time in entries.items())
    assert "c#00000000" not in clock and clock.get("c#00000000") == -1
    assert clock.newest() == max(entries.values(), default=-1)
    assert eval(repr(clock)) == clock


def test_a_clock_shares_nothing_with_what_it_was_made_of() -> None:
    entries = {"a#00000000": 1}
    clock = VectorClock(entries)
    entries["a#00000000"] = 2
    assert clock == VectorClock({"a#00000000": 1})


def test_a_clock_is_equal_to_clocks_alone() -> None:
    assert EMPTY_CLOCK == VectorClock() == VectorClock({}) and EMPTY_CLOCK != {}
