"""What arrives: messages, each for one shadow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from crdtshadow.document import check_shadow_name, check_thing_name
from crdtshadow.errors import EventRefused, InvalidValue
from crdtshadow.limits import DELTA_BYTES_MAX

CLASSIC_ALIAS: Final = "$default"
"""How AWS's job and rule examples name the classic shadow, which has no name."""


class ShadowKey(NamedTuple):
    """Names a shadow: its thing, and its own name or ``None`` for the classic shadow."""

    thing: str
    shadow: str | None = None

    def __str__(self) -> str:
        return self.thing if self.shadow is None else f"{self.thing}/{self.shadow}"


def shadow_key(thing: object, shadow: object = None) -> ShadowKey:
    """Return the key of a shadow of *thing*; ``None``, ``""`` and ``"$default"`` name the classic one.

    Raises:
        EventRefused: A name that AWS IoT does not allow.

    >>> shadow_key("thermostat", "$default")
    ShadowKey(thing='thermostat', shadow=None)
    """
    try:
        named = None if shadow is None or shadow in ("", CLASSIC_ALIAS) else check_shadow_name(shadow)
        return ShadowKey(check_thing_name(thing), named)
    except InvalidValue as error:
        raise EventRefused(str(error)) from None


class DocumentEvent(NamedTuple):
    """An event that AWS IoT published on ``update/documents``, parsed.

    Attributes:
        key: The shadow.
        event: The payload; anything else than AWS's shape is refused by the walk.
        source: Where it came from, for people: a line, a message id.
    """

    key: ShadowKey
    event: Mapping[str, object]
    source: str = ""


class DeltaMessage(NamedTuple):
    """A delta that a replica sent.

    Attributes:
        key: The shadow.
        data: The delta's bytes.
        speaks_for: Names of the replicas whose writes the sender may bring, ``None`` for anybody's.
        source: Where it came from, for people.
    """

    key: ShadowKey
    data: bytes
    speaks_for: frozenset[str] | None = None
    source: str = ""


class OfflineChanges(NamedTuple):
    """What a device that knows nothing of replicas changed while it was cut off.

    Attributes:
        key: The shadow.
        state: AWS-shaped patch.
        at_ms: When it was changed, by the device's clock.
        version: The AWS version that the device had last seen, ``None`` if it cannot tell.
        offline_ms: When it went offline, for a device that cannot tell the version.
        source: Where it came from, for people.
    """

    key: ShadowKey
    state: Mapping[str, object]
    at_ms: int
    version: int | None = None
    offline_ms: int | None = None
    source: str = ""


Message: TypeAlias = "DocumentEvent | DeltaMessage | OfflineChanges"

PAYLOAD_BYTES_MAX: Final = DELTA_BYTES_MAX
"""How much of a refused message is kept; nothing larger comes over MQTT."""

TEXT_CHARS_MAX: Final = 500
"""How much is kept of a text that a message brought: a reason, a source, a name that is none."""


def kind_of(message: Message) -> str:
    """Return ``event``, ``delta`` or ``offline``.

    >>> kind_of(DeltaMessage(ShadowKey("T"), b""))
    'delta'
    """
    if isinstance(message, DeltaMessage):
        return "delta"
    return "event" if isinstance(message, DocumentEvent) else "offline"


def payload_of(message: Message) -> bytes:
    """Return what arrived as bytes, JSON unless it is a delta, cut at ``PAYLOAD_BYTES_MAX``.

    >>> payload_of(OfflineChanges(ShadowKey("T"), {"reported": {"t": 1}}, at_ms=5))
    b'{"state": {"reported": {"t": 1}}, "at_ms": 5}'
    """
    if isinstance(message, DeltaMessage):
        payload = bytes(message.data)
    elif isinstance(message, DocumentEvent):
        payload = _json(message.event)
    else:
        times = {"at_ms": message.at_ms, "version": message.version, "offline_ms": message.offline_ms}
        payload = _json({"state": message.state, **{name: time for name, time in times.items() if time is not None}})
    return payload[:PAYLOAD_BYTES_MAX]


def printable(text: object) -> str:
    """Return *text* fit for a log or a table: cut at ``TEXT_CHARS_MAX``, nothing in it that UTF-8 lacks.

    >>> printable("lone \\ud800")
    'lone \\\\ud800'
    """
    return str(text).encode(errors="backslashreplace").decode()[:TEXT_CHARS_MAX]


def _json(value: object) -> bytes:
    try:
        return json.dumps(value, default=repr).encode()
    except (ValueError, TypeError, RecursionError):
        return repr(value).encode(errors="backslashreplace")
