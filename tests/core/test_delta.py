"""Deltas: what they hold, and that they are values.

What it proves: a delta holds exactly the paths with something that its receiver may lack, and is told apart and kept
type for type. What it cannot: that merging one does what the whole state does, which is a law of its own.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock
from crdtshadow.delta import Delta
from crdtshadow.shadow import Shadow
from crdtshadow.sibling import REMOVED, Shade, Sibling
from crdtshadow.testing import strategies

A, B = strategies.REPLICAS[:2]
NAMES = {kind.__name__: kind for kind in (Delta, VectorClock, Stamp, Sibling, Shade)} | {"REMOVED": REMOVED}


@given(strategies.maps())
def test_a_delta_holds_every_path_with_something_unseen_and_no_other(states: list[Shadow]) -> None:
    sender, receiver, _ = states
    delta = sender.delta(receiver.clock)
    base = sender.clock.meet(receiver.clock)
    whole = not base or not sender.floor <= base
    assert delta.full == whole and delta.base == (EMPTY_CLOCK if whole else base)
    assert (delta.upto, delta.floor) == (sender.clock, sender.floor)
    assert delta.rows == {
        path: sender.siblings(path)
        for path in sender.paths()
        if whole or any(not base.covers(one.stamp) for one in sender.siblings(path))
    }
    assert bool(delta) == (delta.base != sender.clock)


@given(strategies.maps())
def test_a_delta_is_a_value(states: list[Shadow]) -> None:
    sender, receiver, _ = states
    delta = sender.delta(receiver.clock)
    twin = Delta.decode(delta.encode())
    assert twin == delta and hash(twin) == hash(delta) and len(twin) == len(delta) == len(delta.rows)
    assert eval(repr(delta), {}, NAMES) == delta
    assert list(delta.stamps()) == [one.stamp for path in sorted(delta.rows) for one in delta.rows[path]]


@given(strategies.maps(1))
def test_a_delta_is_not_changed_by_what_its_sender_writes_later(states: list[Shadow]) -> None:
    (state,) = states
    later = Stamp(state.clock.newest() + 1, A)
    deltas = [state.delta(), state.write({"/desired/a": 1}, later), state.delta()]
    before = [delta.encode() for delta in deltas]
    state.write({"/desired/a": 2, "/desired/e": REMOVED}, Stamp(later.time + 1, A))
    state.forget(state.clock)
    assert [delta.encode() for delta in deltas] == before


def test_deltas_are_told_apart_type_for_type_and_from_all_else() -> None:
    def written(value: Any) -> Delta:
        return Shadow().write({"/desired/t": value}, Stamp(1, A))

    outcomes: list[Any] = [1, 1.0, True, REMOVED, [1], {}]
    deltas = [written(outcome) for outcome in outcomes]
    assert len(set(deltas)) == len(deltas)
    assert written(1) == written(1) != written(1).encode()
    assert written(1) != Delta(VectorClock({A: 0}), VectorClock({A: 1}), rows=written(1).rows)


def test_a_delta_without_rows_may_still_say_something() -> None:
    assert not Delta(EMPTY_CLOCK, EMPTY_CLOCK, rows={})
    assert Delta(EMPTY_CLOCK, VectorClock({A: 1}), rows={})
    assert not Delta(VectorClock({A: 1}), VectorClock({A: 1}), floor=VectorClock({A: 1}), rows={})
