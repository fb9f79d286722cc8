"""Device configuration: what the table says of a thing, checked, and remembered for a while.

An item has ``thingName``, ``configType`` and ``config``, which is a DynamoDB map or JSON text:

``conflict_resolution``
    A policy, as :mod:`crdtshadow.policy` describes it.

``sync_preferences``
    ``speaks_for``: names of the replicas besides the thing itself whose writes may come over the
    thing's topics, ``["*"]`` for any (a gateway); ``merged_deltas``: whether what was merged is sent to
    the thing's topic; ``offline_after_seconds``: without news for so long, a health report calls the
    thing silent.

What is missing is at its default. An item that is invalid is reported and not obeyed as a whole.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from crdtshadow_walk import MessageRefused, ShadowKey, decode_json

from crdtshadow import CrdtShadowError, InvalidPolicy, Policy
from crdtshadow_aws.clients import DynamoDB
from crdtshadow_aws.errors import AwsUnavailable, translated
from crdtshadow_aws.items import text_of

CONFLICT_RESOLUTION: Final = "conflict_resolution"
SYNC_PREFERENCES: Final = "sync_preferences"

CACHED_MAX: Final = 1_000
"""Things whose configuration is remembered; those not used for longest give way."""

CACHED_MS: Final = 60_000
"""How long it is remembered; so much later, a change has taken effect everywhere."""

OFFLINE_AFTER_S: Final = 3_600
ANYBODY: Final = "*"

_KEYS_MAX: Final = 100
"""Keys of one BatchGetItem (DynamoDB API reference)."""
_ROUNDS_MAX: Final = 5


class DeviceConfiguration(NamedTuple):
    """What is configured for a thing.

    Attributes:
        policy: Its own policy, ``None`` for the default.
        speaks_for: Further replicas whose writes may come over the thing's topics; ``None`` for any.
        merged_deltas: Whether what was merged is sent to the thing's topic.
        offline_after_s: After how much silence a health report says so.
        problems: Why what else the table says is not obeyed.
    """

    policy: Policy | None = None
    speaks_for: frozenset[str] | None = frozenset()
    merged_deltas: bool = True
    offline_after_s: int = OFFLINE_AFTER_S
    problems: tuple[str, ...] = ()


DEFAULT: Final = DeviceConfiguration()


class Configuration:
    """The configuration table, with a memory.

    Args:
        client: Of DynamoDB.
        table: The table's name; ``""`` if there is none, then all is at its default.
        now: Returns the wall clock in milliseconds since 1970.
        report: Told about each invalid item when it is read.
    """

    def __init__(
        self, client: Callable[[], DynamoDB], table: str, *, now: Callable[[], int], report: Callable[[str], None]
    ) -> None:
        self._client = client
        self._table = table
        self._now = now
        self._report = report
        self._known: OrderedDict[str, tuple[int, DeviceConfiguration]] = OrderedDict()

    def of(self, thing: str) -> DeviceConfiguration:
        """Return the configuration of *thing*.

        Raises:
            AwsError: DynamoDB failed.
        """
        self.fetch((thing,))
        return self._known[thing][1]

    def policy_of(self, key: ShadowKey) -> Policy | None:
        """Return the policy of a shadow's thing, ``None`` for the default.

        Raises:
            AwsError: DynamoDB failed.
        """
        return self.of(key.thing).policy

    def fetch(self, things: Iterable[str]) -> None:
        """Read what is not remembered of *things*, as many at once as DynamoDB allows.

        Raises:
            AwsError: DynamoDB failed.
        """
        now_ms = self._now()
        wanted = []
        for thing in dict.fromkeys(things):
            until, known = self._known.get(thing, (now_ms, DEFAULT))
            if now_ms < until:
                self._known.move_to_end(thing)
            else:
                wanted.append(thing)
        if not wanted:
            return
        found = self._read(wanted) if self._table else {}
        for thing in wanted:
            known = read_configuration(thing, found.get(thing, {}))
            for problem in known.problems:
                self._report(problem)
            self._known[thing] = (now_ms + CACHED_MS, known)
            self._known.move_to_end(thing)
        while len(self._known) > max(CACHED_MAX, len(wanted)):
            self._known.popitem(last=False)

    def _read(self, things: list[str]) -> dict[str, dict[str, Mapping[str, Any]]]:
        keys = [
            {"thingName": {"S": thing}, "configType": {"S": kind}}
            for thing in things
            for kind in (CONFLICT_RESOLUTION, SYNC_PREFERENCES)
        ]
        found: dict[str, dict[str, Mapping[str, Any]]] = {}
        rounds = 0
        while keys:
            rounds += 1
            if rounds > _ROUNDS_MAX + len(things) * 2 // _KEYS_MAX:
                raise AwsUnavailable(f"reading table {self._table}: keys were left unread {rounds} times")
            now, keys = keys[:_KEYS_MAX], keys[_KEYS_MAX:]
            with translated(f"reading table {self._table}"):
                answer = self._client().batch_get_item(RequestItems={self._table: {"Keys": now}})
            for item in answer["Responses"].get(self._table, ()):
                found.setdefault(text_of(item, "thingName"), {})[text_of(item, "configType")] = item
            keys += answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", ())
        return found


def read_configuration(thing: str, items: Mapping[str, Mapping[str, Any]]) -> DeviceConfiguration:
    """Return what *items*, by their ``configType``, say of a thing."""
    known = DEFAULT
    for kind, read in ((CONFLICT_RESOLUTION, _read_policy), (SYNC_PREFERENCES, _read_preferences)):
        if kind in items:
            try:
                known = read(known, _content(items[kind]))
            except CrdtShadowError as error:
                known = known._replace(problems=(*known.problems, f"{thing}: {kind}: {error}"))
    return known


def _read_policy(known: DeviceConfiguration, content: object) -> DeviceConfiguration:
    return known._replace(policy=Policy.from_json(content))  # type: ignore[arg-type]  # refused if it is no object


def _read_preferences(known: DeviceConfiguration, content: object) -> DeviceConfiguration:
    if not isinstance(content, Mapping):
        raise InvalidPolicy(f"config: needs an object, not {type(content).__name__}")
    for name, value in content.items():
        match name, value:
            case "speaks_for", list(names) if all(isinstance(one, str) and one for one in names):
                known = known._replace(speaks_for=None if ANYBODY in names else frozenset(names))
            case "speaks_for", _:
                raise InvalidPolicy(f"speaks_for: {value!r}, needs an array of replica names")
            case "merged_deltas", bool(wanted):
                known = known._replace(merged_deltas=wanted)
            case "merged_deltas", _:
                raise InvalidPolicy(f"merged_deltas: {value!r}, needs true or false")
            case "offline_after_seconds", int(seconds) if seconds > 0 and not isinstance(seconds, bool):
                known = known._replace(offline_after_s=seconds)
            case "offline_after_seconds", _:
                raise InvalidPolicy(f"offline_after_seconds: {value!r}, needs an integer from 1")
            case _:
                raise InvalidPolicy(
                    f"unknown member {name!r}, knows speaks_for, merged_deltas and offline_after_seconds"
                )
    return known


def _content(item: Mapping[str, Any]) -> object:
    """Return what the attribute ``config`` holds, as JSON would have it."""
    config = item.get("config", {})
    if "S" not in config:
        return _plain(config) if config else None
    try:
        return decode_json(config["S"])
    except MessageRefused as error:
        raise InvalidPolicy(f"config: {error}") from None


def _plain(value: Mapping[str, Any]) -> object:
    """Return an attribute value as JSON would have it."""
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {name: _plain(one) for name, one in content.items()}
        case "L":
            return [_plain(one) for one in content]
        case "N":
            return float(content) if set(content) & set(".eE") else int(content)
        case "SS":
            return sorted(content)
        case "S" | "BOOL":
            return content
    return None
