"""What can go wrong with the file, and the one place where SQLite's errors are told apart.

AdapterError
└── StoreError
    ├── StoreBusy          store_busy          another process writes for too long (retryable)
    ├── StoreFull          store_full          no room on the disk, or the file's limit (retryable)
    ├── StoreDamaged       store_damaged       the file is damaged, or not one of ours
    ├── StoreVersion       store_version       the file is of another version of this package
    └── StoreUnavailable   store_unavailable   the file cannot be opened, read or written
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crdtshadow.errors import AdapterError


class StoreError(AdapterError):
    """The store failed; what was not acknowledged may come again."""

    code = "store"


class StoreBusy(StoreError):
    """Another process has been writing for longer than the store was told to wait."""

    code = "store_busy"
    retryable = True


class StoreFull(StoreError):
    """No room on the disk, or within the limit given for the file. Nothing of the call was written."""

    code = "store_full"
    retryable = True


class StoreDamaged(StoreError):
    """The file is damaged, or is not a store of this package."""

    code = "store_damaged"


class StoreVersion(StoreError):
    """The file was written by a version of this package that has another layout."""

    code = "store_version"


class StoreUnavailable(StoreError):
    """The file cannot be opened, read or written."""

    code = "store_unavailable"


_BY_RESULT: Final[dict[int, tuple[type[StoreError], str]]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "another process is writing"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "another connection is writing"),
    sqlite3.SQLITE_FULL: (StoreFull, "no room left"),
    sqlite3.SQLITE_CORRUPT: (StoreDamaged, "the file is damaged"),
    sqlite3.SQLITE_NOTADB: (StoreDamaged, "not a store of this package"),
    sqlite3.SQLITE_CANTOPEN: (StoreUnavailable, "cannot be opened"),
    sqlite3.SQLITE_READONLY: (StoreUnavailable, "cannot be written"),
    sqlite3.SQLITE_PERM: (StoreUnavailable, "access denied"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "reading or writing failed"),
}
_PRIMARY: Final = 0xFF


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise a :class:`StoreError` that names *path* in place of SQLite's errors of the outside world.

    Source: SQLite, "Result and Error Codes"; the low byte is the primary code.
    """
    try:
        yield
    except sqlite3.ProgrammingError as error:
        if "closed database" not in str(error):
            raise
        raise StoreUnavailable(f"{path}: this store was closed") from None
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if primary not in _BY_RESULT:
            raise
        kind, what = _BY_RESULT[primary]
        raise kind(f"{path}: {what} ({error})") from error
