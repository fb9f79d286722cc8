"""Peers that believed to be level and were not, and states that were others after a save and a load."""

from __future__ import annotations

import pytest

from crdtshadow import REMOVED, Delta, MissingBase, Replica, Session, Shadow, ingest_event
from crdtshadow.plain import Ledger
from crdtshadow.testing import FakeClock, LossyNetwork
from tests.regressions.peers import START_MS, A, B, at, exchange, exchange_all, joined, replicas, shown


def test_who_says_to_be_level_is_level() -> None:
    """Both sides said that there was nothing to send, one holding a map and the other a scalar.

    https://github.com/automerge/automerge/issues/870
    """
    clock = FakeClock(START_MS)
    left, right = replicas("left", "right", clock=clock)
    left.desired["!!"] = {"!!": 0}
    exchange(left, right)
    left.desired["!!"] = False
    right.desired["!!"] = {"!!": 1}
    right.desired["!!"] = "1"
    exchange(left, right)
    last = Session(right).receive(Session(left).hello())
    assert [Session(left).receive(reply).merged for reply in last.replies] == [None]
    assert left.shadow.encode() == right.shadow.encode()
    assert left.document()["state"] == right.document()["state"]


@pytest.mark.parametrize("values", [(1, 2), (1, 1.0), (0.5, 3), (2**63, -1), (True, 1)])
def test_a_conflict_of_numbers_is_decided_the_same_after_a_load(values: tuple[float, float]) -> None:
    """Which of two numbers won was another one after saving and loading.

    https://github.com/automerge/automerge/issues/579
    """
    one, two = replicas("one", "two", clock=FakeClock(START_MS))
    one.set("/desired/some/deeper/x", values[0])
    two.set("/desired/some/deeper/x", values[1])
    exchange(one, two)
    again = Replica.load(one.save(), epoch=9, now=FakeClock(START_MS))
    assert again.document()["state"] == one.document()["state"] == two.document()["state"]
    assert again.conflicts() == one.conflicts()
    assert len(one.conflicts()) == 1


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_saves_and_loads_amid_exchanges_loses_nothing(seed: int) -> None:
    """Overlapping exchanges, saved and loaded before they were over, left documents that could not be loaded.

    https://github.com/automerge/automerge/issues/536
    """
    clock = FakeClock(START_MS)
    first, second, server = replicas("first", "second", "server", clock=clock)
    network = LossyNetwork([first, second, server], seed=seed, loss=0.2, duplication=0.3)
    for number in range(6):
        clock.advance(1)
        first.desired["x"] = number
        second.desired["x"] = -number
        network.greet(first, server)
        network.greet(second, server)
        for _ in range(1 + (seed + number) % 4):
            network.deliver()
        network.replicas[2] = Replica.resume(server.save(), last_time=server.last_time, now=clock)
        assert network.replicas[2].shadow == server.shadow
        server = network.replicas[2]
    network.settle()
    assert len({replica.shadow.digest() for replica in network.replicas}) == 1


def test_a_state_without_its_history_joins_one_that_has_writes_of_its_own() -> None:
    """A trimmed snapshot, imported where there were concurrent writes, waited for what it had trimmed, for ever.

    https://github.com/loro-dev/loro/issues/1040
    """
    clock = FakeClock(START_MS)
    keeper, other = replicas("keeper", "other", clock=clock)
    keeper.update({"desired": {"a": 1, "b": 1}})
    exchange(keeper, other)
    keeper.remove("/desired/a")
    exchange_all(keeper, other)
    assert keeper.forget() == ("/desired/a",)
    other.desired["c"] = 3
    keeper.desired["d"] = 4
    assert other.merge(keeper.delta())
    exchange(keeper, other)
    assert other.desired == keeper.desired == {"b": 1, "c": 3, "d": 4}


def test_a_late_state_is_refused_by_name_and_not_left_pending() -> None:
    """What cannot be joined without what was trimmed has to be said, with the way out of it.

    https://github.com/loro-dev/loro/issues/1040
    """
    clock = FakeClock(START_MS)
    keeper, late = replicas("keeper", "late", clock=clock)
    keeper.update({"desired": {"a": 1}})
    exchange(keeper, late)
    late.desired["mine"] = 1
    keeper.remove("/desired/a")
    keeper.retire(late.id)
    assert keeper.forget() == ("/desired/a",)
    offered = Session(late).receive(Session(keeper).receive(Session(late).hello()).replies[0])
    assert offered.refused is not None and offered.refused.code == "below_floor"
    assert offered.offer is not None
    keeper.merge(late.rebase(offered.offer, epoch=2))
    assert late.shadow == keeper.shadow
    assert late.desired == {"mine": 1}


def test_a_saved_state_is_loaded_as_it_was_saved() -> None:
    """What was loaded was not what had been saved.

    https://github.com/loro-dev/loro/issues/490
    """
    clock = FakeClock(START_MS)
    here, there = replicas("here", "there", clock=clock)
    here.update({"desired": {"list": [1, 1.0, True, {"b": 1, "a": None}], "text": "é\U0001f600", "empty": {}}})
    there.update({"desired": {"list": [], "n": -0.0}, "reported": {"big": 2**64 - 1}})
    here.remove("/desired/text")
    exchange(here, there)
    loaded = Replica.resume(here.save(), last_time=here.last_time, now=clock)
    assert loaded.shadow.encode() == here.shadow.encode()
    assert loaded.document() == here.document()
    assert loaded.save() == here.save()
    assert Shadow.decode(there.shadow.encode()) == there.shadow


def test_many_writes_elsewhere_do_not_beat_an_unseen_write_here() -> None:
    """A counter for the whole database let a write win that had not seen the other, just as its side was busier.

    https://github.com/vlcn-io/cr-sqlite/issues/405
    """
    clock = FakeClock(START_MS)
    busy, quiet = replicas("busy", "quiet", clock=clock)
    busy.desired["mode"] = "off"
    for number in range(100):
        busy.reported["counter"] = number
    clock.advance(1_000)
    quiet.desired["mode"] = "heat"
    exchange(busy, quiet)
    assert busy.desired["mode"] == quiet.desired["mode"] == "heat"
    assert [len(decision.conflict.writes) for decision in busy.conflicts()] == [2]


def test_a_gap_is_seen_before_a_delta_is_taken_for_no_change() -> None:
    """A message that changed nothing was dropped before the gap in its versions was looked at, so what it followed
    was never fetched.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager
    """
    source, receiver = Shadow(), Shadow()
    source.write({"/desired/x": 1}, at(1, A))
    receiver.merge(source)
    source.write({"/desired/y": 2}, at(2, A))
    nothing_new = source.delta(source.clock)
    assert not nothing_new and nothing_new.rows == {}
    with pytest.raises(MissingBase):
        receiver.merge(nothing_new)
    with pytest.raises(MissingBase):
        receiver.merge(Delta(source.clock, source.clock, rows={}))


def test_versions_that_were_lost_are_made_good_by_the_next_event() -> None:
    """An event after a gap was compared with the version before it only, and what the lost ones said was skipped.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager
    """

    def event(version: int, state: dict[str, object]) -> dict[str, object]:
        current = {"state": state, "metadata": {}, "version": version}
        return {"previous": {}, "current": current, "timestamp": START_MS // 1000 + version}

    shadow, ledger = Shadow(), Ledger()
    states: dict[int, dict[str, object]] = {1: {"desired": {"a": 1}}, 5: {"desired": {"b": 2}, "reported": {"c": 3}}}
    for version, state in states.items():
        ledger = ingest_event(shadow, ledger, event(version, state), epoch=1, now_ms=START_MS).ledger
    assert shown(shadow) == {"/desired/b": 2, "/reported/c": 3}
    before = shadow.encode()
    late = ingest_event(shadow, ledger, event(3, {"desired": {"a": 9}}), epoch=1, now_ms=START_MS)
    assert late.ignored and shadow.encode() == before


def test_equal_states_have_equal_clocks_and_the_other_way_round() -> None:
    """Comparing clocks alone is safe only if a clock says all: the same clock, floor and bytes go together.

    https://github.com/automerge/automerge/issues/870
    """
    one, two = Shadow(), Shadow()
    one.write({"/desired/x": 1}, at(1, A))
    two.merge(one)
    one.write({"/desired/x": REMOVED}, at(2, A))
    two.write({"/desired/x": 2}, at(3, B))
    both = joined(one, two)
    one.merge(two.delta(one.clock))
    two.merge(one.delta(two.clock))
    assert one.clock == two.clock == both.clock
    assert one.encode() == two.encode() == both.encode()
