"""What a peer must be able to do to take part. Each has one module in ``peers/``, used at its best."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Final, TypeAlias

from benchmarks.shadows import Document, Patch

START_MS: Final = 1_700_000_000_000
"""A wall clock to begin with, in milliseconds since 1970."""

Replica: TypeAlias = Any
"""Whatever a peer calls a replica of a document."""


class Writer:
    """Who writes: a name, 32 bits of identity, and a wall clock that is set by hand.

    Every peer gets as many bits of identity. Between two writes of equal logical age the writer of
    the greater ``identity`` and later ``ms`` wins, whichever of the two a peer goes by.
    """

    __slots__ = ("identity", "ms", "name")

    def __init__(self, name: str, identity: int, *, ms: int = START_MS) -> None:
        self.name = name
        self.identity = identity
        self.ms = ms

    def now(self) -> int:
        """Return the wall clock in milliseconds since 1970."""
        return self.ms


class Peer(ABC):
    """A library that keeps documents in step, behind the few things that the workloads ask of it.

    Clocks, deltas and states cross between replicas as bytes, as they would on a wire.

    A replica that is at hand stays at hand: whatever a user would keep in a variable, such as a root
    map, is part of what a peer calls a replica, and is not looked up again in every call.

    Attributes:
        name: How it is called in the results.
        distribution: Whose version is told; empty if there is none.
        refused: Workloads that it cannot do, and why.
        diverges: Why its replicas may end up different, if they may.
        best: How it is used, where there was a choice.
    """

    name: ClassVar[str]
    distribution: ClassVar[str] = ""
    refused: ClassVar[dict[str, str]] = {}
    diverges: ClassVar[str] = ""
    best: ClassVar[tuple[str, ...]] = ()

    @property
    def version(self) -> str:
        """The version installed, empty if there is none."""
        try:
            return version(self.distribution) if self.distribution else ""
        except PackageNotFoundError:
            return ""

    @abstractmethod
    def create(self, writer: Writer) -> Replica:
        """Return an empty replica of *writer*."""

    @abstractmethod
    def save(self, replica: Replica) -> bytes:
        """Return what *replica* keeps so as to go on after a restart, as the same writer."""

    @abstractmethod
    def load(self, saved: bytes, writer: Writer) -> Replica:
        """Return the replica of *writer* that ``save`` kept."""

    def adopt(self, state: bytes, writer: Writer) -> Replica:
        """Return a new replica, of *writer*, that begins with somebody's ``state``."""
        return self.load(state, writer)

    def state(self, replica: Replica) -> bytes:
        """Return the whole state, for a store or a peer."""
        return self.save(replica)

    @abstractmethod
    def write(self, replica: Replica, patch: Patch) -> None:
        """Apply *patch* as one update."""

    @abstractmethod
    def put(self, replica: Replica, section: str, key: str, value: object) -> None:
        """Write one field right below a section, as an update of its own."""

    @abstractmethod
    def read(self, replica: Replica) -> Document:
        """Return the whole document as a fresh nested dict."""

    def read_text(self, replica: Replica) -> str:
        """Return the whole document as JSON text."""
        return json.dumps(self.read(replica), separators=(",", ":"))

    @abstractmethod
    def clock(self, replica: Replica) -> bytes:
        """Return what *replica* has seen, for ``delta``."""

    @abstractmethod
    def delta(self, replica: Replica, clock: bytes) -> bytes:
        """Return what somebody lacks who has seen *clock*."""

    @abstractmethod
    def merge(self, replica: Replica, data: bytes) -> None:
        """Join a delta or a state."""

    def merge_all(self, replica: Replica, deltas: Sequence[bytes]) -> Replica:
        """Join many deltas; return the replica, which may be another object."""
        for delta in deltas:
            self.merge(replica, delta)
        return replica

    def sync(self, a: Replica, b: Replica) -> int:
        """Bring two replicas level, by clocks and deltas both ways; return the bytes that crossed."""
        clock_a, clock_b = self.clock(a), self.clock(b)
        to_a, to_b = self.delta(b, clock_a), self.delta(a, clock_b)
        self.merge(a, to_a)
        self.merge(b, to_b)
        return len(clock_a) + len(clock_b) + len(to_a) + len(to_b)

    @abstractmethod
    def merge_stored(self, state: bytes, delta: bytes) -> bytes:
        """Return the bytes of *state* with *delta* joined; nobody's replica is at hand."""

    def settle(self, replicas: Sequence[Replica]) -> list[Replica]:
        """Forget what can be forgotten once all *replicas* are level and know it; return them."""
        return list(replicas)
