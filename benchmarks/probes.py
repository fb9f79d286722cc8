"""What else to know about a peer: small scenarios, run, since a quick answer may be another answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.peer import START_MS, Peer, Replica, Writer
from benchmarks.shadows import Document, Patch
from benchmarks.workloads import CLOUD_ID, DEVICE_ID, STEP_MS

_BEYOND_DOUBLES: Final = (1 << 53) + 1


def _apart(peer: Peer, common: Patch, by_device: Patch, by_cloud: Patch) -> tuple[Document, Document]:
    """Return what a device and the cloud read, once level, who both wrote on top of *common*."""
    device, cloud = Writer("device", DEVICE_ID), Writer("cloud", CLOUD_ID, ms=START_MS + STEP_MS)
    replicas: tuple[Replica, Replica] = peer.create(device), peer.create(cloud)
    peer.write(replicas[0], common)
    peer.sync(*replicas)
    device.ms += 2 * STEP_MS
    cloud.ms += 2 * STEP_MS
    peer.write(replicas[0], by_device)
    peer.write(replicas[1], by_cloud)
    peer.sync(*replicas)
    return peer.read(replicas[0]), peer.read(replicas[1])


def _creates_one_map_twice(peer: Peer) -> str:
    reads = _apart(
        peer,
        {"reported": {"power": True}},
        {"reported": {"network": {"ssid": "home"}}},
        {"reported": {"network": {"rssi": -61}}},
    )
    return _told(
        reads,
        {
            "both sides kept": {"power": True, "network": {"ssid": "home", "rssi": -61}},
            "the device's side is lost": {"power": True, "network": {"rssi": -61}},
            "the cloud's side is lost": {"power": True, "network": {"ssid": "home"}},
        },
    )


def _removes_a_map_somebody_writes_into(peer: Peer) -> str:
    reads = _apart(
        peer,
        {"reported": {"power": True, "network": {"ssid": "home"}}},
        {"reported": {"network": None}},
        {"reported": {"network": {"rssi": -61}}},
    )
    return _told(
        reads,
        {
            "the later write is kept": {"power": True, "network": {"rssi": -61}},
            "the write is lost": {"power": True},
            "what was removed is back": {"power": True, "network": {"ssid": "home", "rssi": -61}},
        },
    )


def _writes_after_reading_by_a_slow_clock(peer: Peer) -> str:
    device, cloud = Writer("device", DEVICE_ID), Writer("cloud", CLOUD_ID, ms=START_MS + 30_000)
    replicas = peer.create(device), peer.create(cloud)
    peer.write(replicas[1], {"reported": {"mode": "first"}})
    peer.sync(*replicas)
    peer.write(replicas[0], {"reported": {"mode": "second"}})
    peer.sync(*replicas)
    reads = peer.read(replicas[0]), peer.read(replicas[1])
    return _told(reads, {"it wins": {"mode": "second"}, "it is lost": {"mode": "first"}})


def _writes_a_long_integer(peer: Peer) -> str:
    replica = peer.create(Writer("device", DEVICE_ID))
    peer.write(replica, {"reported": {"serial": _BEYOND_DOUBLES}})
    read = peer.read(replica)["reported"]["serial"]
    return "exact" if read == _BEYOND_DOUBLES and isinstance(read, int) else f"read as {read!r}"


def _told(reads: tuple[Document, Document], outcomes: Mapping[str, Document]) -> str:
    """Return the name of the one among *outcomes* that both have read."""
    if reads[0] != reads[1]:
        return "the two sides differ"
    for told, reported in outcomes.items():
        if reads[0] == {"reported": reported}:
            return told
    return f"both read {reads[0]!r}"


PROBES: Final[dict[str, Callable[[Peer], str]]] = {
    "two create the same map": _creates_one_map_twice,
    "one removes a map, one writes into it": _removes_a_map_somebody_writes_into,
    "a write by a slow clock, after reading": _writes_after_reading_by_a_slow_clock,
    "2^53 + 1": _writes_a_long_integer,
}
"""By scenario: what came of it, in a few words."""


def probe(peer: Peer) -> dict[str, str]:
    """Return what comes of each scenario with *peer*."""
    return {scenario: run(peer) for scenario, run in PROBES.items()}
