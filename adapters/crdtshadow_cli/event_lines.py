"""The line format of ``crdtshadow ingest``: one JSON object a line, in any order, as often as you like.

Every line names the shadow by ``thingName`` and ``shadowName``, which is left out, ``""`` or
``"$default"`` for the classic shadow, and has one of three members:

* ``current``: an event that AWS IoT Core published on ``update/documents``, as a rule delivers it::

      SELECT *, topic(3) AS thingName FROM '$aws/things/+/shadow/update/documents'
      SELECT *, topic(3) AS thingName, topic(6) AS shadowName
          FROM '$aws/things/+/shadow/name/+/update/documents'

  Instead of the names, ``topic`` may be there (``topic() AS topic``).

* ``delta``: a delta or a whole state that a replica sent, in base64.

* ``offline``: what a device that knows nothing of replicas changed while it was cut off::

      {"state": {"reported": {"t": 21}}, "timestamp": 1700000000,
       "version": 7, "offlineDurationSeconds": 3600}

  ``state`` is a patch; ``timestamp`` says when, in epoch seconds (21.5 is allowed, milliseconds are
  refused); ``version`` is the last AWS version that the device had seen, or else
  ``offlineDurationSeconds`` says for how long it had been cut off by then. Both may be left out.

Other members are ignored. A line longer than ``LINE_BYTES_MAX`` is refused unread.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from crdtshadow_walk import DeltaMessage, DocumentEvent, Message, OfflineChanges, ShadowKey, shadow_key

from crdtshadow import EventRefused
from crdtshadow.document import parse_topic
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.inputs import decode_json, why

LINE_BYTES_MAX: Final = 256 * 1024
"""An MQTT message of AWS IoT (128 KB), in base64, and its names."""

SECONDS_MAX: Final = 100_000_000_000
"""The year 5138 in epoch seconds; in milliseconds it was 1973, so that the two are told apart."""

_SKIPPED_BYTES: Final = 64 * 1024
_KINDS: Final = ("current", "delta", "offline")


class Line(NamedTuple):
    """A line as it was read.

    Attributes:
        number: From 1.
        size: In bytes.
        data: Its content, ``None`` if it is too long.
    """

    number: int
    size: int
    data: bytes | None


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the lines of *stream*, holding one at a time, none longer than ``LINE_BYTES_MAX``.

    Raises:
        InputError: Reading fails; *name* names the file.
    """
    number = 0
    try:
        while data := stream.readline(LINE_BYTES_MAX + 1):
            number += 1
            size = len(data)
            if size <= LINE_BYTES_MAX or data.endswith(b"\n"):
                yield Line(number, size, data)
                continue
            while not data.endswith(b"\n") and (data := stream.readline(_SKIPPED_BYTES)):
                size += len(data)
            yield Line(number, size, None)
    except OSError as error:
        raise InputError(f"{name}: {why(error)} after line {number}") from None


def parse_line(data: bytes | None, *, source: str = "") -> Message:
    """Return the message that a line states.

    Args:
        data: The line; ``None`` for one that is too long.
        source: Where it came from, for people.

    Raises:
        InputError, EventRefused: Not a line of this format.

    >>> parse_line(b'{"thingName": "T", "delta": "lQHEBQAAAAAAxADEAJA="}').key
    ShadowKey(thing='T', shadow=None)
    """
    if data is None:
        raise InputError(f"longer than {LINE_BYTES_MAX:,} bytes, which is the limit")
    body = decode_json(data)
    if not isinstance(body, dict):
        raise InputError(f"needs an object, not {type(body).__name__}")
    kinds = [kind for kind in _KINDS if kind in body]
    if len(kinds) != 1:
        raise InputError("needs one of the members current (an update/documents event), delta, offline")
    key = _key(body)
    match kinds[0]:
        case "current":
            return DocumentEvent(key, body, source)
        case "delta":
            return DeltaMessage(key, _bytes(body["delta"]), source=source)
    return _offline(key, body["offline"], source)


def _key(body: Mapping[str, object]) -> ShadowKey:
    named = shadow_key(body["thingName"], body.get("shadowName")) if "thingName" in body else None
    if "topic" in body:
        topic = parse_topic(body["topic"]) if isinstance(body["topic"], str) else None
        if topic is None or topic.operation != "update/documents":
            raise InputError(f"topic: {body['topic']!r} is not one of a shadow's update/documents")
        meant = ShadowKey(topic.thing, topic.shadow)
        if named not in (None, meant):
            raise InputError(f"topic: names the shadow {meant}, but thingName and shadowName name {named}")
        return meant
    if named is None:
        raise InputError("thingName: is missing, and there is no topic")
    return named


def _bytes(delta: object) -> bytes:
    if not isinstance(delta, str):
        raise InputError(f"delta: needs base64, not {type(delta).__name__}")
    try:
        return base64.b64decode(delta, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"delta: not base64: {error}") from None


def _offline(key: ShadowKey, changes: object, source: str) -> OfflineChanges:
    if not isinstance(changes, dict):
        raise InputError(f"offline: needs an object, not {type(changes).__name__}")
    state = changes.get("state")
    if not isinstance(state, dict):
        raise InputError(f"offline.state: needs an object, not {'nothing' if state is None else type(state).__name__}")
    at_ms = _ms(changes.get("timestamp"), "offline.timestamp", "epoch seconds")
    version = changes.get("version")
    if version is not None and (type(version) is not int or not 0 <= version < 1 << 63):
        raise InputError(f"offline.version: {version!r}, needs an integer from 0")
    duration = changes.get("offlineDurationSeconds")
    offline_ms = None
    if duration is not None:
        offline_ms = max(at_ms - _ms(duration, "offline.offlineDurationSeconds", "seconds"), 0)
    return OfflineChanges(key, state, at_ms, version, offline_ms, source)


def _ms(value: object, where: str, what: str) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
        raise InputError(f"{where}: {value!r}, needs {what}")
    if value > SECONDS_MAX:
        raise InputError(f"{where}: {value!r}, needs {what}, at most {SECONDS_MAX}; these look like milliseconds")
    return round(value * 1000)


REFUSALS: Final = (InputError, EventRefused)
"""What :func:`parse_line` raises."""
