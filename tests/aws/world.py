"""The adapter in an account of moto's: tables, queue, bus, things; and what stands between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import boto3
from crdtshadow_aws import conflict_resolver, publisher, sync_manager
from crdtshadow_aws.clients import Clients
from crdtshadow_aws.composition import Parts
from moto import mock_aws

from tests.aws.events import sqs_event
from tests.aws.stream import Tap
from tests.aws.tables import ENVIRONMENT, make_tables

NOW_S = 1_795_600_000
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class World:
    """An account, the three functions in it, and a clock.

    Attributes:
        parts: What the functions work with.
        stream: The state table, and its stream.
        iot, sqs, events: Clients of one's own.
        now_ms: The wall clock.
    """

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        client = {
            name: boto3.client(name, region_name="us-east-1")
            for name in ("dynamodb", "iot", "iot-data", "sqs", "events")
        }
        make_tables(client["dynamodb"])
        self.now_ms = NOW_S * 1000
        self.iot, self.sqs, self.events = client["iot-data"], client["sqs"], client["events"]
        self.dynamodb = client["dynamodb"]
        self.refusals_url: str = self.sqs.create_queue(QueueName="refusals")["QueueUrl"]
        self.events.create_event_bus(Name="shadow-sync")
        self.things = client["iot"]
        self.things.create_thing(thingName="thermostat")
        self.stream = Tap(client["dynamodb"])
        clients = Clients(region="us-east-1")
        clients.dynamodb, clients.iot, clients.sqs, clients.events = self.stream, self.iot, self.sqs, self.events
        self.parts = Parts(
            {**ENVIRONMENT, "REFUSALS_QUEUE_URL": self.refusals_url, **(environment or {})},
            clients=clients,
            now=lambda: self.now_ms,
            pause=lambda attempt: None,
        )

    def update(self, state: object, *, shadow: str | None = None, thing: str = "thermostat", **more: Any) -> Any:
        """Write the AWS shadow as a plain writer does; return the event that a rule then delivers."""
        names = {"thingName": thing} | ({"shadowName": shadow} if shadow else {})
        before = self.shadow(shadow=shadow, thing=thing)
        self.iot.update_thing_shadow(**names, payload=json.dumps({"state": state, **more}))
        after = self.shadow(shadow=shadow, thing=thing)
        return {**names, "previous": before or None, "current": after, "timestamp": self.now_ms // 1000, **more}

    def shadow(self, *, shadow: str | None = None, thing: str = "thermostat") -> Any:
        """Return the AWS shadow: state, metadata and version; ``{}`` if there is none."""
        names = {"thingName": thing} | ({"shadowName": shadow} if shadow else {})
        try:
            found = json.loads(self.iot.get_thing_shadow(**names)["payload"].read())
        except self.iot.exceptions.ResourceNotFoundException:
            return {}
        found.get("state", {}).pop("delta", None)
        return {name: found[name] for name in ("state", "metadata", "version") if name in found}

    def deliver(self, *bodies: object) -> list[str]:
        """Invoke the resolver with a batch; return the message ids that have to come again."""
        answer: Any = conflict_resolver.handle(self.parts, sqs_event(*bodies))
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def pump(self) -> list[str]:
        """Invoke the publisher until the stream is empty; return the sequence numbers that have to come again."""
        failed: list[str] = []
        while records := self.stream.take():
            answer: Any = publisher.handle(self.parts, {"Records": records})
            failed += [one["itemIdentifier"] for one in answer["batchItemFailures"]]
        return failed

    def ask(self, operation: str, **arguments: Any) -> tuple[int, Any]:
        """Invoke the sync manager; return status and body."""
        answer: Any = sync_manager.handle(self.parts, {"operation": operation, **arguments})
        return answer["statusCode"], json.loads(answer["body"])

    def refusals(self) -> list[Any]:
        """Return what is in the refusals queue, and empty it."""
        found: list[Any] = []
        while messages := self.sqs.receive_message(QueueUrl=self.refusals_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.refusals_url, ReceiptHandle=message["ReceiptHandle"])
        return found


@contextmanager
def account(environment: dict[str, str] | None = None) -> Iterator[World]:
    """Make an account for as long as the block lasts."""
    with mock.patch.dict("os.environ", CREDENTIALS), mock_aws():
        yield World(environment)
