"""The laws of the join, of deltas and of the encoding, on generated histories of diverging shadows.

What it proves: whatever replicas wrote, merged and forgot, the shipped join is a join, a delta does what the whole
state does, byte for byte, and bytes come back as they were. What it cannot: that the outcome is the one people want;
that is compared with an independent meaning elsewhere.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import BelowFloor, Delta, Shadow, Stamp, merge_bytes
from crdtshadow.testing import check_codec, check_delta, check_join
from crdtshadow.testing.strategies import REPLICAS, histories, maps, play


def joined(a: Shadow, b: Shadow | Delta) -> Shadow:
    both = a.copy()
    both.merge(b)
    both.check()
    return both


def may_join(*states: Shadow) -> bool:
    """Tell whether each two of *states* have seen the other's floor, so that none is a late returner."""
    return all(a.floor <= b.clock for a in states for b in states)


@given(maps())
def test_the_join_is_a_join(states: list[Shadow]) -> None:
    a, b, c = states
    for state in states:
        state.check()
    if may_join(a, b, c):
        check_join(a, b, c, join=joined)


@given(maps())
def test_a_delta_does_what_the_whole_state_does(states: list[Shadow]) -> None:
    a, b, _ = states
    if may_join(a, b):
        check_delta(a, b, join=joined, delta=lambda sender, receiver: sender.delta(receiver.clock), apply=joined)


@given(maps())
def test_bytes_come_back_as_they_were(states: list[Shadow]) -> None:
    for state in states:
        check_codec(state, encode=Shadow.encode, decode=Shadow.decode)
        for other in states:
            delta = state.delta(other.clock)
            check_codec(delta, encode=Delta.encode, decode=Delta.decode)


@given(maps())
def test_stores_merge_bytes_as_programs_merge_states(states: list[Shadow]) -> None:
    a, b, _ = states
    if may_join(a, b):
        assert merge_bytes(a.encode(), b.delta(a.clock).encode()) == joined(a, b).encode()


@given(histories(), st.randoms(use_true_random=False))
def test_live_deltas_in_any_order_and_doubled_make_the_same_state(history, random) -> None:
    """Every delta that a write returned is delivered in any order, and again while its base is missing."""
    written: list[Delta] = []

    class Recording(Shadow):
        def write(self, *args, **kwargs):
            delta = super().write(*args, **kwargs)
            written.append(delta)
            return delta

    states = play([step for step in history if step.what != "forget"], REPLICAS, kind=Recording)
    whole = Shadow()
    for state in states:
        whole.merge(state)
    pending = written * 2
    random.shuffle(pending)
    observer = Shadow()
    while pending:
        left = []
        for delta in pending:
            if delta.base <= observer.clock:
                observer.merge(delta)
            else:
                left.append(delta)
        if len(left) == len(pending):
            break
        pending = left
    assert not pending
    assert observer == whole
    observer.check()


@given(maps())
def test_forgetting_changes_nothing_for_whoever_may_still_write(states: list[Shadow]) -> None:
    """A replica that forgot, and one that did not, are the same once they have met."""
    whole = Shadow()
    for state in states:
        try:
            whole.merge(state)
        except BelowFloor:
            return
    forgetful = whole.copy()
    forgetful.forget(forgetful.clock)
    forgetful.check()
    kept = whole.copy()
    kept.merge(forgetful)
    again = forgetful.copy()
    again.merge(whole)
    assert kept == forgetful == again
    kept.check()


@given(maps(2), st.integers(0, 5))
def test_a_clone_is_reported_and_both_sides_agree_on_one_outcome(states: list[Shadow], time: int) -> None:
    a, b = states
    if not may_join(a, b):
        return
    a.merge(b)
    b.merge(a)
    stamp = Stamp(max(a.clock.newest(), 0) + 1 + time, REPLICAS[2])
    one, two = a.copy(), a.copy()
    one.write({"/desired/a": 1}, stamp)
    two.write({"/desired/a": True}, stamp)
    first, second = one.copy(), two.copy()
    assert first.merge(two).clones == second.merge(one).clones == (stamp,)
    assert first == second
    check_join(one, two, a, join=joined)
