"""Vector clocks: the partial order of what was seen, its bounds, and who may join what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import z3

from crdtshadow.clock import Stamp, VectorClock
from crdtshadow.delta import Delta
from crdtshadow.errors import CrdtShadowError
from crdtshadow.lwwmap import LWWMap
from tests.proof.claims import obligation, refutation
from tests.proof.symbolic import holds, number
from tests.proof.times import TIME_END, within

A, B = "a#00000000", "b#00000000"


def clocks(names: str, *, replicas: tuple[str, ...] = (A, B)) -> Iterator[tuple[list[VectorClock], z3.BoolRef]]:
    """Yield clocks of unknown times, for every choice of which replicas each has seen."""
    places = [(name, replica) for name in names for replica in replicas]
    for present in product((True, False), repeat=len(places)):
        times = {place: number(f"{place[0]}.{place[1]}") for place, there in zip(places, present, strict=True) if there}
        made = [VectorClock({r: times[name, r] for r in replicas if (name, r) in times}) for name in names]  # type: ignore[misc]  # unknown
        yield made, z3.And(*[within(time, TIME_END) for time in times.values()])


def for_all(names: str, law: Callable[..., Any], *, replicas: tuple[str, ...] = (A, B)) -> z3.BoolRef:
    """Return that *law*, a function of clocks that returns a truth, holds for all clocks."""
    return z3.And(
        *[
            z3.Implies(valid, holds(lambda made=made: law(*made), assume=valid))  # type: ignore[misc]  # bound now
            for made, valid in clocks(names, replicas=replicas)
        ]
    )


def level(a: VectorClock, b: VectorClock) -> bool:
    """Tell whether two clocks have seen the same."""
    return all(bool(a.get(replica) == b.get(replica)) for replica in (A, B))


@obligation
def what_was_seen_is_partially_ordered() -> z3.BoolRef:
    """Every clock is at most itself, and two that are at most each other are level."""
    return for_all("xy", lambda x, y: x <= x and (not (x <= y and y <= x) or level(x, y)))


@obligation
def the_order_of_clocks_is_transitive() -> z3.BoolRef:
    """Who has seen all of one who has seen all of another has seen all of that one."""
    return for_all("xyz", lambda x, y, z: not (x <= y and y <= z) or x <= z)


@obligation
def a_join_has_seen_what_either_has() -> z3.BoolRef:
    """It is an upper bound of both."""
    return for_all("xy", lambda x, y: x <= x.join(y) and y <= x.join(y))


@obligation
def a_join_has_seen_no_more_than_that() -> z3.BoolRef:
    """It is the least of the upper bounds."""
    return for_all("xyz", lambda x, y, z: not (x <= z and y <= z) or x.join(y) <= z)


@obligation
def a_meet_has_seen_only_what_both_have() -> z3.BoolRef:
    """It is the greatest of the lower bounds."""
    return for_all(
        "xyz",
        lambda x, y, z: x.meet(y) <= x and x.meet(y) <= y and (not (z <= x and z <= y) or z <= x.meet(y)),
    )


@obligation
def joining_clocks_is_commutative_and_idempotent() -> z3.BoolRef:
    """Neither order nor repetition matters."""
    return for_all(
        "xy", lambda x, y: level(x.join(y), y.join(x)) and level(x.join(x), x) and level(x.join(y).join(y), x.join(y))
    )


@obligation
def joining_clocks_is_associative() -> z3.BoolRef:
    """Nor does grouping; for each replica alone, as every entry is joined alone."""
    return for_all("xyz", lambda x, y, z: level(x.join(y).join(z), x.join(y.join(z))), replicas=(A,))


@obligation
def a_join_has_seen_a_write_if_and_only_if_one_of_both_has() -> z3.BoolRef:
    """What the join of states makes of `covers`."""
    stamp = Stamp(number("stamp"), A)  # type: ignore[arg-type]  # an unknown number
    known = within(number("stamp"), TIME_END)
    law = for_all(
        "xy",
        lambda x, y: bool(x.join(y).covers(stamp)) == (bool(x.covers(stamp)) or bool(y.covers(stamp))),
        replicas=(A,),
    )
    return z3.Implies(known, law)


@obligation
def who_has_seen_more_has_seen_every_write_that_the_other_has() -> z3.BoolRef:
    """`<=` says the same as `covers` for all stamps."""
    stamp = Stamp(number("stamp"), A)  # type: ignore[arg-type]  # an unknown number
    law = for_all("xy", lambda x, y: not (x <= y and x.covers(stamp)) or y.covers(stamp))
    return z3.Implies(within(number("stamp"), TIME_END), law)


@obligation
def taking_in_a_write_is_seeing_it_and_nothing_of_others() -> z3.BoolRef:
    """`with_stamp` covers the stamp, keeps what was seen, and moves no other replica's entry."""
    stamp = Stamp(number("stamp"), A)  # type: ignore[arg-type]  # an unknown number

    def law(x: VectorClock) -> bool:
        after = x.with_stamp(stamp)
        return bool(after.covers(stamp)) and x <= after and bool(after.get(B) == x.get(B))

    return z3.Implies(within(number("stamp"), TIME_END), for_all("x", law))


@refutation
def of_two_clocks_one_has_seen_the_other() -> z3.BoolRef:
    """Clocks are not totally ordered: that is what concurrency is."""
    return for_all("xy", lambda x, y: x <= y or y <= x)


# Who may join what


def verdict(state: tuple[VectorClock, VectorClock], delta: Delta) -> str:
    """Return ``""`` if a state of that clock and floor may join *delta*, else the code of the refusal."""
    held = LWWMap()
    held._clock, held._floor = state
    try:
        held._check_joinable(delta)
    except CrdtShadowError as error:
        return error.code
    return ""


def sound(clock: VectorClock, floor: VectorClock) -> bool:
    return floor <= clock


def for_all_exchanges(law: Callable[..., Any], *, full: bool) -> z3.BoolRef:
    """Return that *law* holds for every state and every delta that a sender may make.

    *law* gets the receiver's clock and floor, and the delta's base, upto and floor.
    """

    def checked(
        clock: VectorClock, floor: VectorClock, upto: VectorClock, forgotten: VectorClock, *base: VectorClock
    ) -> bool:
        (start,) = base or (VectorClock(),)
        if not (sound(clock, floor) and sound(upto, forgotten)):
            return True
        if base and not (start and start <= upto and forgotten <= start):
            return True
        return bool(law(clock, floor, Delta(start, upto, floor=forgotten, rows={})))

    return for_all("cfug" if full else "cfugb", checked, replicas=(A,))


@obligation
def a_delta_is_joined_only_by_who_has_seen_its_base() -> z3.BoolRef:
    """Else it is refused by name, whatever the floors are."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        return (verdict((clock, floor), delta) == "missing_base") == (not delta.base <= clock)

    return for_all_exchanges(law, full=False)


@obligation
def nobody_joins_a_part_below_a_floor_not_seen() -> z3.BoolRef:
    """A part of a state says nothing of removals forgotten before; so the receiver has to know them."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        return bool(verdict((clock, floor), delta)) or bool(delta.floor <= clock)

    return for_all_exchanges(law, full=False)


@obligation
def unseen_writes_are_joined_only_if_both_have_seen_the_other_s_floor() -> z3.BoolRef:
    """Of two sides that both bring something, neither may have missed what the other forgot."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        if verdict((clock, floor), delta):
            return True
        brings, has = not delta.upto <= clock, not clock <= delta.upto
        return (not brings or floor <= delta.upto) and (not (has and brings) or delta.floor <= clock)

    return for_all_exchanges(law, full=True)


@obligation
def who_has_nothing_of_its_own_may_always_catch_up() -> z3.BoolRef:
    """A whole state from somebody who has seen more is never refused."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        return not (clock <= delta.upto and floor <= delta.floor) or verdict((clock, floor), delta) == ""

    return for_all_exchanges(law, full=True)


@obligation
def who_has_seen_all_is_never_refused() -> z3.BoolRef:
    """An echo is no error."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        return not (delta.upto <= clock) or verdict((clock, floor), delta) == ""

    return z3.And(for_all_exchanges(law, full=True), for_all_exchanges(law, full=False))


@obligation
def what_was_joined_once_is_joined_again() -> z3.BoolRef:
    """A delta that comes twice is not refused the second time."""

    def law(clock: VectorClock, floor: VectorClock, delta: Delta) -> bool:
        if verdict((clock, floor), delta):
            return True
        return verdict((clock.join(delta.upto), floor.join(delta.floor)), delta) == ""

    return z3.And(for_all_exchanges(law, full=True), for_all_exchanges(law, full=False))


@refutation
def anybody_may_join_anything() -> z3.BoolRef:
    """There are exchanges that have to be refused."""
    return for_all_exchanges(lambda clock, floor, delta: verdict((clock, floor), delta) == "", full=False)
