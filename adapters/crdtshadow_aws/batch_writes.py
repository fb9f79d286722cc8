"""Items put into tables, many with one request, until DynamoDB has taken all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from crdtshadow_aws.clients import DynamoDB
from crdtshadow_aws.errors import AwsUnavailable, translated
from crdtshadow_aws.items import Item

_ITEMS_MAX: Final = 25
"""Of one BatchWriteItem (DynamoDB API reference)."""
_ROUNDS_MAX: Final = 5


def put_all(client: DynamoDB, items: Mapping[str, Sequence[Item]]) -> None:
    """Put *items*, by table, in place of those with the same keys.

    Raises:
        AwsError: DynamoDB failed; some may be written.
    """
    left = [(table, {"PutRequest": {"Item": item}}) for table, some in items.items() for item in some]
    tables = ", ".join(items)
    tries = len(left) // _ITEMS_MAX + _ROUNDS_MAX
    while left:
        if not tries:
            raise AwsUnavailable(f"writing to {tables}: {len(left)} items were left unwritten")
        tries -= 1
        now, left = left[:_ITEMS_MAX], left[_ITEMS_MAX:]
        requests: dict[str, list[object]] = {}
        for table, request in now:
            requests.setdefault(table, []).append(request)
        with translated(f"writing to {tables}"):
            answer = client.batch_write_item(RequestItems=requests)
        left += [(table, request) for table, some in answer.get("UnprocessedItems", {}).items() for request in some]
