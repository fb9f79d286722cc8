"""The AWS clients: what is called of each, and how they are made, once, when first used."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, Protocol

import boto3
from botocore.config import Config

CONNECT_S: Final = 2
READ_S: Final = 5
ATTEMPTS_MAX: Final = 3
"""Of a single request, by botocore; what still fails comes again with its message or stream record."""

Answer = dict[str, Any]


class DynamoDB(Protocol):
    """Tables."""

    def query(self, **request: Any) -> Answer: ...
    def update_item(self, **request: Any) -> Answer: ...
    def batch_get_item(self, **request: Any) -> Answer: ...
    def batch_write_item(self, **request: Any) -> Answer: ...


class IotData(Protocol):
    """Shadows, and topics."""

    def get_thing_shadow(self, **request: Any) -> Answer: ...
    def update_thing_shadow(self, **request: Any) -> Answer: ...
    def publish(self, **request: Any) -> Answer: ...


class Sqs(Protocol):
    """Queues."""

    def send_message(self, **request: Any) -> Answer: ...
    def receive_message(self, **request: Any) -> Answer: ...
    def delete_message(self, **request: Any) -> Answer: ...


class Events(Protocol):
    """The event bus."""

    def put_events(self, **request: Any) -> Answer: ...


class Clients:
    """The clients of one process, made when first used.

    Args:
        region: Where.
        iot_endpoint: The host of the IoT data endpoint; ``""`` for boto3's choice.
    """

    def __init__(self, *, region: str, iot_endpoint: str = "") -> None:
        self._region = region
        self._iot_endpoint = iot_endpoint

    @cached_property
    def dynamodb(self) -> DynamoDB:
        """Tables."""
        client: DynamoDB = self._make("dynamodb")
        return client

    @cached_property
    def iot(self) -> IotData:
        """Shadows and topics, at the account's data endpoint."""
        client: IotData = self._make("iot-data", self._iot_endpoint)
        return client

    @cached_property
    def sqs(self) -> Sqs:
        """Queues."""
        client: Sqs = self._make("sqs")
        return client

    @cached_property
    def events(self) -> Events:
        """The event bus."""
        client: Events = self._make("events")
        return client

    def _make(self, service: str, host: str = "") -> Any:
        config = Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        )
        where = {"endpoint_url": f"https://{host}"} if host else {}
        return boto3.client(service, region_name=self._region or None, config=config, **where)
