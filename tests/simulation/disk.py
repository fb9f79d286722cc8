"""A host whose replica lives in a SQLite file, and a connection that dies or fails before any statement it is told to.

A crash closes the connection as the end of a process does: what was not committed is gone. Every statement of every
operation can be the last, and the commit can be the last thing that succeeds.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from unittest import mock

from crdtshadow_local import LocalReplica, Store

from crdtshadow import Delta, Policy, Replica, Session
from tests.oracle import hlc
from tests.simulation.hosts import Host, Kept, World

_connect = sqlite3.connect


class Crash(BaseException):
    """The process died here."""


class Connection(sqlite3.Connection):
    """A connection to a file that fails when told.

    Attributes:
        fuse: How many more statements succeed; -1 for all.
        failure: What happens then; after an ordinary failure, the next statement succeeds again.
        committed: Whether a transaction that writes was committed since the fuse was lit.
    """

    fuse = -1
    failure: BaseException = Crash()
    committed = False
    _writing = False

    def light(self, fuse: int, failure: BaseException) -> None:
        """Let *failure* happen after *fuse* more statements."""
        self.fuse, self.failure, self.committed = fuse, failure, False

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute a statement, unless this is where it fails."""
        if statement == "PRAGMA synchronous = FULL":
            statement = "PRAGMA synchronous = OFF"  # no power is cut here, and tests need not wait for the disk
        self._burn(statement)
        cursor = super().execute(statement, *values)
        self._note(statement)
        return cursor

    def executemany(self, statement: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        """Execute a statement for each row, unless this is where it fails."""
        self._burn(statement)
        return super().executemany(statement, rows)

    def _burn(self, statement: str) -> None:
        if self.fuse == 0:
            if not isinstance(self.failure, Crash):
                if statement == "ROLLBACK":
                    return  # needs no room
                self.fuse = -1
            raise self.failure
        if self.fuse > 0:
            self.fuse -= 1

    def _note(self, statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            self._writing = True
        elif statement in ("COMMIT", "ROLLBACK"):
            self.committed = self.committed or (self._writing and statement == "COMMIT")
            self._writing = False
            if self.fuse == 0 and self.committed and isinstance(self.failure, Crash):
                raise self.failure


def disk_full() -> sqlite3.OperationalError:
    """Return the error of a full disk."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def open_fragile(path: Path) -> tuple[Store, Connection]:
    """Open the store at *path* on a connection that can fail."""
    made: list[Connection] = []

    def connect(*args: Any, **kwargs: Any) -> Connection:
        made.append(_connect(*args, factory=Connection, **kwargs))
        return made[-1]

    with mock.patch("sqlite3.connect", connect):
        store = Store.open(path)
    return store, made[-1]


class DiskHost(Host):
    """A durable replica in a SQLite file; it loses nothing in a crash, and keeps its identity.

    Attributes:
        committed: Whether what was under way when a statement failed had been committed.
    """

    def __init__(self, world: World, name: str, policy: Policy, *, path: Path) -> None:
        self.path = path
        self.committed = False
        self._copies = 0
        super().__init__(world, name, policy, careful=True)

    def start(self) -> None:
        """Begin a replica that has never been."""
        self._open()
        self.store.set_default_policy(self.policy)
        self.kept = self.keep()
        self.backups = []
        self.back_up()

    def _open(self) -> None:
        self.store, self.connection = open_fragile(self.path)
        self.local: LocalReplica = self.store.open_replica(
            "thing", name=self.name, now=self.now, epochs=self.world.new_epoch
        )
        self.replica = cast("Replica", self.local)

    def session(self) -> Session:
        """Return an exchange with a peer."""
        return self.local.session()

    def keep(self) -> Kept:
        """Note what the file holds anyway."""
        self.kept = Kept(b"", self.local.last_time, self.sight, self.clock, self.waits_for, self.retired)
        return self.kept

    def back_up(self) -> None:
        """Copy the file."""
        self._copies += 1
        copy = self.path.with_suffix(f".{self._copies}")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.path, copy)
        self.backups.append(self.keep()._replace(data=os.fsencode(copy)))

    def crash(self, *, later: int) -> None:
        """Lose the process; the file stays."""
        self.die()
        self.keep()

    def die(self) -> None:
        """End the process where it is and start it again; the oracle is told by the caller what had been done."""
        sqlite3.Connection.close(self.connection)
        self._open()
        time = self.local.last_time
        assert time >= self.sight.newest, f"{self.name}: time {time} is behind {self.sight.newest}, which it had seen"
        self._set_clock(time)

    def settle_clock(self) -> None:
        """Take the replica's time for the textbook's: it may skip some when it takes up its file, never go back."""
        time = self.local.last_time
        assert time >= self.clock.time, f"{self.name}: time {time} is behind {self.clock.time}, which was used"
        self._set_clock(time)

    def _set_clock(self, time: int) -> None:
        self.clock = hlc.Clock(time >> 16, time & 0xFFFF)

    def restore(self, kept: Kept) -> None:
        """Put an old copy of the file in its place, and start."""
        sqlite3.Connection.close(self.connection)
        incoming = self.path.with_suffix(".incoming")
        shutil.copyfile(os.fsdecode(kept.data), incoming)
        os.replace(incoming, self.path)
        self._take(kept)
        before = self.world.last_epoch
        self._open()
        assert self.world.last_epoch > before, "a restored file went on under the identity it was saved with"
        self.settle_clock()
        self.keep()

    def rebase(self, other: Delta, *, rotate: bool) -> Delta:
        """Take over *other*, under a new identity if asked."""
        return self.local.rebase(other, rotate=rotate)

    def close(self) -> None:
        """Stop for good."""
        sqlite3.Connection.close(self.connection)
