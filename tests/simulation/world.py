"""One episode: hosts, a network between them, and what befalls them, drawn from one seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pytest
from crdtshadow_local import StoreError
from msgpack import unpackb

from crdtshadow import REMOVED, BelowFloor, ClockDrift, Delta, InvalidIdentity, MissingBase, Policy, RemoteError, Shade
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow.paths import parse
from tests.oracle import hlc
from tests.simulation.disk import Crash, DiskHost, disk_full
from tests.simulation.hosts import Host, Kept, World
from tests.simulation.judge import NEWEST, RANKED, RANKS, Judge
from tests.simulation.meaning import PATHS, Chronicle, Sight, clash

NAMES: Final = ("cloud", "device", "app", "gateway")
FIELDS: Final = tuple(path for path in PATHS if path.count("/") > 1)
VALUES: Final = (1, 1.0, True, 0, False, "x", [1], [1.0])
POLICIES: Final = {
    NEWEST: Policy(),
    RANKED: Policy.from_json({"strategy": "priority_based", "ranks": RANKS}),
    "held": Policy.from_json({"strategy": "manual_review"}),
}
HOSTS_MAX: Final = 5
UNDER_WAY_MAX: Final = 40
REMEMBERED: Final = 40
LEAPS_MS: Final = (DRIFT_MS_MAX - 1_000, DRIFT_MS_MAX, DRIFT_MS_MAX + 1, 3_600_000)

_WANT, _DELTA, _SEEN, _REFUSED = range(4)
_KIND: Final = 2
"""Which byte of a session's message tells its kind: after msgpack's array header and the version."""


class Message(NamedTuple):
    """Bytes under way, and what the oracle knows of them.

    Attributes:
        sender, receiver: Ids as they were when it was sent; hosts.
        data: The bytes.
        sight: What the sender had seen.
        base: What the receiver must have seen to take it in, as updates.
        bare: It is a delta without a session.
        sender_id: Who sent it.
    """

    sender: Host
    receiver: Host
    data: bytes
    sight: Sight
    base: int
    bare: bool
    sender_id: str


class Simulation:
    """One world, from one seed; every event ends with a verdict.

    Args:
        seed: Everything follows from it.
        directory: Where a host may have a file; no host has one otherwise.
        tell: Is told every event; the last ones are kept as the *story* anyway.
    """

    def __init__(self, seed: int, *, directory: Path | None = None, tell: Callable[[str], None] | None = None) -> None:
        self.dice = Random(seed)
        self._listener = tell
        self.story: deque[str] = deque(maxlen=REMEMBERED)
        self.events = 0
        self.world = World()
        self.chronicle = Chronicle()
        view = self.dice.choice((NEWEST, NEWEST, RANKED, "held"))
        self.empty_maps = view != NEWEST or self.dice.random() < 0.2
        self.judge = Judge(self.chronicle, "" if view == NEWEST and self.empty_maps else view)
        self.policy = POLICIES[view]
        self.hosts: list[Host] = []
        for name in NAMES[: self.dice.choice((3, 3, 4))]:
            if directory is not None and len(self.hosts) == 1:
                self.hosts.append(DiskHost(self.world, name, self.policy, path=directory / f"{seed}.db"))
            else:
                careful = self.dice.random() < 0.4
                self.hosts.append(Host(self.world, name, self.policy, careful=careful))
        self.under_way: list[Message] = []
        self.cut: set[frozenset[Host]] = set()
        self.gone: list[Host] = []
        self.faults = self.dice.choice((0.0, 0.1, 0.3))
        self._draw = self._weighted()

    def _weighted(self) -> list[Callable[[], None]]:
        weights: list[tuple[int, Callable[[], None]]] = [
            (280, self.write),
            (90, self.greet),
            (90, self.send_delta),
            (440, self.deliver),
            (30, self.forget),
            (20, self.settle_conflict),
            (15, self.step_clock),
            (8, self.partition),
            (8, self.crash),
            (4, self.back_up),
            (2, self.restore),
            (1, self.copy),
            (2, self.retire),
            (1, self.leave),
            (2, self.leap),
        ]
        return [event for weight, event in weights for _ in range(weight)]

    def run(self, events: int) -> None:
        """Let *events* things happen, then mend everything and see that all agree."""
        while self.events < events:
            self.dice.choice(self._draw)()
        self.settle()

    def close(self) -> None:
        """Release what the hosts hold."""
        for host in (*self.hosts, *self.gone):
            host.close()

    # Telling and judging

    def _tell(self, what: str) -> None:
        self.story.append(what)
        if self._listener is not None:
            self._listener(what)

    def _judge(self, host: Host) -> None:
        self.events += 1
        self.world.now_ms += self.dice.choice((0, 0, 1, 7, 40))
        self.judge.judge(host)

    def _any(self) -> Host:
        return self.dice.choice(self.hosts)

    def _two(self) -> tuple[Host, Host]:
        here, there = self.dice.sample(self.hosts, 2)
        return here, there

    # Writing

    def write(self) -> None:
        """Somebody writes, in one of the ways there are."""
        host = self._any()
        host.settle_clock()
        kind = self.dice.choice((self._set, self._set, self._remove, self._patch, self._assign, self._write_as_of))
        if isinstance(host, DiskHost) and self.dice.random() < 0.3:
            self._write_on_a_bad_day(host)
        else:
            kind(host)
        self._judge(host)

    def _value(self) -> Any:
        if self.empty_maps and self.dice.random() < 0.2:
            return {}
        return self.dice.choice(VALUES)

    def _set(self, host: Host) -> None:
        path, value = self.dice.choice(FIELDS), self._value()
        self._tell(f"{host.id} sets {path} to {value!r}")
        delta = host.replica.set(path, value)
        self._wrote(host, delta, None if value == {} else {path: value})
        _check_read(host, {path: value})

    def _remove(self, host: Host) -> None:
        path = self.dice.choice(PATHS if self.dice.random() < 0.2 else FIELDS)
        self._tell(f"{host.id} removes {path}")
        self._wrote(host, host.replica.remove(path), {path: REMOVED})
        _check_read(host, {path: None})

    def _patch(self, host: Host) -> None:
        patch: dict[str, Any] = {}
        for _ in range(self.dice.choice((1, 2, 3))):
            keys = parse(self.dice.choice(FIELDS))
            gone = self.dice.random() < 0.25 and (self.empty_maps or len(keys) == 2)
            inner = patch
            for key in keys[:-1]:
                if not isinstance(inner.get(key), dict):
                    inner[key] = {}
                inner = inner[key]
            inner[keys[-1]] = None if gone else self._value()
        if self.empty_maps and self.dice.random() < 0.05:
            patch["reported"] = None
        self._tell(f"{host.id} updates {patch}")
        before = host.replica.view().document
        self._wrote(host, host.replica.update(patch))
        # What a strategy hides is not removed by null; it may show again when its rival has given way.
        leaves = {
            path: value for path, value in _leaves(patch, "") if value is not None or _at(before, path) is not None
        }
        _check_read(host, leaves)

    def _assign(self, host: Host) -> None:
        section, key, value = self.dice.choice(("desired", "reported")), self.dice.choice(("a", "e")), self._value()
        path = f"/{section}/{key}"
        known = host.replica.clock
        mapping = host.replica.desired if section == "desired" else host.replica.reported
        if key in mapping and self.dice.random() < 0.3:
            self._tell(f"{host.id} deletes {section}[{key!r}]")
            del mapping[key]
            value = None
        else:
            self._tell(f"{host.id} assigns {section}[{key!r}] = {value!r}")
            mapping[key] = value
        self._wrote(host, host.replica.delta(known))
        _check_read(host, {path: value})

    def _write_as_of(self, host: Host) -> None:
        path, value, kept = self.dice.choice(FIELDS), self.dice.choice(VALUES), self.dice.choice(host.backups)
        self._tell(f"{host.id} sets {path} to {value!r} as of an older time")
        as_of = kept.sight.mask & host.sight.mask
        clock = host.replica.clock.meet(self._clock_of(kept))
        self._wrote(host, host.replica.set(path, value, as_of=clock), {path: value}, as_of=as_of)

    def _clock_of(self, kept: Kept) -> Any:
        newest = {replica: self._newest(bits) for replica, bits in kept.sight.own.items()}
        from crdtshadow import VectorClock

        return VectorClock(newest)

    def _newest(self, bits: int) -> int:
        return self.chronicle.updates[bits.bit_length() - 1].stamp[0]

    def _wrote(
        self, host: Host, delta: Delta, expected: Mapping[str, object] | None = None, *, as_of: int = -1
    ) -> None:
        """Record what *delta* says was written, having compared its stamp with the textbook's and all observed."""
        if not delta:
            assert not delta.rows, "a write that changes nothing brings rows"
            return
        host.clock = hlc.send(host.clock, host.now())
        stamp = (delta.upto.get(host.id), host.id)
        assert stamp[0] > host.sight.newest, f"{stamp} is not newer than {host.sight.newest}, which was observed"
        assert stamp[0] == host.clock.time, f"{stamp} is not {host.clock.time}, as the textbook says"
        assert delta.upto == host.replica.clock
        written = {
            path: one.value
            for path, siblings in delta.rows.items()
            for one in siblings
            if one.stamp == stamp and not isinstance(one.value, Shade)
        }
        if expected is not None:
            assert repr(sorted(written.items())) == repr(sorted(expected.items())), f"{written} was written"
        base = host.sight.mask
        self._record(host, stamp, written, as_of=as_of)
        self._broadcast(host, delta.encode(), base)

    def _record(self, host: Host, stamp: tuple[int, str], written: Mapping[str, object], *, as_of: int = -1) -> None:
        host.sight = self.chronicle.write(host.sight, stamp, sorted(written.items()), as_of=as_of)
        self.judge.wrote()

    def settle_conflict(self) -> None:
        """Somebody settles a conflict."""
        host = self._any()
        host.settle_clock()
        decisions = host.replica.conflicts()
        if not decisions:
            return
        conflict = self.dice.choice(decisions).conflict
        write = self.dice.choice(conflict.writes)
        sides = [
            fact for fact in host.sight.live if (fact.path, fact.stamp) in {(w.path, w.stamp) for w in conflict.writes}
        ]
        if self.dice.random() < 0.5:
            self._tell(f"{host.id} settles {conflict.path} in favour of {write}")
            delta = host.replica.resolve(conflict.path, choose=write.stamp)
            chosen = [fact for fact in sides if fact.stamp == write.stamp]
            settled = {fact for fact in sides if any(clash(fact, one) for one in chosen)}
        else:
            value: object = {"e": "done"} if conflict.path.count("/") == 1 else "done"
            self._tell(f"{host.id} settles {conflict.path} by {value}")
            delta = host.replica.resolve(write.path, value=value)
            settled = {fact for fact in sides if fact.is_set}
        self._wrote(host, delta)
        self._judge(host)
        assert not settled & host.sight.live, "what was settled is still there"

    # Exchange

    def _broadcast(self, host: Host, data: bytes, base: int) -> None:
        """Send a delta to some of the others as it was written."""
        for other in self.hosts:
            if other is not host and self.dice.random() < 0.4:
                self._post(host, other, data, base=base, bare=True)

    def _post(self, sender: Host, receiver: Host, data: bytes, *, base: int = 0, bare: bool = False) -> None:
        sender.before_sending()
        if self.dice.random() < self.faults:
            return
        message = Message(sender, receiver, data, sender.sight, base, bare, sender.id)
        self.under_way.append(message)
        if self.dice.random() < self.faults:
            self.under_way.append(message)
        if len(self.under_way) > UNDER_WAY_MAX:
            self.under_way.pop(0)

    def greet(self) -> None:
        """Somebody says hello to somebody."""
        here, there = self._two()
        self._tell(f"{here.id} greets {there.id}")
        self._post(here, there, here.session().hello())
        self._judge(here)

    def send_delta(self) -> None:
        """Somebody sends what the other lacks, or everything, without a session."""
        here, there = self._two()
        whole = self.dice.random() < 0.3
        self._tell(f"{here.id} sends {'all' if whole else 'what it lacks'} to {there.id}")
        delta = here.replica.delta(None if whole else there.replica.clock)
        base = 0 if delta.full else here.sight.mask & there.sight.mask
        self._post(here, there, delta.encode(), base=base, bare=True)
        self._judge(here)

    def deliver(self) -> None:
        """A message arrives, any that is under way; what is cut off is lost."""
        if not self.under_way:
            return self.greet()
        message = self.under_way.pop(self.dice.randrange(len(self.under_way)))
        if frozenset((message.sender, message.receiver)) in self.cut or message.receiver not in self.hosts:
            return None
        if message.bare:
            self._deliver_delta(message)
        else:
            self._deliver_message(message)
        return None

    def _deliver_delta(self, message: Message) -> None:
        host = message.receiver
        self._tell(f"{host.id} gets a delta of {message.sender_id}")
        host.settle_clock()
        floor = host.replica.shadow.floor
        if isinstance(host, DiskHost) and self.dice.random() < 0.3:
            self._merge_on_a_bad_day(host, message)
        else:
            try:
                merged = host.replica.merge(message.data)
            except (MissingBase, BelowFloor, ClockDrift) as error:
                self._refused(message, error)
            else:
                self._accepted(message, bool(merged), risen=host.replica.shadow.floor != floor)
        self._judge(host)

    def _deliver_message(self, message: Message) -> None:
        host = message.receiver
        kind = message.data[_KIND]
        self._tell(f"{host.id} gets message {kind} of {message.sender_id}")
        host.settle_clock()
        if kind in (_WANT, _SEEN):
            host.waits_for |= {message.sender_id}
        floor = host.replica.shadow.floor
        received = host.session().receive(message.data)
        if received.merged is not None:
            self._accepted(message, bool(received.merged), risen=host.replica.shadow.floor != floor)
        elif received.refused is not None:
            self._refused(message, received.refused)
        elif kind == _DELTA:
            self._refused(message, MissingBase("the session asks again", clock=host.replica.clock))
        base = message.sight.mask & host.sight.mask if kind == _WANT else 0
        if received.offer is not None:
            self._rebase(host, received.offer, message.sight, rotate=self.dice.random() < 0.3)
        for reply in received.replies:
            whole = reply[_KIND] != _DELTA or not base or _is_whole(reply, host)
            self._post(host, message.sender, reply, base=0 if whole else base)
        self._judge(host)

    def _accepted(self, message: Message, changed: bool, *, risen: bool) -> None:
        host = message.receiver
        news = message.sight.mask & ~host.sight.mask
        assert message.base & ~host.sight.mask == 0, "a delta was joined whose base is missing"
        assert not self._drifts(message), "stamps from too far in the future were accepted"
        assert changed == bool(news or risen), f"the merge says {changed}, with {news:b} new"
        if changed:
            newest = max(message.sight.newest, 0)
            host.clock = hlc.receive(host.clock, hlc.Clock(newest >> 16, newest & 0xFFFF), host.now())
        host.sight = host.sight.union(message.sight)
        assert not host.replica.cloned if not isinstance(host, DiskHost) else True

    def _refused(self, message: Message, error: RemoteError) -> None:
        host = message.receiver
        self._tell(f"... and refuses it: {error}")
        if isinstance(error, MissingBase):
            assert message.base & ~host.sight.mask, "a delta was refused for a base that is there"
        elif isinstance(error, ClockDrift):
            assert self._drifts(message), "stamps were refused that are within the bound"
        else:
            assert isinstance(error, BelowFloor), f"an error nobody expects: {error!r}"
            mine = self.chronicle.mask_of(host.replica.shadow.floor.items())
            theirs = self.chronicle.mask_of(error.floor.items())
            lacking = (mine & ~message.sight.mask) | (theirs & ~host.sight.mask)
            assert lacking, "nobody missed what was forgotten, and still it was refused"

    def _drifts(self, message: Message) -> bool:
        host = message.receiver
        bound = host.now() + DRIFT_MS_MAX
        if message.sight.newest >> 16 <= bound:
            return False
        unseen = self.chronicle.select(message.sight.mask & ~host.sight.mask)
        return any(update.stamp[0] >> 16 > bound for update in unseen)

    def _rebase(self, host: Host, offer: Delta, theirs: Sight, *, rotate: bool) -> None:
        """Let *host* begin anew from what *theirs* had seen, and write again what they had not."""
        self._tell(f"{host.id} rebases" + (" under a new identity" if rotate else ""))
        common = host.sight.mask & theirs.mask
        own = host.sight.own.get(host.id, 0)
        if own & ~theirs.mask and not rotate:
            if not isinstance(host, DiskHost):
                with pytest.raises(InvalidIdentity):
                    host.rebase(offer, rotate=False)
            rotate = True
        unseen: dict[int, dict[str, object]] = {}
        for fact in sorted(host.sight.live, key=lambda fact: (fact.stamp, fact.path)):
            if not fact.bit & theirs.mask and not self._is_forgotten_at(host, fact):
                unseen.setdefault(fact.bit, {})[fact.path] = fact.value
        host.settle_clock()
        order = sorted(unseen, key=lambda bit: self.chronicle.updates[bit.bit_length() - 1].stamp)
        clock = hlc.UNSET if rotate else host.clock
        newest = max(theirs.newest, 0)
        clock = hlc.receive(clock, hlc.Clock(newest >> 16, newest & 0xFFFF), host.now())
        former = host.id
        host.rebase(offer, rotate=rotate)
        assert (host.id != former) == rotate
        host.sight = theirs
        for bit in order:
            clock = hlc.send(clock, host.now())
            self._record(host, (clock.time, host.id), unseen[bit], as_of=common)
        host.clock = clock
        assert host.replica.last_time == clock.time, "the hybrid clock is not the textbook's after a rebase"

    def _is_forgotten_at(self, host: Host, fact: Any) -> bool:
        return not fact.is_set and host.replica.shadow.floor.get(fact.stamp[1]) >= fact.stamp[0]

    # Forgetting

    def forget(self) -> None:
        """Somebody forgets the removals that all have seen."""
        host = self._any()
        before = host.replica.shadow.floor
        forgotten = host.replica.forget()
        self._tell(f"{host.id} forgets {forgotten}")
        self.judge.forgot(host, self.hosts, before)
        self._judge(host)

    def retire(self) -> None:
        """Somebody is told that another will not come back, which need not be true."""
        host, other = self._two()
        self._tell(f"{host.id} no longer waits for {other.id}")
        host.replica.retire(other.id)
        host.retired |= {other.id}
        self._judge(host)

    def leave(self) -> None:
        """Somebody goes for good, and the others are told."""
        if len(self.hosts) <= 2:
            return
        leaving = self._any()
        if isinstance(leaving, DiskHost) or leaving is self.hosts[0]:
            return
        self._tell(f"{leaving.id} leaves")
        self.hosts.remove(leaving)
        self.gone.append(leaving)
        for host in self.hosts:
            host.replica.retire(leaving.id)
            host.retired |= {leaving.id}
            self._judge(host)

    # Time

    def step_clock(self) -> None:
        """A wall clock is set, forwards or backwards, by not too much; or time passes."""
        host = self._any()
        self.world.now_ms += self.dice.choice((0, 1_000, 30_000))
        host.skew_ms = self.dice.choice((-20_000, -50, 0, 0, 3, 10_000))
        self._tell(f"{host.id} is {host.skew_ms} ms off")
        self._judge(host)

    def leap(self) -> None:
        """A wall clock leaps ahead, or is set right after it did."""
        host = self._any()
        if host is self.hosts[0]:
            return
        if host.skew_ms < DRIFT_MS_MAX // 2:
            host.skew_ms = self.dice.choice(LEAPS_MS)
        else:
            host.skew_ms = 0
        self._tell(f"{host.id} leaps to {host.skew_ms} ms ahead")
        self._judge(host)

    def _set_right(self, host: Host) -> None:
        """Let *host*, whose clock was ahead, leave its identity and the times that it used up."""
        host.skew_ms = 0
        source = self.hosts[0]
        self._rebase(host, source.replica.delta(), source.sight, rotate=True)
        self._judge(host)

    # Space

    def partition(self) -> None:
        """A link is cut, or all are mended."""
        if self.cut and self.dice.random() < 0.5:
            self.cut.clear()
        else:
            self.cut.add(frozenset(self._two()))

    # Crashes and copies

    def crash(self) -> None:
        """Somebody loses what is not persisted."""
        host = self._any()
        self._tell(f"{host.id} crashes")
        host.crash(later=self.dice.choice((0, 0, 1, 5)))
        self._judge(host)

    def back_up(self) -> None:
        """Somebody persists, and puts a copy aside."""
        host = self._any()
        host.back_up()
        self._judge(host)

    def restore(self) -> None:
        """Somebody goes on from an old copy, under a new identity."""
        host = self._any()
        self._tell(f"{host.id} restores a backup")
        kept = self.dice.choice(host.backups)
        former = host.id
        host.restore(kept)
        assert host.id != former and host.id not in host.sight.own
        self._judge(host)
        if self.dice.random() < 0.7:
            for other in self.hosts:
                other.replica.retire(former)
                other.retired |= {former}

    def copy(self) -> None:
        """A copy of a host joins, under an identity of its own."""
        host = self._any()
        if len(self.hosts) >= HOSTS_MAX or isinstance(host, DiskHost):
            return
        twin = Host(self.world, host.name, self.policy, careful=self.dice.random() < 0.5)
        twin.restore(self.dice.choice(host.backups))
        twin.backups = [twin.kept]
        self._tell(f"{host.id} is copied, and the copy is {twin.id}")
        self.hosts.append(twin)
        self._judge(twin)

    # Bad days of a file

    def _write_on_a_bad_day(self, host: DiskHost) -> None:
        path, value = self.dice.choice(FIELDS), self.dice.choice(VALUES)
        remove = self.dice.random() < 0.3
        expected = {path: REMOVED if remove else value}
        act = (lambda: host.local.remove(path)) if remove else (lambda: host.local.set(path, value))
        self._tell(f"{host.id} writes {expected} on a bad day")
        delta = self._try(host, act)
        if delta is not None:
            self._wrote(host, delta, expected)
        elif host.committed:
            stamp = (host.local.clock.get(host.id), host.id)
            assert stamp[0] > host.sight.newest
            self._record(host, stamp, expected)
            host.settle_clock()

    def _merge_on_a_bad_day(self, host: DiskHost, message: Message) -> None:
        floor = host.replica.shadow.floor
        try:
            merged = self._try(host, lambda: host.local.merge(message.data))
        except (MissingBase, BelowFloor, ClockDrift) as error:
            return self._refused(message, error)
        if merged is not None:
            self._accepted(message, bool(merged), risen=host.replica.shadow.floor != floor)
        elif host.committed:
            host.sight = host.sight.union(message.sight)
            host.settle_clock()
        return None

    def _try(self, host: DiskHost, act: Callable[[], Any]) -> Any:
        """Return what *act* returns, ``None`` if the process or a statement failed before it did."""
        crash = self.dice.random() < 0.6
        failure = Crash() if crash else disk_full()
        host.connection.light(self.dice.randrange(24), failure)
        try:
            return act()
        except Crash:
            self._tell("... and dies")
            host.committed = host.connection.committed
            host.die()
        except StoreError as error:
            assert error.code == "store_full"
            self._tell("... and the disk is full")
            host.committed = False
            host.settle_clock()
        finally:
            host.connection.fuse = -1
        return None

    # The end

    def settle(self) -> None:
        """Mend everything, let all exchange until nothing is new, and see that they agree."""
        self._tell("everything is mended")
        self.cut.clear()
        self.under_way.clear()
        self.faults = 0.0
        self.world.now_ms += 4 * DRIFT_MS_MAX
        for host in self.hosts:
            host.skew_ms = 0
        for host in self.hosts[1:]:
            if host.strayed():
                self._set_right(host)
        expected = 0
        for _ in range(12):
            for here in self.hosts:
                for there in self.hosts:
                    if here is not there:
                        self._post(here, there, here.session().hello())
                        while self.under_way:
                            message = self.under_way.pop(0)
                            (self._deliver_delta if message.bare else self._deliver_message)(message)
            expected = 0
            for host in self.hosts:
                expected |= host.sight.mask
            if all(host.sight.mask == expected for host in self.hosts) and self._one_floor():
                break
        for host in self.hosts:
            assert host.sight.mask == expected, f"{host.id} still lacks something"
        states = {host.replica.shadow.encode() for host in self.hosts}
        assert len(states) == 1, "all have seen the same, and the bytes differ"

    def _one_floor(self) -> bool:
        return len({tuple(host.replica.shadow.floor.items()) for host in self.hosts}) == 1


def _is_whole(reply: bytes, sender: Host) -> bool:
    """Tell whether a session's delta is the whole state; it has to be where it lacks what was forgotten."""
    return bool(sender.replica.shadow.floor) and Delta.decode(unpackb(reply)[_KIND]).full


def _leaves(patch: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in patch.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}/{key}")
        else:
            yield f"{above}/{key}", value


def _check_read(host: Host, written: Mapping[str, Any]) -> None:
    """Compare what *host* reads where it wrote with what it wrote, type exact; where it removed, nothing is left."""
    document = host.replica.view().document
    for path, value in written.items():
        found = _at(document, path)
        if value == {}:
            assert isinstance(found, dict), f"{host.id} reads {found!r} at {path}, and wrote an empty map"
        else:
            assert repr(found) == repr(value), f"{host.id} reads {found!r} at {path}, and wrote {value!r}"


def _at(document: Any, path: str) -> Any:
    for key in parse(path):
        document = document.get(key) if isinstance(document, dict) else None
    return document
