"""Invocations that run at once, in every order of their calls, with every fault in every place.

What it proves: in all schedules of two invocations with so many faults, what arrived ends in the join or in the
quarantine, the AWS shadow shows what readers see, and nothing is left to do. What it cannot: three at once, or a
process that dies between two calls; its record or message comes again then, which the fleet's simulation does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from crdtshadow_walk import ShadowKey, decode_record

from crdtshadow import Delta, Policy, Replica, Shadow, resolve
from tests.aws.account import NOW_MS, Account
from tests.aws.faults import THROTTLED
from tests.aws.schedules import Between, Run, Start, explore

KEY = ShadowKey("thermostat")
PLAIN = {"CONFIGURATION_TABLE": ""}
JUNK = b"junk"


def state(account: Account) -> Shadow:
    return decode_record(KEY, account.parts.store.load((KEY,))[KEY], default_policy=Policy()).shadow


def app(number: int) -> Replica:
    return Replica(f"app-{number}", epoch=number, now=lambda: NOW_MS - 1_000 + number)


def body(account: Account, delta: Delta | bytes, number: int) -> str:
    """Return what the rule puts into the queue when an app sends a delta."""
    account.send_delta("thermostat", delta if isinstance(delta, bytes) else delta.encode(), client=f"app-{number}")
    return account.updates.pop()


def finish(run: Run) -> None:
    """Deliver again what has to come again, and let everything settle, without faults."""
    for answer in run.answers:
        assert not isinstance(answer, Exception), (run.choices, answer)
        for again in answer or ():
            (run.account.updates if isinstance(again, str) else run.account.dynamodb.stream).append(again)
    run.account.settle()


def assert_published(run: Run) -> None:
    """Assert that the AWS shadow shows what readers see, and that nobody wants to write any more."""
    view = resolve(state(run.account), Policy())
    assert run.account.iot.state("thermostat") == view.document, run.choices
    before = run.account.dynamodb.writes, run.account.iot.updates
    run.account.settle()
    assert (run.account.dynamodb.writes, run.account.iot.updates) == before


def at_once(*calls: Callable[[Account], Any], prepare: Callable[[Account], None] = lambda account: None) -> Start:
    """Return what makes an account, prepares it, and runs *calls* at once in it."""

    def start(between: Between) -> tuple[Account, Sequence[Callable[[], Any]]]:
        account = Account(PLAIN, between=between)
        prepare(account)
        return account, [lambda call=call: call(account) for call in calls]

    return start


PATCHES = ({"desired": {"t": 1, "mode": "heat"}}, {"desired": {"t": 2}, "reported": {"on": True}})
GOAL = Shadow()
for at, patch in enumerate(PATCHES, 1):
    GOAL.merge(app(at).update(patch))


def deliver(number: int, *more: bytes) -> Callable[[Account], list[str]]:
    """Return an invocation of the resolver with an app's delta, and more."""

    def call(account: Account) -> list[str]:
        bodies = [body(account, data, number) for data in more]
        return account.resolve([*bodies, body(account, app(number).update(PATCHES[number - 1]), number)])

    return call


def test_two_resolvers_at_one_shadow_reach_the_join() -> None:
    schedules = 0
    for run in explore(at_once(deliver(1), deliver(2)), faults_max=3):
        schedules += 1
        finish(run)
        assert state(run.account) == GOAL, run.choices
        assert run.account.refusals.bodies == []
        assert_published(run)
    assert schedules > 250


def poisoned(*calls: Callable[[Account], list[str]], faults_max: int) -> int:
    schedules = 0
    for run in explore(at_once(*calls), faults_max=faults_max):
        schedules += 1
        for answer in run.answers:
            assert run.account.resolve(answer) == [], run.choices
        assert state(run.account) == GOAL, run.choices
        assert {json.loads(text)["code"] for text in run.account.refusals.bodies} == {"malformed"}, run.choices
    return schedules


def test_a_poison_message_is_set_aside_and_hinders_nobody() -> None:
    assert poisoned(deliver(1, JUNK), deliver(2), faults_max=2) > 1_000


@pytest.mark.deep
def test_poison_messages_are_set_aside_whatever_two_calls_fail() -> None:
    assert poisoned(deliver(1, JUNK), deliver(2, JUNK), faults_max=2) > 10_000


def write_plainly(account: Account) -> None:
    """Update the AWS shadow as the console does; a fault is the console's to see."""
    payload = json.dumps({"state": {"desired": {"mode": "off", "fan": 3}}})
    with suppress(ClientError, BotoCoreError):
        account.clients.iot.update_thing_shadow(thingName="thermostat", payload=payload)


def publish(account: Account) -> list[Any]:
    return account.publish(account.take_stream())


def with_news(account: Account) -> None:
    """Let the AWS shadow and the state table agree, and then an app's delta be stored, and not yet published."""
    account.write("thermostat", {"desired": {"mode": "auto"}, "reported": {"mode": "auto"}})
    account.settle()
    account.now_ms += 1_000
    account.resolve([body(account, app(1).update(PATCHES[0]), 1)])


def published_against(*others: Callable[[Account], Any], faults_max: int) -> int:
    schedules = 0
    for run in explore(at_once(publish, *others, prepare=with_news), faults_max=faults_max):
        schedules += 1
        finish(run)
        assert state(run.account).clock >= app(1).update(PATCHES[0]).upto, run.choices
        assert_published(run)
        if write_plainly in others:
            assert_console_is_heard(run, who=1 + others.index(write_plainly))
    return schedules


def assert_console_is_heard(run: Run, *, who: int) -> None:
    """Assert that a console which did not see what the app wrote conflicts with it, and else replaces it."""
    landed = [one.who for one in run.choices if one.call == "iot.update_thing_shadow" and one.fault != THROTTLED]
    if who not in landed:
        return
    values = {str(one.value) for one in state(run.account).siblings("/desired/mode")}
    if landed[0] == who:
        assert values == {"heat", "off"}, run.choices
    assert "off" in values, run.choices
    assert run.account.iot.state("thermostat")["desired"]["mode"] == "off", run.choices


def test_a_publisher_and_a_resolver_at_one_shadow_end_in_agreement() -> None:
    assert published_against(deliver(2), faults_max=0) > 20


def test_a_publisher_and_the_console_at_one_shadow_end_in_agreement() -> None:
    assert published_against(write_plainly, faults_max=1) > 50


@pytest.mark.deep
def test_a_publisher_against_everybody_ends_in_agreement() -> None:
    assert published_against(deliver(2), faults_max=1) > 300
    assert published_against(write_plainly, faults_max=2) > 1_000
    assert published_against(deliver(2), write_plainly, faults_max=1) > 1_000
