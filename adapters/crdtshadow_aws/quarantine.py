"""The refusals queue: what was refused, with the reason, whole, so that it can be sent again.

A message's body is a JSON object::

    {"thingName": "T", "shadowName": "S", "code": "clock_drift", "reason": "...", "kind": "delta",
     "payload": "<base64>", "source": "...", "at": 1700000000123}

``kind`` is that of :class:`~crdtshadow_walk.ports.Refusal`, or ``body``: then the payload is a body from
the updates queue that is no message at all. :func:`body_again` makes of it what can be put into that
queue again.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Final

from crdtshadow_walk import MessageRefused, Refusal, ShadowKey, decode_json

from crdtshadow_aws.clients import Sqs
from crdtshadow_aws.errors import translated
from crdtshadow_aws.items import CLASSIC, shadow_name
from crdtshadow_aws.settings import needed

RAW: Final = "body"


class Quarantine:
    """The refusals queue.

    Args:
        client: Of SQS, made when the first refusal comes.
        url: The queue's.
    """

    def __init__(self, client: Callable[[], Sqs], url: str) -> None:
        self._client = client
        self._url = url

    def add(self, refusals: Sequence[Refusal], *, at_ms: int) -> None:
        """Keep *refusals*.

        Raises:
            AwsError: SQS failed; some may be kept.
        """
        for refusal in refusals:
            url = needed(self._url, "REFUSALS_QUEUE_URL")
            with translated("writing to the refusals queue"):
                self._client().send_message(QueueUrl=url, MessageBody=pack_refusal(refusal, at_ms=at_ms))


def pack_refusal(refusal: Refusal, *, at_ms: int) -> str:
    """Return the body of a message in the refusals queue."""
    return json.dumps(
        {
            "thingName": refusal.key.thing,
            "shadowName": shadow_name(refusal.key),
            "code": refusal.code,
            "reason": refusal.reason,
            "kind": refusal.kind,
            "payload": base64.b64encode(refusal.payload).decode(),
            "source": refusal.source,
            "at": at_ms,
        }
    )


def read_refusal(text: str) -> tuple[int, Refusal]:
    """Return when something was refused, and what; the inverse of :func:`pack_refusal`.

    Raises:
        MessageRefused: Not such a body.
    """
    body = decode_json(text)
    try:
        match body:
            case {
                "thingName": str(thing), "shadowName": str(shadow), "code": str(code), "reason": str(reason),
                "kind": str(kind), "payload": str(payload), "source": str(source), "at": int(at_ms),
            }:  # fmt: skip
                key = ShadowKey(thing, None if shadow == CLASSIC else shadow)
                data = base64.b64decode(payload, validate=True)
                return at_ms, Refusal(key, code, reason, kind, data, source)
    except binascii.Error:
        pass
    raise MessageRefused("not a refusal of this package")
