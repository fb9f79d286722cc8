"""Baselines without a library: what plain dicts reach, and what they give up for it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import msgpack

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch


class _Plain:
    """A nested document and the patch that nobody has been sent yet."""

    __slots__ = ("document", "unsent")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.unsent: Patch = {}


class DictUpdate(Peer):
    """Nested dicts, updated in place by whatever arrives: the floor, since it decides nothing."""

    name = "dict.update"
    diverges = "each side ends with what the other wrote"
    best: ClassVar[tuple[str, ...]] = (
        "JSON text both ways; it knows one peer only, and keeps no clock, stamp or removal",
    )

    def create(self, writer: Writer) -> Replica:
        return _Plain({})

    def save(self, replica: Replica) -> bytes:
        return _dump(replica.document)

    def load(self, saved: bytes, writer: Writer) -> Replica:
        return _Plain(json.loads(saved))

    def write(self, replica: Replica, patch: Patch) -> None:
        _update(replica.document, patch)
        _note(replica.unsent, patch)

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        replica.document.setdefault(section, {})[key] = value
        replica.unsent.setdefault(section, {})[key] = value

    def read(self, replica: Replica) -> Document:
        return _copy(replica.document)

    def clock(self, replica: Replica) -> bytes:
        return b""

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        unsent, replica.unsent = replica.unsent, {}
        return _dump(unsent)

    def merge(self, replica: Replica, data: bytes) -> None:
        _update(replica.document, json.loads(data))

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        document = json.loads(state)
        _update(document, json.loads(delta))
        return _dump(document)


class _Rows:
    """Rows by flat path, each a value with the time and the name of its writer."""

    __slots__ = ("rows", "seen", "writer")

    def __init__(self, rows: dict[str, list[Any]], seen: dict[str, int], writer: Writer) -> None:
        self.rows = rows
        self.seen = seen
        self.writer = writer


class NewestRow(Peer):
    """A dict of rows with times, the newest wins: the usual home-made answer."""

    name = "newest row wins"
    best: ClassVar[tuple[str, ...]] = (
        "a dict of [value, time, writer] by path, in msgpack; it trusts wall clocks, drops the loser without a word, "
        "and keeps removals for ever",
    )

    def create(self, writer: Writer) -> Replica:
        return _Rows({}, {}, writer)

    def save(self, replica: Replica) -> bytes:
        return _pack([replica.rows, replica.seen])

    def load(self, saved: bytes, writer: Writer) -> Replica:
        rows, seen = msgpack.unpackb(saved)
        return _Rows(rows, seen, writer)

    def write(self, replica: Replica, patch: Patch) -> None:
        writer = replica.writer
        replica.seen[writer.name] = writer.ms
        for path, value in _flat(patch, ""):
            replica.rows[path] = [value, writer.ms, writer.name]

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        writer = replica.writer
        replica.seen[writer.name] = writer.ms
        replica.rows[f"/{section}/{key}"] = [value, writer.ms, writer.name]

    def read(self, replica: Replica) -> Document:
        document: Document = {}
        for path, (value, _, _) in replica.rows.items():
            if value is not None:
                _, *above, key = path.split("/")
                here = document
                for segment in above:
                    here = here.setdefault(segment, {})
                here[key] = value
        return document

    def clock(self, replica: Replica) -> bytes:
        return _pack(replica.seen)

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        seen = msgpack.unpackb(clock)
        rows = {path: row for path, row in replica.rows.items() if row[1] > seen.get(row[2], -1)}
        return _pack([rows, replica.seen])

    def merge(self, replica: Replica, data: bytes) -> None:
        _join(replica.rows, replica.seen, data)

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        rows, seen = msgpack.unpackb(state)
        _join(rows, seen, delta)
        return _pack([rows, seen])


def _join(rows: dict[str, list[Any]], seen: dict[str, int], data: bytes) -> None:
    arrived, arrived_seen = msgpack.unpackb(data)
    for path, row in arrived.items():
        mine = rows.get(path)
        if mine is None or row[1:] > mine[1:]:
            rows[path] = row
    for name, ms in arrived_seen.items():
        if ms > seen.get(name, -1):
            seen[name] = ms


def _flat(patch: Patch, above: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for key, value in patch.items():
        path = f"{above}/{key}"
        if isinstance(value, dict):
            rows += _flat(value, path)
        else:
            rows.append((path, value))
    return rows


def _update(held: Document, patch: Patch) -> None:
    for key, value in patch.items():
        if value is None:
            held.pop(key, None)
        elif isinstance(value, dict):
            _update(held.setdefault(key, {}), value)
        else:
            held[key] = value


def _note(unsent: Patch, patch: Patch) -> None:
    for key, value in patch.items():
        if isinstance(value, dict):
            _note(unsent.setdefault(key, {}), value)
        else:
            unsent[key] = value


def _copy(document: Document) -> Document:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in document.items()}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


PEERS = (DictUpdate, NewestRow)
