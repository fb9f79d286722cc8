"""The documents and changes that are measured: made the same every time, of nothing but JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

Document: TypeAlias = "dict[str, Any]"
"""A shadow as JSON: ``{"desired": {...}, "reported": {...}}``."""

Patch: TypeAlias = "dict[str, Any]"
"""The same shape, with what changes; ``None`` removes."""

THERMOSTAT: Final[Document] = {
    "desired": {
        "power": True,
        "mode": "eco",
        "target": 21.5,
        "schedule": "weekdays",
        "brightness": 80,
        "color": "#ffd9a0",
        "interval": 60,
        "limits": {"min": 16, "max": 28, "step": 0.5},
    },
    "reported": {
        "power": True,
        "mode": "eco",
        "temperature": 20.9,
        "humidity": 41,
        "brightness": 75,
        "firmware": "2.4.1",
        "uptime": 86400,
        "network": {"rssi": -61, "ssid": "home", "channel": 6},
    },
}
"""20 fields, 10 desired and 10 reported, nested once."""

CYCLED: Final = ("temperature", "humidity", "brightness", "uptime", "mode", "power", "firmware", "signal")
"""The 8 reported fields that the long history of W4 goes over; the last is new, so that a field is added too."""


class Divergence(NamedTuple):
    """A document and what two replicas make of it, neither having heard of the other.

    Attributes:
        document: What both begin with.
        by_device: What the device changes.
        by_cloud: What the cloud changes. Fields that both change stand first in both, in the same
            order, so that every peer's total order of writes lets the cloud win.
    """

    document: Document
    by_device: Patch
    by_cloud: Patch

    @property
    def merged(self) -> Document:
        """What everybody shall read in the end."""
        return patched(patched(self.document, self.by_device), self.by_cloud)


def small(at: int = 0) -> Divergence:
    """Return W1's: 20 fields, 3 changed on each side, one of them the same; some values are those of *at* alone."""
    return Divergence(
        patched(THERMOSTAT, {"reported": {"uptime": THERMOSTAT["reported"]["uptime"] + at}}),
        {"desired": {"target": 19.5 - at / 1024}, "reported": {"temperature": 19.8, "humidity": 44}},
        {"desired": {"target": 22.5 + at / 1024, "mode": "away", "limits": {"max": 26}}},
    )


def large(at: int = 0) -> Divergence:
    """Return W2's: 200 fields, 3 levels, 20 changed on each side, two of them the same.

    Two is what two independent choices of 20 among 200 have in common on average. Some values are
    those of *at* alone.
    """
    paths = [
        (section, f"room{room}", f"device{device}", field)
        for section in ("desired", "reported")
        for room in range(5)
        for device in range(4)
        for field in ("on", "level", "target", "mode", "color")
    ]
    first = {"on": True, "level": 40, "target": 20.5 + at / 1024, "mode": "auto", "color": "#a0b0c0"}
    later = {"on": False, "level": 55, "target": 18.25 - at / 1024, "mode": "hold", "color": "#102030"}
    both, rest = paths[:2], paths[5:]
    by_device = both + rest[3::10][:18]
    by_cloud = both + rest[7::10][:18]
    return Divergence(
        nested({path: first[path[-1]] for path in paths}),
        nested({path: later[path[-1]] for path in by_device}),
        nested({path: f"cloud {at}" for at, path in enumerate(by_cloud)}),
    )


def flat(fields: int, *, changed: int | None = None) -> Divergence:
    """Return W3's: *fields* reported fields side by side, 1 % changed on each side, 1 % of them the same.

    That is what two independent choices of 1 % have in common on average.

    >>> divergence = flat(1_000)
    >>> len(divergence.by_device["reported"]), len(divergence.merged["reported"])
    (10, 1000)
    """
    count = max(fields // 100, 1) if changed is None else changed
    stride = max(fields // count, 1)
    keys = [f"sensor{at:06}" for at in range(fields)]
    both = keys[:: stride * 100][: max(count // 100, 1)]
    shift = stride // 2
    by_device = both + [key for key in keys[::stride] if key not in set(both)][: count - len(both)]
    by_cloud = both + [key for key in keys[shift::stride] if key not in set(both)][: count - len(both)]
    return Divergence(
        {"reported": {key: at for at, key in enumerate(keys)}},
        {"reported": {key: -at for at, key in enumerate(by_device, 1)}},
        {"reported": {key: at / 2 for at, key in enumerate(by_cloud, 1)}},
    )


def nested(fields: Mapping[tuple[str, ...], object]) -> Document:
    """Return the document that has *fields*, values by path.

    >>> nested({("reported", "fan", "on"): True})
    {'reported': {'fan': {'on': True}}}
    """
    document: Document = {}
    for (*above, key), value in fields.items():
        here = document
        for segment in above:
            here = here.setdefault(segment, {})
        here[key] = value
    return document


def patched(document: Document, patch: Patch) -> Document:
    """Return *document* with *patch* applied, by AWS's rules; neither is changed.

    >>> patched({"reported": {"t": 1, "u": 2}}, {"reported": {"t": None, "v": 3}})
    {'reported': {'u': 2, 'v': 3}}
    """
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            held = result.get(key)
            result[key] = patched(held if isinstance(held, dict) else {}, value)
        else:
            result[key] = value
    return result


def renamed(document: Document, suffix: str) -> Document:
    """Return *document* with *suffix* at the end of every key.

    >>> renamed({"fan": {"on": True}}, "-7")
    {'fan-7': {'on-7': True}}
    """
    return {
        key + suffix: renamed(value, suffix) if isinstance(value, dict) else value for key, value in document.items()
    }


def all_patched(document: Document, patches: Iterable[Patch]) -> Document:
    """Return *document* with all of *patches* applied in turn."""
    for patch in patches:
        document = patched(document, patch)
    return document


def json_bytes(document: Document) -> int:
    """Return the length of the shortest JSON text of *document*.

    >>> json_bytes(THERMOSTAT)
    334
    """
    return len(json.dumps(document, separators=(",", ":")))
