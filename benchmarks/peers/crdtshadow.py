"""crdtshadow: this library, by its public API alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch
from crdtshadow import EMPTY_CLOCK, Delta, Shadow, merge_bytes
from crdtshadow import Replica as ShadowReplica
from crdtshadow.limits import STATE_BYTES_MAX

_TIME_BYTES: Final = 8


class CrdtShadow(Peer):
    name = "crdtshadow"
    distribution = "crdtshadow"
    best: ClassVar[tuple[str, ...]] = (
        "a write is `Replica.update`, of one field `Replica.set`; a read is `Replica.view().document`",
        "a clock crosses as a delta without rows, as sessions send it",
        "a stored state is merged by `merge_bytes`",
    )

    def create(self, writer: Writer) -> Replica:
        return ShadowReplica(writer.name, epoch=writer.identity, now=writer.now)

    def save(self, replica: Replica) -> bytes:
        # The last time used, as a store keeps it beside what it saved: without it, the identity could not go on.
        last: int = replica.last_time
        saved: bytes = replica.save()
        return last.to_bytes(_TIME_BYTES, "big") + saved

    def load(self, saved: bytes, writer: Writer) -> Replica:
        last = int.from_bytes(saved[:_TIME_BYTES], "big")
        return ShadowReplica.resume(saved[_TIME_BYTES:], last_time=last, now=writer.now)

    def adopt(self, state: bytes, writer: Writer) -> Replica:
        return ShadowReplica(writer.name, epoch=writer.identity, now=writer.now, shadow=Shadow.decode(state))

    def state(self, replica: Replica) -> bytes:
        state: bytes = replica.shadow.encode()
        return state

    def write(self, replica: Replica, patch: Patch) -> None:
        replica.update(patch)

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        replica.set(f"/{section}/{key}", value)

    def read(self, replica: Replica) -> Document:
        document: Document = replica.view().document
        return document

    def clock(self, replica: Replica) -> bytes:
        return Delta(EMPTY_CLOCK, replica.clock, floor=replica.shadow.floor, rows={}).encode()

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        delta: Delta = replica.delta(Delta.decode(clock).upto)
        return delta.encode()

    def merge(self, replica: Replica, data: bytes) -> None:
        replica.merge(data, bytes_max=STATE_BYTES_MAX)

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        return merge_bytes(state, delta)

    def settle(self, replicas: Sequence[Replica]) -> list[Replica]:
        for replica in replicas:
            for other in replicas:
                if other is not replica:
                    replica.acknowledge(other.id, other.clock)
            replica.forget()
        return list(replicas)


PEERS = (CrdtShadow,)
