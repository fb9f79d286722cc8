"""Replicas: one writer with an identity, and the state it holds. What most programs use.

    device = Replica("thermostat", epoch=new_epoch(), now=wall_clock_ms)
    device.reported["temperature"] = 21.5
    peer.merge(device.delta(since=peer.clock))

A replica writes under its own stamps, merges what others send, and answers what a reader sees under
its policy. It does no input or output: the wall clock and the epoch, 32 random bits, are handed in.

Identity. ``save`` keeps everything; ``load`` takes it up again under a new epoch, since nothing says
that the saved bytes are the last ones: a restored backup or a copied disk looks the same. Who can
prove how far time was used (a store that writes it down before it is used) calls ``resume``, and the
identity goes on. When a peer has seen writes of this identity that it does not know itself, somebody
else uses it too: ``merge`` reports that as a clone, and nothing more is written before ``rotate``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import msgpack

from crdtshadow.clock import EMPTY_CLOCK, Stamp, VectorClock, receive, replica_id, replica_name, send, split_replica
from crdtshadow.conflicts import Conflict
from crdtshadow.delta import Delta
from crdtshadow.errors import (
    CrdtShadowError,
    DecodeError,
    InvalidIdentity,
    InvalidPath,
    InvalidValue,
    LimitExceeded,
    UnknownConflict,
)
from crdtshadow.fields import Fields, to_plain
from crdtshadow.guard import check_authority, check_drift
from crdtshadow.limits import DELTA_BYTES_MAX, DRIFT_MS_MAX, STATE_BYTES_MAX
from crdtshadow.lwwmap import Merged
from crdtshadow.paths import ancestors, escape, flatten, is_below, parse
from crdtshadow.paths import check as check_path
from crdtshadow.policy import Policy
from crdtshadow.shadow import Changes, Shadow, assign_changes, patch_changes
from crdtshadow.sibling import REMOVED, is_value
from crdtshadow.values import Value
from crdtshadow.view import Decision, View, resolve

SAVE_VERSION: Final = 1
_TIME_END: Final = 1 << 64


class Replica:
    """One writer of a shadow, with its identity, its state and its policy.

    Args:
        name: Who writes, such as an AWS IoT thing name or ``cloud``.
        epoch: 32 random bits, new for every incarnation.
        now: Returns the wall clock in milliseconds since 1970.
        policy: Decides conflicts in what a reader sees.
        drift_ms_max: How far ahead of ``now`` a received stamp may be.
        shadow: The state to begin with; the replica keeps and changes it.

    >>> device = Replica("thermostat", epoch=1, now=lambda: 1_000)
    >>> cloud = Replica("cloud", epoch=2, now=lambda: 2_000)
    >>> device.reported["temperature"] = 21.5
    >>> cloud.merge(device.delta(since=cloud.clock)).changed
    ('/reported/temperature',)
    >>> cloud.reported
    {'temperature': 21.5}
    """

    __slots__ = (
        "_acknowledged",
        "_cloned",
        "_last",
        "_now",
        "_retired",
        "_shadow",
        "_version",
        "_view",
        "drift_ms_max",
        "id",
        "policy",
    )

    def __init__(
        self,
        name: str,
        *,
        epoch: int,
        now: Callable[[], int],
        policy: Policy | None = None,
        drift_ms_max: int = DRIFT_MS_MAX,
        shadow: Shadow | None = None,
    ) -> None:
        self.id = replica_id(name, epoch)
        self.policy = policy or Policy()
        self.drift_ms_max = drift_ms_max
        self._now = now
        self._shadow = Shadow() if shadow is None else shadow
        self._last = max(self._shadow.clock.newest(), 0)
        self._version = 0
        self._acknowledged: dict[str, VectorClock] = {}
        self._retired: set[str] = set()
        self._cloned = self.id in self._shadow.clock
        self._view: tuple[Policy, View] | None = None

    @property
    def name(self) -> str:
        """The name in the identity."""
        return replica_name(self.id)

    @property
    def clock(self) -> VectorClock:
        """All that this replica has seen, its own writes included."""
        return self._shadow.clock

    @property
    def shadow(self) -> Shadow:
        """The state; to be read, and changed only through the replica."""
        return self._shadow

    @property
    def last_time(self) -> int:
        """The hybrid time last used or seen; every later write is later than this."""
        return self._last

    @property
    def cloned(self) -> bool:
        """Whether somebody else was found to use this identity; only ``rotate`` helps."""
        return self._cloned

    @property
    def desired(self) -> Fields:
        """What the device shall be."""
        return Fields("/desired", read=self._document, write=self._write)

    @desired.setter
    def desired(self, value: Mapping[str, object]) -> None:
        self._assign_section("desired", value)

    @property
    def reported(self) -> Fields:
        """What the device says it is."""
        return Fields("/reported", read=self._document, write=self._write)

    @reported.setter
    def reported(self, value: Mapping[str, object]) -> None:
        self._assign_section("reported", value)

    def _assign_section(self, section: str, value: Mapping[str, object]) -> None:
        if not isinstance(value, Mapping):
            raise InvalidValue(f"/{section}: a section is an object, not {type(value).__name__}")
        changes = assign_changes(self._document().get(section), to_plain(value), f"/{section}")
        changes.pop(f"/{section}", None)
        self._write(changes)

    # Writing

    def update(self, patch: object, *, as_of: VectorClock | None = None) -> Delta:
        """Write *patch* under AWS's update rules, as one update.

        Args:
            patch: ``{"desired": {...}, "reported": {...}}``; objects merge recursively, arrays
                replace, ``None`` removes; ``None`` itself clears both sections.
            as_of: What the writer had seen, if not all that is held here.

        Returns:
            What was written, to be sent; false if the patch changes nothing.

        Raises:
            InvalidValue, InvalidPath, LimitExceeded: Nothing was written.

        Source: AWS IoT Core Developer Guide, "Device Shadow service documents".

        >>> device = Replica("thermostat", epoch=1, now=lambda: 1_000)
        >>> sorted(device.update({"reported": {"t": 21, "fan": {"on": True}}}).rows)
        ['/reported/fan/on', '/reported/t']
        """
        return self._write(patch_changes(self._document(), to_plain(patch)), as_of=as_of)

    def set(self, path: str, value: object, *, as_of: VectorClock | None = None) -> Delta:
        """Write *value* at *path*: a map makes the place equal to it, ``None`` removes it."""
        plain = to_plain(value)
        held = self._at(check_path(path)) if isinstance(plain, dict) else None
        return self._write(assign_changes(held, plain, path), as_of=as_of)

    def remove(self, path: str, *, as_of: VectorClock | None = None) -> Delta:
        """Remove the field at *path* and all below it, whether or not there is any."""
        return self._write({path: REMOVED}, as_of=as_of)

    def increment(self, path: str, by: float = 1) -> Delta:
        """Add *by* to the counter at *path*; concurrent increments all count.

        A number that was written there plainly is what the counter starts from.

        Raises:
            InvalidPath: The policy has no rule ``counter`` at *path*.
            InvalidValue: *by* is not a finite number.
        """
        self._check_rule(path, "counter")
        if not isinstance(by, int | float) or isinstance(by, bool):
            raise InvalidValue(f"{path}: a counter grows by a number, not by {type(by).__name__}")
        start = self._newest_number(path)
        entry = f"{path}/{escape(self.id)}"
        return self._write({entry: start + self._newest_number(entry) + by})

    def _newest_number(self, path: str) -> int | float:
        siblings = self._shadow.siblings(path)
        value = siblings[-1].value if siblings else 0
        return value if isinstance(value, int | float) and not isinstance(value, bool) else 0

    def add(self, path: str, element: Value) -> Delta:
        """Add *element* to the set at *path*; an element added and concurrently discarded stays.

        Raises:
            InvalidPath: The policy has no rule ``set`` at *path*.
            InvalidValue: *element* is not a string, boolean or number.
        """
        return self._write({self._element(path, element): True})

    def discard(self, path: str, element: Value) -> Delta:
        """Take *element* out of the set at *path*, if it is there."""
        entry = self._element(path, element)
        return self._write({entry: REMOVED} if self._shadow.siblings(entry) else {})

    def _element(self, path: str, element: Value) -> str:
        self._check_rule(path, "set")
        if not isinstance(element, str | int | float):
            raise InvalidValue(f"{path}: a set holds strings, booleans and numbers, not {type(element).__name__}")
        from json import dumps

        return f"{path}/{escape(dumps(element, ensure_ascii=False, allow_nan=False))}"

    def _check_rule(self, path: str, rule: str) -> None:
        if self.policy.rule_at(check_path(path)) != rule:
            raise InvalidPath(f"{path}: no {rule}; the policy must give this path the rule {rule!r}")

    def _write(self, changes: Changes, *, as_of: VectorClock | None = None) -> Delta:
        if not changes:
            return Delta(self.clock, self.clock, floor=self._shadow.floor, rows={})
        if self._cloned:
            raise InvalidIdentity(f"{self.id} is used by somebody else too; rotate to a new epoch first")
        time = send(self._last, self._now())
        if time >= _TIME_END:
            raise LimitExceeded("hybrid time is used up to its 64 bits")
        delta = self._shadow.write(changes, Stamp(time, self.id), as_of=as_of)
        self._last = time
        self._touch()
        return delta

    def _touch(self) -> None:
        self._version += 1
        self._view = None

    # Exchange

    def delta(self, since: VectorClock | None = None) -> Delta:
        """Return what somebody whose clock is *since* lacks; the whole state by default."""
        return self._shadow.delta(since)

    def merge(
        self, delta: Delta | bytes, *, speaks_for: Collection[str] | None = None, bytes_max: int = DELTA_BYTES_MAX
    ) -> Merged:
        """Join what a peer sent and return what it changed.

        Args:
            delta: A delta, or its bytes.
            speaks_for: Names of the replicas whose writes the peer may bring; anybody's by default.
            bytes_max: More bytes than this are refused unread.

        Raises:
            DecodeError, MissingBase, BelowFloor, ClockDrift, NotAuthorized: Nothing was changed.
        """
        arrived = delta if isinstance(delta, Delta) else Delta.decode(delta, bytes_max=bytes_max)
        now_ms = self._now()
        check_drift(self._shadow, arrived, now_ms=now_ms, drift_ms_max=self.drift_ms_max)
        if speaks_for is not None:
            check_authority(self._shadow, arrived, speaks_for)
        unknown = arrived.upto.get(self.id) > self.clock.get(self.id)
        merged = self._shadow.merge(arrived)
        if merged:
            self._last = receive(self._last, arrived.upto.newest(), now_ms)
            self._touch()
        if unknown:
            self._cloned = True
            stamp = Stamp(arrived.upto.get(self.id), self.id)
            merged = merged._replace(clones=tuple(sorted({*merged.clones, stamp})))
        return merged

    def acknowledge(self, peer: str, clock: VectorClock) -> None:
        """Note that the replica of id *peer* has seen *clock*; what all have seen can be forgotten.

        Raises:
            InvalidIdentity: *peer* is not a replica id.
        """
        split_replica(peer)
        self._acknowledged[peer] = self._acknowledged.get(peer, EMPTY_CLOCK).join(clock)

    def retire(self, peer: str) -> None:
        """Note that the replica of id *peer* will never write again, so that nobody waits for it.

        Should it come back, it is refused and offered a rebase once something was forgotten.
        """
        split_replica(peer)
        self._retired.add(peer)

    def forget(self) -> tuple[str, ...]:
        """Forget the removals that every replica has seen; return their paths.

        Nothing is forgotten while a replica that ever wrote, and has not retired, has acknowledged
        nothing, or more than has arrived here.
        """
        stable = self.clock
        for peer in {*self.clock, *self._acknowledged} - self._retired - {self.id}:
            acknowledged = self._acknowledged.get(peer, EMPTY_CLOCK)
            if not acknowledged <= self.clock:
                return ()
            stable = stable.meet(acknowledged)
        forgotten = self._shadow.forget(stable)
        if forgotten:
            self._touch()
        return forgotten

    def rebase(self, other: Delta | bytes, *, epoch: int | None = None, bytes_max: int = STATE_BYTES_MAX) -> Delta:
        """Take over the whole state *other*, write again what it has not seen, and return that.

        For a replica that came back after removals which it had not seen were forgotten
        (:class:`BelowFloor`), or whose stamps were refused because its clock ran ahead
        (:class:`ClockDrift`). Each unseen update is repeated under a new stamp of this replica, as
        of what both sides had seen; so it competes with what was written meanwhile, and shows.

        Args:
            other: The whole state of a peer, ``peer.delta()``.
            epoch: A new one. It is needed if *other* has not seen all that this identity wrote: what
                was given up may be known elsewhere, and its stamps must not count as seen. After a
                clock that ran ahead was set right, the times it used up stay behind with them.
            bytes_max: More bytes than this are refused unread.

        Raises:
            DecodeError, ClockDrift: Nothing was changed.
            InvalidValue: *other* is not a whole state.
            InvalidIdentity: The epoch was used before, or is needed.
        """
        arrived = other if isinstance(other, Delta) else Delta.decode(other, bytes_max=bytes_max)
        if not arrived.full:
            raise InvalidValue("a rebase needs the peer's whole state, not a delta")
        now_ms = self._now()
        check_drift(self._shadow, arrived, now_ms=now_ms, drift_ms_max=self.drift_ms_max)
        current = Shadow()
        current.merge(arrived)
        unseen: dict[Stamp, Changes] = {}
        for path in self._shadow.paths():
            for one in self._shadow.siblings(path):
                if not arrived.upto.covers(one.stamp) and (is_value(one.value) or one.value is REMOVED):
                    unseen.setdefault(one.stamp, {})[path] = one.value  # type: ignore[assignment]  # not a shade
        if self._cloned and epoch is None:
            raise InvalidIdentity(f"{self.id} is used by somebody else too; rebase under a new epoch")
        if epoch is None and self.clock.get(self.id) > arrived.upto.get(self.id):
            raise InvalidIdentity(f"{self.id} has writes that the other lacks; rebase under a new epoch")
        identity = self.id if epoch is None else self._fresh_id(epoch)
        common = self.clock.meet(arrived.upto)
        last = receive(self._last if epoch is None else 0, arrived.upto.newest(), now_ms)
        for stamp in sorted(unseen):
            last = send(last, now_ms)
            current.write(unseen[stamp], Stamp(last, identity), as_of=common)
        self._shadow, self._last, self.id = current, last, identity
        self._cloned = self._cloned and epoch is None
        self._touch()
        return current.delta(since=arrived.upto)

    # Reading

    def view(self) -> View:
        """Return what a reader sees under the policy; to be read, not changed."""
        if self._view is None or self._view[0] is not self.policy:
            self._view = self.policy, resolve(self._shadow, self.policy)
        return self._view[1]

    def conflicts(self) -> tuple[Decision, ...]:
        """Return the conflicts in the state, and how the policy decides each."""
        return self.view().decisions

    def _document(self) -> Mapping[str, object]:
        return self.view().document

    def _at(self, path: str) -> object:
        here: object = self._document()
        for key in parse(path):
            here = here.get(key) if isinstance(here, Mapping) else None
        return here

    def document(self) -> dict[str, object]:
        """Return the view in the shape of AWS's ``get/accepted``.

        ``state`` has ``desired``, ``reported`` and ``delta`` (the outstanding fields); ``metadata``
        the epoch seconds of every field; ``version`` counts the changes of this replica's state;
        ``timestamp`` is the wall clock in epoch seconds.

        Source: AWS IoT Core Developer Guide, "Device Shadow service documents".

        >>> device = Replica("thermostat", epoch=1, now=lambda: 9_000)
        >>> _ = device.update({"reported": {"t": 21}})
        >>> device.document()["metadata"]
        {'reported': {'t': {'timestamp': 9}}}
        """
        from crdtshadow.document import from_fields, get_accepted

        view = self.view()
        seconds = {path: stamp.ms // 1000 for path, stamp in view.stamps.items()}
        return dict(get_accepted(from_fields(view.fields, seconds, self._version), now_s=self._now() // 1000))

    def resolve(self, path: str, *, value: object = None, choose: Stamp | None = None) -> Delta:
        """Settle the conflict at *path* by a write that has seen all of its sides.

        Args:
            path: The conflict's path, or that of one of its writes.
            value: What it shall be; a map makes the place equal to it, ``None`` removes it.
            choose: Instead of a value: the stamp of the write that shall win.

        Raises:
            UnknownConflict: There is no conflict at *path*, or no write of that stamp in it.
        """
        conflict = self._conflict_at(path)
        if choose is None:
            return self._write(self._settle(conflict.path, to_plain(value)))
        chosen = {write.path: write.value for write in conflict.writes if write.stamp == choose}
        if not chosen:
            raise UnknownConflict(f"{conflict.path}: no write of {choose.replica} at {choose.time} takes part in it")
        return self._write(chosen)

    def _conflict_at(self, path: str) -> Conflict:
        for decision in self.conflicts():
            if path in decision.conflict.paths:
                return decision.conflict
        raise UnknownConflict(f"{path}: there is no conflict here")

    def _settle(self, path: str, value: object) -> Changes:
        if not isinstance(value, dict):
            return assign_changes(None, value, path)
        leaves: Changes = flatten(value, path) if value else {path: {}}  # type: ignore[assignment]  # checked on writing
        opened = {upper for leaf in leaves for upper in ancestors(leaf)}
        for lower in self._shadow.below(path):
            covered = (
                lower in leaves or lower in opened or any(is_below(lower, leaf) for leaf in leaves if leaf != path)
            )
            if not covered and any(is_value(one.value) for one in self._shadow.siblings(lower)):
                leaves[lower] = REMOVED
        return leaves

    # Identity

    def rotate(self, epoch: int) -> None:
        """Go on under a new epoch.

        Raises:
            InvalidIdentity: That epoch was used before.
        """
        self.id = self._fresh_id(epoch)
        self._cloned = False

    def _fresh_id(self, epoch: int) -> str:
        fresh = replica_id(self.name, epoch)
        if fresh == self.id or fresh in self.clock:
            raise InvalidIdentity(f"{fresh} has been used before; mint another epoch")
        return fresh

    def save(self) -> bytes:
        """Return all there is to keep, the policy excepted."""
        acknowledged = [[peer, _pack_clock(clock)] for peer, clock in sorted(self._acknowledged.items())]
        saved: bytes = msgpack.packb(
            [
                SAVE_VERSION,
                self.id,
                self._last,
                self._version,
                self._cloned,
                acknowledged,
                sorted(self._retired),
                self._shadow.encode(),
            ]
        )
        return saved

    @classmethod
    def load(
        cls,
        data: bytes,
        *,
        epoch: int,
        now: Callable[[], int],
        policy: Policy | None = None,
        drift_ms_max: int = DRIFT_MS_MAX,
    ) -> Replica:
        """Return the replica that ``save`` kept, under a new epoch.

        Raises:
            DecodeError: Not what ``save`` returned.
            InvalidIdentity: The epoch was used before.
        """
        loaded = cls._restore(data, now=now, policy=policy, drift_ms_max=drift_ms_max)
        loaded.rotate(epoch)
        return loaded

    @classmethod
    def resume(
        cls,
        data: bytes,
        *,
        last_time: int,
        now: Callable[[], int],
        policy: Policy | None = None,
        drift_ms_max: int = DRIFT_MS_MAX,
    ) -> Replica:
        """Return the replica that ``save`` kept, under the same identity.

        Args:
            data: What ``save`` returned after the last write that anybody else may have seen.
            last_time: A hybrid time that is known not to have been exceeded since.
            now, policy, drift_ms_max: As for a new replica.

        Raises:
            DecodeError: Not what ``save`` returned.
            InvalidIdentity: *last_time* is before what was saved, so it proves nothing.
        """
        resumed = cls._restore(data, now=now, policy=policy, drift_ms_max=drift_ms_max)
        if last_time < resumed._last:
            raise InvalidIdentity(f"time {last_time} is before {resumed._last}, which was saved; mint a new epoch")
        resumed._last = last_time
        return resumed

    @classmethod
    def _restore(cls, data: bytes, *, now: Callable[[], int], policy: Policy | None, drift_ms_max: int) -> Replica:
        try:
            match msgpack.unpackb(data, raw=False, strict_map_key=True):
                case [
                    int(kind), str(identity), int(last), int(version), bool(cloned), list(acknowledged), list(retired),
                    bytes(state),
                ] if kind == SAVE_VERSION:  # fmt: skip
                    name, epoch = split_replica(identity)
                    restored = cls(name, epoch=epoch, now=now, policy=policy, drift_ms_max=drift_ms_max)
                    restored._shadow = Shadow.decode(state)
                    restored._last, restored._version, restored._cloned = last, version, cloned
                    if last < restored.clock.newest():
                        raise DecodeError("a saved replica that has seen later times than it has used")
                    for peer, packed in acknowledged:
                        restored.acknowledge(peer, Delta.decode(packed, bytes_max=STATE_BYTES_MAX).upto)
                    for peer in retired:
                        restored.retire(peer)
                    return restored
        except DecodeError:
            raise
        except (CrdtShadowError, ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise DecodeError(f"not a saved replica: {error}") from None
        raise DecodeError("not a saved replica of this version")

    def __repr__(self) -> str:
        return f"<Replica {self.id}, {len(self._shadow)} paths>"


def _pack_clock(clock: VectorClock) -> bytes:
    return Delta(EMPTY_CLOCK, clock, rows={}).encode()
