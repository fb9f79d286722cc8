"""loro: a CRDT library in Rust with its own formats, and Python bindings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import loro

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch


class Loro(Peer):
    name = "loro"
    distribution = "loro"
    best: ClassVar[tuple[str, ...]] = (
        "a section is a root map, and maps in it are its mergeable ones; a read is `get_deep_value`",
        "a state is a snapshot, its quickest to load; of W1's, its update encoding would take less than half the bytes",
        "many deltas are joined by `import_batch`; once all have seen everything, a shallow snapshot cuts off history",
    )

    def create(self, writer: Writer) -> Replica:
        replica = loro.LoroDoc()
        replica.peer_id = writer.identity
        return replica

    def save(self, replica: Replica) -> bytes:
        snapshot: bytes = replica.export(loro.ExportMode.Snapshot())
        return snapshot

    def load(self, saved: bytes, writer: Writer) -> Replica:
        replica = self.create(writer)
        replica.import_(saved)
        return replica

    def write(self, replica: Replica, patch: Patch) -> None:
        for section, part in patch.items():
            _patch(replica.get_map(section), part)
        replica.commit()

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        replica.get_map(section).insert(key, value)
        replica.commit()

    def read(self, replica: Replica) -> Document:
        document: Document = replica.get_deep_value()
        return {section: part for section, part in document.items() if part}

    def clock(self, replica: Replica) -> bytes:
        clock: bytes = replica.oplog_vv.encode()
        return clock

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        delta: bytes = replica.export(loro.ExportMode.Updates(loro.VersionVector.decode(clock)))
        return delta

    def merge(self, replica: Replica, data: bytes) -> None:
        replica.import_(data)

    def merge_all(self, replica: Replica, deltas: Sequence[bytes]) -> Replica:
        replica.import_batch(list(deltas))
        return replica

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        replica = loro.LoroDoc()
        replica.import_batch([state, delta])
        return self.save(replica)

    def settle(self, replicas: Sequence[Replica]) -> list[Replica]:
        settled = []
        for replica in replicas:
            shallow = replica.export(loro.ExportMode.ShallowSnapshot(replica.oplog_frontiers))
            settled.append(self.load(shallow, Writer("", replica.peer_id)))
        return settled


def _patch(held: Any, patch: Patch) -> None:
    for key, value in patch.items():
        if value is None:
            held.delete(key)
        elif isinstance(value, dict):
            _patch(held.ensure_mergeable_map(key), value)
        else:
            held.insert(key, value)


PEERS = (Loro,)
