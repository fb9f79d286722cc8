"""Time and causality: replica ids, stamps, hybrid logical clocks, vector clocks.

A *hybrid time* is one integer: 48 bits of milliseconds, 16 bits of a tick (Kulkarni et al., "Logical
Physical Clocks", 2014). A tick that overflows carries into the milliseconds, so times never wrap.
A *stamp* is a hybrid time and the replica that used it; stamps are totally ordered, and one stamp
names one update. A *vector clock* holds the newest stamp seen of each replica and answers "seen?".

A replica id is a name and an epoch, ``thermostat#0badcafe``. The epoch is minted anew whenever the
last time used is not provably known, so a name can come back from a factory reset without
pretending to be its former self. ``#`` sorts below every character of a name, so ids compare as
their names do, then by epoch.

Everything here is a pure function or an immutable value: the wall clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from crdtshadow.errors import InvalidIdentity
from crdtshadow.limits import CLOCK_MS_MAX, NAME_CHARS_MAX

TICK_BITS: Final = 16
_TICK_MASK: Final = (1 << TICK_BITS) - 1
_NAME_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@$+-")
_EPOCH_END: Final = 1 << 32


def replica_id(name: str, epoch: int) -> str:
    """Return the id of the replica called *name* in its incarnation *epoch*.

    Args:
        name: 1 to 128 of ``[A-Za-z0-9:_.@$+-]``; an AWS IoT thing name fits.
        epoch: 32 random bits.

    Raises:
        InvalidIdentity: The name or the epoch is not of that form.

    >>> replica_id("thermostat", 0xBADCAFE)
    'thermostat#0badcafe'
    """
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARS_MAX or not _NAME_CHARS.issuperset(name):
        raise InvalidIdentity(f"replica name {name!r}: needs 1 to {NAME_CHARS_MAX} of A-Z a-z 0-9 : _ . @ $ + -")
    if not isinstance(epoch, int) or not 0 <= epoch < _EPOCH_END:
        raise InvalidIdentity(f"replica epoch {epoch!r}: needs a 32-bit unsigned integer")
    return f"{name}#{epoch:08x}"


def replica_name(replica: str) -> str:
    """Return the name in a replica id.

    >>> replica_name("thermostat#0badcafe")
    'thermostat'
    """
    return replica[: replica.rfind("#")]


def split_replica(replica: str) -> tuple[str, int]:
    """Return name and epoch of a replica id; the inverse of :func:`replica_id`.

    Raises:
        InvalidIdentity: Not a replica id.

    >>> split_replica("thermostat#0badcafe")
    ('thermostat', 195939070)
    """
    name, mark, digits = replica.rpartition("#") if isinstance(replica, str) else ("", "", "")
    try:
        epoch = int(digits, 16) if mark and len(digits) == 8 else -1
    except ValueError:
        epoch = -1
    if epoch < 0 or replica_id(name, epoch) != replica:
        raise InvalidIdentity(f"{replica!r} is not a replica id such as thermostat#0badcafe")
    return name, epoch


def pack_time(ms: int, tick: int = 0) -> int:
    """Return the hybrid time of *ms* milliseconds since 1970 and *tick*.

    >>> pack_time(1) == 1 << 16
    True
    """
    return ms << TICK_BITS | tick


class Stamp(NamedTuple):
    """The name of one update: when (hybrid time) and by whom (replica id).

    Ordered by time, then by replica id: the total order behind "newest wins".
    """

    time: int
    replica: str

    @property
    def ms(self) -> int:
        """Milliseconds since 1970, the physical part of the time."""
        return self.time >> TICK_BITS

    @property
    def tick(self) -> int:
        """The logical part of the time."""
        return self.time & _TICK_MASK


def send(last: int, now_ms: int) -> int:
    """Return the hybrid time of a new update: after *last*, and at the wall clock if that is later.

    The wall clock may stand still or step back; the result is greater than *last* all the same.
    Source: Kulkarni et al. 2014, figure 5, "send or local event".

    >>> send(pack_time(10, 2), 9) == pack_time(10, 3)
    True
    """
    wall = min(max(now_ms, 0), CLOCK_MS_MAX) << TICK_BITS
    return wall if wall > last else last + 1


def receive(last: int, seen: int, now_ms: int) -> int:
    """Return the hybrid time after a message that carried *seen* arrived.

    Source: Kulkarni et al. 2014, figure 5, "receive event": the message's time is advanced past,
    so that whatever is written next is later than all that was read.

    >>> receive(pack_time(5), pack_time(9, 1), 7) == pack_time(9, 2)
    True
    """
    wall = min(max(now_ms, 0), CLOCK_MS_MAX) << TICK_BITS
    newest = max(last, seen)
    return wall if wall >> TICK_BITS > newest >> TICK_BITS else newest + 1


class VectorClock:
    """An immutable map from replica id to the newest hybrid time seen of it.

    ``<=`` is the partial order of what was seen; ``a <= b`` and ``b <= a`` can both be false, then
    the clocks are concurrent. Source: Fidge 1988 and Mattern 1989, with hybrid times as entries.

    >>> a = VectorClock({"a#00000000": 1}); b = VectorClock({"b#00000000": 1})
    >>> a <= b, a <= a.join(b), a.compare(b)
    (False, True, 'concurrent')
    """

    __slots__ = ("_times",)

    _times: dict[str, int]

    def __init__(self, times: Mapping[str, int] | None = None) -> None:
        self._times = dict(times) if times else {}

    def covers(self, stamp: Stamp) -> bool:
        """Tell whether the update of *stamp* is among what was seen."""
        return self._times.get(stamp.replica, -1) >= stamp.time

    def get(self, replica: str) -> int:
        """Return the newest time seen of *replica*, -1 if none was."""
        return self._times.get(replica, -1)

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield replica ids and times, sorted by replica id."""
        return iter(sorted(self._times.items()))

    def stamps(self) -> Iterator[Stamp]:
        """Yield the newest stamp of each replica, sorted by replica id."""
        return (Stamp(time, replica) for replica, time in self.items())

    def newest(self) -> int:
        """Return the greatest time seen of anybody, -1 if nothing was seen."""
        return max(self._times.values(), default=-1)

    def join(self, other: VectorClock) -> VectorClock:
        """Return the least clock that has seen what either has."""
        if other <= self:
            return self
        if self <= other:
            return other
        times = dict(self._times)
        for replica, time in other._times.items():
            if time > times.get(replica, -1):
                times[replica] = time
        return VectorClock(times)

    def meet(self, other: VectorClock) -> VectorClock:
        """Return the greatest clock that has seen nothing but what both have."""
        theirs = other._times
        return VectorClock({r: min(t, theirs[r]) for r, t in self._times.items() if r in theirs})

    def with_stamp(self, stamp: Stamp) -> VectorClock:
        """Return this clock having also seen *stamp* and all earlier ones of its replica."""
        if self.covers(stamp):
            return self
        return VectorClock({**self._times, stamp.replica: stamp.time})

    def compare(self, other: VectorClock) -> Literal["equal", "before", "after", "concurrent"]:
        """Return how this clock stands to *other* in the partial order."""
        below, above = self <= other, other <= self
        if below:
            return "equal" if above else "before"
        return "after" if above else "concurrent"

    def __le__(self, other: VectorClock) -> bool:
        theirs = other._times
        if self._times is theirs:
            return True
        return all(theirs.get(replica, -1) >= time for replica, time in self._times.items())

    def __ge__(self, other: VectorClock) -> bool:
        return other <= self

    def __lt__(self, other: VectorClock) -> bool:
        return self <= other and self._times != other._times

    def __gt__(self, other: VectorClock) -> bool:
        return other < self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VectorClock) and self._times == other._times

    def __hash__(self) -> int:
        return hash(frozenset(self._times.items()))

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._times))

    def __contains__(self, replica: object) -> bool:
        return replica in self._times

    def __repr__(self) -> str:
        return f"VectorClock({dict(self.items())!r})"


EMPTY_CLOCK: Final = VectorClock()
"""Nothing seen."""
