"""The join of states, deltas and the floor, over any set of writes.

A state is told by which writes it holds and which it has seen. Each write is joined alone, so a law that holds for one
arbitrary write holds for any set of them; where a law speaks of several (what replaced what), it is stated with
quantifiers over an unknown sort of writes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import z3

from crdtshadow.clock import Stamp
from crdtshadow.lwwmap import LWWMap
from crdtshadow.sibling import REMOVED, Sibling, join_siblings
from tests.proof.claims import obligation, refutation
from tests.proof.symbolic import Doubt, Unknown, number, result

_STAMP = Stamp(5, "a#00000000")
_SIBLING = Sibling(_STAMP, 1)


class _Seen:
    """Stands for a clock: whether it covers the write in question is not known."""

    def __init__(self, term: z3.BoolRef) -> None:
        self._doubt = Doubt(term)

    def covers(self, stamp: Stamp) -> Doubt:
        return self._doubt


def _rule() -> tuple[z3.BoolRef, list[z3.BoolRef]]:
    """Return when the shipped join keeps a write, and the four answers it depends on."""
    held_here, held_there, seen_here, seen_there = answers = z3.Bools("held_here held_there seen_here seen_there")

    def join() -> bool:
        mine = (_SIBLING,) if Doubt(held_here) else ()
        theirs = (Sibling(_STAMP, 1),) if Doubt(held_there) else ()
        joined, clones = join_siblings(mine, theirs, _Seen(seen_here), _Seen(seen_there))  # type: ignore[arg-type]  # unknown
        assert not clones
        return bool(joined)

    return result(join), answers


def _forgetting() -> tuple[z3.BoolRef, list[z3.BoolRef]]:
    """Return when the shipped map counts a write as forgotten, and the two answers it depends on."""
    spent, covered = answers = z3.Bools("spent covered")
    state = LWWMap()
    state._floor = _Seen(covered)  # type: ignore[assignment]  # unknown

    def forget() -> bool:
        return bool(state._is_forgotten(Sibling(_STAMP, REMOVED if Doubt(spent) else 1)))

    return result(forget), answers


_KEPT, _KEPT_BY = _rule()
_FORGOTTEN, _FORGOTTEN_BY = _forgetting()


def kept(held_here: Any, held_there: Any, seen_here: Any, seen_there: Any) -> Any:
    """Return whether the shipped join keeps a write."""
    return z3.substitute(_KEPT, *zip(_KEPT_BY, (held_here, held_there, seen_here, seen_there), strict=True))


def forgotten(spent: Any, covered: Any) -> Any:
    """Return whether the shipped map forgets a write that is (not) *spent* and (not) *covered* by the floor."""
    return z3.substitute(_FORGOTTEN, *zip(_FORGOTTEN_BY, (spent, covered), strict=True))


class State(NamedTuple):
    """What a state says of one write: whether it is held, was seen, lies below the floor."""

    held: Any
    seen: Any
    floor: Any = z3.BoolVal(False)


def state(name: str, *, floor: bool = False) -> State:
    below = z3.Bool(f"{name}.floor") if floor else z3.BoolVal(False)
    return State(z3.Bool(f"{name}.held"), z3.Bool(f"{name}.seen"), below)


spent = z3.Bool("spent")


def valid(*states: State) -> z3.BoolRef:
    """What is held was seen and is not forgotten; the floor was seen."""
    return z3.And(
        *[
            z3.And(
                z3.Implies(one.held, z3.And(one.seen, z3.Not(forgotten(spent, one.floor)))),
                z3.Implies(one.floor, one.seen),
            )
            for one in states
        ]
    )


def may_join(*states: State) -> z3.BoolRef:
    """Each has seen what any other has forgotten."""
    return z3.And(*[z3.Implies(one.floor, other.seen) for one in states for other in states])


def join(a: State, b: State) -> State:
    floor = z3.Or(a.floor, b.floor)
    held = z3.And(kept(a.held, b.held, a.seen, b.seen), z3.Not(forgotten(spent, floor)))
    return State(held, z3.Or(a.seen, b.seen), floor)


def forget(a: State, floor: Any) -> State:
    below = z3.Or(a.floor, floor)
    return State(z3.And(a.held, z3.Not(forgotten(spent, below))), a.seen, below)


def equal(a: State, b: State) -> z3.BoolRef:
    return z3.And(a.held == b.held, a.seen == b.seen, a.floor == b.floor)


a, b, c = state("a"), state("b"), state("c")
x, y, z = state("x", floor=True), state("y", floor=True), state("z", floor=True)


# The join


@obligation
def the_join_is_commutative() -> z3.BoolRef:
    """It does not matter who merges whom."""
    return z3.Implies(valid(a, b), equal(join(a, b), join(b, a)))


@obligation
def the_join_is_associative() -> z3.BoolRef:
    """Nor what came together first."""
    return z3.Implies(valid(a, b, c), equal(join(join(a, b), c), join(a, join(b, c))))


@obligation
def the_join_is_idempotent() -> z3.BoolRef:
    """Nor how often."""
    return z3.Implies(valid(a), equal(join(a, a), a))


@obligation
def the_join_contains_both() -> z3.BoolRef:
    """To merge one side once more changes nothing: the result is above both."""
    both = join(a, b)
    return z3.Implies(valid(a, b), z3.And(equal(join(both, a), both), equal(join(both, b), both)))


@obligation
def the_join_is_the_least_that_contains_both() -> z3.BoolRef:
    """Whatever is above both sides is above their join."""
    above = z3.And(equal(join(c, a), c), equal(join(c, b), c))
    return z3.Implies(z3.And(valid(a, b, c), above), equal(join(c, join(a, b)), c))


@obligation
def a_valid_state_joins_to_a_valid_state() -> z3.BoolRef:
    """Nothing is held that was not seen."""
    return z3.Implies(valid(a, b), valid(join(a, b)))


@obligation
def no_unseen_write_is_lost() -> z3.BoolRef:
    """What one side holds and the other has not seen is held after."""
    return z3.Implies(z3.And(valid(a, b), a.held, z3.Not(b.seen)), join(a, b).held)


@obligation
def what_was_replaced_anywhere_is_gone() -> z3.BoolRef:
    """What one side has seen and holds no more is held no more after."""
    return z3.Implies(z3.And(valid(a, b), a.seen, z3.Not(a.held)), z3.Not(join(a, b).held))


@obligation
def nothing_is_held_that_neither_held() -> z3.BoolRef:
    """The join invents nothing."""
    return z3.Implies(z3.And(valid(a, b), join(a, b).held), z3.Or(a.held, b.held))


@obligation
def joining_more_only_adds_to_what_was_seen() -> z3.BoolRef:
    """The join is monotone: from more comes more."""
    more = join(a, c)
    return z3.Implies(valid(a, b, c), equal(join(join(more, b), join(a, b)), join(more, b)))


@refutation
def a_union_forgets_no_removal() -> z3.BoolRef:
    """Taking all that either holds brings back what was replaced."""
    return z3.Implies(z3.And(valid(a, b), a.seen, z3.Not(a.held)), z3.Not(z3.Or(a.held, b.held)))


@refutation
def the_greater_clock_may_be_taken_whole() -> z3.BoolRef:
    """Of two sides, taking the one that has seen this write loses what only the other holds elsewhere.

    Two writes, one of each side: the side that has seen the first one has not seen the second.
    """
    a2, b2 = state("a2"), state("b2")
    taken = State(z3.If(a.seen, a2.held, b2.held), z3.If(a.seen, a2.seen, b2.seen))
    return z3.Implies(valid(a, b, a2, b2), equal(taken, join(a2, b2)))


@refutation
def a_clock_that_somebody_claims_is_harmless() -> z3.BoolRef:
    """Who claims to have seen what was never sent makes others drop it; so authority has to be checked."""
    claimed = State(z3.BoolVal(False), z3.BoolVal(True))
    return z3.Implies(z3.And(valid(a), a.held), join(a, claimed).held)


# Two outcomes of one stamp


@obligation
def clones_converge_to_the_greater_outcome() -> z3.BoolRef:
    """`max` by the bytes of the outcomes is commutative, associative, idempotent; numbers stand for the bytes."""
    p, q, r = number("p"), number("q"), number("r")

    def greater(first: Unknown, second: Unknown) -> Unknown:
        return Unknown(result(lambda: max(first, second, key=lambda outcome: outcome)))

    return z3.And(
        greater(p, q).term == greater(q, p).term,
        greater(p, p).term == p.term,
        greater(greater(p, q), r).term == greater(p, greater(q, r)).term,
    )


@refutation
def on_a_tie_everybody_may_keep_its_own() -> z3.BoolRef:
    """Keeping mine when stamps are equal is not commutative."""
    mine, theirs = number("mine"), number("theirs")

    def keep(first: Unknown, second: Unknown) -> Unknown:
        return first

    return keep(mine, theirs).term == keep(theirs, mine).term


# Priority inside the join


class Winner(NamedTuple):
    """A register that keeps one write only, and which of three writes it has seen."""

    write: Any
    seen: tuple[Any, Any, Any]


def _pick(index: Any, values: tuple[Any, ...]) -> Any:
    return z3.If(index == 0, values[0], z3.If(index == 1, values[1], values[2]))


def _registers() -> tuple[list[Winner], Any, Any]:
    """Return registers of the three writes, when they make sense, and their join by rank."""
    ranks, times = z3.Ints("rank0 rank1 rank2"), z3.Ints("time0 time1 time2")
    saw = [[z3.BoolVal(True) if i == j else z3.Bool(f"saw{i}{j}") for j in range(3)] for i in range(3)]
    causal = z3.And(
        z3.Distinct(*times),
        *[z3.Implies(saw[i][j], times[j] <= times[i]) for i in range(3) for j in range(3)],
        *[z3.Implies(z3.And(saw[i][j], saw[j][k]), saw[i][k]) for i in range(3) for j in range(3) for k in range(3)],
    )

    def prefer(p: Winner, q: Winner) -> Winner:
        replaced_p, replaced_q = _pick(p.write, q.seen), _pick(q.write, p.seen)
        rank_p, rank_q = _pick(p.write, tuple(ranks)), _pick(q.write, tuple(ranks))
        newer = _pick(p.write, tuple(times)) > _pick(q.write, tuple(times))
        first = z3.Or(rank_p > rank_q, z3.And(rank_p == rank_q, newer))
        write = z3.If(
            p.write == q.write,
            p.write,
            z3.If(
                z3.And(replaced_p, z3.Not(replaced_q)),
                q.write,
                z3.If(z3.And(replaced_q, z3.Not(replaced_p)), p.write, z3.If(first, p.write, q.write)),
            ),
        )
        return Winner(write, tuple(z3.Or(m, n) for m, n in zip(p.seen, q.seen, strict=True)))

    registers = [Winner(z3.IntVal(i), (saw[i][0], saw[i][1], saw[i][2])) for i in range(3)]
    return registers, causal, prefer


@refutation
def the_winner_may_be_picked_inside_the_join_by_priority() -> z3.BoolRef:
    """Keeping only the winner by rank is not associative: what it beat may have had to win after it was replaced."""
    (p, q, r), causal, prefer = _registers()
    return z3.Implies(causal, prefer(prefer(p, q), r).write == prefer(p, prefer(q, r)).write)


@obligation
def a_winner_by_priority_among_live_writes_needs_no_order() -> z3.BoolRef:
    """Judged in a view, over what the join has kept, the highest rank is the same for everybody."""
    p, q, r = (tuple(z3.Ints(f"{name}.rank {name}.time {name}.replica")) for name in "pqr")

    def above(m: Any, n: Any) -> Any:
        return z3.Or(m[0] > n[0], z3.And(m[0] == n[0], z3.Or(m[1] > n[1], z3.And(m[1] == n[1], m[2] > n[2]))))

    def best(m: Any, n: Any) -> Any:
        return tuple(z3.If(above(m, n), u, v) for u, v in zip(m, n, strict=True))

    def alike(m: Any, n: Any) -> Any:
        return z3.And(*[u == v for u, v in zip(m, n, strict=True)])

    return z3.And(alike(best(p, q), best(q, p)), alike(best(best(p, q), r), best(p, best(q, r))))


# Deltas


def _writes() -> dict[str, Any]:
    """Return writes at one path: what sender and receiver hold and have seen, and what replaced what."""
    sort = z3.DeclareSort("Write")
    truth = {
        name: z3.Function(name, sort, z3.BoolSort())
        for name in ("sent", "sender_saw", "held", "saw", "base", "floor", "removal")
    }
    return {"sort": sort, "after": z3.Function("after", sort, sort, z3.BoolSort()), **truth}


def _delta_is_full(*, based: bool, above_floor: bool) -> z3.BoolRef:
    """Return that joining a delta does for every write at a path what joining the whole state does.

    Args:
        based: Whether the receiver has seen the base.
        above_floor: Whether a delta is a part only if its base covers the floor.
    """
    w = _writes()
    s, u = z3.Consts("s u", w["sort"])
    sent, sender_saw, held, saw, base, floor, removal, after = (
        w[name] for name in ("sent", "sender_saw", "held", "saw", "base", "floor", "removal", "after")
    )
    facts = [
        z3.ForAll(s, z3.Implies(sent(s), z3.And(sender_saw(s), z3.Not(forgotten(removal(s), floor(s)))))),
        z3.ForAll(s, z3.Implies(held(s), saw(s))),
        z3.ForAll(s, z3.Implies(base(s), sender_saw(s))),
        z3.ForAll(s, z3.Implies(floor(s), sender_saw(s))),
        # What the sender has seen and lost was replaced, at last, by something live, or forgotten since.
        z3.ForAll(
            s,
            z3.Implies(
                z3.And(sender_saw(s), z3.Not(sent(s))),
                z3.Or(
                    z3.Exists(u, z3.And(after(u, s), z3.Or(sent(u), z3.And(removal(u), floor(u))))),
                    z3.And(removal(s), floor(s)),
                ),
            ),
        ),
        # Who has seen what replaced a write does not hold that write.
        z3.ForAll([s, u], z3.Implies(z3.And(after(u, s), saw(u)), z3.Not(held(s)))),
    ]
    if based:
        facts.append(z3.ForAll(s, z3.Implies(base(s), saw(s))))
    if above_floor:
        facts.append(z3.ForAll(s, z3.Implies(floor(s), base(s))))
    in_delta = z3.Exists(u, z3.And(sent(u), z3.Not(base(u))))
    forgets = forgotten(removal(s), floor(s))
    whole = z3.And(kept(held(s), sent(s), saw(s), sender_saw(s)), z3.Not(forgets))
    part = z3.If(in_delta, whole, z3.And(held(s), z3.Not(forgets)))
    return z3.Implies(z3.And(*facts), z3.ForAll(s, whole == part))


@obligation
def a_delta_does_what_the_whole_state_does() -> z3.BoolRef:
    """For every write at every path, if the receiver has seen the base and the base covers the floor."""
    return _delta_is_full(based=True, above_floor=True)


@refutation
def the_base_of_a_delta_needs_no_check() -> z3.BoolRef:
    """Joined by who has not seen its base, a delta leaves what the whole state would have removed, or lacks a write."""
    return _delta_is_full(based=False, above_floor=True)


@refutation
def a_part_of_a_state_does_for_who_has_not_seen_the_floor() -> z3.BoolRef:
    """Below the floor only the whole state tells what is gone."""
    return _delta_is_full(based=True, above_floor=False)


# The floor


@obligation
def with_a_floor_the_join_is_commutative() -> z3.BoolRef:
    """Also between replicas that have and have not forgotten yet."""
    return z3.Implies(z3.And(valid(x, y), may_join(x, y)), equal(join(x, y), join(y, x)))


@obligation
def with_a_floor_the_join_is_associative() -> z3.BoolRef:
    """Whichever of them meet first."""
    together = z3.And(valid(x, y, z), may_join(x, y, z))
    return z3.Implies(together, equal(join(join(x, y), z), join(x, join(y, z))))


@obligation
def with_a_floor_the_join_is_idempotent_and_contains_both() -> z3.BoolRef:
    """And however often."""
    both = join(x, y)
    laws = z3.And(equal(join(x, x), x), equal(join(both, x), both), equal(join(both, y), both), valid(both))
    return z3.Implies(z3.And(valid(x, y), may_join(x, y)), laws)


@obligation
def forgetting_and_joining_can_change_places() -> z3.BoolRef:
    """Who forgets before, and who after the exchange, end with the same."""
    floor = z3.Bool("stable")
    stable = z3.And(z3.Implies(floor, x.seen), z3.Implies(floor, y.seen))
    before, after = join(forget(x, floor), forget(y, floor)), forget(join(x, y), floor)
    one_side = join(forget(x, floor), y)
    return z3.Implies(z3.And(valid(x, y), may_join(x, y), stable), z3.And(equal(before, after), equal(one_side, after)))


@obligation
def a_state_is_a_function_of_what_was_seen_and_of_the_floor() -> z3.BoolRef:
    """Two states of one history, of one clock and one floor, hold the same: comparing clocks is enough."""
    live = z3.Bool("live")
    ours = State(z3.And(live, z3.Not(forgotten(spent, x.floor))), x.seen, x.floor)
    theirs = State(z3.And(live, z3.Not(forgotten(spent, y.floor))), y.seen, y.floor)
    return z3.Implies(z3.And(x.seen == y.seen, x.floor == y.floor), equal(ours, theirs))


@obligation
def no_removal_is_forgotten_before_the_other_side_has_seen_it() -> z3.BoolRef:
    """A removal that the other has not seen is still there when they meet, so that it competes with what it brings."""
    floor = z3.Bool("stable")
    meets = join(forget(a, floor), b)
    return z3.Implies(
        z3.And(valid(a, b), spent, a.held, z3.Not(b.seen), z3.Implies(floor, b.seen), z3.Implies(floor, a.seen)),
        meets.held,
    )


@refutation
def removals_may_be_forgotten_before_all_have_seen_them() -> z3.BoolRef:
    """Without that condition a removal is lost to who brings a concurrent write."""
    floor = z3.Bool("stable")
    return z3.Implies(
        z3.And(valid(a, b), spent, a.held, z3.Not(b.seen), z3.Implies(floor, a.seen)), join(forget(a, floor), b).held
    )


@refutation
def a_forgotten_removal_may_stay_where_a_value_stands_beside_it() -> z3.BoolRef:
    """Forgetting by whole paths made the outcome depend on who had forgotten when: one clock, one floor, two states."""
    beside, forgot_alone = z3.Bools("beside forgot_alone")
    live, floor = z3.Bools("live floor")
    kept_beside = z3.And(live, z3.Not(z3.And(forgotten(spent, floor), z3.Not(beside))))
    dropped = z3.And(kept_beside, z3.Not(z3.And(forgot_alone, forgotten(spent, floor))))
    return kept_beside == dropped
