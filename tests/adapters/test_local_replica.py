"""Durable replicas: what the core's replica does, and it is on disk; identities in copies and restored files.

What it proves: driven together with a core replica a durable one never differs, whatever is reopened in between, and
no failure of the file leaves a write half made or a time used twice. What it cannot: that a process killed at a bad
moment keeps to it; that is tried with real ones elsewhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest
from crdtshadow_local import LocalReplica, Store, StoreBusy, StoreFull
from crdtshadow_walk import DeltaMessage, Merged, OfflineChanges, set_policy, walk
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import (
    ClockDrift,
    CrdtShadowError,
    Delta,
    EventRefused,
    InvalidIdentity,
    InvalidPath,
    NotAuthorized,
    Policy,
    Replica,
    Session,
    Shade,
    Shadow,
    Stamp,
    UnknownConflict,
    split_replica,
)
from crdtshadow.session import run
from crdtshadow.shadow import Changes
from crdtshadow.sibling import REMOVED
from crdtshadow.testing import FakeClock
from crdtshadow.testing.strategies import changes
from tests.adapters.traffic import CLASSIC, NAMED, in_memory_directory

REVIEW = Policy.from_json({"strategy": "manual_review"})
TALLY = Policy.from_json(
    {"overrides": [{"path": "/reported/starts", "rule": "counter"}, {"path": "/desired/zones", "rule": "set"}]}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shadows.db"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(5_000)


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def open_replica(store: Store, clock: FakeClock, name: str = "thermostat", *, epoch: int = 1) -> LocalReplica:
    epochs = iter(range(epoch, epoch + 100))
    return store.open_replica("thermostat", name=name, now=clock, epochs=lambda: next(epochs))


PATCHED = [{"reported": {"t": 1}}, {"desired": {"m": {"a": 1}}}, None, {"no": 1}]
OPERATIONS = st.one_of(
    st.tuples(
        st.just("update"), st.sampled_from([{"reported": {"t": 1}}, {"desired": {"m": {"a": 1}}}, None, {"no": 1}])
    ),
    st.tuples(st.just("set"), changes()),
    st.tuples(st.just("assign"), st.sampled_from([1, {"x": {"y": 2}}, {"x": {}}, None])),
    st.tuples(st.just("delete"), st.sampled_from(["a", "e", "missing"])),
    st.tuples(st.just("section"), st.sampled_from([{}, {"a": 1}, {"a": {"b": 1}}])),
    st.tuples(st.just("merge"), changes()),
    st.tuples(st.just("review"), st.sampled_from([None, 1])),
    st.tuples(st.just("forget"), st.none()),
    st.tuples(st.just("rebase"), changes()),
    st.tuples(st.just("time"), st.sampled_from([1, 500, -700])),
    st.tuples(st.just("reopen"), st.none()),
)


def operate(
    replica: Replica | LocalReplica, peer: Replica, what: str, detail: object, *, epoch: int | None = None
) -> object:
    """Do the same to either kind of replica, a plain one under *epoch* if it is new; return what can be compared."""
    try:
        match what, detail:
            case "update", _:
                return replica.update(detail)
            case "set", dict():
                path, value = min(detail.items())
                return replica.set(path, None if value is REMOVED else value)
            case "assign", _:
                replica.desired["a"] = detail
            case "delete", str():
                del replica.desired[detail]
            case "section", dict():
                replica.reported = detail
            case "merge", _:
                return replica.merge(peer.delta(replica.clock).encode())
            case "review", _:
                return (
                    replica.resolve(replica.conflicts()[0].conflict.path, value=detail) if replica.conflicts() else None
                )
            case "forget", _:
                replica.acknowledge(peer.id, peer.clock)
                return replica.forget()
            case "rebase", _:
                whole = peer.delta()
                return replica.rebase(whole, epoch=epoch) if isinstance(replica, Replica) else replica.rebase(whole)
    except (CrdtShadowError, KeyError) as error:
        return repr(error)
    return None


def summary(replica: Replica | LocalReplica) -> tuple[object, ...]:
    """Return all that a replica shows, and what it holds but for its times."""
    held = [
        (path, [(one.stamp.replica, untimed(one.value)) for one in replica.shadow.siblings(path)])
        for path in sorted(replica.shadow.paths())
    ]
    decisions = [(one.conflict.path, one.strategy, one.reason) for one in replica.conflicts()]
    fields = sorted(replica.view().fields.items())
    return replica.id, list(replica.clock), repr(held), repr(fields), replica.document()["state"], decisions


def untimed(outcome: object) -> object:
    return (
        outcome if not isinstance(outcome, Shade) or outcome.as_of is None else f"hides as of {outcome.as_of.replica}"
    )


def gist(result: object) -> object:
    """Return what can be compared of what an operation returned, without times."""
    if isinstance(result, Delta):
        return sorted(result.rows), list(result.upto)
    return repr(result)


@given(st.lists(OPERATIONS, max_size=8))
def test_a_durable_replica_does_what_a_replica_does(operations: list[tuple[str, object]]) -> None:
    # A durable replica may leave out a time when it takes up what is in the file; so the peer's clock is behind, and
    # nobody wins by one tick.
    clock = FakeClock(5_000)
    with in_memory_directory() as directory:
        path = Path(directory, "shadows.db")
        store = Store.open(path)
        try:
            durable = open_replica(store, clock)
            plain, peer = Replica("thermostat", epoch=2, now=clock), Replica("peer", epoch=1, now=lambda: clock() - 10)
            for what, detail in operations:
                match what, detail:
                    case "time", int():
                        clock.advance(detail)
                    case "reopen", _:
                        store.close()
                        store = Store.open(path)
                        durable = open_replica(store, clock, epoch=50)
                    case (("merge" | "rebase"), dict()):
                        write_to(peer, detail)
                here = operate(durable, peer, what, detail)
                rotated = None if durable.id == plain.id else split_replica(durable.id)[1]
                there = operate(plain, peer, what, detail, epoch=rotated)
                assert gist(here) == gist(there)
                assert summary(durable) == summary(plain)
        finally:
            store.close()


def write_to(peer: Replica, drawn: Changes) -> None:
    path, value = min(drawn.items())
    peer.set(path, None if value is REMOVED else value)


# On disk


def test_a_write_is_in_the_file_with_its_audit_before_the_delta_is_returned(
    store: Store, path: Path, clock: FakeClock
) -> None:
    replica = open_replica(store, clock)
    delta = replica.update({"reported": {"t": 21}})
    with Store.open(path, create=False) as other:
        held = other.get(CLASSIC)
        assert held is not None and held.shadow == replica.shadow
        (line,) = other.history()
        assert (line.entry.path, line.entry.after, line.entry.stamp) == ("/reported/t", 21, max(delta.stamps()))
        assert other.outbox(CLASSIC, "peer#00000001") == delta


def test_an_identity_goes_on_after_reopening_even_if_the_clock_stepped_back(path: Path) -> None:
    clock = FakeClock(500_000)
    stamps: list[Stamp] = []
    ids = set()
    for _ in range(3):
        with Store.open(path) as store:
            replica = store.open_replica("thermostat", now=clock)
            stamps += replica.set("/reported/n", clock()).stamps()
            ids.add(replica.id)
        clock.advance(-200_000)
    assert len(ids) == 1
    assert stamps == sorted(set(stamps))


def test_reading_shows_what_others_brought_into_the_file(store: Store, path: Path, clock: FakeClock) -> None:
    replica, sensor = open_replica(store, clock), open_replica(store, clock, "sensor")
    sensor.reported["t"] = 21
    assert replica.reported == {"t": 21}
    with Store.open(path) as other:
        delta = Replica("cloud", epoch=1, now=clock).update({"desired": {"t": {"low": 1}}})
        walk(other, [DeltaMessage(CLASSIC, delta.encode())], now=clock)
        other.set_default_policy(REVIEW)
    assert replica.desired["t"] == {"low": 1}
    assert replica.policy == REVIEW
    assert replica.clock == sensor.clock
    assert replica.document()["state"] == {
        "desired": {"t": {"low": 1}},
        "reported": {"t": 21},
        "delta": {"t": {"low": 1}},
    }
    replica.reported["t"] = 22
    assert sensor.reported["t"] == 22
    assert sensor.document()["version"] == replica.document()["version"] == next(store.shadows()).revision


def test_one_replica_in_two_connections_uses_no_time_twice(store: Store, path: Path, clock: FakeClock) -> None:
    with Store.open(path) as other:
        here, there = open_replica(store, clock), open_replica(other, clock, epoch=50)
        stamps = [
            max(writer.set("/reported/n", n).stamps()) for n, writer in enumerate([here, there, there, here, there])
        ]
        assert here.id == there.id
        assert stamps == sorted(set(stamps))
        assert here.reported == there.reported == {"n": 4}


def test_mapping_access_reaches_into_maps(store: Store, clock: FakeClock) -> None:
    replica = open_replica(store, clock)
    replica.desired["limits"] = {"low": 1, "high": 9}
    limits = replica.desired["limits"]
    assert isinstance(limits, MutableMapping)
    limits["high"] = 8
    del limits["low"]
    assert repr(limits) == "{'high': 8}"
    assert len(replica.desired) == 1
    assert store.stats().history == 4
    with pytest.raises(KeyError):
        del replica.desired["missing"]
    replica.desired = {"mode": "off"}
    assert dict(replica.desired) == {"mode": "off"}


def test_counters_and_sets_are_kept(store: Store, clock: FakeClock) -> None:
    store.set_default_policy(TALLY)
    replica = open_replica(store, clock)
    for _ in range(3):
        replica.increment("/reported/starts")
    replica.add("/desired/zones", "hall")
    replica.add("/desired/zones", "attic")
    replica.discard("/desired/zones", "hall")
    assert open_replica(store, clock).document()["state"] == {
        "desired": {"zones": ["attic"]},
        "reported": {"starts": 3},
        "delta": {"zones": ["attic"]},
    }
    with pytest.raises(InvalidPath):
        replica.increment("/reported/other")


def test_a_conflict_is_pending_until_the_replica_settles_it(store: Store, clock: FakeClock) -> None:
    set_policy(store, CLASSIC, REVIEW, now=clock)
    replica = open_replica(store, clock)
    other = Replica("app", epoch=1, now=clock)
    replica.desired["mode"] = "heat"
    replica.merge(other.set("/desired/mode", "off"))
    (pending,) = store.conflicts()
    assert pending.decision in replica.conflicts()
    with pytest.raises(UnknownConflict):
        replica.resolve("/desired/other", value=1)
    replica.resolve("/desired/mode", choose=pending.decision.conflict.writes[0].stamp)
    assert list(store.conflicts()) == []


def test_a_merge_that_brings_nothing_writes_nothing(store: Store, clock: FakeClock) -> None:
    replica = open_replica(store, clock)
    delta = Replica("app", epoch=1, now=clock).set("/desired/mode", "off")
    assert replica.merge(delta)
    before = store._db.one("PRAGMA data_version"), next(store.shadows()).revision, store.stats()
    assert not replica.merge(delta)
    assert not replica.update({})
    assert (store._db.one("PRAGMA data_version"), next(store.shadows()).revision, store.stats()) == before


def test_what_is_refused_changes_nothing(store: Store, clock: FakeClock) -> None:
    replica = open_replica(store, clock)
    replica.reported["t"] = 1
    before = summary(replica), store.stats()
    ahead = Replica("ahead", epoch=1, now=lambda: clock() + 100_000).set("/reported/t", 2)
    with pytest.raises(ClockDrift):
        replica.merge(ahead)
    with pytest.raises(NotAuthorized):
        replica.merge(Replica("app", epoch=1, now=clock).set("/reported/t", 2), speaks_for={"cloud"})
    with pytest.raises(InvalidPath):
        replica.set("/elsewhere", 1)
    assert (summary(replica), store.stats()) == before


def test_names_are_checked(store: Store, clock: FakeClock) -> None:
    with pytest.raises(InvalidIdentity):
        store.open_replica("thermostat", name="no name", now=clock)
    with pytest.raises(EventRefused):
        store.open_replica("no/thing", now=clock)
    assert store.stats().shadows == 0
    assert store.open_replica("thermostat", "config", now=clock).key == NAMED
    assert "thermostat#" in repr(store.open_replica("thermostat", now=clock))


# Failures of the file


def test_a_write_for_which_there_is_no_room_was_never_made(path: Path, clock: FakeClock) -> None:
    with Store.open(path, bytes_max=150_000) as store:
        replica = open_replica(store, clock)
        written: set[str] = set()
        with pytest.raises(StoreFull):
            fill(replica, written)
        assert len(replica.reported) == len(written)
        last_time = replica.last_time
        assert replica.shadow == reread(path)
    with Store.open(path) as store:
        replica = open_replica(store, clock, epoch=50)
        assert set(replica.reported) == written
        (stamp,) = {*replica.set("/reported/late", 1).stamps()}
        assert stamp.time >= last_time


def fill(replica: LocalReplica, written: set[str]) -> None:
    for number in range(10_000):
        replica.reported[f"field-{number}"] = "x" * 500
        written.add(f"field-{number}")


def reread(path: Path) -> Shadow:
    with Store.open(path, create=False) as store:
        held = store.get(CLASSIC)
        assert held is not None
        return held.shadow


def test_a_time_that_was_used_in_vain_is_not_used_again(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path, busy_ms=10) as store, Store.open(path) as other:
        replica = open_replica(store, clock)
        first = max(replica.set("/reported/n", 1).stamps())
        connection = store._db._connection

        class Failing:
            def __getattr__(self, name):
                return getattr(connection, name)

            def execute(self, statement, *values):
                if statement == "COMMIT":
                    raise StoreFull("no room left")
                return connection.execute(statement, *values)

        monkeypatch.setattr(store._db, "_connection", Failing())
        for _ in range(3):
            with pytest.raises(StoreFull):
                replica.set("/reported/n", 2)
        monkeypatch.undo()
        assert replica.reported == {"n": 1}
        last = max(replica.set("/reported/n", 3).stamps())
        assert last.time > first.time + 3
        with other._db.writing(), pytest.raises(StoreBusy):
            replica.set("/reported/n", 4)
        assert replica.reported == {"n": 3}


# Copies, backups, clones


def test_a_copy_of_the_file_writes_under_another_identity(path: Path, tmp_path: Path, clock: FakeClock) -> None:
    with Store.open(path) as store:
        original = open_replica(store, clock)
        original.reported["n"] = 1
        copied = tmp_path / "copy.db"
        store._db.run("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(path, copied)
        with Store.open(copied) as other:
            copy = open_replica(other, clock, epoch=50)
            assert copy.id != original.id
            assert copy.reported == {"n": 1}
            copy.reported["m"] = original.reported["n"] = 2
            original.merge(copy.delta())
            copy.merge(original.delta())
            assert original.reported == copy.reported == {"n": 2, "m": 2}
            assert original.shadow == copy.shadow
            assert open_replica(other, clock, epoch=70).id == copy.id
        assert open_replica(store, clock, epoch=70).id == original.id


@pytest.mark.parametrize("by", ["merge", "walk"])
def test_a_restored_backup_is_found_out_by_what_others_know(path: Path, clock: FakeClock, by: str) -> None:
    peer = Replica("cloud", epoch=1, now=clock)
    with Store.open(path) as store:
        replica = open_replica(store, clock)
        replica.reported["n"] = 1
        old = replica.id
    saved = path.read_bytes()
    with Store.open(path) as store:
        replica = open_replica(store, clock)
        replica.reported["n"] = 2
        peer.merge(replica.delta())
    path.write_bytes(saved)
    with Store.open(path) as store:
        replica = open_replica(store, clock, epoch=50)
        assert replica.reported == {"n": 1}
        if by == "merge":
            assert [stamp.replica for stamp in replica.merge(peer.delta()).clones] == [old]
        else:
            walk(store, [DeltaMessage(CLASSIC, peer.delta().encode())], now=clock)
        assert replica.reported == {"n": 2}
        replica.reported["n"] = 3
        assert replica.id != old
        peer.merge(replica.delta())
        assert peer.reported == {"n": 3}
        assert peer.conflicts() == ()


def test_an_identity_can_be_left_behind(store: Store, clock: FakeClock) -> None:
    replica = open_replica(store, clock)
    before = replica.id
    replica.rotate()
    assert replica.id != before
    assert open_replica(store, clock).id == replica.id


def test_a_rotation_in_one_connection_holds_in_all(store: Store, path: Path, clock: FakeClock) -> None:
    with Store.open(path) as other:
        here, there = open_replica(store, clock), open_replica(other, clock)
        here.reported["n"] = 1
        there.rotate()
        rotated = there.id
        (stamp,) = here.set("/reported/n", 2).stamps()
        assert stamp.replica == here.id == there.id == rotated


def test_an_epoch_that_was_used_is_not_used_again(store: Store, clock: FakeClock) -> None:
    replica = open_replica(store, clock)
    replica.reported["n"] = 1
    used = int(replica.id[-8:], 16)
    epochs = iter([used, used, 77])
    again = store.open_replica("thermostat", name="thermostat", now=clock, epochs=lambda: next(epochs))
    again.rotate()
    assert again.id == "thermostat#0000004d"


# Peers


def test_sessions_bring_two_stores_level(path: Path, tmp_path: Path, clock: FakeClock) -> None:
    with Store.open(path) as store, Store.open(tmp_path / "other.db") as other:
        here, there = open_replica(store, clock), open_replica(other, clock, "cloud")
        here.reported["t"], there.desired["t"] = 20, 21
        sessions: list[Session] = [here.session(), there.session()]
        run(sessions, sessions[0].hello())
        assert here.shadow == there.shadow
        run(sessions, sessions[0].hello())
        assert here.outbox(there.id) is None
        assert there.outbox(here.id) is None
        here.reported["t"] = 22
        delta = here.outbox(there.id)
        assert delta is not None and list(delta.rows) == ["/reported/t"]
        peer = there.id
    with Store.open(path) as store:
        assert open_replica(store, clock).outbox(peer) == delta


def test_removals_are_forgotten_once_all_have_seen_them(path: Path, clock: FakeClock) -> None:
    with Store.open(path) as store:
        replica, peer = open_replica(store, clock), Replica("cloud", epoch=1, now=clock)
        replica.reported["t"] = 20
        replica.acknowledge(peer.id, peer.clock)
        del replica.reported["t"]
        assert replica.forget() == ()
        peer.merge(replica.delta(peer.clock))
        peer.set("/reported/u", 1)
        replica.merge(peer.delta(replica.clock))
        store.acknowledge(CLASSIC, peer.id, peer.clock)
        assert replica.forget() == ("/reported/t",)
        assert list(reread(path).paths()) == ["/reported/u"]
    with Store.open(path) as store:
        assert store.open_replica("thermostat", now=clock).reported == {"u": 1}


def test_who_has_retired_is_not_waited_for_after_reopening_either(path: Path, clock: FakeClock) -> None:
    with Store.open(path) as store:
        replica, lost = open_replica(store, clock), Replica("lost", epoch=1, now=clock)
        replica.merge(lost.set("/reported/t", 20))
        replica.retire(lost.id)
        with pytest.raises(InvalidIdentity):
            replica.retire("lost")
    with Store.open(path) as store:
        replica = open_replica(store, clock, epoch=50)
        del replica.reported["t"]
        assert replica.forget() == ("/reported/t",)


def test_after_a_rebase_nobody_in_the_file_writes_above_what_was_given_up(store: Store, clock: FakeClock) -> None:
    walk(store, [OfflineChanges(CLASSIC, {"reported": {"plain": 1}}, at_ms=1_000)], now=clock)
    replica, sensor = open_replica(store, clock), open_replica(store, clock, "sensor")
    sensor.reported["s"], replica.reported["t"] = 1, 1
    witness = Replica("witness", epoch=1, now=clock)
    witness.merge(replica.delta())
    before = {replica.id, sensor.id, *replica.clock}
    replica.rebase(Replica("cloud", epoch=1, now=clock).delta())
    sensor.reported["s2"], replica.reported["t2"] = 2, 2
    walk(store, [OfflineChanges(CLASSIC, {"reported": {"plain2": 1}}, at_ms=2_000)], now=clock)
    assert before.isdisjoint(replica.clock)
    replica.merge(witness.delta())
    assert replica.reported == sensor.reported == {"plain": 1, "s": 1, "t": 1, "plain2": 1, "s2": 2, "t2": 2}


def test_a_rebase_is_taken_up_by_the_other_replicas_of_the_file(store: Store, clock: FakeClock) -> None:
    replica, sensor = open_replica(store, clock), open_replica(store, clock, "sensor")
    sensor.reported["s"] = 1
    replica.reported["t"] = 1
    cloud = Replica("cloud", epoch=1, now=clock)
    cloud.desired["old"] = 1
    del cloud.desired["old"]
    assert cloud.forget() == ("/desired/old",)
    cloud.desired["new"] = 2
    replica.rebase(cloud.delta(), rotate=True)
    sensor.reported["s"] = 2
    assert replica.reported == sensor.reported == {"s": 2, "t": 1}
    assert sensor.desired == {"new": 2}
    cloud.merge(sensor.delta(cloud.clock))
    assert cloud.shadow == sensor.shadow == replica.shadow
    (outcome,) = walk(store, [DeltaMessage(CLASSIC, cloud.set("/desired/new", 3).encode())], now=clock).outcomes
    assert isinstance(outcome, Merged)
    assert sensor.desired == {"new": 3}
    assert sensor.key == CLASSIC
