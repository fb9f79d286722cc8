"""The AWS resources that the adapter works with, as the Terraform module makes them, at a moto endpoint."""

from __future__ import annotations

from typing import Any

ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "STATE_TABLE": "shadow-state",
    "HISTORY_TABLE": "shadow-history",
    "CONFIGURATION_TABLE": "device-configuration",
    "METRICS_TABLE": "sync-metrics",
    "EVENT_BUS_NAME": "shadow-sync",
    "DEFAULT_CONFLICT_STRATEGY": "field_level_merge",
    "AUTO_RESOLVE_THRESHOLD": "5",
}

_TABLES = {
    "shadow-state": ("thingName", "shadowRegion"),
    "shadow-history": ("shadow", "entry"),
    "device-configuration": ("thingName", "configType"),
    "sync-metrics": ("bucket", "entry"),
}


def make_tables(dynamodb: Any) -> None:
    """Make the four tables."""
    for table, (hash_key, range_key) in _TABLES.items():
        names = [hash_key, range_key]
        more: dict[str, Any] = {}
        if table == "shadow-state":
            names.append("pendingReview")
            more = {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "pending-conflicts",
                        "KeySchema": _keys("pendingReview", "thingName"),
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
            }
        dynamodb.create_table(
            TableName=table,
            KeySchema=_keys(hash_key, range_key),
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )


def _keys(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]
