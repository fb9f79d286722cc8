"""Drift bounds that refused the honest, and clocks that ran away."""

from __future__ import annotations

import pytest

from crdtshadow import ClockDrift, Replica
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow.testing import FakeClock
from tests.regressions.peers import START_MS, exchange, replicas

DAY_MS = 24 * 3_600_000
YEAR_MS = 365 * DAY_MS


@pytest.mark.parametrize("behind_ms", [1, DRIFT_MS_MAX, DRIFT_MS_MAX + 1, DAY_MS, 10 * YEAR_MS, START_MS])
def test_the_past_is_never_refused(behind_ms: int) -> None:
    """A bound on the absolute drift refused old timestamps as well, and a machine that had slept refused its own.

    https://github.com/elixir-toniq/hlclock/pull/22
    """
    late, clock = FakeClock(START_MS - behind_ms), FakeClock(START_MS)
    device, cloud = Replica("device", epoch=1, now=late), Replica("cloud", epoch=1, now=clock)
    device.reported["n"] = 1
    cloud.merge(device.delta())
    late.advance(-behind_ms)
    device.reported["n"] = 2
    cloud.merge(device.delta(cloud.clock))
    clock.advance(YEAR_MS)
    cloud.desired["n"] = 3
    assert cloud.reported == {"n": 2}


def test_a_device_whose_clock_ran_ahead_is_not_locked_out_for_good() -> None:
    """Once its clock had been ahead, all that an honest device wrote was refused, long after the clock was right.

    https://github.com/evoluhq/evolu/issues/709
    """
    wrong, clock = FakeClock(START_MS + DAY_MS), FakeClock(START_MS)
    device, cloud = Replica("device", epoch=1, now=wrong), Replica("cloud", epoch=1, now=clock)
    device.reported["n"] = 1
    cloud.desired["mode"] = "heat"
    with pytest.raises(ClockDrift) as refused:
        cloud.merge(device.delta())
    assert refused.value.now_ms == START_MS and refused.value.retryable
    wrong.ms = refused.value.now_ms
    delta = device.rebase(cloud.delta(), epoch=2)
    assert cloud.merge(delta)
    device.reported["n"] = 2
    exchange(device, cloud)
    assert cloud.reported == {"n": 2} and device.desired == {"mode": "heat"}
    assert cloud.shadow == device.shadow


def test_within_the_bound_nobody_is_refused_and_beyond_it_all_are() -> None:
    """What is accepted moves the receiver's clock; what it then writes must be acceptable to the next one.

    https://github.com/evoluhq/evolu/issues/709
    """
    clock = FakeClock(START_MS)
    ahead = FakeClock(START_MS + DRIFT_MS_MAX)
    fast, right, third = (Replica(name, epoch=1, now=now) for name, now in (("f", ahead), ("r", clock), ("t", clock)))
    fast.desired["x"] = 1
    right.merge(fast.delta())
    for number in range(100):
        right.desired["x"] = number
    third.merge(right.delta())
    ahead.advance(1)
    fast.desired["x"] = 2
    with pytest.raises(ClockDrift):
        third.merge(fast.delta())
    clock.advance(1)
    assert third.merge(fast.delta())


def test_a_peer_from_tomorrow_changes_nothing_and_stops_nobody() -> None:
    """A timestamp a day ahead threw out of the merge, half done.

    https://github.com/cachapa/crdt/issues/6
    """
    clock = FakeClock(START_MS)
    (local,) = replicas("local", clock=clock)
    local.desired["name"] = "Misha"
    before = local.save()
    future = Replica("remote", epoch=1, now=FakeClock(START_MS + DAY_MS))
    future.update({"desired": {"name": "Daniel", "other": 1}})
    with pytest.raises(ClockDrift):
        local.merge(future.delta())
    assert local.save() == before
    local.desired["name"] = "Mischa"
    clock.advance(DAY_MS)
    assert local.merge(future.delta())
    local.desired["name"] = "M"
    assert local.desired == {"name": "M", "other": 1}
