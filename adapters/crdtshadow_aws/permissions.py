"""What each function calls of AWS, by what it is called on; a role needs this and no more.

Tests hold it against the calls that are made, and against the policies of the Terraform module.
Lambda itself, with the function's role, reads the queue and the stream, and sends what it gave up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STATE_TABLE: Final = "state_table"
STATE_INDEX: Final = "state_index"
STATE_STREAM: Final = "state_stream"
HISTORY_TABLE: Final = "history_table"
CONFIGURATION_TABLE: Final = "configuration_table"
METRICS_TABLE: Final = "metrics_table"
UPDATES_QUEUE: Final = "updates_queue"
REFUSALS_QUEUE: Final = "refusals_queue"
ON_FAILURE_QUEUE: Final = "on_failure_queue"
EVENT_BUS: Final = "event_bus"
SHADOWS: Final = "shadows"
"""The shadows of the deployment's things."""
TOPICS: Final = "topics"
"""``crdtshadow/*``."""

CONFLICT_RESOLVER: Final = "conflict_resolver"
PUBLISHER: Final = "publisher"
SYNC_MANAGER: Final = "sync_manager"

CALLS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    CONFLICT_RESOLVER: {
        STATE_TABLE: ("dynamodb:Query", "dynamodb:UpdateItem"),
        CONFIGURATION_TABLE: ("dynamodb:BatchGetItem",),
        REFUSALS_QUEUE: ("sqs:SendMessage",),
        TOPICS: ("iot:Publish",),
    },
    PUBLISHER: {
        STATE_TABLE: ("dynamodb:Query", "dynamodb:UpdateItem"),
        HISTORY_TABLE: ("dynamodb:BatchWriteItem",),
        METRICS_TABLE: ("dynamodb:BatchWriteItem",),
        CONFIGURATION_TABLE: ("dynamodb:BatchGetItem",),
        REFUSALS_QUEUE: ("sqs:SendMessage",),
        EVENT_BUS: ("events:PutEvents",),
        SHADOWS: ("iot:GetThingShadow", "iot:UpdateThingShadow"),
        TOPICS: ("iot:Publish",),
    },
    SYNC_MANAGER: {
        STATE_TABLE: ("dynamodb:Query", "dynamodb:UpdateItem"),
        STATE_INDEX: ("dynamodb:Query",),
        METRICS_TABLE: ("dynamodb:Query",),
        CONFIGURATION_TABLE: ("dynamodb:BatchGetItem",),
        REFUSALS_QUEUE: ("sqs:SendMessage",),
        EVENT_BUS: ("events:PutEvents",),
        SHADOWS: ("iot:GetThingShadow", "iot:UpdateThingShadow"),
    },
}
"""Calls that the functions make themselves."""

LAMBDA_CALLS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    CONFLICT_RESOLVER: {
        UPDATES_QUEUE: ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
    },
    PUBLISHER: {
        STATE_STREAM: (
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ),
        ON_FAILURE_QUEUE: ("sqs:SendMessage",),
    },
    SYNC_MANAGER: {},
}
"""Calls that Lambda makes in their name, besides those for logs."""

VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    CONFLICT_RESOLVER: ("STATE_TABLE", "CONFIGURATION_TABLE", "REFUSALS_QUEUE_URL"),
    PUBLISHER: (
        "STATE_TABLE",
        "HISTORY_TABLE",
        "CONFIGURATION_TABLE",
        "METRICS_TABLE",
        "REFUSALS_QUEUE_URL",
        "EVENT_BUS_NAME",
    ),
    SYNC_MANAGER: ("STATE_TABLE", "CONFIGURATION_TABLE", "METRICS_TABLE", "REFUSALS_QUEUE_URL", "EVENT_BUS_NAME"),
}
"""Environment variables without which a function cannot work; settings with defaults are not among them."""
