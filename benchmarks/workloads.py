"""The workloads W1 to W7: one thread, both sides, every result checked.

    ==  ==========================================================================================
    W1  20 fields, nested once; two replicas have changed 3 each, one the same; clocks and deltas
        both ways; both are read as JSON
    W2  the same with 200 fields, 3 levels, 10 % changed on each side
    W3  100,000 flat fields, 1 % changed on each side: load, sync by deltas, merge of a whole state
    W4  20 fields, 100,000 updates cycling over 8 of them: a write, the state, a stale replica
    W5  100 replicas write 5 of 50 fields each; one takes in all
    W6  the fleet's job: the bytes of a stored state and of a delta become the bytes of the new
        state, for 10,000 shadows of 20 fields
    W7  10,000 keys are added and removed; what is left of them once all have seen it
    ==  ==========================================================================================

Each workload is written once, in terms of :class:`~benchmarks.peer.Peer`. ``prepare`` makes its
inputs, as bytes, so that they can be handed to a fresh process; ``run`` does the work on replicas
loaded from them, tells how long each step took, and raises :class:`WrongResult` if anybody reads in
the end what they should not.

No message comes twice: every copy of the work, in every turn, has its own identities, times and
values, or at least its own times (W3, W4, W7). What documents of a fleet have in common, their paths,
these have in common too.

Nothing can hide in loading: whatever is loaded is also read, once, before anything else is timed, and
the two together are the step ``load``. The goals are set for ``total``, which in W1 and W2 is
``sync`` and ``read``: the clocks' handshake, deltas both ways, and both sides read as nested dicts.
"""

from __future__ import annotations

import gc
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from random import Random
from time import perf_counter
from typing import ClassVar, Final, NamedTuple, Self, TypeAlias

from benchmarks.peer import START_MS, Peer, Replica, Writer
from benchmarks.shadows import (
    CYCLED,
    THERMOSTAT,
    Divergence,
    Document,
    Patch,
    all_patched,
    flat,
    large,
    patched,
    renamed,
    small,
)

Inputs: TypeAlias = "tuple[bytes, ...]"
"""What a run begins with, made by one peer for itself."""

DEVICE_ID: Final = 0x2BADCAFE
CLOUD_ID: Final = 0x9C0FFEE1
STEP_MS: Final = 10
"""Between two updates, by the wall clock."""


class WrongResult(AssertionError):
    """Somebody reads what they should not."""


class Laps:
    """What a run took: a step is timed by ``with laps.timed(step)``.

    Attributes:
        seconds: By step, for one copy of the work.
        wrong: What a peer read that it should not have, if it is one that is known to diverge.
    """

    __slots__ = ("_copies", "_start", "_step", "seconds", "wrong")

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.wrong = ""
        self._step = ""
        self._copies = 1
        self._start = 0.0

    def timed(self, step: str, *, copies: int = 1) -> Self:
        """Time the block as *step*, which does it *copies* times over."""
        self._step = step
        self._copies = copies
        return self

    def __enter__(self) -> None:
        self._start = perf_counter()

    def __exit__(self, *raised: object) -> None:
        took = (perf_counter() - self._start) / self._copies
        self.seconds[self._step] = self.seconds.get(self._step, 0.0) + took

    def check(self, peer: Peer, read: Document, expected: Document, *, what: str) -> None:
        """Compare what *peer* read; 1 and 1.0 are the same, as in JSON, but true is not 1.

        Raises:
            WrongResult: It is not *expected*, and the peer does not say that it may diverge.
        """
        if not _alike(read, expected):
            wrong = f"{what}: {_difference(read, expected, '')}"
            if not peer.diverges:
                raise WrongResult(f"{peer.name}, {wrong}")
            self.wrong = self.wrong or wrong


class Pair(NamedTuple):
    """Two replicas and their writers."""

    device: Replica
    cloud: Replica
    by_device: Writer
    by_cloud: Writer


class Workload(ABC):
    """One workload.

    Attributes:
        key: ``W1`` and so on.
        title: What it does, in a line.
        steps: What is timed, in order.
        sums: Further steps, each the sum of some of those.
        copies: How often a run does the work, so that it lasts long enough to be timed.
        fresh: The inputs of each turn are its own.
    """

    key: ClassVar[str]
    steps: ClassVar[tuple[str, ...]]
    sums: ClassVar[dict[str, tuple[str, ...]]] = {}
    fresh: ClassVar[bool] = False
    title: str
    copies: int

    @abstractmethod
    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        """Return the inputs for *peer*; if ``fresh``, those of this *turn* alone."""

    @abstractmethod
    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        """Do the work and return the seconds of each step, in *laps* if given.

        Raises:
            WrongResult: Somebody reads what they should not.
        """

    @abstractmethod
    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        """Return what there is to say about bytes, by name; the inputs are those of turn 0."""


def _alike(read: object, expected: object) -> bool:
    if isinstance(read, dict) and isinstance(expected, dict):
        return read.keys() == expected.keys() and all(_alike(read[key], value) for key, value in expected.items())
    return read == expected and isinstance(read, bool) == isinstance(expected, bool)


def _difference(read: object, expected: object, path: str) -> str:
    if isinstance(read, dict) and isinstance(expected, dict):
        for key in sorted(read.keys() | expected.keys()):
            if key not in read or key not in expected or not _alike(read[key], expected[key]):
                return _difference(read.get(key), expected.get(key), f"{path}/{key}")
    return f"{path} is {read!r:.80}, not {expected!r:.80}"


class Settled:
    """Time with what was prepared out of the garbage collector's way, which stays on for the work itself."""

    def __enter__(self) -> None:
        gc.collect()
        gc.freeze()

    def __exit__(self, *raised: object) -> None:
        gc.unfreeze()


def _writers(turn: int, at: int = 0) -> tuple[Writer, Writer]:
    """Return a device and the cloud, with identities and a time that only copy *at* of this *turn* has."""
    random = Random(f"{turn}/{at}")
    bits, ms = (random.getrandbits(24), random.getrandbits(20)) if turn or at else (0, 0)
    return Writer("device", DEVICE_ID ^ bits, ms=START_MS + ms), Writer("cloud", CLOUD_ID ^ bits, ms=START_MS + ms)


def _begin(peer: Peer, document: Document, *, turn: int = 0, at: int = 0) -> Pair:
    """Return two level replicas: the device wrote what is reported, the cloud what is desired."""
    device, cloud = _writers(turn, at)
    pair = Pair(peer.create(device), peer.create(cloud), device, cloud)
    peer.write(pair.device, {"reported": document["reported"]})
    peer.sync(pair.device, pair.cloud)
    if "desired" in document:
        cloud.ms += STEP_MS
        peer.write(pair.cloud, {"desired": document["desired"]})
    peer.sync(pair.device, pair.cloud)
    return pair


def _save(peer: Peer, pair: Pair) -> Inputs:
    return peer.save(pair.device), peer.save(pair.cloud)


def _load(peer: Peer, saved: Sequence[bytes], *, turn: int = 0, at: int = 0, later_ms: int = 0) -> Pair:
    """Return the pair that was saved, *later_ms* and a second later, as one that is in use: each was read once."""
    device, cloud = _writers(turn, at)
    device.ms += 1_000 + later_ms
    cloud.ms += 1_000 + STEP_MS + later_ms
    pair = Pair(peer.load(saved[0], device), peer.load(saved[1], cloud), device, cloud)
    # A lazy decoder does its work here.
    peer.read(pair.device)
    peer.read(pair.cloud)
    return pair


class Exchange(Workload):
    """W1, W2: two replicas change, exchange deltas, and read."""

    steps = ("load", "write", "sync", "read", "read as text")
    sums: ClassVar[dict[str, tuple[str, ...]]] = {"total": ("sync", "read"), "with writes": ("write", "sync", "read")}
    fresh = True

    def __init__(self, divergence: Callable[[int], Divergence], *, copies: int) -> None:
        self.copies = copies
        self._divergence = divergence

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        inputs: list[bytes] = []
        for at, (document, _, _) in enumerate(self._divergences(turn)):
            inputs += _save(peer, _begin(peer, document, turn=turn, at=at))
        return tuple(inputs)

    def _divergences(self, turn: int) -> list[Divergence]:
        return [self._divergence(turn * self.copies + at) for at in range(self.copies)]

    def _load_all(self, peer: Peer, inputs: Inputs, turn: int) -> list[Pair]:
        saved = zip(inputs[::2], inputs[1::2], strict=True)
        return [_load(peer, both, turn=turn, at=at) for at, both in enumerate(saved)]

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        divergences = self._divergences(turn)
        laps = laps or Laps()
        with Settled(), laps.timed("load", copies=2 * self.copies):
            pairs = self._load_all(peer, inputs, turn)
        with Settled():
            with laps.timed("write", copies=self.copies):
                for pair, divergence in zip(pairs, divergences, strict=True):
                    peer.write(pair.device, divergence.by_device)
                    peer.write(pair.cloud, divergence.by_cloud)
            with laps.timed("sync", copies=self.copies):
                for pair in pairs:
                    peer.sync(pair.device, pair.cloud)
            with laps.timed("read", copies=self.copies):
                reads = [(peer.read(pair.device), peer.read(pair.cloud)) for pair in pairs]
            with laps.timed("read as text", copies=self.copies):
                texts = [(peer.read_text(pair.device), peer.read_text(pair.cloud)) for pair in pairs]
        for divergence, (device, cloud), (device_text, cloud_text) in zip(divergences, reads, texts, strict=True):
            merged = divergence.merged
            laps.check(peer, device, merged, what="the device")
            laps.check(peer, cloud, merged, what="the cloud")
            laps.check(peer, json.loads(device_text), merged, what="the device's text")
            laps.check(peer, json.loads(cloud_text), merged, what="the cloud's text")
        return laps

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        divergence = self._divergence(0)
        pair = _load(peer, inputs)
        state = len(peer.state(pair.device))
        clock = peer.clock(pair.cloud)
        peer.write(pair.device, divergence.by_device)
        delta = len(peer.delta(pair.device, clock))
        pair = _load(peer, inputs)
        peer.write(pair.device, divergence.by_device)
        peer.write(pair.cloud, divergence.by_cloud)
        return {"state": state, "delta": delta, "crossed in a sync": peer.sync(pair.device, pair.cloud)}

    def hold(self, peer: Peer, inputs: Inputs) -> list[Replica]:
        """Return one replica for each copy, loaded and read, for its memory."""
        return [pair.device for pair in self._load_all(peer, inputs, 0)]


class Small(Exchange):
    key = "W1"

    def __init__(self, *, copies: int = 40) -> None:
        super().__init__(small, copies=copies)
        self.title = "20 fields, nested once; two replicas change 3 each, one the same, sync and read"


class Large(Exchange):
    key = "W2"

    def __init__(self, *, copies: int = 10) -> None:
        super().__init__(large, copies=copies)
        self.title = "200 fields, 3 levels; two replicas change 20 each, two the same, sync and read"


class Wide(Workload):
    """W3: very many fields."""

    key = "W3"
    steps = ("load", "write", "save", "sync", "full merge", "read")
    copies = 1

    def __init__(self, *, fields: int = 100_000) -> None:
        self._divergence = flat(fields)
        self.title = f"{fields:,} flat fields, 1 % changed on each side; sync by deltas, merge of a whole state"

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        return _save(peer, _begin(peer, self._divergence.document))

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        _, by_device, by_cloud = self._divergence
        laps = laps or Laps()
        with Settled(), laps.timed("load", copies=2):
            pair = _load(peer, inputs, later_ms=turn)
        twin = _load(peer, inputs, later_ms=turn)
        peer.write(twin.device, by_device)
        with Settled():
            with laps.timed("write"):
                peer.write(pair.device, by_device)
                peer.write(pair.cloud, by_cloud)
            with laps.timed("save"):
                state = peer.state(pair.cloud)
            with laps.timed("sync"):
                peer.sync(pair.device, pair.cloud)
            with laps.timed("full merge"):
                peer.merge(twin.device, state)
            with laps.timed("read", copies=2):
                device, cloud = peer.read(pair.device), peer.read(pair.cloud)
        laps.check(peer, device, self._divergence.merged, what="the device")
        laps.check(peer, cloud, self._divergence.merged, what="the cloud")
        laps.check(peer, peer.read(twin.device), self._divergence.merged, what="by a whole state")
        return laps

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        pair = _load(peer, inputs)
        state = len(peer.state(pair.device))
        clock = peer.clock(pair.cloud)
        peer.write(pair.device, self._divergence.by_device)
        return {"state": state, "delta": len(peer.delta(pair.device, clock))}

    def hold(self, peer: Peer, inputs: Inputs) -> list[Replica]:
        """Return one replica, loaded and read, for its memory."""
        replica = peer.load(inputs[0], _writers(0)[0])
        peer.read(replica)
        return [replica]


class Long(Workload):
    """W4: a long history on a few fields."""

    key = "W4"
    steps = ("a write", "encode", "load", "stale merge")
    copies = 1

    def __init__(self, *, updates: int = 100_000) -> None:
        self._updates = updates
        self.title = f"20 fields, {updates:,} updates cycling over 8 of them, then a replica that missed them all"

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        return _save(peer, _begin(peer, THERMOSTAT))

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        pair = _load(peer, inputs, later_ms=turn)
        peer.write(pair.cloud, {"desired": {"mode": "away"}})
        laps = laps or Laps()
        with Settled():
            with laps.timed("a write", copies=self._updates):
                self._write(peer, pair)
            with laps.timed("encode"):
                state = peer.save(pair.device)
            with laps.timed("load"):
                again = peer.read(peer.load(state, Writer("device", DEVICE_ID)))
            with laps.timed("stale merge"):
                peer.sync(pair.device, pair.cloud)
        written = patched(THERMOSTAT, {"reported": self._last()})
        laps.check(peer, again, written, what="loaded again")
        for replica, who in ((pair.device, "the device"), (pair.cloud, "the cloud")):
            laps.check(peer, peer.read(replica), patched(written, {"desired": {"mode": "away"}}), what=who)
        return laps

    def _write(self, peer: Peer, pair: Pair) -> None:
        device, writer = pair.device, pair.by_device
        for at in range(self._updates):
            writer.ms += STEP_MS
            peer.put(device, "reported", CYCLED[at % len(CYCLED)], at)
        # The wall clock went on for the cloud as well.
        pair.by_cloud.ms = writer.ms + STEP_MS

    def _last(self) -> Patch:
        first = max(self._updates - len(CYCLED), 0)
        return {CYCLED[at % len(CYCLED)]: at for at in range(first, self._updates)}

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        pair = _load(peer, inputs)
        before = len(peer.state(pair.device))
        self._write(peer, pair)
        return {"state before": before, "state": len(peer.state(pair.device))}


class Crowd(Workload):
    """W5: many replicas at once."""

    key = "W5"
    steps = ("merge", "read")
    sums: ClassVar[dict[str, tuple[str, ...]]] = {"total": steps}
    copies = 1
    fresh = True

    def __init__(self, *, replicas: int = 100, fields: int = 50, written: int = 5) -> None:
        self._keys = [f"field{at:02}" for at in range(fields)]
        self._document: Document = {"reported": {key: at for at, key in enumerate(self._keys)}}
        blocks = fields // written
        self._patches: list[Patch] = [
            {"reported": dict.fromkeys(self._keys[at % blocks * written :][:written], f"replica {at}")}
            for at in range(replicas)
        ]
        self.title = f"{replicas} replicas write {written} of {fields} fields each, all merged into one"

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        pair = _begin(peer, self._document, turn=turn)
        state, clock = peer.state(pair.device), peer.clock(pair.device)
        random = Random(turn)
        deltas = []
        for at, patch in enumerate(self._patches):
            ms = pair.by_device.ms + 1_000 + at
            writer = Writer(f"replica{at:03}", (at + 2 << 24) + random.getrandbits(24), ms=ms)
            replica = peer.adopt(state, writer)
            peer.write(replica, patch)
            deltas.append(peer.delta(replica, clock))
        return peer.save(pair.device), *deltas

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        taker, deltas = self._load_taker(peer, inputs, turn), inputs[1:]
        laps = laps or Laps()
        with Settled():
            with laps.timed("merge"):
                taker = peer.merge_all(taker, deltas)
            with laps.timed("read"):
                read = peer.read(taker)
        laps.check(peer, read, all_patched(self._document, self._patches), what="the one that took in all")
        return laps

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        deltas = inputs[1:]
        taker = peer.merge_all(self._load_taker(peer, inputs, 0), deltas)
        return {"delta": sum(map(len, deltas)) / len(deltas), "state": len(peer.state(taker))}

    def _load_taker(self, peer: Peer, inputs: Inputs, turn: int) -> Replica:
        device, _ = _writers(turn)
        device.ms += 2_000
        taker = peer.load(inputs[0], device)
        peer.read(taker)
        return taker


class Fleet(Workload):
    """W6: stored states, each merged with a delta once; many of one shape, and some each of its own."""

    key = "W6"
    steps = ("a shadow", "of its own shape")
    fresh = True

    def __init__(self, *, shadows: int = 500, own: int = 50) -> None:
        self.copies = shadows
        self._own = own
        self.title = "stored state and one delta, bytes to bytes; shadows of 20 fields"

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        random = Random(turn)
        inputs: list[bytes] = []
        for at in range(self.copies + self._own):
            device = Writer(f"device{at:05}", random.getrandbits(31), ms=START_MS + random.getrandbits(20))
            cloud = Writer("cloud", 1 << 31 | random.getrandbits(31), ms=device.ms + STEP_MS)
            kept, author = peer.create(device), peer.create(cloud)
            peer.write(kept, self._document(at, turn))
            peer.sync(kept, author)
            clock = peer.clock(kept)
            cloud.ms += STEP_MS
            peer.write(author, self._patch(at, turn))
            inputs += [peer.state(kept), peer.delta(author, clock)]
        return tuple(inputs)

    def _document(self, at: int, turn: int) -> Document:
        document = patched(THERMOSTAT, {"reported": {"uptime": 1_000 * at, "temperature": 15 + at % 100 / 10}})
        return self._shaped(document, at, turn)

    def _patch(self, at: int, turn: int) -> Patch:
        limits = {"max": 24 + at % 5}
        return self._shaped(
            {"desired": {"target": 18 + at % 80 / 10, "power": at % 2 == 0, "limits": limits}}, at, turn
        )

    def _shaped(self, part: Document, at: int, turn: int) -> Document:
        if at < self.copies:
            return part
        return {section: renamed(fields, f"{turn:03}{at:04}") for section, fields in part.items()}

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        pairs = list(zip(inputs[::2], inputs[1::2], strict=True))
        laps = laps or Laps()
        with Settled():
            with laps.timed("a shadow", copies=self.copies):
                merged = [peer.merge_stored(state, delta) for state, delta in pairs[: self.copies]]
            with laps.timed("of its own shape", copies=self._own):
                merged += [peer.merge_stored(state, delta) for state, delta in pairs[self.copies :]]
        reader = Writer("reader", 1, ms=START_MS + (1 << 24))
        for at in (*range(0, self.copies, 10), *range(self.copies, len(pairs))):
            read = peer.read(peer.adopt(merged[at], reader))
            laps.check(peer, read, patched(self._document(at, turn), self._patch(at, turn)), what=f"shadow {at}")
        return laps

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        pairs = list(zip(inputs[::2], inputs[1::2], strict=True))[: self.copies]
        return {
            "state": sum(len(state) for state, _ in pairs) / self.copies,
            "delta": sum(len(delta) for _, delta in pairs) / self.copies,
            "state after": sum(len(peer.merge_stored(state, delta)) for state, delta in pairs) / self.copies,
            "state after 100": self._after(peer, 100),
        }

    def _after(self, peer: Peer, merges: int) -> int:
        """Return the bytes of one state after so many deltas of one writer."""
        device, cloud = Writer("device00000", DEVICE_ID), Writer("cloud", CLOUD_ID, ms=START_MS + STEP_MS)
        kept, author = peer.create(device), peer.create(cloud)
        peer.write(kept, self._document(0, 0))
        peer.sync(kept, author)
        state, clock = peer.state(kept), peer.clock(kept)
        for at in range(merges):
            cloud.ms += STEP_MS
            peer.write(author, self._patch(at % self.copies, 0))
            state, clock = peer.merge_stored(state, peer.delta(author, clock)), peer.clock(author)
        return len(state)


class Churn(Workload):
    """W7: keys come and go."""

    key = "W7"
    steps = ("add and remove", "settle")
    copies = 1

    def __init__(self, *, keys: int = 10_000, batch: int = 100) -> None:
        self._keys = keys
        batches = [[f"session{at:05}" for at in range(first, first + batch)] for first in range(0, keys, batch)]
        self._patches: list[tuple[Patch, Patch]] = [
            ({"reported": dict.fromkeys(keys, 1)}, {"reported": dict.fromkeys(keys)}) for keys in batches
        ]
        self.title = f"{keys:,} keys added and removed, {batch} at a time, until all replicas have seen it"

    def prepare(self, peer: Peer, *, turn: int = 0) -> Inputs:
        return _save(peer, _begin(peer, THERMOSTAT))

    def run(self, peer: Peer, inputs: Inputs, *, turn: int = 0, laps: Laps | None = None) -> Laps:
        laps = laps or Laps()
        pair = _load(peer, inputs, later_ms=turn)
        for replica in self._churn(peer, pair, laps):
            laps.check(peer, peer.read(replica), THERMOSTAT, what="settled")
        return laps

    def _churn(self, peer: Peer, pair: Pair, laps: Laps) -> Sequence[Replica]:
        with Settled():
            with laps.timed("add and remove"):
                for added, removed in self._patches:
                    pair.by_device.ms += STEP_MS
                    peer.write(pair.device, added)
                    peer.write(pair.device, removed)
            pair.by_cloud.ms = pair.by_device.ms
            with laps.timed("settle"):
                peer.sync(pair.device, pair.cloud)
                return peer.settle([pair.device, pair.cloud])

    def sizes(self, peer: Peer, inputs: Inputs) -> dict[str, float]:
        pair = _load(peer, inputs)
        # One more write in the state compared with, so that a longer clock is not taken for what is left of the keys.
        pair.by_device.ms += STEP_MS
        peer.put(pair.device, "reported", "uptime", THERMOSTAT["reported"]["uptime"])
        before = len(peer.state(pair.device))
        pair = _load(peer, inputs)
        device, _ = self._churn(peer, pair, Laps())
        left = len(peer.state(device)) - before
        return {"left": left, "left a key": left / self._keys}


def full() -> list[Workload]:
    """Return the workloads at the sizes that the goals are set for."""
    return [Small(), Large(), Wide(), Long(), Crowd(), Fleet(), Churn()]


def quick() -> list[Workload]:
    """Return the workloads at a tenth of the sizes, for a look of seconds."""
    return [
        Small(copies=20),
        Large(copies=4),
        Wide(fields=10_000),
        Long(updates=2_000),
        Crowd(),
        Fleet(shadows=100, own=20),
        Churn(keys=1_000),
    ]
