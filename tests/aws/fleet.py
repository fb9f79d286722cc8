"""A fleet and all of its account, simulated from one seed: devices, apps, people, queues, faults."""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any, Final

from crdtshadow_walk import ShadowKey, decode_record

from crdtshadow import EMPTY_CLOCK, Delta, MissingBase, Policy, Replica, Shadow
from tests.aws.account import Account
from tests.aws.faults import FAULTS, Faulty
from tests.aws.tables import ENVIRONMENT

THINGS: Final = ("boiler", "cellar", "door")
SHADOWS: Final = (None, "config")
VALUES: Final[tuple[object, ...]] = (
    0,
    1,
    1.0,
    -2.5,
    True,
    "x",
    "é",
    [1, 2],
    [{"a": 1}],
    {},
    {"b": 1},
    {"b": {"d": 2.5}},
    None,
)
EVENTS: Final = (
    *("device", "device", "plain", "app", "offline", "review"),
    *("resolve", "resolve", "publish", "line"),
)
FIELDS: Final = ("a", "c", "e")


class Device:
    """A thing with a replica of its own for one shadow, behind a line that loses messages."""

    def __init__(self, account: Account, key: ShadowKey, epoch: int, skew_ms: int) -> None:
        self.key = key
        self.replica = Replica(key.thing, epoch=epoch, now=lambda: account.now_ms + skew_ms)
        self.cloud = EMPTY_CLOCK
        self._account = account

    def send(self) -> None:
        """Send what the cloud is not known to have."""
        self._send(self.replica.delta(self.cloud))

    def ask(self) -> None:
        """Ask for what is lacking here."""
        clock = self.replica.clock
        self._send(Delta(clock, clock, rows={}))

    def hear(self, end: str, payload: bytes) -> None:
        """Take in what came on the thing's topics."""
        if end == "merged":
            delta = Delta.decode(payload)
            try:
                self.replica.merge(delta)
            except MissingBase:
                self.ask()
                return
            self.cloud = self.cloud.join(delta.upto)
            return
        told = json.loads(payload)
        if told["code"] == "missing_base":
            self.cloud = Delta.decode(base64.b64decode(told["have"])).upto
            self.send()

    def _send(self, delta: Delta) -> None:
        self._account.send_delta(self.key.thing, delta.encode(), shadow=self.key.shadow or "$default")


class Fleet:
    """What happens to a fleet, step by step.

    Args:
        seed: All of it follows from this.
        faults: How likely it is that a call of AWS fails.
        strategy: The default one.

    Attributes:
        account: All of AWS.
        devices: Those with replicas.
        bodies, records: All that was ever delivered to the resolver, and to the publisher.
        faults_met: How many calls failed.
    """

    def __init__(self, seed: int, *, faults: float = 0.0, strategy: str = "field_level_merge") -> None:
        self._random = Random(seed)
        self._faults = faults
        self.faults_met = 0
        environment = {**ENVIRONMENT, "DEFAULT_CONFLICT_STRATEGY": strategy, "AUTO_RESOLVE_THRESHOLD": "100"}
        self.account = Account(environment, between=lambda name, client: Faulty(name, client, self._choose_fault))
        self.keys = [ShadowKey(thing, shadow) for thing in THINGS for shadow in SHADOWS]
        self.devices = {
            key: Device(self.account, key, epoch=at + 1, skew_ms=self._random.choice((-5_000, 0, 900)))
            for at, key in enumerate(self.keys)
            if key.thing != "cellar"
        }
        self.bodies: list[str] = []
        self.records: list[dict[str, Any]] = []
        self._topics: list[tuple[str, bytes]] = []

    def _choose_fault(self, call: str) -> str:
        if self._random.random() >= self._faults:
            return ""
        self.faults_met += 1
        return self._random.choice(FAULTS)

    def step(self) -> None:
        """Let one thing happen."""
        dice = self._random
        key = dice.choice(self.keys)
        self.account.now_ms += dice.choice((0, 1, 300, 2_000))
        match dice.choice(
            ("device", "device", "plain", "app", "offline", "resolve", "resolve", "publish", "line", "review")
        ):
            case "device" if key in self.devices:
                self.devices[key].replica.update(self._patch())
                if dice.random() < 0.7:
                    self.devices[key].send()
            case "plain":
                self.account.write(key.thing, self._patch(), shadow=key.shadow)
            case "app":
                token = f"app-{dice.randrange(99)}"
                self.account.write(key.thing, self._patch(), shadow=key.shadow, clientToken=token)
            case "offline":
                self._come_back(key)
            case "resolve":
                self._resolve(dice.randint(1, 6))
            case "publish":
                self._publish(dice.randint(1, 4))
            case "line":
                self._carry(dice.randint(1, 6))
            case "review":
                self._review(key)

    def _patch(self) -> dict[str, Any]:
        dice = self._random
        sections = dice.choice((["desired"], ["reported"], ["desired", "reported"]))
        return {section: {dice.choice(FIELDS): dice.choice(VALUES)} for section in sections}

    def _come_back(self, key: ShadowKey) -> None:
        at_s = self.account.now_ms / 1000 - self._random.randrange(60)
        change = {"shadowName": key.shadow, "state": self._patch(), "timestamp": at_s}
        self.account.ask("offline_sync", thingName=key.thing, offlineDurationSeconds=90, cachedChanges=[change])

    def _review(self, key: ShadowKey) -> None:
        status, found = self.account.ask("conflicts", thingName=key.thing, shadowName=key.shadow)
        if status == 200 and found["conflicts"]:
            path = self._random.choice(found["conflicts"])["path"]
            names = {"thingName": key.thing, "shadowName": key.shadow}
            self.account.ask("resolve_conflict", **names, path=path, value=self._random.randrange(9))

    def _resolve(self, count: int) -> None:
        """Deliver some of the queue, in any order, some of it twice, some of it again much later."""
        dice, queue = self._random, self.account.updates
        dice.shuffle(queue)
        batch, queue[:] = queue[:count], queue[count:]
        self.bodies += batch
        batch += [body for body in batch if dice.random() < 0.2]
        if self.bodies and dice.random() < 0.3:
            batch.append(dice.choice(self.bodies))
        if batch:
            queue += self.account.resolve(batch)

    def _publish(self, count: int) -> None:
        """Deliver some of the stream, in its order, sometimes again from an earlier record on."""
        stream = self.account.dynamodb.stream
        batch, stream[:] = stream[:count], stream[count:]
        self.records += batch
        again = self.account.publish(batch)
        if batch and self._random.random() < 0.2:
            again = batch[self._random.randrange(len(batch)) :]
        stream[:0] = again

    def _carry(self, count: int) -> None:
        """Bring messages to the devices, in any order, some twice; lose some."""
        self._topics += self.account.topics
        self.account.topics.clear()
        self._random.shuffle(self._topics)
        carried, self._topics = self._topics[:count], self._topics[count:]
        for topic, payload in carried:
            for _ in range(self._random.choice((0, 1, 1, 1, 2))):
                self._hear(topic, payload)

    def _hear(self, topic: str, payload: bytes) -> None:
        _, thing, shadow, end = topic.split("/")
        device = self.devices.get(ShadowKey(thing, None if shadow == "$default" else shadow))
        if device is not None:
            device.hear(end, payload)

    def settle(self) -> None:
        """Let everything arrive, without faults, until nobody has anything to say."""
        self._faults = 0.0
        for _ in range(20):
            for device in self.devices.values():
                device.ask()
            before = self.fingerprint()
            self._deliver_all()
            if self.fingerprint() == before:
                return
        raise AssertionError("the fleet does not settle")

    def _deliver_all(self) -> None:
        account = self.account
        for _ in range(100):
            if not account.updates and not account.dynamodb.stream and not account.topics and not self._topics:
                return
            self.bodies += account.updates
            batch, account.updates[:] = list(account.updates), []
            account.updates += account.resolve(batch) if batch else []
            records = account.take_stream()
            self.records += records
            account.dynamodb.stream[:0] = account.publish(records)
            topics, self._topics = self._topics + account.topics, []
            account.topics.clear()
            for topic, payload in topics:
                self._hear(topic, payload)
        raise AssertionError("updates do not end")

    def fingerprint(self) -> tuple[object, ...]:
        """Return what changes whenever anything does: writes, updates, what devices know."""
        return (
            self.account.dynamodb.writes,
            self.account.iot.updates,
            tuple(device.replica.shadow.digest() for device in self.devices.values()),
        )

    def state(self, key: ShadowKey) -> Shadow:
        """Return the cloud's state of a shadow."""
        return decode_record(key, self.account.parts.store.load((key,))[key], default_policy=Policy()).shadow
