"""automerge: a CRDT library in Rust; its Python bindings are a release candidate of 1.0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from automerge import core

from benchmarks.peer import Peer, Replica, Writer
from benchmarks.shadows import Document, Patch

_TYPES = {
    bool: core.ScalarType.Boolean,
    int: core.ScalarType.Int,
    float: core.ScalarType.F64,
    str: core.ScalarType.Str,
}
_HASH_BYTES = 32


class _Held:
    """A document that may be replaced: the bindings take in changes only by loading a document anew."""

    __slots__ = ("actor", "document")

    def __init__(self, document: Any, actor: bytes) -> None:
        self.actor = actor
        self.document = document
        document.set_actor(actor)


class Automerge(Peer):
    name = "automerge"
    distribution = "automerge"
    best: ClassVar[tuple[str, ...]] = (
        "used by `automerge.core`, since the dict-like proxies cost several times as much; a read is `core.extract`",
        "two replicas come level by its sync protocol: the bindings cannot apply changes' bytes to a live document",
        "bytes are merged by loading state and changes together, which is also the quickest for many deltas",
    )

    def create(self, writer: Writer) -> Replica:
        return _Held(core.Document(), _actor(writer))

    def save(self, replica: Replica) -> bytes:
        saved: bytes = replica.document.save()
        return saved

    def load(self, saved: bytes, writer: Writer) -> Replica:
        return _Held(core.Document.load(saved), _actor(writer))

    def write(self, replica: Replica, patch: Patch) -> None:
        with replica.document.transaction() as transaction:
            _patch(transaction, core.ROOT, patch)

    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        _, held = replica.document.get(core.ROOT, section)
        with replica.document.transaction() as transaction:
            transaction.put(held, key, _TYPES[type(value)], value)

    def read(self, replica: Replica) -> Document:
        document: Document = core.extract(replica.document, core.ROOT)
        return {section: part for section, part in document.items() if part}

    def clock(self, replica: Replica) -> bytes:
        return b"".join(replica.document.get_heads())

    def delta(self, replica: Replica, clock: bytes) -> bytes:
        heads = [clock[at : at + _HASH_BYTES] for at in range(0, len(clock), _HASH_BYTES)]
        return b"".join([change.raw_bytes for change in replica.document.get_changes(heads)])

    def merge(self, replica: Replica, data: bytes) -> None:
        replica.document.merge(core.Document.load(data))

    def merge_all(self, replica: Replica, deltas: Sequence[bytes]) -> Replica:
        return _Held(core.Document.load(b"".join([replica.document.save(), *deltas])), replica.actor)

    def sync(self, a: Replica, b: Replica) -> int:
        crossed = 0
        states = core.SyncState(), core.SyncState()
        while True:
            silent = True
            for sender, receiver, mine, theirs in ((a, b, *states), (b, a, *reversed(states))):
                message = sender.document.generate_sync_message(mine)
                if message is not None:
                    encoded = message.encode()
                    receiver.document.receive_sync_message(theirs, core.Message.decode(encoded))
                    crossed += len(encoded)
                    silent = False
            if silent:
                return crossed

    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        saved: bytes = core.Document.load(state + delta).save()
        return saved


class AutomergeInProcess(Automerge):
    """Two live documents of one process, merged without bytes: what the library could do on a wire."""

    name = "automerge in process"
    best: ClassVar[tuple[str, ...]] = ("W1 to W3 only: `merge` of two live documents of one process; no bytes cross",)
    refused: ClassVar[dict[str, str]] = dict.fromkeys(("W4", "W5", "W6", "W7"), "the same as automerge")

    def sync(self, a: Replica, b: Replica) -> int:
        a.document.merge(b.document)
        b.document.merge(a.document)
        return 0


def _actor(writer: Writer) -> bytes:
    return writer.identity.to_bytes(4, "big")


def _patch(transaction: Any, held: bytes, patch: Patch) -> None:
    for key, value in patch.items():
        if value is None:
            transaction.delete(held, key)
        elif not isinstance(value, dict):
            transaction.put(held, key, _TYPES[type(value)], value)
        else:
            found = transaction.get(held, key)
            if found is None:
                _patch(transaction, transaction.put_object(held, key, core.ObjType.Map), value)
            else:
                _patch(transaction, found[1], value)


PEERS = (Automerge, AutomergeInProcess)
