"""What the walk needs of a store, and what it hands over: records in, changes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from crdtshadow import Decision, Policy
from crdtshadow.errors import AdapterError
from crdtshadow_walk.audit import Entry
from crdtshadow_walk.messages import DeltaMessage, ShadowKey


class Record(NamedTuple):
    """What a store holds of one shadow.

    Attributes:
        epoch: Of the replicas that stand for plain writers; the same for as long as the record is kept.
        state: The shadow's bytes, empty before the first write.
        ledger: The ledger's bytes, empty before the first event.
        policy: The shadow's own policy, ``None`` for the store's default.
        parked: Deltas whose base has not arrived, oldest first.
        revision: How often the record was written.
    """

    epoch: int
    state: bytes = b""
    ledger: bytes = b""
    policy: Policy | None = None
    parked: tuple[DeltaMessage, ...] = ()
    revision: int = 0


class Refusal(NamedTuple):
    """A message that was refused, for the quarantine.

    Attributes:
        key: The shadow that the message named, which may be none that AWS IoT allows.
        code: Of the error.
        reason: The error's message.
        kind: ``event``, ``delta`` or ``offline``.
        payload: What arrived, JSON or a delta's bytes, cut at ``PAYLOAD_BYTES_MAX``.
        source: Where it came from.
    """

    key: ShadowKey
    code: str
    reason: str
    kind: str
    payload: bytes
    source: str


class Change(NamedTuple):
    """All that is to be written for one shadow, together or not at all.

    Attributes:
        key: The shadow.
        at_ms: When it was derived.
        record: To be kept from now on, if the store still holds the revision before it. ``None``: as it
            was, and no revision is compared.
        history: Lines for the audit.
        conflicts: All that wait for a review now, in place of those before. ``None``: as before.
        refusals: For the quarantine.
    """

    key: ShadowKey
    at_ms: int
    record: Record | None = None
    history: tuple[Entry, ...] = ()
    conflicts: tuple[Decision, ...] | None = None
    refusals: tuple[Refusal, ...] = ()


class Store(Protocol):
    """Where shadows are kept. One read and one conditional write per shadow and batch."""

    @property
    def default_policy(self) -> Policy:
        """The policy of shadows that have none of their own."""

    def load(self, keys: Sequence[ShadowKey]) -> Mapping[ShadowKey, Record]:
        """Return a record for every one of *keys*; one of revision 0 for a shadow not held yet.

        Raises:
            AdapterError: The store failed.
        """

    def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
        """Write each of *changes* whole, and durably, and return why those that failed did.

        A change whose record does not follow the revision held fails with :class:`RevisionConflict`;
        it leaves no trace, its refusals included. A store may write all of them in one transaction.

        Raises:
            AdapterError: The store failed; nothing is known to be written.
        """
