"""The event bus: what others may want to hear of.

Source is :data:`SOURCE`; each detail names the shadow by ``thingName`` and ``shadowName``, and has an
``id`` that is the same when the same event comes twice, which can happen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from crdtshadow_walk import Data

from crdtshadow_aws.clients import Events
from crdtshadow_aws.errors import AwsUnavailable, translated

SOURCE: Final = "iot.shadow.sync"
CONFLICT_RESOLVED: Final = "Conflict Resolved"
REVIEW_REQUIRED: Final = "Manual Review Required"
SYNC_COMPLETED: Final = "Sync Completed"
UPDATE_REFUSED: Final = "Update Refused"

DETAIL_BYTES_MAX: Final = 200 * 1024
"""Of one event; what is larger goes without the values (EventBridge allows 256 KB a request)."""

_ENTRIES_MAX: Final = 10
_REQUEST_BYTES_MAX: Final = 240 * 1024
_ROUNDS_MAX: Final = 3
_BULKY: Final = ("writes", "shows")


class Event(NamedTuple):
    """One event.

    Attributes:
        kind: Its detail type.
        detail: What it says.
    """

    kind: str
    detail: Data


class Bus:
    """The event bus.

    Args:
        client: Of EventBridge.
        name: The bus's.
    """

    def __init__(self, client: Events, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, events: Sequence[Event]) -> None:
        """Send *events*.

        Raises:
            AwsError: EventBridge failed; some may be sent.
        """
        left = [self._entry(event) for event in events]
        tries = len(left) + _ROUNDS_MAX
        while left:
            if not tries:
                raise AwsUnavailable(f"sending to bus {self._name}: {len(left)} events were not taken")
            tries -= 1
            count = _fitting(left)
            with translated(f"sending to bus {self._name}"):
                answer = self._client.put_events(Entries=left[:count])
            failed = [entry for entry, one in zip(left, answer["Entries"], strict=False) if "ErrorCode" in one]
            left = left[count:] + failed

    def _entry(self, event: Event) -> dict[str, str]:
        text = json.dumps(event.detail, ensure_ascii=False)
        if len(text.encode()) > DETAIL_BYTES_MAX:
            kept = {name: value for name, value in event.detail.items() if name not in _BULKY}
            text = json.dumps({**kept, "truncated": True}, ensure_ascii=False)
        return {"EventBusName": self._name, "Source": SOURCE, "DetailType": event.kind, "Detail": text}


def _fitting(entries: Sequence[dict[str, str]]) -> int:
    """Return how many of *entries* fit into one request, at least one."""
    room = _REQUEST_BYTES_MAX
    for at, entry in enumerate(entries[:_ENTRIES_MAX]):
        room -= sum(len(text.encode()) for text in entry.values())
        if room < 0 and at:
            return at
    return min(len(entries), _ENTRIES_MAX)
