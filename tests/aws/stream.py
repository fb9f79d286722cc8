"""The state table's stream, taken at the client: every write, as Lambda would be told of it."""

from __future__ import annotations

import base64
from itertools import count
from typing import Any


class Tap:
    """A DynamoDB client that remembers what each write did to a row.

    Args:
        client: The client that it stands in front of; has ``get_item`` too.
        table: Whose writes are remembered.

    Attributes:
        records: Stream records, oldest first, as in an event for Lambda.
        calls: Names of all calls, in order.
    """

    def __init__(self, client: Any, table: str = "shadow-state") -> None:
        self._client = client
        self._table = table
        self._numbers = count(1)
        self.records: list[dict[str, Any]] = []
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def counted(**request: Any) -> Any:
            self.calls.append(name)
            return call(**request)

        return counted

    def update_item(self, **request: Any) -> Any:
        self.calls.append("update_item")
        key = request["Key"]
        before = self._item(key)
        try:
            return self._client.update_item(**request)
        finally:
            after = self._item(key)
            if request["TableName"] == self._table and after != before:
                self.records.append(stream_record(key, before, after, next(self._numbers)))

    def _item(self, key: dict[str, Any]) -> dict[str, Any]:
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: dict[str, Any] = found.get("Item", {})
        return item

    def take(self) -> list[dict[str, Any]]:
        """Return the records so far, and forget them."""
        taken, self.records = self.records, []
        return taken


def stream_record(key: dict[str, Any], before: dict[str, Any], after: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a record of a table's stream, as an event for Lambda has it.

    Source: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
    """
    images = {name: on_the_wire(item) for name, item in (("OldImage", before), ("NewImage", after)) if item}
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT" if not before else "MODIFY" if after else "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_700_000_000,
            "Keys": on_the_wire(key),
            **images,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/shadow-state/stream/2026-01-01T00:00:00.000",
    }


def on_the_wire(value: Any) -> Any:
    """Return attribute values as JSON has them: bytes in base64."""
    if isinstance(value, dict):
        return {name: on_the_wire(one) for name, one in value.items()}
    if isinstance(value, list):
        return [on_the_wire(one) for one in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
