"""Events for the functions, as AWS delivers them."""

from __future__ import annotations

import base64
import json
from typing import Any

from crdtshadow import Delta


def sqs_event(*bodies: object) -> dict[str, Any]:
    """Return a batch of the updates queue; bodies that are no text are written as JSON.

    Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
    """
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-0000-0000-{at:012d}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1795600000000",
                    "SenderId": "AROAEXAMPLE:iot-rule",
                    "ApproximateFirstReceiveTimestamp": "1795600000001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:shadow-updates",
                "awsRegion": "us-east-1",
            }
            for at, body in enumerate(bodies)
        ]
    }


def delta_body(delta: Delta | bytes, *, thing: str = "thermostat", shadow: str = "$default", source: str = "") -> Any:
    """Return what the rule for ``crdtshadow/+/+/delta`` makes of a delta."""
    data = delta if isinstance(delta, bytes) else delta.encode()
    return {
        "delta": base64.b64encode(data).decode(),
        "thingName": thing,
        "shadowName": shadow,
        "source": source or thing,
    }
