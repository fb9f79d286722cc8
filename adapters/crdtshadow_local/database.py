"""The file: opening it, recognising it, and transactions.

Write-ahead log, so that readers do not wait for a writer; ``synchronous=FULL``, so that what was
committed survives a power cut; writers take their turns with ``BEGIN IMMEDIATE``, waiting no longer
than told. Source: SQLite, "Write-Ahead Logging", "PRAGMA synchronous", "File Locking".
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from crdtshadow_walk import new_epoch

from crdtshadow_local.errors import StoreDamaged, StoreUnavailable, StoreVersion, translated
from crdtshadow_local.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES

BUSY_MS: Final = 10_000
"""How long to wait for another process that writes."""


class Database:
    """An open store file.

    Attributes:
        path: As it was given.
        incarnation: 32 random bits that name this file in this place. A copy gets its own when it is
            opened, so that whoever writes in the copy is not taken for who writes in the original.
    """

    __slots__ = ("_connection", "incarnation", "path")

    def __init__(self, path: str | os.PathLike[str], *, create: bool, busy_ms: int, bytes_max: int | None) -> None:
        self.path = os.fspath(path)
        if not create and not os.path.exists(self.path):
            raise StoreUnavailable(f"{self.path}: there is no such store")
        mode = "rwc" if create else "rw"
        uri = f"file:{quote(os.path.abspath(self.path))}?mode={mode}"
        with translated(self.path):
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_ms / 1000)
        try:
            with translated(self.path):
                self._prepare(create=create, bytes_max=bytes_max)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, *, create: bool, bytes_max: int | None) -> None:
        if bytes_max is not None:
            self._connection.execute(f"PRAGMA max_page_count = {max(bytes_max // self._pragma('page_size'), 1)}")
        with self.reading():
            ours = self._is_ours()
            if not ours and not (create and self._is_empty()):
                raise StoreDamaged(f"{self.path}: not a store of this package")
        if not ours:
            self._create()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self.incarnation = self._recognise_place()

    def _is_ours(self) -> bool:
        if self._pragma("application_id") != APPLICATION_ID:
            return False
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION:
            raise StoreVersion(f"{self.path}: layout {version}; this version reads and writes {SCHEMA_VERSION}")
        return True

    def _is_empty(self) -> bool:
        return self._pragma("application_id") == 0 and not self.one("SELECT count(*) FROM sqlite_schema")[0]

    def _pragma(self, name: str) -> int:
        return int(self.one(f"PRAGMA {name}")[0])

    def _create(self) -> None:
        with self.writing():
            if self._is_ours():
                return
            for statement in TABLES.split(";\n"):
                self._connection.execute(statement)
            self._connection.execute("INSERT INTO store VALUES (1, ?, ?, ?)", (new_epoch(), self._inode(), "{}"))
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _inode(self) -> int:
        return os.stat(self.path).st_ino & (1 << 63) - 1

    def _recognise_place(self) -> int:
        inode = self._inode()
        select = "SELECT incarnation, inode FROM store"
        incarnation, known = self.one(select)
        if inode != known:
            with self.writing():
                incarnation, known = self.one(select)
                if inode != known:
                    incarnation = new_epoch()
                    self.run("UPDATE store SET incarnation = ?, inode = ?", incarnation, inode)
                    self.run("UPDATE shadows SET epoch = ?", incarnation)
        return int(incarnation)

    # Statements

    def one(self, statement: str, *values: object) -> tuple[Any, ...]:
        """Return the only row of a query."""
        row: tuple[Any, ...] = self.run(statement, *values).fetchone()
        return row

    def run(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Execute a statement."""
        return self._connection.execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Execute a statement once for each row."""
        self._connection.executemany(statement, rows)

    # Transactions

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See one state of the file throughout, whoever writes meanwhile.

        Raises:
            StoreError: The file failed, or the store is closed.
        """
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write alone, all or nothing; what was written is durable when this ends.

        Raises:
            StoreError: The file failed, or another process has been writing for too long; nothing
                was written.
        """
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with translated(self.path):
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        with translated(self.path):
            self._connection.close()
