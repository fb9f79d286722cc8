"""y-py: Yjs in Rust by its older Python bindings, no longer kept up; pycrdt took its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import y_py

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch

_SECTIONS = ("desired", "reported")


class YPy(Peer):
    name = "y-py"
    distribution = "y-py"
    best: ClassVar[tuple[str, ...]] = (
        "a section is a root map; a read parses the JSON text of each, which is what it hands out",
        "an update is one transaction",
    )

    def create(self, writer: Writer) -> Replica:
        return y_py.YDoc(writer.identity)

    def save(self, replica: Replica) -> bytes:
        update: bytes = y_py.encode_state_as_update(replica)
        return update

    def load(self, saved: bytes, writer: Writer) -> Replica:
        replica = y_py.YDoc(writer.identity)
        y_py.apply_update(replica, saved)
        return replica

    def write(self, replica: Replica, patch: Patch) -> None:
        parts = [(replica.get_map(section), part) for section, part in patch.items()]
        with replica.begin_transaction() as transaction:
            for held, part in parts:
                _patch(transaction, held, part)

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        held = replica.get_map(section)
        with replica.begin_transaction() as transaction:
            held.set(transaction, key, value)

    def read(self, replica: Replica) -> Document:
        parts = {section: json.loads(replica.get_map(section).to_json()) for section in _SECTIONS}
        return {section: part for section, part in parts.items() if part}

    def read_text(self, replica: Replica) -> str:
        desired, reported = (replica.get_map(section).to_json() for section in _SECTIONS)
        return f'{{"desired":{desired},"reported":{reported}}}'

    def clock(self, replica: Replica) -> bytes:
        clock: bytes = y_py.encode_state_vector(replica)
        return clock

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        delta: bytes = y_py.encode_state_as_update(replica, clock)
        return delta

    def merge(self, replica: Replica, data: bytes) -> None:
        y_py.apply_update(replica, data)

    def merge_all(self, replica: Replica, deltas: Sequence[bytes]) -> Replica:
        with replica.begin_transaction() as transaction:
            for delta in deltas:
                transaction.apply_v1(delta)
        return replica

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        replica = y_py.YDoc()
        with replica.begin_transaction() as transaction:
            transaction.apply_v1(state)
            transaction.apply_v1(delta)
        update: bytes = y_py.encode_state_as_update(replica)
        return update


def _patch(transaction: Any, held: Any, patch: Patch) -> None:
    for key, value in patch.items():
        if value is None:
            held.pop(transaction, key)
        elif not isinstance(value, dict):
            held.set(transaction, key, value)
        elif key in held:
            _patch(transaction, held[key], value)
        else:
            held.set(transaction, key, y_py.YMap({}))
            _patch(transaction, held[key], value)


PEERS = (YPy,)
