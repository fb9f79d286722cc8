"""A whole account in memory: the fakes, the IoT rules between them, and the three functions.

What arrives on topics goes through the rules as the Terraform module writes them into the updates queue; what the
state table's stream has goes to the publisher. Nothing happens by itself: tests decide what is delivered when.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from crdtshadow_aws import conflict_resolver, publisher, sync_manager
from crdtshadow_aws.clients import Clients
from crdtshadow_aws.composition import Parts

from tests.aws.events import sqs_event
from tests.aws.fakes import FakeDynamoDB, FakeEvents, FakeSqs
from tests.aws.shadow_service import FakeIotData
from tests.aws.tables import ENVIRONMENT

NOW_MS = 1_795_600_000_000
OURS = "crdtshadow-"


class Account:
    """An account and its clock.

    Args:
        environment: Variables besides the usual ones.
        between: Stands in front of every client: gets its name and the client, returns what is called.

    Attributes:
        now_ms: The wall clock of all of AWS.
        updates: The updates queue: bodies that wait for the resolver.
        clients: Those that the functions use.
        topics: What was published on ``crdtshadow/*``: topic and payload, oldest first.
    """

    def __init__(
        self,
        environment: dict[str, str] | None = None,
        *,
        between: Callable[[str, Any], Any] = lambda name, client: client,
        epochs: Callable[[], int] = lambda: 0xC10D,
    ) -> None:
        self.now_ms = NOW_MS
        self.updates: list[str] = []
        self.topics: list[tuple[str, bytes]] = []
        self.dynamodb, self.refusals, self.bus = FakeDynamoDB(), FakeSqs(), FakeEvents()
        self.iot = FakeIotData(
            lambda: self.now_ms // 1000,
            documents=self._document_rule,
            published=lambda topic, payload: self.topics.append((topic, payload)),
        )
        clients = Clients(region="us-east-1")
        clients.dynamodb = between("dynamodb", self.dynamodb)
        clients.sqs, clients.events = between("sqs", self.refusals), between("events", self.bus)
        clients.iot = between("iot", self.iot)
        self.clients = clients
        self.parts = Parts(
            {**ENVIRONMENT, "REFUSALS_QUEUE_URL": "https://sqs/refusals", **(environment or {})},
            clients=clients,
            now=lambda: self.now_ms,
            pause=lambda attempt: None,
            epochs=epochs,
        )

    def _document_rule(self, thing: str, shadow: str | None, event: dict[str, Any]) -> None:
        if not str(event.get("clientToken", "")).startswith(OURS):
            names = {"thingName": thing} | ({"shadowName": shadow} if shadow else {})
            self.updates.append(json.dumps({**event, **names}))

    def send_delta(self, thing: str, data: bytes, *, shadow: str = "$default", client: str = "") -> None:
        """Publish on ``crdtshadow/<thing>/<shadow>/delta``, as the MQTT client *client*."""
        body = {
            "delta": base64.b64encode(data).decode(),
            "thingName": thing,
            "shadowName": shadow,
            "source": client or thing,
        }
        self.updates.append(json.dumps(body))

    def write(self, thing: str, state: object, *, shadow: str | None = None, **more: Any) -> None:
        """Update the AWS shadow as a plain writer does."""
        names = {"thingName": thing} | ({"shadowName": shadow} if shadow else {})
        self.iot.update_thing_shadow(**names, payload=json.dumps({"state": state, **more}))

    def resolve(self, bodies: list[str]) -> list[str]:
        """Invoke the resolver with a batch; return the bodies that have to come again."""
        answer: Any = conflict_resolver.handle(self.parts, sqs_event(*bodies))
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        return [body for at, body in enumerate(bodies) if f"00000000-0000-0000-0000-{at:012d}" in failed]

    def publish(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Invoke the publisher; return the records that come again: the first that failed, and all after it."""
        if not records:
            return []
        answer: Any = publisher.handle(self.parts, {"Records": records})
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        first = next((at for at, number in enumerate(numbers) if number in failed), len(records))
        return records[first:]

    def ask(self, operation: str, **arguments: Any) -> tuple[int, Any]:
        """Invoke the sync manager; return status and body."""
        answer: Any = sync_manager.handle(self.parts, {"operation": operation, **arguments})
        return answer["statusCode"], json.loads(answer["body"])

    def take_stream(self) -> list[dict[str, Any]]:
        """Return the stream's records so far, and forget them."""
        taken, self.dynamodb.stream[:] = list(self.dynamodb.stream), []
        return taken

    def settle(self) -> None:
        """Deliver everything, in order and without faults, until nothing is left."""
        for _ in range(100):
            if not self.updates and not self.dynamodb.stream:
                return
            bodies, self.updates[:] = list(self.updates), []
            self.updates += self.resolve(bodies) if bodies else []
            again = self.publish(self.take_stream())
            self.dynamodb.stream[:0] = again
        raise AssertionError("updates do not end")
