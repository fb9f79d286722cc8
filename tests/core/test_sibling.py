"""Siblings: outcomes, their order, and the join at one path.

What it proves: outcomes are ordered totally and told apart type for type, and the join at one path keeps exactly what
a definition over single updates keeps. What it cannot: that the clocks beside the siblings are right.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import values
from crdtshadow.clock import Stamp, VectorClock
from crdtshadow.sibling import (
    REMOVED,
    Outcome,
    Shade,
    Sibling,
    Siblings,
    is_value,
    join_siblings,
    order_key,
    same_outcome,
)
from crdtshadow.testing import strategies

stamps = st.builds(Stamp, st.integers(0, 3), st.sampled_from(strategies.REPLICAS[:2]))
shades = st.builds(Shade, st.none() | stamps)
outcomes = st.one_of(
    st.just(REMOVED), shades, strategies.few_values(), strategies.values().map(lambda value: values.check(value, ""))
)


def rank(outcome: Any) -> tuple[Any, ...]:
    """What an outcome is, in the order that the documentation promises; knows nothing of bytes."""
    if isinstance(outcome, Shade):
        return (0, *(outcome.as_of or ()))
    return (1,) if outcome is REMOVED else (2,)


def test_a_removal_is_one_of_a_kind() -> None:
    assert copy.copy(REMOVED) is copy.deepcopy([REMOVED])[0] is pickle.loads(pickle.dumps(REMOVED)) is REMOVED
    assert eval(repr(REMOVED)) is REMOVED


@given(outcomes)
def test_values_are_told_from_removals_and_shades(outcome: Any) -> None:
    assert is_value(outcome) == (outcome is not REMOVED and not isinstance(outcome, Shade))


@given(outcomes, outcomes)
def test_outcomes_are_ordered_totally_shades_first_and_values_last(a: Any, b: Any) -> None:
    assert (order_key(a) == order_key(b)) == same_outcome(a, b) == same_outcome(b, a)
    if rank(a) != rank(b):
        assert (order_key(a) < order_key(b)) == (rank(a) < rank(b))
        assert not same_outcome(a, b)
    elif is_value(a):
        assert same_outcome(a, b) == values.same(a, b)


def test_shades_are_ordered_by_how_new_what_they_remember_is() -> None:
    remembered = [
        None,
        *(Stamp(time, replica) for time in (0, 1, 255, 256, 2**64 - 1) for replica in strategies.REPLICAS),
    ]
    keys = [order_key(Shade(stamp)) for stamp in remembered]
    assert keys == sorted(keys) and len(set(keys)) == len(keys)


# The join, held against what becomes of each single update

Side = tuple[Siblings, VectorClock]


@st.composite
def sides(draw: st.DrawFn) -> Side:
    """Siblings at one path, and a clock that covers them."""
    held: dict[Stamp, Any] = draw(st.dictionaries(stamps, outcomes, max_size=3))
    clock = draw(st.dictionaries(st.sampled_from(strategies.REPLICAS[:2]), st.integers(0, 3)).map(VectorClock))
    for stamp in held:
        clock = clock.with_stamp(stamp)
    return tuple(Sibling(stamp, held[stamp]) for stamp in sorted(held)), clock


def fate(stamp: Stamp, side: Side) -> str:
    siblings, clock = side
    return "live" if any(one.stamp == stamp for one in siblings) else "replaced" if clock.covers(stamp) else "unseen"


def outcome_of(stamp: Stamp, side: Side) -> Outcome | None:
    return next((one.value for one in side[0] if one.stamp == stamp), None)


@given(sides(), sides())
def test_the_join_is_what_becomes_of_each_update(mine: Side, theirs: Side) -> None:
    joined, clones = join_siblings(mine[0], theirs[0], mine[1], theirs[1])
    expected = []
    doubled = []
    for stamp in sorted({one.stamp for one in (*mine[0], *theirs[0])}):
        if "replaced" in (fate(stamp, mine), fate(stamp, theirs)):
            continue
        candidates = [one for one in (outcome_of(stamp, mine), outcome_of(stamp, theirs)) if one is not None]
        if len({order_key(one) for one in candidates}) > 1:
            doubled.append(stamp)
        expected.append((stamp, order_key(max(candidates, key=order_key))))
    assert [(one.stamp, order_key(one.value)) for one in joined] == expected
    assert sorted(clones) == doubled


@given(sides(), sides())
def test_the_join_is_the_same_from_either_side(mine: Side, theirs: Side) -> None:
    here, found_here = join_siblings(mine[0], theirs[0], mine[1], theirs[1])
    there, found_there = join_siblings(theirs[0], mine[0], theirs[1], mine[1])
    assert [(one.stamp, order_key(one.value)) for one in here] == [(one.stamp, order_key(one.value)) for one in there]
    assert sorted(found_here) == sorted(found_there)


@given(sides(), sides())
def test_what_stays_is_the_very_same_object(mine: Side, theirs: Side) -> None:
    """So that a merge can tell by identity what changed."""
    joined, clones = join_siblings(mine[0], theirs[0], mine[1], theirs[1])
    held = {one.stamp: one for one in mine[0]}
    for one in joined:
        if one.stamp in held and one.stamp not in clones:
            assert one is held[one.stamp]
