"""The embedded store: shadows, their history, conflicts and outboxes in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from crdtshadow_walk import (
    Change,
    Entry,
    Held,
    Record,
    Refusal,
    ShadowKey,
    decode_record,
    new_epoch,
    outgoing,
    resolve_anew,
    shadow_key,
    wall_clock_ms,
)

from crdtshadow import Decision, Delta, Policy, VectorClock, split_replica
from crdtshadow.clock import EMPTY_CLOCK
from crdtshadow.errors import AdapterError
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow_local.database import BUSY_MS, Database
from crdtshadow_local.errors import StoreDamaged
from crdtshadow_local.replica import LocalReplica
from crdtshadow_local.rows import key_of, pack_json, shadow_name, unpack_decision, unpack_entry
from crdtshadow_local.tables import (
    acknowledge,
    ensure_shadow,
    read_default_policy,
    read_peers,
    read_record,
    write_change,
)

PAGE_ROWS: Final = 256
"""Rows that an iterator holds at a time; between two pages others may write."""


class StoredShadow(NamedTuple):
    """A shadow in the store.

    Attributes:
        key: Its name.
        revision: How often it was written.
        updated_ms: When it was written last.
        state_bytes: The size of its state.
    """

    key: ShadowKey
    revision: int
    updated_ms: int
    state_bytes: int


class HistoryLine(NamedTuple):
    """A line of the audit history."""

    key: ShadowKey
    at_ms: int
    entry: Entry


class PendingConflict(NamedTuple):
    """A conflict that waits for a review."""

    key: ShadowKey
    decision: Decision


class QuarantinedMessage(NamedTuple):
    """A message that was refused, and when."""

    at_ms: int
    refusal: Refusal


class StoreStats(NamedTuple):
    """How many rows a store has of each kind, and its size."""

    shadows: int
    replicas: int
    peers: int
    history: int
    conflicts: int
    parked: int
    refusals: int
    state_bytes: int
    file_bytes: int


_COUNTED: Final = ("shadows", "replicas", "peers", "history", "conflicts", "parked", "refusals")


class Store:
    """A store file, open; implements the walk's :class:`~crdtshadow_walk.ports.Store`.

    For one thread; several processes may have the same file open. Closed by ``close`` or at the end of
    a ``with`` block; nothing is lost if it is not.

    >>> import tempfile, pathlib
    >>> from crdtshadow_walk import OfflineChanges, ShadowKey, walk
    >>> directory = tempfile.TemporaryDirectory()
    >>> with Store.open(pathlib.Path(directory.name, "shadows.db")) as store:
    ...     message = OfflineChanges(ShadowKey("thermostat"), {"reported": {"t": 21}}, at_ms=1_000)
    ...     _ = walk(store, [message], now=lambda: 2_000)
    ...     [(line.entry.path, line.entry.after) for line in store.history()]
    [('/reported/t', 21)]
    >>> directory.cleanup()
    """

    __slots__ = ("_db",)

    def __init__(self, database: Database) -> None:
        self._db = database

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        busy_ms: int = BUSY_MS,
        bytes_max: int | None = None,
    ) -> Self:
        """Open the store at *path*.

        Args:
            path: A file; SQLite keeps two more beside it while it is open.
            create: Make a new store if there is none.
            busy_ms: How long to wait for other processes that write.
            bytes_max: The file may not grow beyond this.

        Raises:
            StoreUnavailable: There is no such file, or it cannot be opened.
            StoreDamaged: The file is damaged, or not a store of this package.
            StoreVersion: The file is of another version of this package.
            StoreBusy: Another process has been writing for too long.
            StoreFull: No room for a new store.
        """
        return cls(Database(path, create=create, busy_ms=busy_ms, bytes_max=bytes_max))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.path}>"

    @property
    def path(self) -> str:
        """Where the file lies, as it was given."""
        return self._db.path

    # What the walk needs

    @property
    def default_policy(self) -> Policy:
        """The policy of shadows that have none of their own."""
        with self._db.reading():
            return read_default_policy(self._db)

    def load(self, keys: Sequence[ShadowKey]) -> Mapping[ShadowKey, Record]:
        """Return a record for every one of *keys*; one of revision 0 for a shadow not held yet."""
        with self._db.reading():
            return {key: read_record(self._db, key) for key in keys}

    def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
        """Write *changes* in one transaction, without those that somebody else was faster with."""
        failed: dict[ShadowKey, AdapterError] = {}
        if changes:
            with self._db.writing():
                for change in changes:
                    lost = write_change(self._db, change)
                    if lost is not None:
                        failed[change.key] = lost
        return failed

    # Reading

    def get(self, key: ShadowKey) -> Held | None:
        """Return the shadow of *key*, decoded, with its ledger and the policy in force.

        Raises:
            StateDamaged: What is stored cannot be read.
        """
        with self._db.reading():
            record = read_record(self._db, key)
            policy = read_default_policy(self._db)
        return decode_record(key, record, default_policy=policy) if record.revision else None

    def shadows(self, *, thing: str | None = None) -> Iterator[StoredShadow]:
        """Yield the shadows held, of all things or one, oldest first."""
        select = "SELECT id, thing, shadow, revision, updated_ms, length(state) FROM shadows"
        for _, name, shadow, *rest in self._pages(select, "id", {"thing = ?": thing}):
            yield StoredShadow(key_of(name, shadow), *rest)

    def history(
        self,
        *,
        key: ShadowKey | None = None,
        thing: str | None = None,
        path: str | None = None,
        newest_first: bool = False,
    ) -> Iterator[HistoryLine]:
        """Yield the audit history, of one shadow, thing or path if given; oldest first by default."""
        select = (
            "SELECT history.id, thing, shadow, at_ms, path, before, after, ms, tick, replica, strategy, held, writes"
            " FROM history JOIN shadows ON shadows.id = shadow_id"
        )
        wanted = {**_of_shadow(key), "thing = ?": thing, "path = ?": path}
        for _, name, shadow, at_ms, *columns in self._pages(select, "history.id", wanted, newest_first=newest_first):
            yield HistoryLine(key_of(name, shadow), at_ms, unpack_entry(columns))

    def conflicts(self, *, key: ShadowKey | None = None, thing: str | None = None) -> Iterator[PendingConflict]:
        """Yield the conflicts that wait for a review, of one shadow or thing if given."""
        select = (
            "SELECT conflicts.id, thing, shadow, path, strategy, reason, writes, accepted"
            " FROM conflicts JOIN shadows ON shadows.id = shadow_id"
        )
        for _, name, shadow, *columns in self._pages(select, "conflicts.id", {**_of_shadow(key), "thing = ?": thing}):
            yield PendingConflict(key_of(name, shadow), unpack_decision(columns))

    def refusals(self) -> Iterator[QuarantinedMessage]:
        """Yield the messages that were refused, oldest first; of very many, the newest are kept."""
        select = "SELECT id, at_ms, thing, shadow, code, reason, kind, payload, source FROM refusals"
        for _, at_ms, thing, shadow, *columns in self._pages(select, "id", {}):
            yield QuarantinedMessage(at_ms, Refusal(key_of(thing, shadow), *columns))

    def stats(self) -> StoreStats:
        """Return how much the store holds."""
        with self._db.reading():
            counts = {table: self._db.one(f"SELECT count(*) FROM {table}")[0] for table in _COUNTED}
            (state_bytes,) = self._db.one("SELECT coalesce(sum(length(state)), 0) FROM shadows")
            (file_bytes,) = self._db.one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return StoreStats(**counts, state_bytes=state_bytes, file_bytes=file_bytes)

    def check(self) -> None:
        """Read the whole file and every state in it.

        Raises:
            StoreDamaged: SQLite finds the file damaged.
            StateDamaged: A state in it cannot be read.
        """
        with self._db.reading():
            (found,) = self._db.run("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreDamaged(f"{self.path}: the file is damaged ({' '.join(found.split())})")
        for shadow in self.shadows():
            self.get(shadow.key)

    def _pages(
        self, select: str, order: str, wanted: Mapping[str, object], *, newest_first: bool = False
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of *select* page by page, so that no transaction lasts for as long as the caller likes.

        Args:
            select: A query without conditions, whose first column is *order*.
            order: A row id.
            wanted: Values by condition; those that are ``None`` do not count.
            newest_first: Descending by *order*.
        """
        conditions = {condition: value for condition, value in wanted.items() if value is not None}
        compare, direction, after = ("<", "DESC", 1 << 62) if newest_first else (">", "ASC", -1)
        where = " AND ".join([*conditions, f"{order} {compare} ?"])
        statement = f"{select} WHERE {where} ORDER BY {order} {direction} LIMIT {PAGE_ROWS}"
        while True:
            with self._db.reading():
                page = self._db.run(statement, *conditions.values(), after).fetchall()
            yield from page
            if len(page) < PAGE_ROWS:
                return
            after = page[-1][0]

    # Policy and housekeeping

    def set_default_policy(self, policy: Policy, *, now: Callable[[], int] = wall_clock_ms) -> None:
        """Choose the policy of shadows that have none of their own, and resolve those anew.

        Their states stay as they are: a policy decides only what readers see.

        Raises:
            StoreError: The file failed; all is as before.
            StateDamaged: A state cannot be read; all is as before.
        """
        with self._db.writing():
            before = read_default_policy(self._db)
            self._db.run("UPDATE store SET default_policy = ?", pack_json(policy.to_json()))
            last = -1
            while page := self._db.run(
                "SELECT id, thing, shadow FROM shadows WHERE id > ? AND policy IS NULL AND revision > 0"
                f" ORDER BY id LIMIT {PAGE_ROWS}",
                last,
            ).fetchall():
                for _, thing, shadow in page:
                    key = key_of(thing, shadow)
                    change, _ = resolve_anew(key, read_record(self._db, key), before, policy, now_ms=now())
                    if change.history:
                        write_change(self._db, change)
                last = page[-1][0]

    def drop_history(self, *, before_ms: int) -> int:
        """Delete the lines of the audit history from before *before_ms*; return how many those were."""
        with self._db.writing():
            return self._db.run("DELETE FROM history WHERE at_ms < ?", before_ms).rowcount

    def drop_refusals(self) -> int:
        """Empty the quarantine; return how many messages were in it."""
        with self._db.writing():
            return self._db.run("DELETE FROM refusals").rowcount

    # Peers

    def acknowledge(self, key: ShadowKey, peer: str, clock: VectorClock) -> None:
        """Note that the replica of id *peer* has seen *clock* of a shadow.

        Raises:
            InvalidIdentity: *peer* is not a replica id.
            EventRefused: AWS IoT does not allow a shadow of that name.
        """
        split_replica(peer)
        with self._db.writing():
            acknowledge(self._db, ensure_shadow(self._db, shadow_key(*key), wall_clock_ms()), peer, clock)

    def peers(self, key: ShadowKey) -> dict[str, VectorClock]:
        """Return what peers are known to have seen of a shadow, by their replica ids."""
        with self._db.reading():
            return read_peers(self._db, key)

    def outbox(self, key: ShadowKey, peer: str) -> Delta | None:
        """Return what *peer* is not known to have of a shadow, ``None`` if nothing.

        It stays in the outbox until the peer acknowledges it.

        Raises:
            StateDamaged: What is stored cannot be read.
        """
        with self._db.reading():
            record, clock = read_record(self._db, key), read_peers(self._db, key).get(peer, EMPTY_CLOCK)
        return outgoing(key, record, clock)

    # Replicas

    def open_replica(
        self,
        thing: str,
        shadow: str | None = None,
        name: str | None = None,
        *,
        now: Callable[[], int] = wall_clock_ms,
        epochs: Callable[[], int] = new_epoch,
        drift_ms_max: int = DRIFT_MS_MAX,
    ) -> LocalReplica:
        """Return the replica called *name* of a shadow, as it was left, or a new one.

        What others bring into the shadow in this file, the replica sees; what it writes is the
        shadow's state in this file.

        Args:
            thing: The shadow's thing.
            shadow: The shadow's name, ``None`` for the classic shadow.
            name: Who writes; the thing's name by default.
            now: Returns the wall clock in milliseconds since 1970.
            epochs: Mints 32 random bits for a new identity.
            drift_ms_max: How far ahead of *now* a received stamp may be.

        Raises:
            EventRefused: AWS IoT does not allow a shadow of that name.
            InvalidIdentity: Not a name that a replica can have.
            StoreError: The file failed.
        """
        key = shadow_key(thing, shadow)
        return LocalReplica(self._db, key, name or thing, now=now, epochs=epochs, drift_ms_max=drift_ms_max)


def _of_shadow(key: ShadowKey | None) -> dict[str, object]:
    return {} if key is None else {"thing = ?": key.thing, "shadow = ?": shadow_name(key)}
