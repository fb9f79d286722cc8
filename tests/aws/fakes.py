"""DynamoDB, SQS and EventBridge in memory, for simulations: fast, strict about what the adapter relies on."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from tests.aws.shadow_service import client_error
from tests.aws.stream import stream_record

ITEM_BYTES_MAX = 400 * 1024
KEYS = {
    "shadow-state": ("thingName", "shadowRegion"),
    "shadow-history": ("shadow", "entry"),
    "device-configuration": ("thingName", "configType"),
    "sync-metrics": ("bucket", "entry"),
}


class FakeDynamoDB:
    """Tables, and the stream of the state table.

    Attributes:
        tables: Items by table and key.
        stream: What became of the state table's rows, oldest first, as Lambda is told.
        writes: How many rows of the state table were written.
    """

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], Any]] = {name: {} for name in KEYS}
        self.stream: list[dict[str, Any]] = []
        self.writes = 0

    def query(self, **request: Any) -> Any:
        table = self.tables[request["TableName"]]
        values = {name: value["S"] for name, value in request["ExpressionAttributeValues"].items()}
        hash_name, range_name = KEYS[request["TableName"]]
        expression = request["KeyConditionExpression"]
        if request.get("IndexName"):
            assert expression == "pendingReview = :pending"
            wanted = [item for item in table.values() if item.get("pendingReview", {}).get("S") == values[":pending"]]
            return {"Items": [{name: item[name] for name in (*KEYS["shadow-state"],)} for item in wanted]}
        first, _, second = expression.partition(" AND ")
        name, _, place = first.partition(" = ")
        assert name == hash_name
        found = [item for (key, _), item in table.items() if key == values[place]]
        if begins := re.fullmatch(r"begins_with\((\w+), (:\w+)\)", second):
            assert begins[1] == range_name
            found = [item for item in found if item[range_name]["S"].startswith(values[begins[2]])]
        elif between := re.fullmatch(r"(\w+) BETWEEN (:\w+) AND (:\w+)", second):
            assert between[1] == range_name
            found = [item for item in found if values[between[2]] <= item[range_name]["S"] <= values[between[3]]]
        else:
            assert not second
        found.sort(key=lambda item: str(item[range_name]["S"]), reverse=not request.get("ScanIndexForward", True))
        return {"Items": deepcopy(found)}

    def get_item(self, **request: Any) -> Any:
        item = self.tables[request["TableName"]].get(_key(request["TableName"], request["Key"]))
        return {"Item": deepcopy(item)} if item else {}

    def update_item(self, **request: Any) -> Any:
        assert request["TableName"] == "shadow-state"
        table, key = self.tables["shadow-state"], _key("shadow-state", request["Key"])
        before = table.get(key, {})
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        condition = request["ConditionExpression"]
        if condition == "attribute_not_exists(#revision)":
            holds = names["#revision"] not in before
        else:
            assert condition == "#revision = :before"
            holds = before.get(names["#revision"]) == values[":before"]
        if not holds:
            old = {"Item": deepcopy(before)} if before else {}
            raise client_error("ConditionalCheckFailedException", 400, "The conditional request failed", **old)
        after = {**before, **request["Key"]}
        sets, _, removes = request["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
        for clause in sets.split(", "):
            name, _, place = clause.partition(" = ")
            after[names[name]] = deepcopy(values[place])
        for name in removes.split(", ") if removes else ():
            after.pop(names[name], None)
        if _size(after) > ITEM_BYTES_MAX:
            raise client_error("ValidationException", 400, "Item size has exceeded the maximum allowed size")
        table[key] = after
        self.writes += 1
        if after != before:
            self.stream.append(stream_record(request["Key"], before, after, self.writes))
        return {}

    def batch_get_item(self, **request: Any) -> Any:
        found: dict[str, list[Any]] = {}
        for table, wanted in request["RequestItems"].items():
            assert len(wanted["Keys"]) <= 100
            items = [self.tables[table].get(_key(table, key)) for key in wanted["Keys"]]
            found[table] = [deepcopy(item) for item in items if item]
        return {"Responses": found, "UnprocessedKeys": {}}

    def batch_write_item(self, **request: Any) -> Any:
        assert 0 < sum(map(len, request["RequestItems"].values())) <= 25
        for table, writes in request["RequestItems"].items():
            for write in writes:
                item = write["PutRequest"]["Item"]
                if _size(item) > ITEM_BYTES_MAX:
                    raise client_error("ValidationException", 400, "Item size has exceeded the maximum allowed size")
                self.tables[table][_key(table, item)] = deepcopy(item)
        return {"UnprocessedItems": {}}


class FakeSqs:
    """One queue.

    Attributes:
        bodies: What was sent.
    """

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> Any:
        assert len(MessageBody.encode()) <= 256 * 1024
        self.bodies.append(MessageBody)
        return {"MessageId": str(len(self.bodies))}


class FakeEvents:
    """One bus.

    Attributes:
        entries: What was sent.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> Any:
        assert 0 < len(Entries) <= 10
        assert sum(len(text.encode()) for entry in Entries for text in entry.values()) <= 256 * 1024
        self.entries += deepcopy(Entries)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}


def _key(table: str, item: Any) -> tuple[str, str]:
    hash_name, range_name = KEYS[table]
    return item[hash_name]["S"], item[range_name]["S"]


def _size(item: Any) -> int:
    """Return what DynamoDB counts, as its documentation says."""
    size = 0
    for name, value in item.items():
        size += len(name.encode()) + _value_size(value)
    return size


def _value_size(value: Any) -> int:
    if "S" in value:
        return len(value["S"].encode())
    if "B" in value:
        return len(value["B"])
    if "N" in value:
        return len(value["N"].strip("-0.")) // 2 + 1
    if "L" in value:
        return 3 + sum(1 + _value_size(one) for one in value["L"])
    if "M" in value:
        return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in value["M"].items())
    return 1
