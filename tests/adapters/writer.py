"""A process that writes into a store until it has written enough or is killed, and says what it was acknowledged.

    python -m tests.adapters.writer FILE KIND NAME FIRST COUNT

KIND is ``replica`` (a durable replica NAME writes a field each time and counts) or ``walk`` (batches of deltas of a
replica NAME that lives in this process). Each line of output is ``acknowledged NUMBER TIME REPLICA``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from crdtshadow_local import Store, new_epoch, wall_clock_ms
from crdtshadow_walk import DeltaMessage, Merged, ShadowKey, walk

from crdtshadow import Replica, Stamp

KEY = ShadowKey("thermostat")


def write_as_replica(store: Store, name: str, numbers: range) -> Iterator[tuple[int, Stamp]]:
    replica = store.open_replica(KEY.thing, name=name)
    for number in numbers:
        delta = replica.update({"reported": {f"{name}-{number}": number, "last": name}})
        yield number, max(delta.stamps())


def write_by_walking(store: Store, name: str, numbers: range) -> Iterator[tuple[int, Stamp]]:
    replica = Replica(name, epoch=new_epoch(), now=wall_clock_ms)
    for number in numbers:
        delta = replica.set(f"/reported/{name}-{number}", number)
        (outcome,) = walk(store, [DeltaMessage(KEY, delta.encode())], now=wall_clock_ms).outcomes
        assert isinstance(outcome, Merged)
        yield number, max(delta.stamps())


def main() -> None:
    path, kind, name, first, count = sys.argv[1:]
    write = write_as_replica if kind == "replica" else write_by_walking
    with Store.open(path) as store:
        for number, stamp in write(store, name, range(int(first), int(first) + int(count))):
            print("acknowledged", number, stamp.time, stamp.replica, flush=True)  # noqa: T201  # it is how it answers


if __name__ == "__main__":
    main()
