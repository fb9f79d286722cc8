"""The formulas and the shipped code say the same, on all small cases.

Most formulas are taken from the shipped code by running it on unknown numbers (`symbolic`); this compares them with
plain runs of it. The rest is modelled by hand, and compared with maps and deltas that were really joined.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

import pytest
import z3

from crdtshadow import REMOVED, BelowFloor, Delta, LWWMap, Sibling, Stamp, VectorClock
from crdtshadow.clock import EMPTY_CLOCK, pack_time, receive, send
from crdtshadow.sibling import Siblings, join_siblings, order_key
from crdtshadow.testing.strategies import REPLICAS, Step, play
from crdtshadow.values import Value
from tests.proof import joins, times
from tests.proof.symbolic import Doubt, Unknown, explore, number, result, term_of

PATH = "/desired/x"
TIMES = [pack_time(ms, tick) for ms in (0, 1, 7) for tick in (0, 1, (1 << 16) - 1)]


def valued(term: object, **values: int) -> int:
    """Return what *term* is for numbers of these values."""
    known = [(number(name).term, term_of(value)) for name, value in values.items()]
    simplified: int = z3.simplify(z3.substitute(term, *known)).as_signed_long()
    return simplified


def test_the_clock_is_what_was_proven() -> None:
    sent = times.sent(times.last, times.now)
    received = times.received(times.last, times.seen, times.now)
    for last, now in itertools.product(TIMES, (-5, 0, 1, 6, 8, 1 << 50)):
        assert valued(sent, last=last, now=now) == send(last, now)
        for seen in TIMES:
            assert valued(received, last=last, seen=seen, now=now) == receive(last, seen, now)


def test_every_path_is_taken_once() -> None:
    x, y = number("x"), number("y")
    paths = explore(lambda: (x < y, bool(x < y), bool(y < x)))
    assert len(paths) == 3
    conditions = z3.Or(*[path.condition for path in paths])
    assert z3.simplify(conditions) is not None
    assert str(z3.Solver().check(z3.Not(conditions))) == "unsat"
    both = z3.And(paths[0].condition, paths[1].condition)
    assert str(z3.Solver().check(both)) == "unsat"


def test_what_the_code_raises_is_an_outcome_and_what_the_test_raises_is_not() -> None:
    x = number("x")

    def refuse() -> int:
        if x > 3:
            raise BelowFloor("too high", floor=EMPTY_CLOCK)
        return 1

    outcomes = [path.outcome for path in explore(refuse)]
    assert {type(outcome) for outcome in outcomes} == {BelowFloor, int}
    with pytest.raises(ZeroDivisionError):
        explore(lambda: 1 / 0)


def test_numbers_wrap_around_nowhere_near_what_is_used() -> None:
    big = result(lambda: Unknown(term_of((1 << 64) - 1)) + 1)
    assert z3.simplify(big).as_signed_long() == 1 << 64
    assert bool(explore(lambda: Doubt(z3.BoolVal(True)) and 1)[0].outcome)


# One write: held, seen and gone, or not seen.
GONE, HELD, UNSEEN = "gone", "held", "unseen"


def model(here: str, there: str) -> bool:
    answers = (here == HELD, there == HELD, here != UNSEEN, there != UNSEEN)
    return bool(z3.is_true(z3.simplify(joins.kept(*map(z3.BoolVal, answers)))))


def test_the_rule_for_one_write_holds_for_each_of_several() -> None:
    """`join_siblings` treats every write as if it were alone: the law for one is the law for sets."""
    stamps = [Stamp(5 + at, replica) for at, replica in enumerate(REPLICAS)]
    expected = {pair: model(*pair) for pair in itertools.product((GONE, HELD, UNSEEN), repeat=2)}
    assert expected[HELD, HELD] and expected[HELD, UNSEEN] and not expected[HELD, GONE]
    for here, there in itertools.product(itertools.product((GONE, HELD, UNSEEN), repeat=3), repeat=2):
        sides = []
        for side in (here, there):
            held = tuple(Sibling(stamp, 1) for stamp, what in zip(stamps, side, strict=True) if what == HELD)
            clock = VectorClock({s.replica: s.time for s, what in zip(stamps, side, strict=True) if what != UNSEEN})
            sides.append((held, clock))
        (mine, my_clock), (theirs, their_clock) = sides
        joined, clones = join_siblings(mine, theirs, my_clock, their_clock)
        kept = [s for s, pair in zip(stamps, zip(here, there, strict=True), strict=True) if expected[pair]]
        assert [one.stamp for one in joined] == kept
        assert clones == []


def worlds() -> Iterator[tuple[str, str, bool, bool, bool]]:
    """Yield what two states may say of one write: held or not, spent or not, below whose floor."""
    for here, there in itertools.product((GONE, HELD, UNSEEN), repeat=2):
        for spent, floor_here, floor_there in itertools.product((False, True), repeat=3):
            pairs = ((here, floor_here), (there, floor_there))
            sound = all(what != UNSEEN and not (what == HELD and spent) for what, floor in pairs if floor)
            if sound and not (floor_here and there == UNSEEN) and not (floor_there and here == UNSEEN):
                yield here, there, spent, floor_here, floor_there


def whole(replica: str, what: str, *, spent: bool, floor: bool) -> Delta:
    stamp = Stamp(5, replica)
    outcome: Siblings = (Sibling(stamp, REMOVED if spent else 1),)
    clock = VectorClock({replica: 5} if what != UNSEEN else {})
    below = VectorClock({replica: 5} if floor else {})
    return Delta(EMPTY_CLOCK, clock, floor=below, rows={PATH: outcome} if what == HELD else {})


def test_the_map_joins_and_forgets_as_the_model_does() -> None:
    checked = 0
    for here, there, spent, floor_here, floor_there in worlds():
        mine, theirs = LWWMap(), LWWMap()
        mine.merge(whole(REPLICAS[0], here, spent=spent, floor=floor_here))
        theirs.merge(whole(REPLICAS[0], there, spent=spent, floor=floor_there))
        mine.merge(theirs)
        sides = [
            joins.State(*map(z3.BoolVal, (what == HELD, what != UNSEEN, floor)))
            for what, floor in ((here, floor_here), (there, floor_there))
        ]
        modelled = joins.join(*sides)
        known = [(joins.spent, z3.BoolVal(spent))]
        held, seen, floor = (z3.is_true(z3.simplify(z3.substitute(term, *known))) for term in modelled)
        stamp = Stamp(5, REPLICAS[0])
        assert bool(mine.siblings(PATH)) == held
        assert mine.clock.covers(stamp) == seen
        assert mine.floor.covers(stamp) == floor
        checked += 1
    assert checked > 30


def test_of_two_outcomes_of_one_stamp_the_map_keeps_the_greater_bytes() -> None:
    outcomes: list[Value] = [1, 1.0, True, "1", [1], {}, 0, "é"]
    stamp = Stamp(5, REPLICAS[0])
    for first, second in itertools.permutations(outcomes, 2):
        one, other = LWWMap(), LWWMap()
        one.write({PATH: first}, stamp)
        other.write({PATH: second}, stamp)
        assert one.merge(other).clones == (stamp,)
        (kept,) = one.siblings(PATH)
        assert order_key(kept.value) == max(order_key(first), order_key(second))


def histories() -> Iterator[list[Step]]:
    for seed in range(400):
        dice = Random(seed)
        steps = []
        for _ in range(10):
            value: Value = dice.choice((1, "on", {}))
            path = dice.choice(("/desired/a", "/desired/a/b"))
            what = dice.choice(("write", "write", "merge"))
            changes = {path: value if dice.random() < 0.7 else REMOVED}
            steps.append(Step(dice.randrange(3), dice.randrange(3), dice.randrange(4), what, changes))
        yield steps


def test_what_was_replaced_was_replaced_by_something_live_and_unseen_by_who_holds_it() -> None:
    """The two facts that the proof of deltas takes for granted, in all that some replicas did."""
    looked_at = 0
    for history in histories():
        written: dict[tuple[str, Stamp], None] = {}

        class Recording(LWWMap):
            def write(self, *args, written=written, **kwargs):
                delta = super().write(*args, **kwargs)
                written.update({(path, one.stamp): None for path in delta.rows for one in delta.rows[path]})
                return delta

        states = play(history, kind=Recording)
        for (path, stamp), state in itertools.product(written, states):
            live = [one.stamp for one in state.siblings(path)]
            if state.clock.covers(stamp) and stamp not in live:
                newer = [one for one in live if one > stamp]
                assert newer, "replaced by nothing live"
                for other in states:
                    if stamp in [one.stamp for one in other.siblings(path)]:
                        assert any(not other.clock.covers(one) for one in newer), "seen, and still held"
                        looked_at += 1
    assert looked_at > 100
