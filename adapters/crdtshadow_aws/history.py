"""The history table: for each change of a shadow, who changed which path from what to what, and the delta.

An item has ``shadow`` (``<thing>#<shadowName>``) and ``entry`` (time, revision, region: sorted by time,
and the same when the same change is told again); ``changes`` holds the lines as JSON text, ``delta``
what the change was, so that a shadow's past can be merged again somewhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from crdtshadow_walk import Data, Entry, ShadowKey, StateDamaged, iso_time, read_stamp, say_stamp

from crdtshadow import REMOVED, CrdtShadowError, Stamp, Write
from crdtshadow_aws.clients import DynamoDB
from crdtshadow_aws.errors import translated
from crdtshadow_aws.items import Item, bytes_of, integer_of, number, shadow_name, text_of

LINES_BYTES_MAX: Final = 256 * 1024
"""Of the lines in one item; more go into further items."""

_DAY_S: Final = 86_400


class Past(NamedTuple):
    """A change of a shadow.

    Attributes:
        key: The shadow.
        at_ms: When it was stored.
        region: Where.
        revision: Of that region's row.
        entries: What changed for readers.
        delta: What was merged or written, empty if only the policy changed.
    """

    key: ShadowKey
    at_ms: int
    region: str
    revision: int
    entries: tuple[Entry, ...]
    delta: bytes


def history_items(past: Past, *, ttl_days: int) -> list[Item]:
    """Return the items that keep *past*: one, unless it is very large.

    Args:
        past: What happened.
        ttl_days: After how many days DynamoDB may delete them; 0 for never.
    """
    chunks: list[list[Data]] = [[]]
    room = LINES_BYTES_MAX - len(past.delta)
    for entry in past.entries:
        line = _pack(entry)
        size = len(json.dumps(line).encode())
        if size > room and (chunks[-1] or len(chunks) == 1):
            chunks.append([])
            room = LINES_BYTES_MAX
        chunks[-1].append(line)
        room -= size
    items = []
    for at, lines in enumerate(chunks):
        item: Item = {
            "shadow": {"S": f"{past.key.thing}#{shadow_name(past.key)}"},
            "entry": {"S": f"{iso_time(past.at_ms)}#{past.revision:010d}#{past.region}#{at}"},
            "at": number(past.at_ms),
            "region": {"S": past.region},
            "revision": number(past.revision),
            "changes": {"S": json.dumps(lines, ensure_ascii=False, separators=(",", ":"))},
        }
        if past.delta and not at:
            item["delta"] = {"B": past.delta}
        if ttl_days:
            item["expiresAt"] = number(past.at_ms // 1000 + ttl_days * _DAY_S)
        items.append(item)
    return items


class History:
    """The history table, for those who read it.

    Args:
        client: Of DynamoDB.
        table: The table's name.
    """

    def __init__(self, client: DynamoDB, table: str) -> None:
        self._client = client
        self._table = table

    def of(
        self, key: ShadowKey, *, newest_first: bool = False, since_ms: int | None = None, until_ms: int | None = None
    ) -> Iterator[Past]:
        """Yield what happened to a shadow, one item at a time, oldest first by default.

        Args:
            key: The shadow.
            newest_first: The other way round.
            since_ms: Nothing from before this.
            until_ms: Nothing from after this.

        Raises:
            AwsError: DynamoDB failed.
            StateDamaged: An item is not what this package wrote.
        """
        low = iso_time(since_ms or 0)
        high = iso_time(until_ms) + "$" if until_ms is not None else "~"  # "$" follows "#", "~" any digit
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "shadow = :shadow AND entry BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":shadow": {"S": f"{key.thing}#{shadow_name(key)}"},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            "ScanIndexForward": not newest_first,
        }
        while True:
            with translated(f"reading table {self._table}"):
                page = self._client.query(**request)
            for item in page["Items"]:
                yield _read(key, item)
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def _pack(entry: Entry) -> Data:
    packed: Data = {"path": entry.path, "before": entry.before, "after": entry.after}
    if entry.stamp is not None:
        packed["stamp"] = say_stamp(entry.stamp)
    if entry.strategy:
        packed["strategy"] = entry.strategy
    if entry.held:
        packed["held"] = True
    if entry.writes:
        packed["writes"] = [_pack_write(write) for write in entry.writes]
    return packed


def _pack_write(write: Write) -> Data:
    outcome: Data = {"removed": True} if write.value is REMOVED else {"value": write.value}
    return {"path": write.path, "stamp": say_stamp(write.stamp), **outcome}


def _read(key: ShadowKey, item: dict[str, Any]) -> Past:
    try:
        lines = json.loads(text_of(item, "changes"))
        return Past(
            key,
            integer_of(item, "at"),
            text_of(item, "region"),
            integer_of(item, "revision"),
            tuple([_read_line(line) for line in lines]),
            bytes_of(item, "delta"),
        )
    except (ValueError, TypeError, KeyError, AttributeError, CrdtShadowError) as error:
        raise StateDamaged(f"shadow {key}: history {text_of(item, 'entry')} cannot be read: {error!r}") from None


def _read_line(line: dict[str, Any]) -> Entry:
    return Entry(
        line["path"],
        line["before"],
        line["after"],
        _read_stamp(line.get("stamp")),
        line.get("strategy", ""),
        line.get("held", False),
        tuple(
            [Write(one["path"], read_stamp(one["stamp"]), one.get("value", REMOVED)) for one in line.get("writes", ())]
        ),
    )


def _read_stamp(text: str | None) -> Stamp | None:
    return None if text is None else read_stamp(text)


def lines_of(pasts: Sequence[Past]) -> list[Data]:
    """Return the lines of *pasts* for JSON."""
    return [{"at": iso_time(past.at_ms), "region": past.region, **_pack(one)} for past in pasts for one in past.entries]
