"""Records of the state table's stream: what a row was, what it has become, and what that means.

Source: Amazon DynamoDB Streams API reference, "StreamRecord"; in events for Lambda, bytes are in base64.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import crdtshadow_walk
from crdtshadow_walk import Entry, Record, ShadowKey, decode_record

from crdtshadow import Decision, Delta, Policy, Shadow, View, resolve
from crdtshadow_aws.items import bytes_of, integer_of, read_policy, read_record, read_row_key, text_of


class Image:
    """One change of a row, decoded as far as it is asked for.

    Args:
        record: The stream's record, as Lambda gets it.
        default_policy: Of rows that do not say by which policy they were resolved.

    Attributes:
        key: The shadow.
        region: Whose row it is.
    """

    def __init__(self, record: Mapping[str, Any], *, default_policy: Policy) -> None:
        change = record["dynamodb"]
        self._old: Mapping[str, Any] = change.get("OldImage", {})
        self._new: Mapping[str, Any] = change.get("NewImage", {})
        self._default_policy = default_policy
        self.key: ShadowKey
        self.region: str
        self.key, self.region = read_row_key(change["Keys"])

    @property
    def removed(self) -> bool:
        """Whether there is no row any more."""
        return not self._new

    @property
    def revision(self) -> int:
        """Of the row."""
        return integer_of(self._new, "revision")

    @property
    def at_ms(self) -> int:
        """When the row was written."""
        return integer_of(self._new, "updatedAt")

    @cached_property
    def changed(self) -> bool:
        """Whether the state, or the policy that resolves it, is another; else only the ledger is."""
        return bytes_of(self._old, "state") != bytes_of(self._new, "state") or (
            text_of(self._old, "policy") != text_of(self._new, "policy")
        )

    @cached_property
    def record(self) -> Record:
        """The row, with the policy by which it was resolved.

        Raises:
            StateDamaged: It cannot be read.
        """
        return read_record(self._new, policy=self._policy(self._new))

    @cached_property
    def delta(self) -> Delta:
        """What was written or merged; false if nothing.

        Raises:
            StateDamaged: An image cannot be read.
        """
        return self._after.delta(self._before.clock)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What changed for readers.

        Raises:
            StateDamaged: An image cannot be read.
        """
        return crdtshadow_walk.audit(self._views[0], self._views[1], self._after)

    @cached_property
    def arisen(self) -> tuple[Decision, ...]:
        """The conflicts that are there since, or are decided otherwise."""
        before, after = (view.decisions for view in self._views)
        return tuple([decision for decision in after if decision not in before])

    @cached_property
    def settled(self) -> tuple[Decision, ...]:
        """The conflicts that were there, and are no more."""
        before, after = (view.decisions for view in self._views)
        left = {path for decision in after for path in decision.conflict.paths}
        return tuple([decision for decision in before if left.isdisjoint(decision.conflict.paths)])

    @cached_property
    def view(self) -> View:
        """What readers see since."""
        return self._views[1]

    @cached_property
    def _before(self) -> Shadow:
        record = read_record(self._old, policy=None) if self._old else Record(0)
        return decode_record(self.key, record, default_policy=self._default_policy).shadow

    @cached_property
    def _after(self) -> Shadow:
        return decode_record(self.key, self.record, default_policy=self._default_policy).shadow

    @cached_property
    def _views(self) -> tuple[View, View]:
        before = self._policy(self._old) if self._old else self._policy(self._new)
        return resolve(self._before, before), resolve(self._after, self._policy(self._new))

    def _policy(self, image: Mapping[str, Any]) -> Policy:
        return read_policy(image) or self._default_policy
