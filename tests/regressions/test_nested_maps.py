"""Maps that two sides create at one place: both sides' members stay."""

from __future__ import annotations

from crdtshadow.testing import FakeClock
from tests.regressions.peers import START_MS, exchange, exchange_all, replicas


def test_members_of_a_map_that_both_sides_created_are_all_there() -> None:
    """Of two nested maps created concurrently under one key, one vanished with all that was in it.

    https://github.com/yjs/yjs/issues/301
    """
    here, there = replicas("here", "there", clock=FakeClock(START_MS))
    here.desired["a"] = {"done": False, "title": "old"}
    here.desired["b"] = {"done": False, "title": "old"}
    there.desired["a"] = {"done": True}
    there.desired["b"] = {"title": "new"}
    exchange(here, there)
    assert here.document()["state"] == there.document()["state"]
    assert {key: set(members) for key, members in dict(here.desired).items()} == {  # type: ignore[call-overload]  # maps
        "a": {"done", "title"},
        "b": {"done", "title"},
    }


def test_three_sides_that_build_one_tree_keep_every_leaf() -> None:
    """The same, deeper, and with more than two sides: whole subtrees were replaced.

    https://github.com/yjs/yjs/issues/306
    """
    trio = replicas("a", "b", "c", clock=FakeClock(START_MS))
    for replica in trio:
        replica.update({"desired": {"rooms": {"kitchen": {"sensors": {replica.name: {"on": True}}}}}})
    exchange_all(*trio)
    sensors = {name: {"on": True} for name in "abc"}
    for replica in trio:
        assert replica.document()["state"]["desired"] == {"rooms": {"kitchen": {"sensors": sensors}}}  # type: ignore[index]


def test_an_empty_map_does_not_wipe_what_the_other_side_put_into_its_own() -> None:
    """Creating the container again, as programs do on start, replaced the container that was in use.

    https://github.com/yjs/yjs/issues/301
    """
    clock = FakeClock(START_MS)
    user, starter = replicas("user", "starter", clock=clock)
    user.desired["limits"] = {"max": 80}
    clock.advance(1_000)
    starter.desired["limits"] = {}
    exchange(user, starter)
    assert starter.desired == user.desired == {"limits": {"max": 80}}
    assert starter.conflicts() == ()
