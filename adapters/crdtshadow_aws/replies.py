"""What replicas are told on their thing's topics: what they lack, and what became of a delta that was not merged.

``crdtshadow/<thing>/<shadow>/merged``
    A delta, as bytes. A replica that cannot merge it has missed one before, and asks.

``crdtshadow/<thing>/<shadow>/refused``
    JSON: ``code``, ``reason``, and what helps: ``have``, in base64 an empty delta whose clock a delta should
    begin from (``missing_base``); ``now_ms``, the time here (``clock_drift``).

A replica asks by sending an empty delta, ``Delta(clock, clock, rows={})`` with all that it has seen: it
gets what it lacks. One that has seen nothing, or must rebase (``below_floor``), asks with an empty clock
and gets the whole state.
"""

from __future__ import annotations

import base64
import json
from typing import Final

from crdtshadow_walk import Data, DeltaMessage, Outcome, Parked, Refused, ShadowKey, decode_record

from crdtshadow import ClockDrift, DecodeError, Delta, VectorClock
from crdtshadow.errors import CrdtShadowError, DocumentError
from crdtshadow_aws.composition import Parts

MERGED_TOPIC: Final = "merged"
REFUSED_TOPIC: Final = "refused"


def asked_clock(message: DeltaMessage) -> VectorClock | None:
    """Return what the sender has seen, if its message is a question; ``None`` if it brings something.

    >>> seen = VectorClock({"thermostat#00000001": 7})
    >>> asked_clock(DeltaMessage(ShadowKey("thermostat"), Delta(seen, seen, rows={}).encode()))
    VectorClock({'thermostat#00000001': 7})
    """
    try:
        delta = Delta.decode(message.data)
    except DecodeError:
        return None
    return None if delta or delta.rows else delta.upto


def answer(parts: Parts, key: ShadowKey, clock: VectorClock) -> None:
    """Send what somebody who has seen *clock* lacks of a shadow; say what is lacking here.

    Raises:
        AdapterError: It was not sent.
    """
    held = decode_record(key, parts.store.load((key,))[key], default_policy=parts.store.default_policy)
    lacking = held.shadow.delta(clock)
    if lacking:
        try:
            parts.shadows.send(key, MERGED_TOPIC, lacking.encode())
        except DocumentError as error:
            _send(parts, key, error, {})
    if not clock <= held.shadow.clock:
        reason = "there are writes that have not arrived here"
        _send_data(parts, key, {"code": "missing_base", "reason": reason, "have": _have(held.shadow.clock)})


def tell_sender(parts: Parts, outcome: Outcome) -> None:
    """Tell the sender of a delta that it was not merged, if so, and what helps.

    Raises:
        AdapterError: It was not sent.
    """
    if not isinstance(outcome.message, DeltaMessage):
        return
    match outcome:
        case Parked(message, error):
            _send(parts, message.key, error, {"have": _have(error.clock)})
        case Refused(message, ClockDrift() as drift):
            _send(parts, message.key, drift, {"now_ms": drift.now_ms})
        case Refused(message, error):
            _send(parts, message.key, error, {})


def _send(parts: Parts, key: ShadowKey, error: CrdtShadowError, more: Data) -> None:
    _send_data(parts, key, {"code": error.code, "reason": str(error), **more})


def _send_data(parts: Parts, key: ShadowKey, data: Data) -> None:
    parts.shadows.send(key, REFUSED_TOPIC, json.dumps(data).encode())


def _have(clock: VectorClock) -> str:
    return base64.b64encode(Delta(clock, clock, rows={}).encode()).decode()
