"""The walk's store in memory: the reference that others are compared with, and what tests use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from crdtshadow import Decision, Policy
from crdtshadow.errors import AdapterError
from crdtshadow_walk.audit import Entry
from crdtshadow_walk.errors import RevisionConflict
from crdtshadow_walk.messages import ShadowKey
from crdtshadow_walk.ports import Change, Record, Refusal
from crdtshadow_walk.review import resolve_anew


class MemoryStore:
    """Keeps records in dicts; gone with the process.

    Args:
        epoch: Of the replicas that stand for plain writers.
        default_policy: Of shadows that have none of their own.

    Attributes:
        records: By shadow, those that were written.
        history: By shadow, when and what, oldest first.
        conflicts: By shadow, those that wait for a review.
        refusals: The quarantine, oldest first.
        commits: How many changes were written.
    """

    def __init__(self, *, epoch: int = 0, default_policy: Policy | None = None) -> None:
        self.epoch = epoch
        self.default_policy = default_policy or Policy()
        self.records: dict[ShadowKey, Record] = {}
        self.history: dict[ShadowKey, list[tuple[int, Entry]]] = {}
        self.conflicts: dict[ShadowKey, tuple[Decision, ...]] = {}
        self.refusals: list[tuple[int, Refusal]] = []
        self.commits = 0

    def load(self, keys: Sequence[ShadowKey]) -> Mapping[ShadowKey, Record]:
        """Return a record for every one of *keys*; one of revision 0 for a shadow not held yet."""
        return {key: self.records.get(key, Record(self.epoch)) for key in keys}

    def commit(self, changes: Sequence[Change]) -> Mapping[ShadowKey, AdapterError]:
        """Write each of *changes* whose record follows the revision held; return why others failed."""
        failed: dict[ShadowKey, AdapterError] = {}
        for change in changes:
            key, record = change.key, change.record
            if record is not None:
                held = self.records[key].revision if key in self.records else 0
                if record.revision != held + 1:
                    failed[key] = RevisionConflict(f"shadow {key}: revision {held} is held, not {record.revision - 1}")
                    continue
                self.records[key] = record
            self._note(change)
        return failed

    def set_default_policy(self, policy: Policy, *, now: Callable[[], int]) -> None:
        """Choose the policy of shadows that have none of their own, and resolve those anew."""
        before, self.default_policy = self.default_policy, policy
        for key, record in self.records.items():
            if record.policy is None:
                change, _ = resolve_anew(key, record, before, policy, now_ms=now())
                if change.history:
                    self.commit([change])

    def _note(self, change: Change) -> None:
        self.commits += 1
        self.history.setdefault(change.key, []).extend((change.at_ms, entry) for entry in change.history)
        if change.conflicts is not None:
            self.conflicts[change.key] = change.conflicts
        self.refusals.extend((change.at_ms, refusal) for refusal in change.refusals)
