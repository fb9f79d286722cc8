"""Removals that were kept for ever, or forgotten too early."""

from __future__ import annotations

import pytest

from crdtshadow import REMOVED, BelowFloor, Replica, Shadow
from crdtshadow.testing import FakeClock
from tests.regressions.peers import START_MS, A, B, at, exchange, exchange_all, replicas, shown


def test_a_field_written_over_and_over_takes_no_more_room() -> None:
    """A document grew with every overwrite of one and the same key.

    https://github.com/y-crdt/y-crdt/issues/445
    """
    clock = FakeClock(START_MS)
    device, cloud = replicas("device", "cloud", clock=clock)
    sizes = set()
    for number in range(300):
        clock.advance(1_000)
        device.reported["n"] = number % 10
        cloud.merge(device.delta(cloud.clock))
        sizes.add(len(cloud.shadow.encode()))
    assert max(sizes) - min(sizes) <= 4


@pytest.mark.parametrize("low_cardinality", [True, False])
def test_adding_and_removing_for_ever_leaves_nothing_behind(low_cardinality: bool) -> None:
    """Is a set, or a map, prone to tombstones that pile up? Here they go once all have seen them.

    https://github.com/akka/akka-core/issues/27151
    """
    clock = FakeClock(START_MS)
    trio = replicas("a", "b", "c", clock=clock)
    for replica in trio:
        replica.reported[replica.name] = 1
    exchange_all(*trio)
    before = len(trio[0].shadow.encode())
    for number in range(60):
        clock.advance(1)
        writer = trio[number % 3]
        field = f"/desired/{0 if low_cardinality else number}"
        writer.set(field, number)
        writer.remove(field)
        exchange_all(*trio)
        for replica in trio:
            replica.forget()
        exchange_all(*trio)
    assert len(trio[0].shadow) == 3
    assert len(trio[0].shadow.encode()) <= before + 60
    assert len({replica.shadow.encode() for replica in trio}) == 1


def test_what_is_stored_of_removed_fields_goes_too() -> None:
    """A durable store kept a mark for every key ever deleted, and all of them were loaded again.

    https://github.com/akkadotnet/akka.net/issues/5103
    """
    clock = FakeClock(START_MS)
    device, cloud = replicas("device", "cloud", clock=clock)
    exchange_all(device, cloud)
    empty = len(device.save())
    for number in range(500):
        device.set(f"/reported/{number}", "x" * 50)
    for number in range(500):
        device.remove(f"/reported/{number}")
    exchange_all(device, cloud)
    assert len(cloud.forget()) == 500
    exchange_all(device, cloud)
    device.forget()
    loaded = Replica.resume(device.save(), last_time=device.last_time, now=clock)
    assert len(loaded.shadow) == 0
    assert len(device.save()) <= empty + 300


def test_a_late_returner_does_not_bring_back_what_was_removed() -> None:
    """Pruned too early, removed fields came back with the first one who had not heard of it, and nobody noticed.

    https://github.com/akka/akka-core/issues/27151
    """
    here, late = Shadow(), Shadow()
    here.write({"/desired/x": 1}, at(1, A))
    late.merge(here)
    here.write({"/desired/x": REMOVED}, at(2, A))
    here.forget(here.clock)
    late.write({"/desired/y": 2}, at(2, B))
    for one, other in ((here, late), (late, here)):
        before = one.encode()
        with pytest.raises(BelowFloor):
            one.merge(other)
        assert one.encode() == before
    assert shown(here) == {}


def test_nobody_forgets_while_somebody_may_not_have_seen() -> None:
    """Removals were pruned though one replica was only cut off, not gone.

    https://github.com/akkadotnet/akka.net/issues/5103
    """
    clock = FakeClock(START_MS)
    here, there, cut_off = replicas("here", "there", "cut-off", clock=clock)
    here.desired["x"] = 1
    there.desired["z"] = 1
    cut_off.desired["y"] = 1
    exchange_all(here, there, cut_off)
    here.remove("/desired/x")
    exchange_all(here, there)
    assert here.forget() == there.forget() == ()
    exchange(cut_off, here)
    assert here.forget() == ("/desired/x",)
    exchange_all(here, there, cut_off)
    for replica in (here, there, cut_off):
        replica.forget()
    exchange_all(here, there, cut_off)
    assert here.shadow == there.shadow == cut_off.shadow
    assert here.shadow.siblings("/desired/x") == ()
