"""A replica that is on disk before anybody hears of what it wrote.

Every operation that changes something is one transaction: what others brought into the file since is
taken up, the core's replica does its work, and state, audit and identity are committed. Only then
does the delta reach the caller. So, whenever the process dies, the file knows exactly how far time
was used, and the identity goes on: a time that was used and not committed was never seen by anybody.
It does not go on in a copy of the file, nor when writes of this identity turn up that the file does
not have, nor when some were given up in a rebase: then a new epoch is minted. A backup that was
written back into the very same file looks like the original until somebody who knows more is heard;
whoever restores one calls ``rotate`` first.

Several processes may open the same replica: they take turns, and each continues from what the
others committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping
from typing import Final, TypeVar, cast

from crdtshadow_walk import Record, ShadowKey, conclude, decode_record

from crdtshadow import (
    Decision,
    Delta,
    Merged,
    Policy,
    Replica,
    Session,
    Shadow,
    Stamp,
    VectorClock,
    View,
    replica_id,
    split_replica,
)
from crdtshadow.clock import EMPTY_CLOCK
from crdtshadow.limits import CLOCK_MS_MAX, DELTA_BYTES_MAX, STATE_BYTES_MAX
from crdtshadow.values import Value
from crdtshadow_local.database import Database
from crdtshadow_local.fields import LocalFields
from crdtshadow_local.tables import (
    Identity,
    acknowledge,
    ensure_shadow,
    read_default_policy,
    read_identity,
    read_peers,
    read_record,
    write_change,
    write_identity,
)

Result = TypeVar("Result")

_UNKNOWN: Final = -1
_NEVER: Final = -1
_EMPTY_STATE: Final = Shadow().encode()


class LocalReplica:
    """A durable replica of one shadow in a store; made by ``Store.open_replica``.

    It does what the core's :class:`~crdtshadow.replica.Replica` does, under the same names. What
    changes something raises :class:`~crdtshadow_local.errors.StoreError` if it could not be kept, and
    has changed nothing then.

    >>> import pathlib, tempfile
    >>> from crdtshadow_local import Store
    >>> directory = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(directory.name, "shadows.db")
    >>> with Store.open(path) as store:
    ...     store.open_replica("thermostat").reported["temperature"] = 21.5
    >>> with Store.open(path) as store:
    ...     print(store.open_replica("thermostat").reported)
    {'temperature': 21.5}
    >>> directory.cleanup()
    """

    __slots__ = (
        "_db",
        "_drift_ms_max",
        "_epochs",
        "_identity",
        "_now",
        "_replica",
        "_retired",
        "_revision",
        "_shadow_id",
        "_spent",
        "key",
        "name",
    )

    def __init__(
        self,
        database: Database,
        key: ShadowKey,
        name: str,
        *,
        now: Callable[[], int],
        epochs: Callable[[], int],
        drift_ms_max: int,
    ) -> None:
        self._db = database
        self._now = now
        self._epochs = epochs
        self._drift_ms_max = drift_ms_max
        self.key = key
        self.name = name
        self._replica = Replica(name, epoch=epochs(), now=now)
        self._identity: Identity | None = None
        self._revision = _UNKNOWN
        self._retired: tuple[str, ...] = ()
        self._spent = Stamp(0, self._replica.id)
        with database.writing():
            self._shadow_id = ensure_shadow(database, key, now())
            known = read_identity(database, self._shadow_id, name)
            if known is None or known.incarnation != database.incarnation:
                seen = decode_record(key, read_record(database, key), default_policy=Policy()).shadow.clock
                epoch = self._fresh_epoch(seen)
                retired = () if known is None else known.retired
                write_identity(database, self._shadow_id, name, Identity(database.incarnation, epoch, _NEVER, retired))

    def _fresh_epoch(self, seen: VectorClock) -> int:
        epoch = self._epochs()
        while replica_id(self.name, epoch) in seen:
            epoch = self._epochs()
        return epoch

    def __repr__(self) -> str:
        return f"<LocalReplica {self._replica.id} of {self.key} in {self._db.path}>"

    # Reading

    @property
    def id(self) -> str:
        """The identity; another one after a rotation."""
        return self._current().id

    @property
    def clock(self) -> VectorClock:
        """All that this replica has seen, its own writes included."""
        return self._current().clock

    @property
    def shadow(self) -> Shadow:
        """The state; to be read, and changed only through the replica."""
        return self._current().shadow

    @property
    def last_time(self) -> int:
        """The hybrid time last used or seen; every later write is later than this."""
        return self._current().last_time

    @property
    def policy(self) -> Policy:
        """The policy in force: the shadow's own, else the store's default."""
        return self._current().policy

    @property
    def desired(self) -> MutableMapping[str, object]:
        """What the device shall be."""
        return self._section("/desired")

    @desired.setter
    def desired(self, value: Mapping[str, object]) -> None:
        self._durably(lambda replica: setattr(replica, "desired", value))

    @property
    def reported(self) -> MutableMapping[str, object]:
        """What the device says it is."""
        return self._section("/reported")

    @reported.setter
    def reported(self, value: Mapping[str, object]) -> None:
        self._durably(lambda replica: setattr(replica, "reported", value))

    def _section(self, path: str) -> MutableMapping[str, object]:
        return LocalFields(path, read=lambda: self.view().document, write=self.set, remove=self.remove)

    def view(self) -> View:
        """Return what a reader sees under the policy; to be read, not changed."""
        return self._current().view()

    def conflicts(self) -> tuple[Decision, ...]:
        """Return the conflicts in the state, and how the policy decides each."""
        return self.view().decisions

    def document(self) -> dict[str, object]:
        """Return the view in the shape of AWS's ``get/accepted``; ``version`` is the store's revision."""
        return {**self._current().document(), "version": self._revision}

    def delta(self, since: VectorClock | None = None) -> Delta:
        """Return what somebody whose clock is *since* lacks; the whole state by default."""
        return self._current().delta(since)

    def outbox(self, peer: str) -> Delta | None:
        """Return what the replica of id *peer* is not known to have, ``None`` if nothing.

        It stays in the outbox until ``acknowledge`` notes that the peer has it.
        """
        with self._db.reading():
            self._catch_up()
            acknowledged = read_peers(self._db, self.key).get(peer, EMPTY_CLOCK)
        return self._replica.delta(acknowledged) or None

    def session(self, *, speaks_for: Collection[str] | None = None, bytes_max: int = DELTA_BYTES_MAX) -> Session:
        """Return an exchange with one peer; whatever it answers is on disk before."""
        return Session(cast("Replica", self), speaks_for=speaks_for, bytes_max=bytes_max)

    # Writing

    def update(self, patch: object, *, as_of: VectorClock | None = None) -> Delta:
        """Write *patch* under AWS's update rules, as one update, and return it, to be sent."""
        return self._durably(lambda replica: replica.update(patch, as_of=as_of))

    def set(self, path: str, value: object, *, as_of: VectorClock | None = None) -> Delta:
        """Write *value* at *path*: a map makes the place equal to it, ``None`` removes it."""
        return self._durably(lambda replica: replica.set(path, value, as_of=as_of))

    def remove(self, path: str, *, as_of: VectorClock | None = None) -> Delta:
        """Remove the field at *path* and all below it."""
        return self._durably(lambda replica: replica.remove(path, as_of=as_of))

    def increment(self, path: str, by: float = 1) -> Delta:
        """Add *by* to the counter at *path*; concurrent increments all count."""
        return self._durably(lambda replica: replica.increment(path, by))

    def add(self, path: str, element: Value) -> Delta:
        """Add *element* to the set at *path*."""
        return self._durably(lambda replica: replica.add(path, element))

    def discard(self, path: str, element: Value) -> Delta:
        """Take *element* out of the set at *path*."""
        return self._durably(lambda replica: replica.discard(path, element))

    def resolve(self, path: str, *, value: object = None, choose: Stamp | None = None) -> Delta:
        """Settle the conflict at *path* by a write that has seen all of its sides."""
        return self._durably(lambda replica: replica.resolve(path, value=value, choose=choose))

    # Exchange

    def merge(
        self, delta: Delta | bytes, *, speaks_for: Collection[str] | None = None, bytes_max: int = DELTA_BYTES_MAX
    ) -> Merged:
        """Join what a peer sent, and return what it changed.

        If the peer knows writes of this identity that are not in the file, this goes on under a new
        one; they are among ``clones``.
        """
        return self._durably(lambda replica: replica.merge(delta, speaks_for=speaks_for, bytes_max=bytes_max))

    def rebase(self, other: Delta | bytes, *, rotate: bool = False, bytes_max: int = STATE_BYTES_MAX) -> Delta:
        """Take over the whole state *other*, write again what it has not seen, and return that.

        Args:
            other: The whole state of a peer.
            rotate: Go on under a new epoch, after a clock that ran ahead was set right. This happens
                anyway if *other* has not seen all that was written here.
            bytes_max: More bytes than this are refused unread.
        """

        def operate(replica: Replica) -> Delta:
            arrived = other if isinstance(other, Delta) else Delta.decode(other, bytes_max=bytes_max)
            needed = replica.clock.get(replica.id) > arrived.upto.get(replica.id)
            return replica.rebase(arrived, epoch=self._fresh_epoch(replica.clock) if rotate or needed else None)

        return self._durably(operate)

    def acknowledge(self, peer: str, clock: VectorClock) -> None:
        """Note that the replica of id *peer* has seen *clock*: its outbox is emptied up to there."""

        def operate(replica: Replica) -> None:
            replica.acknowledge(peer, clock)
            acknowledge(self._db, self._shadow_id, peer, clock)

        self._durably(operate)

    def retire(self, peer: str) -> None:
        """Note that the replica of id *peer* will never write again, so that nobody waits for it."""

        def operate(replica: Replica) -> None:
            replica.retire(peer)
            self._retired = tuple(sorted({*self._retired, peer}))

        self._durably(operate)

    def forget(self) -> tuple[str, ...]:
        """Forget the removals that every replica has seen; return their paths."""

        def operate(replica: Replica) -> tuple[str, ...]:
            for peer, clock in read_peers(self._db, self.key).items():
                replica.acknowledge(peer, clock)
            return replica.forget()

        return self._durably(operate)

    def rotate(self) -> None:
        """Go on under a new epoch."""
        self._durably(self._rotate)

    def _rotate(self, replica: Replica) -> None:
        replica.rotate(self._fresh_epoch(replica.clock))

    # Keeping

    def _current(self) -> Replica:
        with self._db.reading():
            self._catch_up()
        return self._replica

    def _durably(self, operate: Callable[[Replica], Result]) -> Result:
        """Return what *operate* does to the replica, once it is on disk."""
        try:
            with self._db.writing():
                record = self._catch_up()
                replica = self._replica
                if self._is_out_of_step():
                    self._rotate(replica)
                before, seen = replica.view(), replica.clock
                result = operate(replica)
                if replica.cloned:
                    self._rotate(replica)
                if not seen <= replica.clock:
                    # Writes were given up that others may know: nobody who made them may write above them.
                    record = record._replace(epoch=self._epochs())
                self._keep(record, before)
            return result
        except BaseException:
            self._revision = _UNKNOWN
            self._spent = Stamp(self._replica.last_time, self._replica.id)
            raise

    def _is_out_of_step(self) -> bool:
        """Tell whether the file has writes of this identity that it did not make here, or lacks some that it did.

        The former are a clone's; the latter were given up when another replica of the file rebased.
        """
        assert self._identity is not None
        return self._replica.clock.get(self._replica.id) != self._identity.last_time

    def _catch_up(self) -> Record:
        """Take up what the file has, if it is not what was left there; return the shadow's record."""
        record = read_record(self._db, self.key)
        identity = read_identity(self._db, self._shadow_id, self.name)
        assert identity is not None
        if record.revision != self._revision or identity != self._identity:
            self._replica = self._restore(record, identity)
            self._revision, self._identity, self._retired = record.revision, identity, identity.retired
        self._replica.policy = record.policy or read_default_policy(self._db)
        return record

    def _restore(self, record: Record, identity: Identity) -> Replica:
        shadow = decode_record(self.key, record, default_policy=Policy()).shadow
        # Times in the file were accepted once, and are not judged by today's clock again.
        taken = Replica(self.name, epoch=identity.epoch, now=self._now, drift_ms_max=CLOCK_MS_MAX)
        taken.rebase(shadow.delta())
        spent = self._spent.time if self._spent.replica == taken.id else 0
        last_time = max(taken.last_time, spent)
        replica = Replica.resume(taken.save(), last_time=last_time, now=self._now, drift_ms_max=self._drift_ms_max)
        for peer, clock in read_peers(self._db, self.key).items():
            replica.acknowledge(peer, clock)
        for peer in identity.retired:
            replica.retire(peer)
        return replica

    def _keep(self, record: Record, before: View) -> None:
        """Write what the replica has become, as far as it is not what the file has."""
        replica = self._replica
        change, settled = conclude(self.key, record, replica.shadow, before, replica.view(), now_ms=self._now())
        assert change.record is not None
        if change.record.state != (record.state or _EMPTY_STATE):
            write_change(self._db, change)
            self._revision = settled.revision
        _, epoch = split_replica(replica.id)
        identity = Identity(self._db.incarnation, epoch, replica.clock.get(replica.id), self._retired)
        if identity != self._identity:
            write_identity(self._db, self._shadow_id, self.name, identity)
            self._identity = identity
