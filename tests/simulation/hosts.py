"""Hosts: where a replica lives, what of it survives a crash, and what the oracle says it has seen."""

from __future__ import annotations

from typing import Final, NamedTuple

from crdtshadow import Delta, Policy, Replica, Session
from crdtshadow.limits import DRIFT_MS_MAX
from tests.oracle import hlc
from tests.simulation.meaning import NOTHING, Sight

START_MS: Final = 1_700_000_000_000


class Kept(NamedTuple):
    """What a host has persisted, and what the oracle knew of it at that time."""

    data: bytes
    last_time: int
    sight: Sight
    clock: hlc.Clock
    waits_for: frozenset[str]
    retired: frozenset[str]


class World:
    """What all hosts share: the time, and epochs that were never used."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.last_epoch = 0

    def new_epoch(self) -> int:
        """Return an epoch that no replica has had."""
        self.last_epoch += 1
        return self.last_epoch


class Host:
    """A replica of the core in a process that may crash, beside what the oracle says of it.

    Attributes:
        sight: What it has seen.
        clock: Its hybrid clock, by the textbook.
        skew_ms: How far its wall clock is ahead.
        waits_for: Replicas that it knows of, whose word it needs before it forgets.
        retired: Those of them that it no longer waits for.
        careful: It persists before anything leaves it, so its identity survives a crash.
    """

    def __init__(self, world: World, name: str, policy: Policy, *, careful: bool) -> None:
        self.world = world
        self.name = name
        self.policy = policy
        self.careful = careful
        self.skew_ms = 0
        self.sight: Sight = NOTHING
        self.clock: hlc.Clock = hlc.UNSET
        self.waits_for: frozenset[str] = frozenset()
        self.retired: frozenset[str] = frozenset()
        self.start()

    def start(self) -> None:
        """Begin a replica that has never been."""
        self.replica = Replica(self.name, epoch=self.world.new_epoch(), now=self.now, policy=self.policy)
        self.kept = self.keep()
        self.backups = [self.kept]

    def now(self) -> int:
        """Return what its wall clock shows."""
        return self.world.now_ms + self.skew_ms

    def strayed(self) -> bool:
        """Tell whether its hybrid clock was led so far ahead that others refuse what it writes."""
        return self.clock.time >> 16 > self.world.now_ms + DRIFT_MS_MAX

    @property
    def id(self) -> str:
        """Its identity."""
        return self.replica.id

    def session(self) -> Session:
        """Return an exchange with a peer."""
        return Session(self.replica)

    def settle_clock(self) -> None:
        """Take the replica's time for the textbook's where it may be ahead; it never may here."""

    def keep(self) -> Kept:
        """Persist all there is."""
        self.kept = Kept(
            self.replica.save(), self.replica.last_time, self.sight, self.clock, self.waits_for, self.retired
        )
        return self.kept

    def before_sending(self) -> None:
        """Persist what others will hear of, if this host is of that kind."""
        if self.careful and self.kept.sight is not self.sight:
            self.keep()

    def back_up(self) -> None:
        """Put a copy of what is persisted aside."""
        self.backups.append(self.keep())

    def crash(self, *, later: int) -> None:
        """Lose what is not persisted, and start again; a careful host goes on *later* than it had persisted."""
        if self.careful:
            self._take(self.kept)
            self.replica = Replica.resume(
                self.kept.data, last_time=self.kept.last_time + later, now=self.now, policy=self.policy
            )
            time = self.replica.last_time
            self.clock = hlc.Clock(time >> 16, time & 0xFFFF)
        else:
            self.restore(self.kept)

    def restore(self, kept: Kept) -> None:
        """Start again from persisted bytes that may be old."""
        self._take(kept)
        self.replica = Replica.load(kept.data, epoch=self.world.new_epoch(), now=self.now, policy=self.policy)
        self.keep()

    def _take(self, kept: Kept) -> None:
        self.sight, self.clock = kept.sight, kept.clock
        self.waits_for, self.retired = kept.waits_for, kept.retired

    def rebase(self, other: Delta, *, rotate: bool) -> Delta:
        """Take over *other*, under a new identity if asked."""
        return self.replica.rebase(other, epoch=self.world.new_epoch() if rotate else None)

    def close(self) -> None:
        """Stop for good."""
