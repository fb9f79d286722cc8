"""Messages as JSON: the lines of ``crdtshadow ingest``, and the bodies in a queue that IoT rules write to.

Every one names the shadow by ``thingName`` and ``shadowName``, which is left out, ``""`` or
``"$default"`` for the classic shadow, and has one of three members:

* ``current``: an event that AWS IoT Core published on ``update/documents``, as a rule delivers it::

      SELECT *, topic(3) AS thingName FROM '$aws/things/+/shadow/update/documents'
      SELECT *, topic(3) AS thingName, topic(6) AS shadowName
          FROM '$aws/things/+/shadow/name/+/update/documents'

  Instead of the names, ``topic`` may be there (``topic() AS topic``).

* ``delta``: a delta or a whole state that a replica sent, in base64::

      SELECT encode(*, 'base64') AS delta, topic(2) AS thingName, topic(3) AS shadowName
          FROM 'crdtshadow/+/+/delta'

* ``offline``: what a device that knows nothing of replicas changed while it was cut off::

      {"state": {"reported": {"t": 21}}, "timestamp": 1700000000,
       "version": 7, "offlineDurationSeconds": 3600}

  ``state`` is a patch; ``timestamp`` says when, in epoch seconds (21.5 is allowed, milliseconds are
  refused); ``version`` is the last AWS version that the device had seen, or else
  ``offlineDurationSeconds`` says for how long it had been cut off by then. Both may be left out.

Other members are ignored. More than ``MESSAGE_BYTES_MAX`` bytes are refused unread.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from crdtshadow.document import parse_topic
from crdtshadow_walk.errors import MessageRefused
from crdtshadow_walk.json_text import decode_json
from crdtshadow_walk.messages import DeltaMessage, DocumentEvent, Message, OfflineChanges, ShadowKey, shadow_key

MESSAGE_BYTES_MAX: Final = 256 * 1024
"""An MQTT message of AWS IoT (128 KB), in base64, and its names; the limit of an SQS message."""

SECONDS_MAX: Final = 100_000_000_000
"""The year 5138 in epoch seconds; in milliseconds it was 1973, so that the two are told apart."""

_KINDS: Final = ("current", "delta", "offline")


def parse_message(data: bytes | str, *, source: str = "") -> Message:
    """Return the message that JSON text states.

    Args:
        data: The text, or its UTF-8.
        source: Where it came from, for people.

    Raises:
        MessageRefused, EventRefused: Not a message of this format.

    >>> parse_message('{"thingName": "T", "delta": "lQHEBQAAAAAAxADEAJA="}').key
    ShadowKey(thing='T', shadow=None)
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise MessageRefused(f"longer than {MESSAGE_BYTES_MAX:,} bytes, which is the limit")
    return read_message(decode_json(data), source=source)


def read_message(body: object, *, source: str = "") -> Message:
    """Return the message that *body* states, which was JSON.

    Raises:
        MessageRefused, EventRefused: Not a message of this format.
    """
    if not isinstance(body, dict):
        raise MessageRefused(f"needs an object, not {type(body).__name__}")
    kinds = [kind for kind in _KINDS if kind in body]
    if len(kinds) != 1:
        raise MessageRefused("needs one of the members current (an update/documents event), delta, offline")
    key = _key(body)
    match kinds[0]:
        case "current":
            return DocumentEvent(key, body, source)
        case "delta":
            return DeltaMessage(key, _bytes(body["delta"]), source=source)
    return read_offline(key, body["offline"], source=source)


def _key(body: Mapping[str, object]) -> ShadowKey:
    named = shadow_key(body["thingName"], body.get("shadowName")) if "thingName" in body else None
    if "topic" in body:
        topic = parse_topic(body["topic"]) if isinstance(body["topic"], str) else None
        if topic is None or topic.operation != "update/documents":
            raise MessageRefused(f"topic: {body['topic']!r} is not one of a shadow's update/documents")
        meant = ShadowKey(topic.thing, topic.shadow)
        if named not in (None, meant):
            raise MessageRefused(f"topic: names the shadow {meant}, but thingName and shadowName name {named}")
        return meant
    if named is None:
        raise MessageRefused("thingName: is missing, and there is no topic")
    return named


def _bytes(delta: object) -> bytes:
    if not isinstance(delta, str):
        raise MessageRefused(f"delta: needs base64, not {type(delta).__name__}")
    try:
        return base64.b64decode(delta, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MessageRefused(f"delta: not base64: {error}") from None


def read_offline(key: ShadowKey, changes: object, *, source: str = "") -> OfflineChanges:
    """Return what the member ``offline`` of a message states for the shadow *key*.

    Raises:
        MessageRefused: Not of that shape.
    """
    if not isinstance(changes, dict):
        raise MessageRefused(f"offline: needs an object, not {type(changes).__name__}")
    state = changes.get("state")
    if not isinstance(state, dict):
        raise MessageRefused(
            f"offline.state: needs an object, not {'nothing' if state is None else type(state).__name__}"
        )
    at_ms = _ms(changes.get("timestamp"), "offline.timestamp", "epoch seconds")
    version = changes.get("version")
    if version is not None and (type(version) is not int or not 0 <= version < 1 << 63):
        raise MessageRefused(f"offline.version: {version!r}, needs an integer from 0")
    duration = changes.get("offlineDurationSeconds")
    offline_ms = None
    if duration is not None:
        offline_ms = max(at_ms - _ms(duration, "offline.offlineDurationSeconds", "seconds"), 0)
    return OfflineChanges(key, state, at_ms, version, offline_ms, source)


def _ms(value: object, where: str, what: str) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        raise MessageRefused(f"{where}: {value!r}, needs {what}")
    if value > SECONDS_MAX:
        raise MessageRefused(f"{where}: {value!r}, needs {what}, at most {SECONDS_MAX}; these look like milliseconds")
    return round(value * 1000)
