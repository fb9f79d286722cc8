"""pycrdt: Yjs in Rust (yrs), with Python bindings; the most used of its kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pycrdt

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch

_SECTIONS = ("desired", "reported")


class _Held:
    """A document, and its root maps at hand: to look them up at every use takes a third of a read's time."""

    __slots__ = ("doc", "maps")

    def __init__(self, doc: Any) -> None:
        self.doc = doc
        self.maps = {section: doc.get(section, type=pycrdt.Map) for section in _SECTIONS}


class PyCrdt(Peer):
    name = "pycrdt"
    distribution = "pycrdt"
    best: ClassVar[tuple[str, ...]] = (
        "a section is a root map, made by nobody and kept at hand; a read parses the JSON text of each in one "
        "transaction, which is 4 times as fast as `to_py`; JSON text is what it hands out",
        "an update, and the merge of many deltas, is one transaction",
        "W6 goes through a document, which keeps the state from growing; `merge_updates` is listed beside",
    )

    def create(self, writer: Writer) -> Replica:
        return _Held(pycrdt.Doc(client_id=writer.identity))

    def save(self, replica: Replica) -> bytes:
        update: bytes = replica.doc.get_update()
        return update

    def load(self, saved: bytes, writer: Writer) -> Replica:
        replica = self.create(writer)
        replica.doc.apply_update(saved)
        return replica

    def write(self, replica: Replica, patch: Patch) -> None:
        with replica.doc.transaction():
            for section, part in patch.items():
                _patch(replica.maps[section], part)

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        replica.maps[section][key] = value

    def read(self, replica: Replica) -> Document:
        with replica.doc.transaction():
            parts = {section: json.loads(str(held)) for section, held in replica.maps.items()}
        return {section: part for section, part in parts.items() if part}

    def read_text(self, replica: Replica) -> str:
        with replica.doc.transaction():
            return f'{{"desired":{replica.maps["desired"]},"reported":{replica.maps["reported"]}}}'

    def clock(self, replica: Replica) -> bytes:
        clock: bytes = replica.doc.get_state()
        return clock

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        delta: bytes = replica.doc.get_update(clock)
        return delta

    def merge(self, replica: Replica, data: bytes) -> None:
        replica.doc.apply_update(data)

    def merge_all(self, replica: Replica, deltas: Sequence[bytes]) -> Replica:
        with replica.doc.transaction():
            for delta in deltas:
                replica.doc.apply_update(delta)
        return replica

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        doc: Any = pycrdt.Doc()
        with doc.transaction():
            doc.apply_update(state)
            doc.apply_update(delta)
        update: bytes = doc.get_update()
        return update


class PyCrdtUpdates(PyCrdt):
    """Updates merged as such: values that were replaced stay in the state, which grows with every merge."""

    name = "pycrdt merge_updates"
    best: ClassVar[tuple[str, ...]] = (
        "W6 only: updates are put together without a document, so what was replaced is never dropped",
    )
    refused: ClassVar[dict[str, str]] = dict.fromkeys(("W1", "W2", "W3", "W4", "W5", "W7"), "the same as pycrdt")

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        return pycrdt.merge_updates(state, delta)  # type: ignore[no-any-return]  # untyped where pycrdt is not installed


def _patch(held: Any, patch: Patch) -> None:
    for key, value in patch.items():
        if value is None:
            del held[key]
        elif not isinstance(value, dict):
            held[key] = value
        elif key in held:
            _patch(held[key], value)
        else:
            held[key] = made = pycrdt.Map()
            _patch(made, value)


PEERS = (PyCrdt, PyCrdtUpdates)
