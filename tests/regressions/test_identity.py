"""Identities that were used twice, cut, or never changed."""

from __future__ import annotations

import pytest

from crdtshadow import InvalidIdentity, Replica, Shadow, Stamp, VectorClock, replica_id, split_replica
from crdtshadow.clock import EMPTY_CLOCK
from crdtshadow.delta import Delta
from crdtshadow.limits import NAME_CHARS_MAX
from crdtshadow.sibling import Sibling
from crdtshadow.testing import FakeClock
from tests.regressions.peers import START_MS, exchange, replicas


def test_writes_after_lost_data_are_not_taken_for_old_ones() -> None:
    """An actor that had lost its state began to count anew: its new writes were seen already, and vanished.

    https://github.com/basho/riak_kv/issues/679
    """
    clock = FakeClock(START_MS)
    device, cloud = replicas("device", "cloud", clock=clock)
    for number in range(5):
        device.reported["n"] = number
    exchange(device, cloud)
    clock.advance(-30_000)  # its clock, too, was set back by the reset
    reset = Replica("device", epoch=2, now=clock)
    reset.reported["n"] = "new"
    exchange(reset, cloud)
    assert {one.value for one in cloud.shadow.siblings("/reported/n")} == {4, "new"}
    assert not reset.cloned


def test_an_identity_used_again_after_lost_data_is_found_out() -> None:
    """A causal history used a second time is a data loss that nobody notices; here it is said, and ended.

    https://github.com/basho/riak_kv/pull/1094
    """
    clock = FakeClock(START_MS)
    device, cloud = replicas("device", "cloud", clock=clock)
    device.reported["n"] = 1
    exchange(device, cloud)
    reset = Replica("device", epoch=1, now=clock)
    merged = reset.merge(cloud.delta())
    assert merged.clones and reset.cloned
    with pytest.raises(InvalidIdentity):
        reset.reported["n"] = 2
    reset.rotate(2)
    reset.reported["n"] = 2
    exchange(reset, cloud)
    assert cloud.reported == {"n": 2}


def test_two_that_start_in_the_same_second_are_two() -> None:
    """Ids made of the node and the second were equal for all that started in that second.

    https://github.com/basho/riak_kv/pull/1027
    """
    clock = FakeClock(START_MS)
    one, two = (Replica("device", epoch=epoch, now=clock) for epoch in (1, 2))
    one.reported["x"] = 1
    two.reported["x"] = 2
    assert one.last_time == two.last_time
    exchange(one, two)
    assert one.shadow == two.shadow
    assert len(one.shadow.siblings("/reported/x")) == 2
    assert not one.cloned and not two.cloned


@pytest.mark.parametrize("epoch", [0, 1, 2**31, 2**32 - 1])
def test_ids_come_whole_through_the_wire(epoch: int) -> None:
    """Ids beyond 32 bits were cut on the way, so two writers became one and texts were mixed.

    https://github.com/y-crdt/y-crdt/issues/221
    """
    for name in ("x", "thing:with.all_the@signs$+-" * 4, "n" * NAME_CHARS_MAX):
        full = replica_id(name, epoch)
        stamp = Stamp(2**64 - 1, full)
        delta = Delta(EMPTY_CLOCK, VectorClock({full: stamp.time}), rows={"/desired/x": (Sibling(stamp, 1),)})
        assert next(Delta.decode(delta.encode()).stamps()) == stamp
        assert split_replica(full) == (name, epoch)
    for beyond in (2**32, -1):
        with pytest.raises(InvalidIdentity):
            replica_id("x", beyond)
    with pytest.raises(InvalidIdentity):
        replica_id("n" * (NAME_CHARS_MAX + 1), epoch)


def test_a_clone_is_told_and_can_go_on_under_a_new_identity() -> None:
    """Two with one id, and no way to notice and change it.

    https://github.com/y-crdt/y-crdt/issues/361
    """
    clock = FakeClock(START_MS)
    one = Replica("device", epoch=1, now=clock)
    two = Replica.resume(one.save(), last_time=one.last_time, now=clock)
    one.desired["x"] = 1
    two.desired["x"] = 2
    merged = two.merge(one.delta())
    assert merged.clones == tuple(one.clock.stamps())
    two.merge(one.delta(two.clock))
    one.merge(two.delta())
    assert one.shadow == two.shadow, "even clones converge"
    clock.advance(1)
    one.desired["y"] = 1
    assert two.merge(one.delta(two.clock)).clones
    with pytest.raises(InvalidIdentity):
        two.desired["x"] = 3
    with pytest.raises(InvalidIdentity):
        two.rotate(1)
    two.rotate(3)
    two.desired["x"] = 3
    exchange(one, two)
    assert one.desired == {"x": 3, "y": 1}


def test_a_loaded_backup_is_nobody_else() -> None:
    """Bytes that were saved once and loaded twice are two writers, unless the last time used is proven.

    https://github.com/basho/riak_kv/issues/679
    """
    clock = FakeClock(START_MS)
    device = Replica("device", epoch=1, now=clock)
    device.reported["n"] = 1
    backup = device.save()
    device.reported["n"] = 2
    restored = Replica.load(backup, epoch=2, now=clock)
    restored.reported["n"] = 3
    exchange(device, restored)
    assert len({one.stamp.replica for one in device.shadow.siblings("/reported/n")}) == 2
    with pytest.raises(InvalidIdentity):
        Replica.load(backup, epoch=1, now=clock)
    with pytest.raises(InvalidIdentity):
        Replica.resume(backup, last_time=0, now=clock)
    assert Shadow.decode(restored.shadow.encode()) == device.shadow
