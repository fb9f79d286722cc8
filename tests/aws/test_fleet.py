"""A whole fleet through the real functions, from a seed: in the end everybody agrees, and silence falls.

What it proves: with reordering, duplicates, losses, lost answers, throttles and errors of AWS on all ways, devices
with replicas, the state table and the AWS shadows (by rules that share no code with this package) end up the same;
history replayed gives the same states; and what arrives again then writes nothing. What it cannot: timing of AWS.
"""

from __future__ import annotations

import pytest
from crdtshadow_walk import ShadowKey

from crdtshadow import Delta, Shadow, resolve
from tests.aws.fleet import Fleet


def assert_agreed(fleet: Fleet) -> None:
    for key, device in fleet.devices.items():
        assert device.replica.shadow == fleet.state(key), key
    for key in fleet.keys:
        state = fleet.state(key)
        view = resolve(state, fleet.account.parts.settings.default_policy)
        told = fleet.account.iot.state(*key)
        if not view.held:
            assert told == view.document, key
        assert replayed(fleet, key) == state, key


def replayed(fleet: Fleet, key: ShadowKey) -> Shadow:
    """Return what the deltas in a shadow's history amount to."""
    shadow = Shadow()
    for past in fleet.account.parts.history.of(key):
        if past.delta:
            shadow.merge(Delta.decode(past.delta))
    return shadow


def assert_silent(fleet: Fleet) -> None:
    """Deliver everything once more, and see that nothing is written."""
    before = fleet.fingerprint()
    bodies, records = list(fleet.bodies), list(fleet.records)
    for at in range(0, len(bodies), 10):
        assert fleet.account.resolve(bodies[at : at + 10][::-1]) == []
    assert fleet.account.publish(records) == []
    assert fleet.account.publish(fleet.account.take_stream()) == []
    assert fleet.fingerprint() == before


@pytest.mark.parametrize("strategy", ["field_level_merge", "last_writer_wins", "priority_based", "manual_review"])
@pytest.mark.parametrize("faults", [0.0, 0.1])
def test_a_fleet_ends_up_agreed_and_silent(strategy: str, faults: float) -> None:
    met = 0
    for seed in range(3):
        fleet = Fleet(seed, faults=faults, strategy=strategy)
        for _ in range(120):
            fleet.step()
        fleet.settle()
        assert_agreed(fleet)
        assert_silent(fleet)
        met += fleet.faults_met
    assert (met > 0) == (faults > 0)
