"""The sync metrics table: one item for each change, by the hour, for summaries that need no scan.

An item has ``bucket`` (the hour, ``2026-01-31T23``) and ``entry`` (time, thing, shadow, region, revision:
the same when the same change is told again); ``conflicts`` holds what arose with it, as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from crdtshadow_walk import Data, ShadowKey, iso_time

from crdtshadow import REMOVED, Conflict, Decision
from crdtshadow_aws.clients import DynamoDB
from crdtshadow_aws.errors import translated
from crdtshadow_aws.items import CLASSIC, Item, integer_of, number, shadow_name, text_of

VALUE: Final = "value"
REMOVAL: Final = "removal"
STRUCTURE: Final = "structure"

CONFLICTS_MAX: Final = 1_000
"""Conflicts that one item names; how many there were in all is counted."""

_HOUR_MS: Final = 3_600_000
_DAY_S: Final = 86_400
_HOUR_CHARS: Final = len("2026-01-31T23")


class Measured(NamedTuple):
    """What one change amounted to.

    Attributes:
        key: The shadow.
        at_ms: When it was stored.
        region: Where.
        revision: Of that region's row.
        fields: How many fields changed for readers.
        conflicts: Those that arose: ``path``, ``type``, ``strategy``, ``held``.
        conflict_count: How many those are, also if not all are named.
    """

    key: ShadowKey
    at_ms: int
    region: str
    revision: int
    fields: int
    conflicts: tuple[Data, ...]
    conflict_count: int


def conflict_type(conflict: Conflict) -> str:
    """Return what kind of conflict it is: ``structure``, ``removal`` or ``value``.

    A map against a value at one place is a matter of structure, a removal against a value one of
    removal, two values one of values.
    """
    if len(conflict.paths) > 1:
        return STRUCTURE
    return REMOVAL if any(write.value is REMOVED for write in conflict.writes) else VALUE


def describe(decisions: Sequence[Decision]) -> tuple[Data, ...]:
    """Return conflicts as this table has them."""
    return tuple(
        [
            {
                "path": one.conflict.path,
                "type": conflict_type(one.conflict),
                "strategy": one.strategy,
                "held": one.held,
            }
            for one in decisions[:CONFLICTS_MAX]
        ]
    )


def metrics_item(measured: Measured, *, ttl_days: int) -> Item:
    """Return the item that keeps *measured* for *ttl_days*."""
    key, at = measured.key, iso_time(measured.at_ms)
    return {
        "bucket": {"S": at[:_HOUR_CHARS]},
        "entry": {"S": f"{at}#{key.thing}#{shadow_name(key)}#{measured.region}#{measured.revision:010d}"},
        "thingName": {"S": key.thing},
        "shadowName": {"S": shadow_name(key)},
        "region": {"S": measured.region},
        "at": number(measured.at_ms),
        "revision": number(measured.revision),
        "fields": number(measured.fields),
        "conflictCount": number(measured.conflict_count),
        "conflicts": {"S": json.dumps(measured.conflicts, separators=(",", ":"))},
        "expiresAt": number(measured.at_ms // 1000 + ttl_days * _DAY_S),
    }


class SyncMetrics:
    """The sync metrics table, for those who read it.

    Args:
        client: Of DynamoDB.
        table: The table's name.
    """

    def __init__(self, client: DynamoDB, table: str) -> None:
        self._client = client
        self._table = table

    def between(self, since_ms: int, until_ms: int) -> Iterator[Measured]:
        """Yield what was measured in that time, hour by hour.

        Raises:
            AwsError: DynamoDB failed.
        """
        hour = since_ms - since_ms % _HOUR_MS
        while hour <= until_ms:
            for item in self._hour(hour):
                measured = _read(item)
                if since_ms <= measured.at_ms <= until_ms:
                    yield measured
            hour += _HOUR_MS

    def _hour(self, hour_ms: int) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "bucket = :hour",
            "ExpressionAttributeValues": {":hour": {"S": iso_time(hour_ms)[:_HOUR_CHARS]}},
        }
        while True:
            with translated(f"reading table {self._table}"):
                page = self._client.query(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _read(item: dict[str, Any]) -> Measured:
    name = text_of(item, "shadowName")
    return Measured(
        ShadowKey(text_of(item, "thingName"), None if name == CLASSIC else name),
        integer_of(item, "at"),
        text_of(item, "region"),
        integer_of(item, "revision"),
        integer_of(item, "fields"),
        tuple(json.loads(text_of(item, "conflicts") or "[]")),
        integer_of(item, "conflictCount"),
    )
