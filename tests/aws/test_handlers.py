"""The three functions in an account of moto's: what goes in, what becomes of it, what is answered.

What it proves: requests have the shape that AWS's API models ask for, and the functions do together what is asked of
them. What it cannot: AWS's own rules for shadows where moto is lax; the fake service of test_fleet has those.
"""

from __future__ import annotations

from crdtshadow import Replica
from tests.aws.events import delta_body
from tests.aws.world import NOW_S, World


def device(world: World, epoch: int = 7) -> Replica:
    return Replica("thermostat", epoch=epoch, now=lambda: world.now_ms)


def test_a_plain_update_is_stored_and_told_and_publishes_nothing(world: World) -> None:
    event = world.update({"desired": {"rate": 30, "alert": 80.5}, "reported": {"rate": 30}}, shadow="configuration")
    assert world.deliver(event) == []
    assert world.pump() == []
    assert world.shadow(shadow="configuration")["version"] == 1
    status, body = world.ask("sync_check", thingName="thermostat", shadowNames=["configuration"])
    assert status == 200
    (shadow,) = body["shadows"]
    assert shadow["outstanding"] == {"alert": 80.5}
    assert shadow["published"] is True and shadow["conflicts"] == [] and shadow["awsVersion"] == 1


def test_a_delta_is_merged_and_the_aws_shadow_follows(world: World) -> None:
    world.deliver(world.update({"desired": {"rate": 30}, "reported": {"rate": 30}}))
    world.pump()
    replica = device(world)
    world.now_ms += 1000
    assert world.deliver(delta_body(replica.update({"desired": {"rate": 20}, "reported": {"firmware": "1.0"}}))) == []
    assert world.pump() == []
    assert world.shadow()["state"] == {"desired": {"rate": 20}, "reported": {"rate": 30, "firmware": "1.0"}}
    assert world.shadow()["version"] == 2


def test_a_batch_for_one_shadow_takes_one_read_and_one_write(world: World) -> None:
    events = [world.update({"reported": {"n": at}}) for at in range(5)]
    world.parts.configuration.of("thermostat")
    world.stream.calls.clear()
    world.deliver(*events, *events)
    assert world.stream.calls == ["query", "update_item"]


def test_what_cannot_be_read_is_set_aside_and_hinders_nobody(world: World) -> None:
    event = world.update({"reported": {"n": 1}})
    bodies = ["junk", {"thingName": "no thing", "current": {}}, event, delta_body(b"junk"), {"thingName": "thermostat"}]
    assert world.deliver(*bodies) == []
    codes = sorted(refusal["code"] for refusal in world.refusals())
    assert codes == ["event_refused", "malformed", "message_refused", "message_refused"]
    assert world.ask("sync_check", thingName="thermostat")[1]["shadows"][0]["published"]


def test_unknown_things_and_wrong_arguments_are_answered(world: World) -> None:
    assert world.ask("sync_check", thingName="ghost")[0] == 404
    assert world.ask("resolve_conflict", thingName="ghost", path="/desired/t", value=1)[0] == 404
    assert world.ask("nope")[0] == 400
    assert world.ask("conflict_summary", timeRangeHours=NOW_S)[0] == 400
