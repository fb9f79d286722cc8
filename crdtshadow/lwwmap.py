"""The map and its join.

An :class:`LWWMap` holds, for every path, the siblings that no write has replaced, and one vector
clock of all that was seen. Three operations change it, each whole or not at all:

* ``write`` replaces what its writer has seen, at the path, and where the path and what stands
  above or below it cannot both be;
* ``merge`` joins a delta: commutative, associative, idempotent, whatever the order and however
  often, and it says what changed;
* ``forget`` drops removals that every replica has seen.

Nothing here chooses among siblings: that is a view (:mod:`crdtshadow.view`).

The floor. ``forget`` raises the *floor*, the clock of the removals forgotten: a removal or a shade
that it covers is in no state, whatever stands beside or below it. So a state is a function of what
was seen and of the floor alone, and replicas which have and have not forgotten yet reach the same
bytes once their floors have joined. ``forget`` therefore passes over nothing that is still needed:
the floor of a replica stays below the oldest of its removals that competes with a value, or hides
one below it, until somebody settles that. Whoever has not seen the floor may still catch up, but may
not bring writes of its own: it missed removals that nobody remembers (:class:`BelowFloor`).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Self

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock, pack_time, split_replica
from crdtshadow.delta import Delta
from crdtshadow.errors import BelowFloor, DecodeError, InvalidIdentity, InvalidPath, LimitExceeded, MissingBase
from crdtshadow.limits import CLOCK_MS_MAX, FIELDS_MAX, REPLICAS_MAX, SIBLINGS_MAX, STATE_BYTES_MAX
from crdtshadow.paths import ancestors
from crdtshadow.paths import check as check_path
from crdtshadow.sibling import REMOVED, Outcome, Removed, Rows, Shade, Sibling, Siblings, is_value, join_siblings
from crdtshadow.values import Value
from crdtshadow.values import check as check_value

DIGEST_BYTES: Final = 16
_TIME_END: Final = pack_time(CLOCK_MS_MAX + 1)


class Merged(NamedTuple):
    """What a merge changed; false if nothing.

    Attributes:
        changed: Paths whose siblings changed, sorted.
        clones: Stamps that came with two outcomes: two programs use one identity.
        advanced: The clock or the floor grew.
    """

    changed: tuple[str, ...]
    clones: tuple[Stamp, ...]
    advanced: bool

    def __bool__(self) -> bool:
        return self.advanced or bool(self.changed)


class LWWMap:
    """A map of JSON values by path that merges; last writer wins, and concurrent writers are kept.

    >>> a, b = LWWMap(), LWWMap()
    >>> delta = a.write({"/t": 21}, Stamp(1, "a#00000000"))
    >>> b.merge(delta).changed
    ('/t',)
    >>> a == b
    True
    """

    __slots__ = ("_below", "_clock", "_contested", "_floor", "_rows", "_size", "_spent", "_times")

    _rows: dict[str, Siblings]
    _size: int
    """How many siblings there are, at all paths together."""
    _clock: VectorClock
    _floor: VectorClock
    _below: dict[str, set[str]]
    """The next paths below a path that hold a row or lead to one."""
    _times: dict[str, _Times]
    """By replica: when it wrote, and which paths still hold that."""
    _spent: set[str]
    """Paths without a value."""
    _contested: set[str]
    """Paths with more than one sibling."""

    def __init__(self) -> None:
        self._rows = {}
        self._size = 0
        self._clock = EMPTY_CLOCK
        self._floor = EMPTY_CLOCK
        self._below = {}
        self._times = {}
        self._spent = set()
        self._contested = set()

    @property
    def clock(self) -> VectorClock:
        """The newest stamp seen of every replica."""
        return self._clock

    @property
    def floor(self) -> VectorClock:
        """The clock below which removals were forgotten."""
        return self._floor

    def paths(self) -> Iterator[str]:
        """Yield every path that holds a sibling, removals included, in no order."""
        return iter(self._rows)

    def siblings(self, path: str) -> Siblings:
        """Return the siblings at *path*, oldest first; none if there are none."""
        return self._rows.get(path, ())

    def below(self, path: str) -> Iterator[str]:
        """Yield every path strictly below *path* that holds a sibling; ``""`` is the root."""
        pending = list(self._below.get(path, ()))
        while pending:
            found = pending.pop()
            if found in self._rows:
                yield found
            pending.extend(self._below.get(found, ()))

    def contested(self) -> Iterator[str]:
        """Yield the paths where something may compete: several siblings, or rows below a row."""
        yield from self._contested
        for path in self._below.keys() & self._rows.keys():
            if path not in self._contested:
                yield path

    def write(self, changes: Mapping[str, Value | Removed], stamp: Stamp, *, as_of: VectorClock | None = None) -> Delta:
        """Record one update, all its fields under one stamp, and return it as a delta.

        Args:
            changes: Values by path, or ``REMOVED``. A path may lie below another only if that one
                becomes ``{}``.
            stamp: Names the update: unused, and later than all its writer has seen.
            as_of: What the writer had seen; all of this map by default. It has always seen its own.

        Raises:
            InvalidPath, InvalidValue: A change that cannot be made.
            InvalidIdentity: The stamp is none, used up or too old, or *as_of* is beyond this map.
            LimitExceeded: Too many siblings, at one path or in all, or replicas.
        """
        staged = self._stage(changes, stamp, self._seen_by(stamp, as_of))
        before, clock = self._clock, self._clock.with_stamp(stamp)
        self._check_limits(staged, clock)
        self._clock = clock
        for path, siblings in staged.items():
            self._put(path, siblings)
        return Delta(before, self._clock, floor=self._floor, rows=staged)

    def _seen_by(self, stamp: Stamp, as_of: VectorClock | None) -> VectorClock:
        if stamp.replica not in self._clock:
            split_replica(stamp.replica)
        if stamp.time >= _TIME_END:
            raise InvalidIdentity(f"stamp {stamp.time} of {stamp.replica} is beyond the 64 bits of hybrid times")
        if self._clock.covers(stamp):
            raise InvalidIdentity(f"stamp {stamp.time} of {stamp.replica} is not newer than its last one here")
        seen = self._clock
        if as_of is not None:
            if not as_of <= self._clock:
                raise InvalidIdentity(f"{stamp.replica} cannot write as of a clock that this state has not reached")
            seen = as_of.join(VectorClock({stamp.replica: self._clock.get(stamp.replica)}))
        if stamp.time <= seen.newest():
            raise InvalidIdentity(f"stamp {stamp.time} of {stamp.replica} is not newer than what its writer has seen")
        return seen

    def _stage(self, changes: Mapping[str, Value | Removed], stamp: Stamp, seen: VectorClock) -> dict[str, Siblings]:
        """Return the rows that the update leaves, by path."""
        checked: dict[str, Outcome] = {}
        for path, value in changes.items():
            checked[check_path(path)] = REMOVED if isinstance(value, Removed) else check_value(value, path)
        staged: dict[str, Siblings] = {}

        def stage(path: str, kept: Iterable[Sibling], outcome: Outcome) -> None:
            staged[path] = tuple(sorted([*kept, Sibling(stamp, outcome)], key=_by_stamp))

        for path, outcome in checked.items():
            rows = self._rows.get(path, ())
            if outcome == {}:
                stage(path, [one for one in rows if not seen.covers(one.stamp) or type(one.value) is Shade], outcome)
            else:
                stage(path, [one for one in rows if not seen.covers(one.stamp)], outcome)
                for lower in self.below(path):
                    siblings = self._rows[lower]
                    if any(not isinstance(one.value, Shade) and seen.covers(one.stamp) for one in siblings):
                        stage(lower, [one for one in siblings if not seen.covers(one.stamp)], Shade(None))
            for upper in ancestors(path):
                above = checked.get(upper)
                if above is not None and above != {}:
                    raise InvalidPath(f"{path}: one update cannot write it and {upper} above it")
                if above is None and is_value(outcome):
                    siblings = self._rows.get(upper, ())
                    hidden = _hidden_as_of([one for one in siblings if seen.covers(one.stamp)])
                    if hidden is not None:
                        kept = [one for one in siblings if not seen.covers(one.stamp) or one.value == {}]
                        stage(upper, kept, Shade(hidden))
        self._check_rows(staged)
        return staged

    def _check_rows(self, rows: Rows) -> None:
        """Refuse rows that may not stand in this kind of map; here, any may."""

    def _check_limits(self, staged: Mapping[str, Siblings], clock: VectorClock) -> None:
        if len(clock) > REPLICAS_MAX:
            raise LimitExceeded(f"{len(clock)} replicas, at most {REPLICAS_MAX} are allowed")
        size = self._size
        for path, siblings in staged.items():
            if len(siblings) > SIBLINGS_MAX:
                raise LimitExceeded(f"{path!r}: {len(siblings)} siblings, at most {SIBLINGS_MAX} are allowed")
            size += len(siblings) - len(self._rows.get(path, ()))
        if size > FIELDS_MAX:
            raise LimitExceeded(f"{size} siblings, at most {FIELDS_MAX} are allowed")

    def delta(self, since: VectorClock | None = None) -> Delta:
        """Return what somebody whose clock is *since* lacks; the whole state by default.

        It is also the whole state for somebody who has not seen the floor.
        """
        base = since.meet(self._clock) if since is not None else EMPTY_CLOCK
        if not base or not self._floor <= base:
            return Delta(EMPTY_CLOCK, self._clock, floor=self._floor, rows=dict(self._rows))
        paths: set[str] = set()
        for replica, newest in self._clock.items():
            seen = base.get(replica)
            if newest > seen and replica in self._times:
                paths.update(self._times[replica].after(seen))
        return Delta(base, self._clock, floor=self._floor, rows={path: self._rows[path] for path in paths})

    def merge(self, other: Delta | LWWMap) -> Merged:
        """Join *other* into this map and return what changed.

        Raises:
            MissingBase: A delta whose base this map has not seen.
            BelowFloor: One side has writes the other has not seen, and missed removals that the
                other has forgotten.
            DecodeError: A row that may not stand in this map, too many siblings, or replicas.

        Laws: commutative, associative, idempotent; the result contains both; a delta since a
        clock merges as the whole state would.
        """
        delta = other if isinstance(other, Delta) else other.delta()
        self._check_joinable(delta)
        clones: list[Stamp] = []
        staged: dict[str, Siblings] = {}
        absent = self._rows.keys() - delta.rows.keys() if delta.full else ()
        for path in (*delta.rows, *absent):
            mine = self._rows.get(path, ())
            joined, found = join_siblings(mine, delta.rows.get(path, ()), self._clock, delta.upto)
            clones += found
            if len(joined) != len(mine) or any(a is not b for a, b in zip(joined, mine, strict=True)):
                staged[path] = joined
        clock, floor = self._clock.join(delta.upto), self._floor.join(delta.floor)
        try:
            self._check_rows(staged)
            self._check_limits(staged, clock)
        except (InvalidPath, LimitExceeded) as error:
            raise DecodeError(str(error)) from None

        before = {path: self._rows.get(path, ()) for path in staged}
        risen = floor != self._floor
        advanced = risen or clock != self._clock
        self._clock, self._floor = clock, floor
        for path, siblings in staged.items():
            self._put(path, siblings)
        dropped = self._drop_forgotten() if risen else {}
        before.update({path: siblings for path, siblings in dropped.items() if path not in before})
        changed = tuple(sorted([path for path, siblings in before.items() if siblings != () or path in self._rows]))
        return Merged(changed, tuple(sorted(set(clones))), advanced)

    def _check_joinable(self, delta: Delta) -> None:
        if not delta.base <= self._clock:
            raise MissingBase("this delta continues from what has not arrived here yet", clock=self._clock)
        if not delta.floor <= self._clock and not (delta.full and self._clock <= delta.upto):
            raise BelowFloor("removals were forgotten that this state never saw; rebase its writes", floor=delta.floor)
        if not self._floor <= delta.upto and not delta.upto <= self._clock:
            raise BelowFloor("its sender missed removals that are forgotten here; rebase its writes", floor=self._floor)

    def forget(self, stable: VectorClock) -> tuple[str, ...]:
        """Drop the removals that *stable* covers and that are not needed; return the paths that are gone.

        Args:
            stable: What every replica that may still write is known to have seen, all that it wrote
                until then having been merged here.

        Raises:
            InvalidIdentity: This map has not seen all of *stable* itself.
        """
        if not stable <= self._clock:
            raise InvalidIdentity("the stable clock is beyond this state's own")
        spent: list[Stamp] = []
        oldest_needed: dict[str, int] = {}
        for path in self._spent | self._contested:
            for one in self._rows[path]:
                if is_value(one.value) or not stable.covers(one.stamp):
                    continue
                if self._is_needed(path, one):
                    time, replica = one.stamp
                    oldest_needed[replica] = min(time, oldest_needed.get(replica, time))
                else:
                    spent.append(one.stamp)
        below = [stamp for stamp in spent if stamp.time < oldest_needed.get(stamp.replica, stamp.time + 1)]
        self._floor = self._floor.join(VectorClock({stamp.replica: stamp.time for stamp in sorted(below)}))
        return tuple(sorted(self._drop_forgotten().keys() - self._rows.keys()))

    def _is_needed(self, path: str, one: Sibling) -> bool:
        """Tell whether the removal or shade *one* competes with a value at *path*, or hides one below it."""
        values = (
            other.stamp for here in (path, *self.below(path)) for other in self._rows[here] if is_value(other.value)
        )
        if type(one.value) is Shade:
            as_of = one.value.as_of
            return as_of is not None and any(stamp < as_of for stamp in values)
        return any(True for _ in values)

    def _drop_forgotten(self) -> dict[str, Siblings]:
        """Drop what the floor covers of removals and shades; return the rows before, by path."""
        dropped: dict[str, Siblings] = {}
        for path in self._spent | self._contested:
            siblings = self._rows[path]
            left = tuple([one for one in siblings if not self._is_forgotten(one)])
            if len(left) != len(siblings):
                dropped[path] = siblings
                self._put(path, left)
        return dropped

    def _is_forgotten(self, one: Sibling) -> bool:
        return self._floor.covers(one.stamp) and not is_value(one.value)

    def _put(self, path: str, siblings: Siblings) -> None:
        """Make *siblings* the row at *path*, or drop the row, and keep every index in step."""
        held = self._rows.get(path, ())
        for one in held:
            self._times[one.stamp.replica].discard(one.stamp.time, path)
        self._size += len(siblings) - len(held)
        if not siblings:
            del self._rows[path]
            self._unlink(path)
            self._spent.discard(path)
            self._contested.discard(path)
            return
        if not held:
            self._link(path)
        self._rows[path] = siblings
        for one in siblings:
            times = self._times.get(one.stamp.replica)
            if times is None:
                times = self._times[one.stamp.replica] = _Times()
            times.add(one.stamp.time, path)
        (self._spent.discard if any(is_value(one.value) for one in siblings) else self._spent.add)(path)
        (self._contested.add if len(siblings) > 1 else self._contested.discard)(path)

    def _link(self, path: str) -> None:
        while path:
            upper = path[: path.rfind("/")]
            below = self._below.get(upper)
            if below is not None:
                below.add(path)
                return
            self._below[upper] = {path}
            path = upper if upper not in self._rows else ""

    def _unlink(self, path: str) -> None:
        while path and path not in self._below and path not in self._rows:
            upper = path[: path.rfind("/")]
            below = self._below[upper]
            below.discard(path)
            if below:
                return
            del self._below[upper]
            path = upper

    def encode(self) -> bytes:
        """Return the canonical bytes of the whole state (wire format v1)."""
        return self.delta().encode()

    @classmethod
    def decode(cls, data: bytes, *, bytes_max: int = STATE_BYTES_MAX) -> Self:
        """Return the map that *data* encodes.

        Raises:
            DecodeError: Not the canonical encoding of a whole state, or beyond a limit.

        >>> LWWMap.decode(LWWMap().encode()) == LWWMap()
        True
        """
        delta = Delta.decode(data, bytes_max=bytes_max)
        if not delta.full:
            raise DecodeError("a delta, where a whole state is needed")
        decoded = cls()
        decoded.merge(delta)
        if decoded._rows != delta.rows:
            raise DecodeError("not in canonical form: it holds removals that its floor forgot")
        return decoded

    def copy(self) -> Self:
        """Return an independent map of equal content."""
        twin = type(self)()
        twin._rows = dict(self._rows)
        twin._size = self._size
        twin._clock, twin._floor = self._clock, self._floor
        twin._below = {path: set(paths) for path, paths in self._below.items()}
        twin._times = {replica: times.copy() for replica, times in self._times.items()}
        twin._spent, twin._contested = set(self._spent), set(self._contested)
        return twin

    def digest(self) -> bytes:
        """Return 16 bytes that are equal for equal states (BLAKE2b of the canonical bytes)."""
        from hashlib import blake2b

        return blake2b(self.encode(), digest_size=DIGEST_BYTES).digest()

    def check(self) -> None:
        """Raise ``AssertionError`` if an invariant of this map is broken; for tests."""
        fresh = type(self)()
        for path, siblings in self._rows.items():
            stamps = [one.stamp for one in siblings]
            assert stamps == sorted(set(stamps)), f"{path}: siblings out of order"
            assert siblings, f"{path}: an empty row"
            assert all(self._clock.covers(stamp) for stamp in stamps), f"{path}: a stamp that was not seen"
            fresh._put(path, siblings)
        assert self._floor <= self._clock, "a floor that was not seen"
        assert fresh._size == self._size, "the number of siblings is out of step"
        assert fresh._below == self._below, "the index of paths below is out of step"
        assert fresh._spent == self._spent, "the index of spent paths is out of step"
        assert fresh._contested == self._contested, "the index of contested paths is out of step"
        fresh._times = {replica: times for replica, times in fresh._times.items() if times}
        assert fresh._times == {r: times for r, times in self._times.items() if times}, "the index of times is wrong"
        kept = [path for path, siblings in self._rows.items() if any(map(self._is_forgotten, siblings))]
        assert not kept, f"{kept[0]}: a removal that the floor forgot"

    def __len__(self) -> int:
        """Return the number of paths that hold a sibling, removals included."""
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LWWMap)
            and self._clock == other._clock
            and self._floor == other._floor
            and self.encode() == other.encode()
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._rows)} paths, clock {dict(self._clock.items())}>"


def merge_bytes(state: bytes, delta: bytes) -> bytes:
    """Return the bytes of *state* with *delta* joined; the very same object if nothing changed.

    For stores that hold states as bytes. Empty bytes stand for the empty state.

    Raises:
        DecodeError: Either is not canonical.
        MissingBase, BelowFloor: As in :meth:`LWWMap.merge`.

    >>> delta = LWWMap().write({"/t": 21}, Stamp(1, "a#00000000")).encode()
    >>> state = merge_bytes(b"", delta)
    >>> merge_bytes(state, delta) is state
    True
    """
    held = LWWMap.decode(state) if state else LWWMap()
    return held.encode() if held.merge(Delta.decode(delta, bytes_max=STATE_BYTES_MAX)) else state


class _Times:
    """When one replica wrote what is still held, in order, with the paths of each update."""

    __slots__ = ("_order", "_paths")

    def __init__(self) -> None:
        self._order: list[int] = []
        self._paths: dict[int, set[str]] = {}

    def add(self, time: int, path: str) -> None:
        paths = self._paths.get(time)
        if paths is None:
            self._paths[time] = {path}
            insort(self._order, time)
        else:
            paths.add(path)

    def discard(self, time: int, path: str) -> None:
        paths = self._paths[time]
        paths.discard(path)
        if not paths:
            del self._paths[time]
            del self._order[bisect_right(self._order, time) - 1]

    def after(self, time: int) -> Iterator[str]:
        return (path for later in self._order[bisect_right(self._order, time) :] for path in self._paths[later])

    def copy(self) -> _Times:
        twin = _Times()
        twin._order = list(self._order)
        twin._paths = {time: set(paths) for time, paths in self._paths.items()}
        return twin

    def __len__(self) -> int:
        return len(self._order)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Times) and self._paths == other._paths and self._order == other._order

    __hash__ = None  # type: ignore[assignment]  # mutable


def _by_stamp(sibling: Sibling) -> Stamp:
    return sibling.stamp


def _hidden_as_of(siblings: Iterable[Sibling]) -> Stamp | None:
    """Return the newest stamp up to which *siblings* hide older writes below their path.

    ``None`` if none is a value or a removal that hides.
    """
    newest: Stamp | None = None
    hides = False
    for one in siblings:
        if type(one.value) is Shade:
            stamp = one.value.as_of
        elif one.value == {}:
            continue
        else:
            stamp, hides = one.stamp, True
        if stamp is not None and (newest is None or stamp > newest):
            newest = stamp
    return newest if hides else None
