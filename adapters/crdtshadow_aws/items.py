"""DynamoDB items: attribute values as the low-level API and table streams have them, and a shadow's row.

Bytes stay bytes (``B``), counts are ``N``, and whatever holds values of shadows is JSON text (``S``) or
bytes: DynamoDB's numbers have 38 decimal digits, which is not what a float is.

A shadow has one row for each region that writes it:

=================  ====  ==============================================================================
``thingName``      S     hash key
``shadowRegion``   S     range key, ``<shadowName>#<region>``; the classic shadow is ``$default``
``revision``       N     how often the row was written; every write is conditional on it
``epoch``          N     of the replicas that stand for plain writers in this region
``state``          B     the shadow, all that this region knew of it at that revision
``ledger``         B     what is known of the AWS document of this region
``parked``         L     deltas that wait for their base
``policy``         S     by which the row was resolved when it was written
``updatedAt``      N     milliseconds since 1970
``pendingReview``  S     ``1``, only while conflicts wait for a review
=================  ====  ==============================================================================

Source: Amazon DynamoDB Developer Guide, "Supported data types", "Item sizes and formats".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from crdtshadow_walk import DeltaMessage, Record, ShadowKey, StateDamaged

from crdtshadow import InvalidPolicy, Policy

Item: TypeAlias = "dict[str, dict[str, Any]]"
"""Attribute values by name."""

ITEM_BYTES_MAX: Final = 400 * 1024
"""Of names and values together (DynamoDB quotas)."""

CLASSIC: Final = "$default"
"""How the classic shadow, which has no name, is named in tables and topics."""

PENDING: Final = "1"
_NUMBER_BYTES: Final = 21
_NEST_BYTES: Final = 3


def shadow_name(key: ShadowKey) -> str:
    """Return the name of a shadow in tables and topics.

    >>> shadow_name(ShadowKey("thermostat"))
    '$default'
    """
    return CLASSIC if key.shadow is None else key.shadow


def row_prefix(key: ShadowKey) -> str:
    """Return how the range keys of a shadow's rows begin; no shadow's name has a ``#``."""
    return f"{shadow_name(key)}#"


def row_key(key: ShadowKey, region: str) -> Item:
    """Return the key of the row that *region* writes of a shadow."""
    return {"thingName": {"S": key.thing}, "shadowRegion": {"S": row_prefix(key) + region}}


class RowKey(NamedTuple):
    """Which shadow a row is of, and who writes it."""

    key: ShadowKey
    region: str


def read_row_key(item: Mapping[str, Any]) -> RowKey:
    """Return what the key of a row says."""
    name, _, region = text_of(item, "shadowRegion").rpartition("#")
    return RowKey(ShadowKey(text_of(item, "thingName"), None if name == CLASSIC else name), region)


def record_attributes(record: Record, *, policy: Policy, at_ms: int) -> Item:
    """Return the attributes of a row that *record* and its time make, without keys and index.

    Args:
        record: To be kept.
        policy: By which it was resolved.
        at_ms: When it is written.
    """
    attributes: Item = {
        "revision": number(record.revision),
        "epoch": number(record.epoch),
        "policy": {"S": pack_policy(policy)},
        "updatedAt": number(at_ms),
        "parked": {"L": [{"M": _pack_parked(message)} for message in record.parked]},
    }
    if record.state:
        attributes["state"] = {"B": record.state}
    if record.ledger:
        attributes["ledger"] = {"B": record.ledger}
    return attributes


def read_record(item: Mapping[str, Any], *, policy: Policy | None) -> Record:
    """Return the record that a row holds.

    Args:
        item: The row.
        policy: Of the shadow, which other tables tell.

    Raises:
        StateDamaged: It is not what this package wrote.
    """
    where = read_row_key(item)
    try:
        return Record(
            int(item["epoch"]["N"]),
            bytes_of(item, "state"),
            bytes_of(item, "ledger"),
            policy,
            tuple([_read_parked(where.key, one["M"]) for one in item.get("parked", {}).get("L", ())]),
            int(item["revision"]["N"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StateDamaged(f"shadow {where.key}: its row of {where.region} cannot be read: {error!r}") from None


def read_policy(item: Mapping[str, Any]) -> Policy | None:
    """Return the policy by which a row was resolved, ``None`` if it does not say."""
    text = item.get("policy", {}).get("S")
    try:
        return None if text is None else Policy.from_json(text)
    except InvalidPolicy:
        return None


def pack_policy(policy: Policy) -> str:
    """Return a policy as compact JSON."""
    return json.dumps(policy.to_json(), separators=(",", ":"))


def number(value: int) -> dict[str, str]:
    """Return the attribute value of an integer."""
    return {"N": str(value)}


def integer_of(item: Mapping[str, Any], name: str) -> int:
    """Return a number of an item, 0 if it is not there."""
    return int(item.get(name, {}).get("N", 0))


def text_of(item: Mapping[str, Any], name: str) -> str:
    """Return a text of an item, ``""`` if it is not there."""
    return str(item.get(name, {}).get("S", ""))


def bytes_of(item: Mapping[str, Any], name: str) -> bytes:
    """Return bytes of an item, empty if they are not there; a stream's record has them in base64."""
    value = item.get(name, {}).get("B", b"")
    return base64.b64decode(value, validate=True) if isinstance(value, str) else bytes(value)


def size_bytes(item: Mapping[str, Any]) -> int:
    """Return at least as many bytes as DynamoDB counts for *item*.

    >>> size_bytes({"thingName": {"S": "é"}, "state": {"B": b"12345"}})
    21
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "B":
            return len(content)
        case "N":
            return _NUMBER_BYTES
        case "L":
            return _NEST_BYTES + sum(1 + _value_bytes(one) for one in content)
        case "M":
            return _NEST_BYTES + len(content) + size_bytes(content)
        case "SS":
            return sum(len(one.encode()) for one in content)
    return 1


def _pack_parked(message: DeltaMessage) -> Item:
    packed: Item = {"data": {"B": message.data}, "source": {"S": message.source}}
    if message.speaks_for is not None:
        packed["speaksFor"] = {"L": [{"S": name} for name in sorted(message.speaks_for)]}
    return packed


def _read_parked(key: ShadowKey, packed: Mapping[str, Any]) -> DeltaMessage:
    names = packed.get("speaksFor")
    return DeltaMessage(
        key,
        bytes_of(packed, "data"),
        None if names is None else frozenset([one["S"] for one in names["L"]]),
        text_of(packed, "source"),
    )
