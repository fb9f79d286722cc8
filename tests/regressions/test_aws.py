"""AWS's shadows: what its SDKs and Greengrass got wrong, as far as it needs neither the service nor a client of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from crdtshadow_walk import DeltaMessage, DocumentEvent, MemoryStore, Publication, ShadowKey, publish, walk

from crdtshadow import DocumentError, Replica, Shadow, ingest_event, record_published, resolve
from crdtshadow.document import (
    DEFAULT_LIMITS,
    ShadowDocument,
    State,
    Tombstone,
    Update,
    UpdateRequest,
    apply_update,
    check_request,
    delete,
    diff_states,
    outstanding,
    parse_request,
    size_bytes,
)
from crdtshadow.plain import Ledger
from crdtshadow.shadow import patch_changes
from crdtshadow.sibling import REMOVED
from crdtshadow.testing import FakeClock
from tests.fuzz.corpus import packed_json
from tests.regressions.peers import START_MS, exchange, replicas, shown

KEY = ShadowKey("thermostat")
START_S = START_MS // 1000


class Aws:
    """AWS's shadow service for one shadow, with its version check."""

    def __init__(self) -> None:
        self.document: ShadowDocument | Tombstone | None = None
        self.events: list[DocumentEvent] = []
        self.updates = 0

    @property
    def state(self) -> Mapping[str, object]:
        return self.document.state if isinstance(self.document, ShadowDocument) else {}

    def update(self, state: object, **more: object) -> Update:
        self.updates += 1
        update = apply_update(self.document, check_request({"state": state, **more}), now_s=START_S + self.updates)
        self.document = update.document
        self.events.append(DocumentEvent(KEY, update.documents))
        return update

    def send(self, publication: Publication) -> int:
        return self.update(publication.patch).document.version


def now() -> int:
    return START_MS + 3_600_000


def publish_to(aws: Aws, store: MemoryStore) -> Publication | None:
    return publish(store, KEY, aws.send, now=now)


def seen(store: MemoryStore) -> dict[str, object]:
    return resolve(Shadow.decode(store.records[KEY].state), store.default_policy).document


def test_publishing_ends_and_no_echo_starts_it_again() -> None:
    """Each update of one side was an update for the other: a full resync every second, for ever.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/158
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"mode": "heat"}, "reported": {"t": 20}})
    for _ in range(5):
        walk(store, aws.events, now=now)
        publish_to(aws, store)
    assert aws.updates == 1
    walk(store, aws.events * 3, now=now)
    revision = store.records[KEY].revision
    walk(store, aws.events, now=now)
    assert publish_to(aws, store) is None
    assert store.records[KEY].revision == revision


def test_a_lost_race_is_one_more_update_and_not_a_storm() -> None:
    """A conflict of versions led to a full sync, which led to a conflict of versions.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/175
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"a": 1}})
    walk(store, aws.events, now=now)
    device = Replica("gateway", epoch=1, now=lambda: START_MS + 5_000)
    walk(store, [DeltaMessage(KEY, device.update({"desired": {"b": 2}}).encode())], now=now)
    for number in range(3):
        aws.update({"desired": {"c": number}})  # somebody is always faster than our events
    rounds = 0
    while publish_to(aws, store) is not None:
        walk(store, aws.events, now=now)
        rounds += 1
    assert rounds == 1
    assert aws.state == seen(store) == {"desired": {"a": 1, "b": 2, "c": 2}}


def test_publishing_leaves_alone_what_somebody_else_wrote_meanwhile() -> None:
    """A put of the whole document wiped what had been written concurrently.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/175
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"a": 1, "mode": "off"}})
    walk(store, aws.events, now=now)
    device = Replica("gateway", epoch=1, now=lambda: START_MS + 5_000)
    walk(store, [DeltaMessage(KEY, device.update({"reported": {"t": 21}}).encode())], now=now)
    aws.update({"desired": {"mode": "heat", "a": None}})
    published = publish_to(aws, store)
    assert published is not None and published.patch == {"reported": {"t": 21}}
    assert aws.state == {"desired": {"mode": "heat"}, "reported": {"t": 21}}
    walk(store, aws.events, now=now)
    assert publish_to(aws, store) is None and seen(store) == aws.state


def test_a_shadow_that_is_created_again_stays() -> None:
    """A shadow deleted once and created again was deleted again by the side that remembered the deletion.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/98
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"a": 1}, "reported": {"b": 1}})
    walk(store, aws.events, now=now)
    aws.document = delete(aws.document, now_s=START_S + 5).tombstone
    again = aws.update({"desired": {"a": 2}})
    assert again.document.version == 3
    assert again.documents["previous"] is None
    for _ in range(3):
        walk(store, aws.events, now=now)
        publish_to(aws, store)
    assert aws.state == seen(store) == {"desired": {"a": 2}}
    assert aws.updates == 2


def test_a_shadow_that_is_created_anew_counts_from_one() -> None:
    """Long after a deletion the version begins at 1; an event that is older by number alone is not old.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/98
    """
    shadow, ledger = Shadow(), Ledger()
    first = {"previous": {}, "current": {"state": {"desired": {"a": 1}}, "version": 7}, "timestamp": START_S}
    ledger = ingest_event(shadow, ledger, first, epoch=1, now_ms=now()).ledger
    anew = {"previous": None, "current": {"state": {"desired": {"b": 2}}, "version": 1}, "timestamp": START_S + 9}
    ingested = ingest_event(shadow, ledger, anew, epoch=1, now_ms=now())
    assert not ingested.ignored
    assert shown(shadow) == {"/desired/b": 2}


def test_null_for_the_state_clears_it_on_all_sides() -> None:
    """`{"state": null}` cleared the cloud's shadow and left the local one, which then had both contents.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/128
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"uuid1": "bla"}, "reported": {"uuid1": "bla"}})
    walk(store, aws.events, now=now)
    assert aws.update(None).document.state == {}
    aws.update({"desired": {"uuid3": "zing"}})
    walk(store, aws.events, now=now)
    assert seen(store) == aws.state == {"desired": {"uuid3": "zing"}}

    here, there = replicas("here", "there", clock=FakeClock(START_MS))
    here.update({"desired": {"uuid1": "bla"}, "reported": {"uuid1": {"deep": 1}}})
    exchange(here, there)
    there.update(None)
    there.update({"desired": {"uuid3": "zing"}})
    exchange(here, there)
    assert here.document()["state"] == {"desired": {"uuid3": "zing"}, "delta": {"uuid3": "zing"}}
    assert patch_changes({"desired": {"a": 1}}, None) == {"/desired": REMOVED}


def test_a_field_may_be_called_state() -> None:
    """A user's key named like a member of the document confused the sync, and clearing it was never applied.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/198
    """
    names = ["state", "desired", "reported", "delta", "metadata", "version", "timestamp", "clientToken", "current"]
    fields = {name: {name: "ENABLED"} for name in names}
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": fields, "reported": fields})
    walk(store, aws.events, now=now)
    assert seen(store) == aws.state == {"desired": fields, "reported": fields}
    assert aws.update({"desired": dict.fromkeys(names), "reported": {"state": None}}).document.state == {
        "reported": {name: fields[name] for name in names[1:]}
    }
    walk(store, aws.events, now=now)
    assert seen(store) == aws.state

    here, there = replicas("here", "there", clock=FakeClock(START_MS))
    here.update({"desired": fields})
    exchange(here, there)
    assert there.desired == fields
    there.update({"desired": dict.fromkeys(names)})
    exchange(here, there)
    assert here.desired == {}


def test_what_fits_is_accepted_and_what_does_not_is_refused() -> None:
    """A document within the limit was refused, as more than `desired` and `reported` had been counted.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/126
    """
    limit = DEFAULT_LIMITS.shadow_bytes_max
    room = limit - size_bytes({"desired": {"x": ""}, "reported": {"y": ""}})
    full: State = {"desired": {"x": "é" * (room // 4)}, "reported": {"y": "y" * (room - 2 * (room // 4))}}
    assert size_bytes(full) == limit
    spaced = packed_json({"state": full, "clientToken": "t" * 64}).replace(b":", b" :   ")
    assert len(spaced) > limit
    update = apply_update(None, parse_request(spaced), now_s=START_S)
    assert len(packed_json(update.documents)) > limit
    again = apply_update(update.document, UpdateRequest(update.document.state), now_s=START_S + 1)
    assert again.document.state == update.document.state
    with pytest.raises(DocumentError) as refused:
        apply_update(update.document, check_request({"state": {"desired": {"z": 1}}}), now_s=START_S + 2)
    assert refused.value.status == 413


def test_local_state_outlives_weeks_without_a_connection() -> None:
    """After 19 days offline, and a restart, the local shadow was gone.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/208
    """
    clock = FakeClock(START_MS)
    device, cloud = replicas("device", "cloud", clock=clock)
    cloud.desired["config"] = {"mode": "PERSON"}
    exchange(device, cloud)
    for day in range(60):
        clock.advance(24 * 3_600_000)
        device.reported["day"] = day
        device.forget()
        device = Replica.resume(device.save(), last_time=device.last_time, now=clock)
        assert device.desired == {"config": {"mode": "PERSON"}}
        assert device.reported == {"day": day}
    exchange(device, cloud)
    assert cloud.reported == {"day": 59}


def test_many_shadows_of_one_thing_are_no_matter() -> None:
    """With more than 20 named shadows, all of them stopped.

    https://github.com/aws-greengrass/aws-greengrass-shadow-manager/issues/120
    """
    store = MemoryStore()
    events = []
    for number in range(200):
        update = apply_update(None, check_request({"state": {"desired": {"n": number}}}), now_s=START_S)
        events.append(DocumentEvent(ShadowKey("thing", f"shadow-{number}"), update.documents))
    walked = walk(store, events, now=now)
    assert len(walked.settled) == len(store.records) == 200
    assert {shown(Shadow.decode(one.state))["/desired/n"] for one in store.records.values()} == set(range(200))


def test_a_manual_change_is_not_fought_by_what_was_desired_before() -> None:
    """A lock, unlocked remotely once, was unlocked again whenever somebody locked it by hand: the old wish stayed.

    https://github.com/aws/aws-iot-device-sdk-embedded-C/issues/229
    """
    clock = FakeClock(START_MS)
    lock, app = replicas("lock", "app", clock=clock)
    app.desired["lock"] = "unlocked"
    wish = app.delta()
    exchange(lock, app)
    lock.reported["lock"] = "unlocked"
    exchange(lock, app)
    clock.advance(60_000)
    lock.update({"reported": {"lock": "locked"}, "desired": {"lock": "locked"}})
    for _ in range(3):
        exchange(lock, app)
        assert not lock.merge(wish), "the old wish, delivered again, is an echo"
        state = lock.document()["state"]
        assert "delta" not in state  # type: ignore[operator]  # a mapping
    assert lock.conflicts() == ()
    assert outstanding(dict(app.desired), dict(app.reported)) == {}  # type: ignore[arg-type]  # plain values


def test_the_answer_to_our_update_does_not_hide_what_came_with_the_same_version() -> None:
    """`accepted` moved the version on, so `delta` of the same version was thrown away as old.

    https://github.com/aws/aws-iot-device-sdk-python/issues/92
    """
    aws = Aws()
    update = aws.update({"desired": {"window": "open"}}, clientToken="t")
    assert update.accepted["version"] == update.document.version == 1
    assert update.delta is not None and update.delta["version"] == 1

    shadow = Shadow()
    noted = record_published(Ledger(), update.document.state, aws_version=1, clock=shadow.clock)
    ingested = ingest_event(shadow, noted, update.documents, epoch=1, now_ms=now())
    assert not ingested.ignored and ingested.ledger.aws_version == 1


def test_somebody_else_s_write_in_the_version_we_made_is_not_lost() -> None:
    """Whichever of two messages of one version came first, the other was ignored, and a wish never reached the device.

    https://github.com/aws/aws-iot-device-sdk-python/issues/94
    """
    aws, store = Aws(), MemoryStore()
    aws.update({"desired": {"a": 1}})
    walk(store, aws.events, now=now)
    device = Replica("gateway", epoch=1, now=lambda: START_MS + 5_000)
    walk(store, [DeltaMessage(KEY, device.update({"reported": {"t": 21}}).encode())], now=now)
    aws.update({"desired": {"wish": True}})  # its event is still under way
    assert publish_to(aws, store) is not None
    walk(store, aws.events[-1:], now=now)  # our own version comes back, and holds the wish
    assert seen(store) == aws.state == {"desired": {"a": 1, "wish": True}, "reported": {"t": 21}}
    walk(store, aws.events, now=now)
    assert diff_states(aws.state, seen(store)) == {}  # type: ignore[arg-type]  # documents
