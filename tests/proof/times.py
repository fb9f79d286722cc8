"""Hybrid times and stamps: packing, the order of stamps, the clock and its bound."""

from __future__ import annotations

from typing import Any

import z3

from crdtshadow.clock import EMPTY_CLOCK, TICK_BITS, Stamp, VectorClock, pack_time, receive, send
from crdtshadow.delta import Delta
from crdtshadow.guard import check_drift
from crdtshadow.limits import CLOCK_MS_MAX
from crdtshadow.lwwmap import LWWMap
from tests.proof.claims import obligation, refutation
from tests.proof.symbolic import Unknown, explore, holds, number, result, term_of

TIME_END = 1 << 64
WALL_END = 1 << 80

last, seen, now, later = number("last"), number("seen"), number("now"), number("later")
ms, tick, ms2, tick2 = number("ms"), number("tick"), number("ms2"), number("tick2")
drift = number("drift")


def within(value: Unknown, end: int, *, start: int = 0) -> z3.BoolRef:
    return z3.And(value.term >= term_of(start), value.term < term_of(end))


def time_of(value: Unknown) -> z3.BoolRef:
    return within(value, TIME_END)


def wall(value: Unknown) -> z3.BoolRef:
    """Any wall clock, also one before 1970 or beyond 48 bits."""
    return within(value, WALL_END, start=-WALL_END)


def parts(ms: Unknown, tick: Unknown) -> z3.BoolRef:
    return z3.And(within(ms, CLOCK_MS_MAX + 1), within(tick, 1 << TICK_BITS))


def ms_of(time: Any) -> Any:
    return result(lambda: Stamp(Unknown(time), "a").ms)  # type: ignore[arg-type]  # an unknown number


def sent(last: Unknown, now: Unknown) -> Any:
    return result(lambda: send(last, now))  # type: ignore[arg-type]  # unknown numbers


def received(last: Unknown, seen: Unknown, now: Unknown) -> Any:
    return result(lambda: receive(last, seen, now))  # type: ignore[arg-type]  # unknown numbers


def packed(ms: Any, tick: Any) -> Any:
    return result(lambda: pack_time(ms, tick))


def clamped(now: Unknown) -> Any:
    return z3.If(now.term < 0, term_of(0), z3.If(now.term > term_of(CLOCK_MS_MAX), term_of(CLOCK_MS_MAX), now.term))


# Packing


@obligation
def a_packed_time_gives_back_its_milliseconds_and_its_tick() -> z3.BoolRef:
    """What goes into a hybrid time comes out of it."""
    time = Unknown(packed(ms, tick))
    back = z3.And(
        ms_of(time.term) == ms.term,
        result(lambda: Stamp(time, "a").tick) == tick.term,  # type: ignore[arg-type]  # an unknown number
    )
    return z3.Implies(parts(ms, tick), back)


@obligation
def packed_times_are_ordered_by_milliseconds_then_by_tick() -> z3.BoolRef:
    """One comparison of integers does for both parts."""
    by_parts = z3.Or(ms.term < ms2.term, z3.And(ms.term == ms2.term, tick.term < tick2.term))
    return z3.Implies(z3.And(parts(ms, tick), parts(ms2, tick2)), (packed(ms, tick) < packed(ms2, tick2)) == by_parts)


@obligation
def packed_times_fit_into_64_bits() -> z3.BoolRef:
    """Nothing on the wire is wider."""
    time = packed(ms, tick)
    return z3.Implies(parts(ms, tick), z3.And(time >= 0, time < term_of(TIME_END)))


@obligation
def a_tick_that_overflows_carries_into_the_milliseconds() -> z3.BoolRef:
    """After the last tick of a millisecond comes the first of the next, however the clock stands."""
    exhausted = Unknown(packed(ms, (1 << TICK_BITS) - 1))
    after = sent(exhausted, now)
    return z3.Implies(
        z3.And(within(ms, CLOCK_MS_MAX), wall(now), now.term <= ms.term),
        after == packed(Unknown(ms.term + 1), 0),
    )


# Stamps


def stamp(name: str) -> Stamp:
    """Return a stamp of which nothing is known; a number stands for the replica, as both are totally ordered."""
    time, replica = Unknown(z3.Int(f"{name}.time")), Unknown(z3.Int(f"{name}.replica"))
    return Stamp(time, replica)  # type: ignore[arg-type]  # unknown numbers


one, two, three = stamp("one"), stamp("two"), stamp("three")


def before(a: Stamp, b: Stamp) -> Any:
    return holds(lambda: a < b)


def same(a: Stamp, b: Stamp) -> Any:
    return holds(lambda: a == b)


@obligation
def of_two_stamps_exactly_one_is_true_less_equal_or_greater() -> z3.BoolRef:
    """The order of stamps is total."""
    return z3.PbEq([(before(one, two), 1), (same(one, two), 1), (before(two, one), 1)], 1)


@obligation
def the_order_of_stamps_is_transitive() -> z3.BoolRef:
    """So every set of stamps has one greatest."""
    return z3.Implies(z3.And(before(one, two), before(two, three)), before(one, three))


@obligation
def stamps_are_equal_only_if_time_and_replica_are() -> z3.BoolRef:
    """One stamp names one update of one replica."""
    parts_agree = z3.And(term_of(one.time) == term_of(two.time), term_of(one.replica) == term_of(two.replica))
    return same(one, two) == parts_agree


@obligation
def a_later_time_is_a_greater_stamp_whoever_wrote() -> z3.BoolRef:
    """Replicas break ties and nothing else."""
    return z3.Implies(term_of(one.time) < term_of(two.time), before(one, two))


def greatest(*stamps: Stamp) -> Any:
    return result(lambda: max(stamps).time), result(lambda: max(stamps).replica)


@obligation
def the_newest_of_three_does_not_depend_on_their_order() -> z3.BoolRef:
    """The winner is the same at every replica."""
    expected = greatest(one, two, three)
    orders = [(two, one, three), (three, two, one), (two, three, one), (one, three, two), (three, one, two)]
    return z3.And(
        *[found == wanted for order in orders for found, wanted in zip(greatest(*order), expected, strict=True)]
    )


@refutation
def times_alone_tell_any_two_stamps_apart() -> z3.BoolRef:
    """Without a tie-break two updates of one time have no winner."""
    return z3.Implies(z3.Not(same(one, two)), term_of(one.time) != term_of(two.time))


# The clock


@obligation
def what_is_sent_is_later_than_all_before() -> z3.BoolRef:
    """Even if the wall clock stands still or steps back."""
    return z3.Implies(z3.And(time_of(last), wall(now)), sent(last, now) > last.term)


@obligation
def what_is_sent_is_not_before_the_wall_clock() -> z3.BoolRef:
    """A hybrid time never lags behind, as far as 48 bits of milliseconds go."""
    return z3.Implies(z3.And(time_of(last), wall(now)), ms_of(sent(last, now)) >= clamped(now))


@obligation
def what_is_sent_runs_ahead_of_nothing() -> z3.BoolRef:
    """Its milliseconds are the wall clock's or the last one's, or one more if that one's ticks were used up."""
    time = ms_of(sent(last, now))
    newest = z3.If(clamped(now) > ms_of(last.term), clamped(now), ms_of(last.term))
    exhausted = (last.term & term_of((1 << TICK_BITS) - 1)) == term_of((1 << TICK_BITS) - 1)
    return z3.Implies(
        z3.And(time_of(last), wall(now)), z3.Or(time == newest, z3.And(exhausted, time == newest + term_of(1)))
    )


@obligation
def times_end_only_where_64_bits_do() -> z3.BoolRef:
    """As long as the last time is not the last one of all, there is a next one that fits."""
    return z3.Implies(z3.And(within(last, TIME_END - 1), wall(now)), sent(last, now) < term_of(TIME_END))


@obligation
def what_is_received_is_passed() -> z3.BoolRef:
    """After a message the clock is later than the message and than itself before."""
    time = received(last, seen, now)
    return z3.Implies(z3.And(time_of(last), time_of(seen), wall(now)), z3.And(time > last.term, time > seen.term))


@obligation
def a_write_after_reading_is_later_than_all_that_was_read() -> z3.BoolRef:
    """Whatever wall clocks say: causality first."""
    time = sent(Unknown(received(last, seen, now)), later)
    return z3.Implies(z3.And(time_of(last), time_of(seen), wall(now), wall(later)), time > seen.term)


@obligation
def the_order_of_two_messages_does_not_matter_to_what_is_greater() -> z3.BoolRef:
    """Receiving is symmetric in what was had and what came."""
    return z3.Implies(
        z3.And(time_of(last), time_of(seen), wall(now)), received(last, seen, now) == received(seen, last, now)
    )


@obligation
def a_proven_last_time_is_never_used_again() -> z3.BoolRef:
    """Who resumes at a time not exceeded since writes under no stamp used before."""
    return z3.Implies(
        z3.And(time_of(last), time_of(seen), seen.term <= last.term, wall(now)), sent(last, now) > seen.term
    )


# The bound


def bounded(time: Any) -> Any:
    return ms_of(time) <= now.term + drift.term


def clock_and_bound() -> z3.BoolRef:
    return z3.And(time_of(last), time_of(seen), within(now, 1 << 47), within(drift, 1 << 40))


@obligation
def a_clock_that_accepts_within_the_bound_stays_within_it() -> z3.BoolRef:
    """Nobody is dragged further ahead than the bound, but for one millisecond when ticks run out."""
    heard, spoken = received(last, seen, now), sent(last, now)
    beyond = now.term + drift.term + term_of(1)
    return z3.Implies(
        z3.And(clock_and_bound(), bounded(last.term), bounded(seen.term)),
        z3.And(ms_of(heard) <= beyond, ms_of(spoken) <= beyond),
    )


def is_accepted(time: Unknown, known: Unknown) -> Any:
    """Return when `check_drift` lets a stamp of *time* pass to somebody who has seen *known* of that replica."""
    state = LWWMap()
    state._clock = VectorClock({"a#00000000": known})  # type: ignore[dict-item]  # an unknown number
    delta = Delta(EMPTY_CLOCK, VectorClock({"a#00000000": time}), rows={})  # type: ignore[dict-item]  # as above

    def check() -> bool:
        check_drift(state, delta, now_ms=now, drift_ms_max=drift)  # type: ignore[arg-type]  # unknown numbers
        return True

    paths = explore(check)
    return z3.Or(*[path.condition for path in paths if path.outcome is True])


@obligation
def what_passes_the_bound_is_within_it_or_known() -> z3.BoolRef:
    """A stamp from too far ahead is refused, unless it was accepted before."""
    known = number("known")
    return z3.Implies(
        z3.And(clock_and_bound(), time_of(known), is_accepted(seen, known)),
        z3.Or(bounded(seen.term), known.term >= seen.term),
    )


@obligation
def the_past_always_passes_the_bound() -> z3.BoolRef:
    """However late, and whatever the receiver knows."""
    known = number("known")
    return z3.Implies(z3.And(clock_and_bound(), time_of(known), ms_of(seen.term) <= now.term), is_accepted(seen, known))


@refutation
def a_clock_without_a_bound_stays_near_the_wall_clock() -> z3.BoolRef:
    """One message from the far future drags along whoever takes it in."""
    return z3.Implies(z3.And(clock_and_bound(), bounded(last.term)), bounded(received(last, seen, now)))


@refutation
def wall_clocks_alone_order_what_was_read_before_what_was_written() -> z3.BoolRef:
    """A wall clock that stepped back dates an answer before its question."""
    return z3.Implies(z3.And(time_of(seen), wall(now)), packed(Unknown(clamped(now)), 0) > seen.term)
