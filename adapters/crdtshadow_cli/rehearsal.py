"""A scenario, run through replicas, deltas and full states as the library makes them.

Two parts. :func:`run_logs` lets each replica live through its log, under a fake clock that tells the
wall time of the entry, and keeps of every operation what its author held right after it and the delta
that the write returned. :func:`same_everywhere` then brings the operations to empty observers in every
order, as deltas asked for, as full states, and as those live deltas, each also again and again, and
pairs states off; all must come out as the same bytes.

A message tells all that its author had seen when it wrote. So does a reception: it ticks the receiver's
hybrid clock once per operation named (Kulkarni et al. 2014), also when it brings nothing new; a replica
by itself lets such an echo pass without a trace, so there the tick is handed in by resuming it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import combinations
from random import Random
from typing import Final, NamedTuple, TypeAlias

from crdtshadow import ClockDrift, CrdtShadowError, Delta, MissingBase, Replica, Shadow, Stamp, merge_bytes
from crdtshadow.clock import receive
from crdtshadow.limits import CLOCK_MS_MAX, STATE_BYTES_MAX
from crdtshadow.paths import nest
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.scenario import LocalWrite, Reception, Scenario

ORDERS_OF_MAX: Final = 7
"""Up to so many operations, every order of arrival is tried."""

ORDERS_SAMPLED: Final = 40
"""Orders tried of more operations than that; fewer if they are very many."""

PAIRINGS: Final = 12
"""Ways to pair off states until one is left."""

ARRIVALS_SAMPLED_MAX: Final = 8_000


class Operation(NamedTuple):
    """One write, and what its author could send right after it.

    Attributes:
        name: The operation's, in the scenario.
        stamp: ``None`` if there was nothing to write.
        held: All operations that its author held, this one among them.
        after: What its author held, as a state.
        full: The same, as bytes.
        live: The delta that the write returned, as bytes.
    """

    name: str
    stamp: Stamp | None
    held: frozenset[str]
    after: Shadow
    full: bytes
    live: bytes

    def since(self, shadow: Shadow) -> bytes:
        """Return what *shadow* lacks of it, as bytes."""
        return self.after.delta(since=shadow.clock).encode()


class Rehearsal(NamedTuple):
    """What came of a scenario's logs and of delivering every operation to every replica.

    Attributes:
        operations: By name, a writer's past before it.
        accepted: The operations that are in the view asked for, likewise.
        states: The states of the replicas that hold just these, encoded.
        rejected: By replica, the operations that it refused, sorted.
    """

    operations: Mapping[str, Operation]
    accepted: tuple[Operation, ...]
    states: Mapping[str, bytes]
    rejected: Mapping[str, tuple[str, ...]]


class _Actor:
    """A replica with its fake clock, and what it holds and has refused."""

    def __init__(self, name: str, *, drift_ms_max: int | None) -> None:
        self.wall_ms = 0
        self.held: set[str] = set()
        self.refused: set[str] = set()
        self._drift_ms_max = CLOCK_MS_MAX if drift_ms_max is None else drift_ms_max
        self.replica = Replica(name, epoch=0, now=self._now, drift_ms_max=self._drift_ms_max)

    def _now(self) -> int:
        return self.wall_ms

    def write(self, entry: LocalWrite) -> Operation:
        """Do what the log says, and return it with what could be sent of it."""
        before = self.replica.last_time
        if entry.value is None:
            delta = self.replica.remove(entry.path)
        elif entry.value == {}:
            delta = self.replica.update(nest({entry.path: {}}))
        else:
            delta = self.replica.set(entry.path, entry.value)
        self.held.add(entry.op)
        time = self.replica.last_time
        stamp = Stamp(time, self.replica.id) if time != before else None
        shadow = self.replica.shadow.copy()
        return Operation(entry.op, stamp, frozenset(self.held), shadow, shadow.encode(), delta.encode())

    def receive(self, operation: Operation, operations: Mapping[str, Operation]) -> None:
        """Take in an operation and its past, or as much of it as may be."""
        try:
            self.merge(operation)
        except ClockDrift:
            past = (operations[name] for name in operations if name in operation.held - self.held - {operation.name})
            for earlier in past:
                try:
                    self.merge(earlier)
                except ClockDrift:
                    self.refused.add(earlier.name)
            self.refused.add(operation.name)

    def merge(self, operation: Operation) -> None:
        """Merge what is lacking of an operation and its past; nothing lacking still is a reception."""
        if not self.replica.merge(operation.since(self.replica.shadow), bytes_max=STATE_BYTES_MAX):
            sent = operation.after.clock.newest()
            ticked = receive(self.replica.last_time, sent, self.wall_ms)
            self.replica = Replica.resume(
                self.replica.save(), last_time=ticked, now=self._now, drift_ms_max=self._drift_ms_max
            )
        self.held |= operation.held

    def catch_up(self, operations: Mapping[str, Operation]) -> None:
        """Take in all there is, but for what was refused and what follows it."""
        shut_out = self.refused - self.held
        self.wall_ms = max([0, *(one.stamp.ms for one in operations.values() if one.stamp)])
        for operation in operations.values():
            if operation.held & shut_out:
                self.refused.add(operation.name)
            else:
                self.merge(operation)


def run_logs(scenario: Scenario) -> Rehearsal:
    """Return what becomes of *scenario* when its logs are run and everything is delivered.

    Where operations were refused, the view asked for is that of those who hold none of them.

    Raises:
        InputError: Replicas wait for each other, or something cannot be written.
    """
    actors = {
        name: _Actor(identity, drift_ms_max=scenario.drift_ms_max) for name, identity in scenario.identities().items()
    }
    operations = _live_through(scenario, actors)
    for actor in actors.values():
        actor.catch_up(operations)
    rejected = {name: tuple(sorted(actor.refused)) for name, actor in actors.items() if actor.refused}
    disputed = {name for actor in actors.values() for name in actor.refused - actor.held}
    agreeing = [name for name, actor in actors.items() if not actor.held & disputed]
    if not agreeing:
        agreeing = [name for name, actor in actors.items() if actor.refused - actor.held][:1]
    held = set().union(*(actors[name].held for name in agreeing))
    return Rehearsal(
        operations,
        tuple([one for one in operations.values() if one.name in held]),
        {name: actors[name].replica.shadow.encode() for name in agreeing},
        rejected,
    )


def _live_through(scenario: Scenario, actors: Mapping[str, _Actor]) -> dict[str, Operation]:
    """Run all logs, each as far as what it receives has been written, until all are done."""
    operations: dict[str, Operation] = {}
    pending = {name: list(reversed(log)) for name, log in scenario.logs.items()}
    moved = True
    while moved:
        moved = False
        for name, log in pending.items():
            while log and (isinstance(log[-1], LocalWrite) or all(op in operations for op in log[-1].ops)):
                entry, actor = log.pop(), actors[name]
                actor.wall_ms = entry.wall_ms
                moved = True
                if isinstance(entry, Reception):
                    for op in entry.ops:
                        actor.receive(operations[op], operations)
                else:
                    try:
                        operations[entry.op] = actor.write(entry)
                    except CrdtShadowError as error:
                        raise InputError(f"{scenario.id}: operation {entry.op}: {error}") from None
    stuck = [f"{name} for {_first_lacking(log[-1], operations)}" for name, log in pending.items() if log]
    if stuck:
        raise InputError(f"{scenario.id}: a reception comes before what it receives: {', '.join(stuck)}")
    return operations


def _first_lacking(entry: LocalWrite | Reception, operations: Mapping[str, Operation]) -> str:
    return next(op for op in entry.ops if op not in operations) if isinstance(entry, Reception) else entry.op


class Agreement(NamedTuple):
    """Whether all came out the same, and what was tried.

    Attributes:
        agreed: All states were the same bytes, throughout.
        orders: How many orders of arrival were tried, in each way of sending.
        every: Whether these are all there are.
    """

    agreed: bool
    orders: int
    every: bool


class _Observer(NamedTuple):
    """Somebody who begins with nothing: the state it holds, and live deltas that wait for their base."""

    state: bytes = Shadow().encode()
    parked: frozenset[str] = frozenset()


_Arrive: TypeAlias = "Callable[[_Observer, Operation], _Observer]"


def same_everywhere(scenario: Scenario, rehearsal: Rehearsal) -> Agreement:
    """Return whether the replicas and all observers, however they were told, hold the same bytes."""
    accepted = rehearsal.accepted
    every = len(accepted) <= ORDERS_OF_MAX
    dice = Random(0)
    orders = [] if every else _sample(accepted, dice)
    listed = [_complete([rehearsal.operations[op] for op in order], accepted) for order in scenario.deliveries]
    ends: set[_Observer] = {_Observer(state) for state in rehearsal.states.values()}
    for arrive in (_as_delta, _as_full_state, _as_live_delta(rehearsal.operations)):
        if every:
            ends |= _all_orders(accepted, arrive)
        ends |= {_in_order(order, arrive) for order in (*orders, *listed)}
    ends |= {_Observer(state) for state in _paired_off(accepted, rehearsal.states, dice)}
    count = reduce(lambda product, factor: product * factor, range(1, len(accepted) + 1), 1) if every else len(orders)
    return Agreement(len(ends) == 1, count + len(listed), every)


def _complete(order: Sequence[Operation], accepted: Sequence[Operation]) -> list[Operation]:
    """Return *order* without what is refused, followed by what it lacks."""
    return [one for one in order if one in accepted] + [one for one in accepted if one not in order]


def _sample(operations: Sequence[Operation], dice: Random) -> list[list[Operation]]:
    count = max(4, min(ORDERS_SAMPLED, ARRIVALS_SAMPLED_MAX // len(operations)))
    return [
        list(operations),
        list(reversed(operations)),
        *(dice.sample(operations, len(operations)) for _ in range(count - 2)),
    ]


def _in_order(order: Iterable[Operation], arrive: _Arrive) -> _Observer:
    """Return an observer to whom everything came in *order*, each twice, and all once more."""
    arrivals = [one for operation in order for one in (operation, operation)]
    return reduce(arrive, (*arrivals, *arrivals[::2]), _Observer())


def _all_orders(operations: Sequence[Operation], arrive: _Arrive) -> set[_Observer]:
    """Return the observers to whom everything came, in all orders there are.

    Orders that led to the same bytes go on together: all that can follow depends on these alone. At
    each step everything that came before comes again; what that changes goes on by itself.
    """
    reached: dict[frozenset[str], set[_Observer]] = {frozenset(): {_Observer()}}
    for _ in operations:
        following: dict[frozenset[str], set[_Observer]] = {}
        for arrived, observers in reached.items():
            for operation in operations:
                if operation.name not in arrived:
                    after = following.setdefault(arrived | {operation.name}, set())
                    after |= {arrive(observer, operation) for observer in observers}
        for arrived, observers in following.items():
            again = [operation for operation in operations if operation.name in arrived]
            observers |= {arrive(observer, operation) for observer in observers for operation in again}
        reached = following
    return set().union(*reached.values())


def _as_delta(observer: _Observer, operation: Operation) -> _Observer:
    shadow = Shadow.decode(observer.state)
    shadow.merge(Delta.decode(operation.since(shadow), bytes_max=STATE_BYTES_MAX))
    return _Observer(shadow.encode())


def _as_full_state(observer: _Observer, operation: Operation) -> _Observer:
    return _Observer(merge_bytes(observer.state, operation.full))


def _as_live_delta(operations: Mapping[str, Operation]) -> _Arrive:
    def arrive(observer: _Observer, operation: Operation) -> _Observer:
        state, parked = observer.state, {*observer.parked, operation.name}
        fitting = True
        while fitting:
            fitting = False
            for name in sorted(parked):
                try:
                    state = merge_bytes(state, operations[name].live)
                except MissingBase:
                    continue
                parked.discard(name)
                fitting = True
        return _Observer(state, frozenset(parked))

    return arrive


def _paired_off(operations: Sequence[Operation], states: Mapping[str, bytes], dice: Random) -> Iterator[bytes]:
    """Yield what is left of all states when they are merged in pairs, in ways that the dice choose."""
    one_each = [operation.full for operation in operations]
    for one, other in combinations(one_each[:ORDERS_SAMPLED], 2):
        if merge_bytes(one, other) != merge_bytes(other, one):
            yield merge_bytes(one, other)
            yield merge_bytes(other, one)
    for _ in range(PAIRINGS if one_each else 0):
        left = [*one_each, *dice.sample(list(states.values()), dice.randrange(len(states) + 1))]
        while len(left) > 1:
            one, other = (left.pop(dice.randrange(len(left))) for _ in range(2))
            left.append(merge_bytes(one, other) if dice.random() < 0.5 else _merge_difference(one, other))
        yield left[0]


def _merge_difference(state: bytes, other: bytes) -> bytes:
    """Return *state* with what it lacks of *other*."""
    return merge_bytes(state, Shadow.decode(other).delta(since=Shadow.decode(state).clock).encode())
