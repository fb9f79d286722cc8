"""Local states, and what can happen to one: the shipped replica does it, the oracle judges it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from crdtshadow import (
    REMOVED,
    BelowFloor,
    CrdtShadowError,
    Delta,
    MissingBase,
    Policy,
    Replica,
    Shade,
    Shadow,
    VectorClock,
    find_conflicts,
    replica_name,
    resolve,
)
from crdtshadow.clock import pack_time
from crdtshadow.paths import build, parse
from crdtshadow.testing import FakeClock
from tests.oracle import denotation

NAMES: Final = ("app", "cloud", "device")
RANKS: Final = {"app": 25, "cloud": 30, "device": 10}
VALUES: Final = {"app": 1, "cloud": True, "device": 1.0}
"""What each replica writes: three values that Python thinks equal."""
KEYS: Final = ("/desired/t", "/desired/t/low")
Kind = tuple[str, bool]
"""What can be written: at which key, and whether it is a removal."""
SETS: Final[tuple[Kind, ...]] = tuple((key, False) for key in KEYS)
REMOVALS: Final[tuple[Kind, ...]] = tuple((key, True) for key in KEYS)
KINDS: Final = SETS + REMOVALS
REVIEW: Final = Policy.from_json({"strategy": "manual_review"})
PRIORITY: Final = Policy.from_json({"strategy": "priority_based", "ranks": RANKS})
NEWEST: Final = Policy()
START_MS: Final = 1_000
"""What the wall clock of a replica shows that has seen nothing.

It shows a millisecond more for each write that was seen, and for each that was forgotten. So times are equal as often
as they can be, and what a replica does next does not depend on the way it came here.
"""
RESTING_MAX: Final = 10_000
"""Replicas that are kept ready to be read."""

Seen = frozenset[int]
"""Numbers of writes."""
NOTHING: Final[Seen] = frozenset()


class Violation(AssertionError):
    """What ships does not do what the oracle says."""


class Reported(Violation):
    """What ships says itself that its identity is used twice."""


def demand(holds: bool, what: str) -> None:
    """Raise `Violation` unless *holds*."""
    if not holds:
        raise Violation(what)


class Local(NamedTuple):
    """A replica, and what the oracle knows of it. Nothing changes it: what happens to it makes another one.

    Attributes:
        number: Its place among all local states.
        content: The first one that had seen and forgotten the same. It holds the same bytes, so it sends the same.
        saved: The replica's bytes, from which a copy is made when something is done with it.
        last_time: The hybrid time that it has used.
        seen: The writes that have reached it.
        forgotten: The writes that its floor covers.
        acknowledged: By peer, what that one is known to have seen.
    """

    number: int
    content: int
    saved: bytes
    last_time: int
    seen: Seen
    forgotten: Seen
    acknowledged: tuple[tuple[str, Seen], ...]


class Sent(NamedTuple):
    """A write, and the two messages that its writer sent then: the write alone, and all it held."""

    write: denotation.Write
    seen: Seen
    forgotten: Seen
    delta: Delta
    whole: Delta


class Model:
    """All local states that were met, all writes, and what became of what.

    Attributes:
        locals: By number.
        sent: Writes by number.
        steps: How many things the shipped code was made to do.
    """

    def __init__(self) -> None:
        self.locals: list[Local] = []
        self.sent: list[Sent] = []
        self.steps = 0
        self._clock = FakeClock()
        self._resting: dict[int, Replica] = {}
        self._known: dict[tuple[Any, ...], int] = {}
        self._writes: dict[tuple[Any, ...], int] = {}
        self._contents: dict[tuple[Seen, Seen], int] = {}
        self._bytes: dict[tuple[Seen, Seen], bytes] = {}

    def begin(self, name: str, epoch: int = 0) -> int:
        """Return the local state of a replica that has just been made."""
        return self._keep(Replica(name, epoch=epoch, now=self._clock), NOTHING, NOTHING, ())

    # What can happen

    def write(self, at: int, kind: Kind) -> tuple[int, int]:
        """Let a local state write; return the one it becomes, and the number of the write."""
        key, removes = kind
        local = self.locals[at]
        replica = self._copy(local)
        value = VALUES[replica.name]
        delta = replica.remove(key) if removes else replica.set(key, value)
        stamps = set(delta.stamps())
        demand(len(stamps) == 1, f"one write has the stamps {stamps}")
        (stamp,) = stamps
        newest = max((self.sent[one].write.time for one in local.seen), default=0)
        demand(stamp.time > newest, f"the new stamp {stamp.time} is not later than {newest}, which was seen")
        demand(stamp.replica == replica.id, f"{replica.id} wrote under the name of {stamp.replica}")
        name = (stamp, key, removes, local.seen, local.forgotten)
        number = self._writes.setdefault(name, len(self.sent))
        if number == len(self.sent):
            past = frozenset(str(one) for one in local.seen)
            made = denotation.Write(
                str(number), stamp.replica, stamp.time, parse(key), "del" if removes else "set", value, past
            )
            alone, whole = _by_wire(delta), _by_wire(replica.delta())
            self.sent.append(Sent(made, local.seen, local.forgotten, alone, whole))
        seen = local.seen | {number}
        shown = resolve(replica.shadow, NEWEST).fields.get(key)
        demand(denotation.exact(shown) == denotation.exact(None if removes else value), f"{shown!r} is read back")
        return self._keep(replica, seen, local.forgotten, local.acknowledged), number

    def receive_write(self, at: int, number: int) -> int:
        """Let the delta that a write returned arrive; return what becomes of the local state."""
        local, sent = self.locals[at], self.sent[number]
        if not sent.seen <= local.seen:
            self._refused(local, sent.delta, MissingBase)
            return at
        return self._join(local, sent.delta, sent.seen | {number}, sent.forgotten)

    def receive_whole(self, at: int, number: int) -> int:
        """Let the whole state arrive that a writer held just after a write."""
        sent = self.sent[number]
        return self._join(self.locals[at], sent.whole, sent.seen | {number}, sent.forgotten)

    def receive_from(self, at: int, peer: int) -> int:
        """Let what *peer* holds now, and this one lacks, arrive."""
        local, other = self.locals[at], self.locals[peer]
        delta = _by_wire(self._at_rest(other).delta(since=self._at_rest(local).clock))
        return self._join(local, delta, other.seen, other.forgotten)

    def acknowledge(self, at: int, peer: int) -> int:
        """Let this one hear what *peer* has seen."""
        local, other = self.locals[at], self.locals[peer]
        replica, heard = self._copy(local), self._at_rest(other)
        replica.acknowledge(heard.id, heard.clock)
        before = dict(local.acknowledged)
        known = before | {heard.id: before.get(heard.id, NOTHING) | other.seen}
        return self._keep(replica, local.seen, local.forgotten, tuple(sorted(known.items())))

    def forget(self, at: int) -> int:
        """Let this one forget what all others have seen."""
        local = self.locals[at]
        replica = self._copy(local)
        replica.forget()
        forgotten = self._covered(replica.shadow.floor, local.seen)
        risen = forgotten - local.forgotten
        waited_for = {self.sent[one].write.replica for one in local.seen} | dict(local.acknowledged).keys()
        for peer in waited_for - {replica.id}:
            demand(risen <= dict(local.acknowledged).get(peer, NOTHING), f"{peer} may not have seen what was forgotten")
        return self._keep(replica, local.seen, forgotten, local.acknowledged)

    # Doing and judging

    def _copy(self, local: Local) -> Replica:
        self.steps += 1
        self._clock.ms = _ms(local.seen, local.forgotten)
        return Replica.resume(local.saved, last_time=local.last_time, now=self._clock, policy=NEWEST)

    def _at_rest(self, local: Local) -> Replica:
        """Return the replica of *local*, to be read."""
        replica = self._resting.get(local.number)
        if replica is None:
            if len(self._resting) >= RESTING_MAX:
                self._resting.clear()
            replica = self._resting[local.number] = self._copy(local)
        return replica

    def _join(self, local: Local, delta: Delta, brings: Seen, forgotten: Seen) -> int:
        """Let *delta* arrive, which says *brings* and has *forgotten*; return what becomes of the local state."""
        late = not forgotten <= local.seen and not (delta.full and local.seen <= brings)
        stale = not local.forgotten <= brings and not brings <= local.seen
        if late or stale:
            self._refused(local, delta, BelowFloor)
            return local.number
        replica = self._copy(local)
        try:
            merged = replica.merge(delta)
            again = replica.merge(delta)
        except CrdtShadowError as error:
            raise Violation(f"{error.code}: {error}") from error
        demand(replica.cloned or not again, "the second time it changes something")
        seen, both = local.seen | brings, local.forgotten | forgotten
        after = self._keep(replica, seen, both, local.acknowledged)
        demand(bool(merged) == (after != local.number), f"it reports {merged}")
        demand(merged.advanced == ((seen, both) != (local.seen, local.forgotten)), f"it reports {merged}")
        return after

    def _refused(self, local: Local, delta: Delta, error: type[CrdtShadowError]) -> None:
        replica = self._copy(local)
        try:
            replica.merge(delta)
        except error:
            demand(replica.save() == self._copy(local).save(), "it was refused, and changed something")
        except CrdtShadowError as other:
            raise Violation(f"{error.__name__} should refuse it, {other.code} did") from other
        else:
            raise Violation(f"{error.__name__} should refuse it")

    def _keep(self, replica: Replica, seen: Seen, forgotten: Seen, acknowledged: tuple[tuple[str, Seen], ...]) -> int:
        data = replica.shadow.encode()
        name = (replica.id, replica.cloned, data, seen, forgotten, acknowledged)
        number = self._known.get(name)
        if number is None:
            self._judge(replica, data, seen, forgotten)
            number = self._known[name] = len(self.locals)
            content = self._contents.setdefault((seen, forgotten), number)
            self.locals.append(Local(number, content, replica.save(), replica.last_time, seen, forgotten, acknowledged))
        return number

    def _judge(self, replica: Replica, data: bytes, seen: Seen, forgotten: Seen) -> None:
        """Raise `Violation` if *replica* is not what those writes mean that it has *seen*."""
        shadow = replica.shadow
        writes = [self.sent[one].write for one in sorted(seen)]
        last: dict[str, int] = {}
        for write in writes:
            last[write.replica] = max(write.time, last.get(write.replica, -1))
        if replica.cloned:
            raise Reported(f"{replica.id} takes itself for a clone")
        demand(shadow.clock == VectorClock(last), f"{shadow.clock} is its clock, seen was {last}")
        demand(replica.last_time < pack_time(_ms(seen, forgotten)), "its time runs ahead of what it has seen")
        shadow.check()
        demand(Shadow.decode(data).encode() == data, "decoded and encoded again, its bytes are others")
        dropped = {one for one in forgotten if self.sent[one].write.kind == "del"}
        live = {_name(write) for write in denotation.live(writes) if int(write.op) not in dropped}
        held = {
            (
                path,
                (one.stamp.time, one.stamp.replica),
                "removed" if one.value is REMOVED else denotation.exact(one.value),
            )
            for path in shadow.paths()
            for one in shadow.siblings(path)
            if not isinstance(one.value, Shade)
        }
        demand(held == live, f"it holds {sorted(held)}, live are {sorted(live)}")
        known = self._bytes.setdefault((seen, forgotten), data)
        demand(known == data, "another one has seen and forgotten the same and holds other bytes")
        if not forgotten:
            self._judge_views(shadow, writes)

    def _judge_views(self, shadow: Shadow, writes: list[denotation.Write]) -> None:
        names = {(write.time, write.replica): write.op for write in writes}
        groups = [
            (parse(one.path), sorted({names[write.stamp] for write in one.writes})) for one in find_conflicts(shadow)
        ]
        meant = [(one.path, [write.op for write in one.siblings]) for one in denotation.conflicts(writes)]
        demand(sorted(groups) == meant, f"its conflicts are {groups}, and should be {meant}")
        disputed = {path for one in find_conflicts(shadow) for path in one.paths}
        settled = {parse(p): v for p, v in resolve(shadow, REVIEW).fields.items() if p not in disputed}
        _same(settled, denotation.settled_view(writes), "outside conflicts")
        ranked = denotation.priority_view(writes, lambda write: RANKS[replica_name(write.replica)])
        _same({parse(p): v for p, v in resolve(shadow, PRIORITY).fields.items()}, ranked, "by rank")
        if not any(write.kind == "del" for write in writes):
            newest = {parse(p): v for p, v in resolve(shadow, NEWEST).fields.items()}
            _same(newest, denotation.lww_view(writes), "by time")

    def _covered(self, floor: VectorClock, seen: Seen) -> Seen:
        writes = [self.sent[one].write for one in seen]
        return frozenset(int(one.op) for one in writes if floor.get(one.replica) >= one.time)


def _ms(seen: Seen, forgotten: Seen) -> int:
    return START_MS + len(seen) + len(forgotten)


def _by_wire(delta: Delta) -> Delta:
    return Delta.decode(delta.encode())


def _name(write: denotation.Write) -> tuple[str, tuple[int, str], str]:
    return build(*write.path), (write.time, write.replica), write.outcome


def _same(shown: dict[Any, Any], meant: dict[Any, Any], how: str) -> None:
    here, there = denotation.exact(denotation.document(shown)), denotation.exact(denotation.document(meant))
    demand(here == there, f"{how} it shows {here}, and should {there}")
