"""Growth: what an operation costs against fields held, fields changed, replicas, and history.

    python -m benchmarks.growth [--quick] [--json FILE]

A flat line is the promise: a delta's merge costs what it changes, and nothing more for what is held
or has been. Every point is the median of rounds in which all sizes and both peers take turns; what
is told is the exponent of the power law that fits them, and how often the greatest size costs the
smallest's. Without --quick, the results become part of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Final, NamedTuple

from benchmarks.peer import START_MS, Peer, Replica, Writer
from benchmarks.peers import OURS, RIVAL, find_peers
from benchmarks.race import Json, Say, environment, progress
from benchmarks.ratios import exponent
from benchmarks.report import GROWTH_FILE, growth_table, write_results
from benchmarks.shadows import CYCLED, THERMOSTAT, flat
from benchmarks.workloads import CLOUD_ID, DEVICE_ID, STEP_MS, Laps, Settled

ROUNDS: Final = 5
_WHO: Final = (("device", DEVICE_ID), ("cloud", CLOUD_ID))
_COPIES_FIELDS: Final = 2_000
"""Small replicas are worked on several at a time, up to this many fields, so that a lap can be timed."""


class Axis(NamedTuple):
    """What grows.

    Attributes:
        key: A short name.
        title: What grows, for people.
        sizes: How far.
        quick_sizes: How far in a quick run.
        measure: Does the operations at a size with a peer, and returns the seconds of each.
    """

    key: str
    title: str
    sizes: Sequence[int]
    quick_sizes: Sequence[int]
    measure: Callable[[Peer, int], Laps]


class Apart(NamedTuple):
    device: Replica
    cloud: Replica
    wrote: Writer


def hold(peer: Peer, fields: int, copies: int) -> list[Apart]:
    """Return *copies* of two level replicas that hold *fields* fields."""
    device, cloud = Writer("device", DEVICE_ID), Writer("cloud", CLOUD_ID, ms=START_MS + STEP_MS)
    first = peer.create(device), peer.create(cloud)
    peer.write(first[0], flat(fields).document)
    peer.sync(*first)
    saved = peer.save(first[0]), peer.save(first[1])
    pairs = []
    for at in range(copies):
        # Each copy has a time of its own, and so its own deltas.
        device, cloud = (Writer(name, each, ms=START_MS + 100 + at) for name, each in _WHO)
        pairs.append(Apart(peer.load(saved[0], device), peer.load(saved[1], cloud), device))
    return pairs


def _exchange(peer: Peer, fields: int, changed: int) -> Laps:
    """One side changes; the other takes it in by a delta. Then all is read, saved, loaded and joined whole."""
    copies = max(_COPIES_FIELDS // fields, 1)
    pairs = hold(peer, fields, copies)
    patch = flat(fields, changed=changed).by_device
    clocks = [peer.clock(pair.cloud) for pair in pairs]
    laps = Laps()
    with Settled():
        with laps.timed("write", copies=copies):
            for pair in pairs:
                peer.write(pair.device, patch)
        with laps.timed("delta", copies=copies):
            deltas = [peer.delta(pair.device, clock) for pair, clock in zip(pairs, clocks, strict=True)]
        with laps.timed("merge a delta", copies=copies):
            for pair, delta in zip(pairs, deltas, strict=True):
                peer.merge(pair.cloud, delta)
        with laps.timed("read", copies=copies):
            reads = [peer.read(pair.cloud) for pair in pairs]
        with laps.timed("encode", copies=copies):
            states = [peer.state(pair.cloud) for pair in pairs]
        with laps.timed("decode", copies=copies):
            for state in states:
                peer.adopt(state, Writer("reader", 1))
        with laps.timed("merge a whole state", copies=copies):
            for pair, state in zip(pairs, states, strict=True):
                peer.merge(pair.device, state)
    written = {**flat(fields).document["reported"], **patch["reported"]}
    for read in reads:
        laps.check(peer, read, {"reported": written}, what=f"{fields} fields, {changed} changed")
    return laps


def _fields_held(peer: Peer, fields: int) -> Laps:
    return _exchange(peer, fields, 10)


def _fields_changed(peer: Peer, changed: int) -> Laps:
    return _exchange(peer, 10_000, changed)


def _replicas(peer: Peer, replicas: int) -> Laps:
    """Every replica has written a field of its own; then one more field is written and merged."""
    device, cloud = Writer("device", DEVICE_ID), Writer("cloud", CLOUD_ID)
    first, other = peer.create(device), peer.create(cloud)
    for at in range(replicas):
        author = peer.create(Writer(f"replica{at:04}", (at << 20) + 0x0ADCA, ms=START_MS + at))
        peer.write(author, {"reported": {f"field{at:04}": at}})
        peer.merge(first, peer.state(author))
    peer.sync(first, other)
    device.ms = cloud.ms = START_MS + replicas + STEP_MS
    copies = 5
    laps = Laps()
    expected = {f"field{at:04}": at for at in range(replicas)}
    with Settled():
        for at in range(copies):
            key = "field0000"
            expected[key] = -1 - at
            device.ms += STEP_MS
            clock = peer.clock(other)
            with laps.timed("write", copies=copies):
                peer.write(first, {"reported": {key: expected[key]}})
            with laps.timed("delta", copies=copies):
                delta = peer.delta(first, clock)
            with laps.timed("merge a delta", copies=copies):
                peer.merge(other, delta)
        with laps.timed("read"):
            read = peer.read(other)
        with laps.timed("encode"):
            state = peer.state(other)
        with laps.timed("decode"):
            peer.adopt(state, Writer("reader", 1))
    laps.check(peer, read, {"reported": expected}, what=f"{replicas} replicas")
    return laps


def _history(peer: Peer, updates: int) -> Laps:
    """A document of 20 fields after so many updates of one field each."""
    device, cloud = Writer("device", DEVICE_ID), Writer("cloud", CLOUD_ID)
    first, other = peer.create(device), peer.create(cloud)
    peer.write(first, THERMOSTAT)
    for at in range(updates):
        device.ms += STEP_MS
        peer.put(first, "reported", CYCLED[at % len(CYCLED)], at)
    cloud.ms = device.ms
    peer.sync(first, other)
    laps = Laps()
    copies = 5
    with Settled():
        for at in range(copies):
            device.ms += STEP_MS
            clock = peer.clock(other)
            with laps.timed("write", copies=copies):
                peer.put(first, "reported", "uptime", -at)
            with laps.timed("delta", copies=copies):
                delta = peer.delta(first, clock)
            with laps.timed("merge a delta", copies=copies):
                peer.merge(other, delta)
        with laps.timed("read"):
            read = peer.read(other)
        with laps.timed("encode"):
            state = peer.state(other)
        with laps.timed("decode"):
            peer.adopt(state, Writer("reader", 1))
    if read["reported"]["uptime"] != 1 - copies:
        raise AssertionError(f"after {updates} updates: uptime is {read['reported']['uptime']}")
    return laps


AXES: Final = (
    Axis("held", "fields held (10 changed)", (20, 100, 1_000, 10_000, 100_000), (20, 200, 2_000), _fields_held),
    Axis("changed", "fields changed (of 10,000)", (1, 10, 100, 1_000, 10_000), (1, 10, 100), _fields_changed),
    Axis("replicas", "replicas that ever wrote", (2, 10, 30, 100, 300), (2, 10, 50), _replicas),
    Axis("history", "updates before (of 20 fields)", (100, 1_000, 10_000, 100_000), (100, 1_000), _history),
)


def measure_growth(peers: Sequence[Peer], *, is_quick: bool, seed: int, say: Say) -> dict[str, Json]:
    """Return by axis ``title``, ``sizes``, and ``costs`` and ``exponents`` by peer and operation.

    Costs are the median seconds at each size.
    """
    random = Random(seed)
    rounds = 3 if is_quick else ROUNDS
    points = [(axis, size) for axis in AXES for size in (axis.quick_sizes if is_quick else axis.sizes)]
    taken: dict[tuple[str, int, str], list[Laps]] = {}
    for turn in range(rounds):
        random.shuffle(points)
        for done, (axis, size) in enumerate(points):
            for peer in random.sample(peers, len(peers)):
                say((turn + done / len(points)) / rounds, f"{size:,} {axis.title}, {peer.name}")
                taken.setdefault((axis.key, size, peer.name), []).append(axis.measure(peer, size))
    say(1, "")
    grown: dict[str, Json] = {}
    for axis in AXES:
        sizes = axis.quick_sizes if is_quick else axis.sizes
        operations = list(taken[axis.key, sizes[0], peers[0].name][0].seconds)
        costs = {
            peer.name: {
                operation: [
                    median(laps.seconds[operation] for laps in taken[axis.key, size, peer.name]) for size in sizes
                ]
                for operation in operations
            }
            for peer in peers
        }
        exponents = {
            name: {operation: exponent(sizes, column) for operation, column in columns.items()}
            for name, columns in costs.items()
        }
        grown[axis.key] = {"title": axis.title, "sizes": list(sizes), "costs": costs, "exponents": exponents}
    return grown


def main(arguments: Sequence[str]) -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only; RESULTS.md stays as it is")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args(arguments)
    peers = [peer for peer in find_peers()[0] if peer.name in (OURS, RIVAL)]
    grown = measure_growth(peers, is_quick=options.quick, seed=options.seed, say=progress)
    told = {"environment": environment(peers), "axes": grown}
    print(growth_table(told))
    text = json.dumps(told, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    if not options.quick:
        GROWTH_FILE.write_text(text + "\n", encoding="utf-8")
        print(f"written: {write_results()}")


if __name__ == "__main__":
    main(sys.argv[1:])
