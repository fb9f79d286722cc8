"""The store file: what is opened, what is refused and why, what happens when there is no room, what can be read.

What it proves: every failure of the file is one clear line of the right class, and leaves the file as it was. What it
cannot: what happens when a process dies; that is tried with real ones elsewhere.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from crdtshadow_local import (
    Store,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreVersion,
    new_epoch,
    wall_clock_ms,
)
from crdtshadow_local.store import PAGE_ROWS
from crdtshadow_local.tables import REFUSALS_MAX
from crdtshadow_walk import (
    Change,
    DeltaMessage,
    DocumentEvent,
    Entry,
    Failed,
    MemoryStore,
    Merged,
    OfflineChanges,
    Parked,
    Record,
    Refusal,
    RevisionConflict,
    ShadowKey,
    StateDamaged,
    walk,
)

from crdtshadow import InvalidIdentity, Policy, Replica, VectorClock
from crdtshadow.errors import AdapterError
from tests.adapters.traffic import CLASSIC, KEYS, NAMED, NOW_MS, now

REVIEW = Policy.from_json({"strategy": "manual_review"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shadows.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def report(thing: str, value: object, *, at_ms: int = 1_000, name: str | None = None) -> OfflineChanges:
    return OfflineChanges(ShadowKey(thing, name), {"reported": {"t": value}}, at_ms)


def fill(path: Path, things: int = 3) -> None:
    with Store.open(path) as store:
        walk(store, [report(f"thing-{n}", n) for n in range(things)], now=now)


def check_clear(raised: pytest.ExceptionInfo[StoreError], path: Path) -> None:
    """Check that the error is one line that names the file."""
    text = str(raised.value)
    assert str(path) in text
    assert "\n" not in text
    assert raised.value.code != StoreError.code


# Opening


def test_a_store_is_what_sqlite_says_it_should_be(store: Store, path: Path) -> None:
    settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "application_id": 0x43524453}
    assert {name: store._db.one(f"PRAGMA {name}")[0] for name in settings} == settings
    tables = store._db.run("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    assert {name: strict for name, strict in tables if not name.startswith("sqlite_")} == dict.fromkeys(
        ["store", "shadows", "replicas", "peers", "history", "conflicts", "parked", "refusals"], 1
    )


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    fill(path)
    with Store.open(path, create=False) as store:
        assert store.stats().shadows == 3


def _write_foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()


def _claim_to_be_of_version(path: Path, version: int) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def _damage_first_page(path: Path) -> None:
    fill(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 300)


NOT_STORES = {
    "text": (lambda path: path.write_text("no database, but some text, and longer than a header" * 9), StoreDamaged),
    "foreign": (_write_foreign_database, StoreDamaged),
    "newer": (lambda path: _claim_to_be_of_version(path, 2), StoreVersion),
    "older": (lambda path: _claim_to_be_of_version(path, 0), StoreVersion),
    "cut": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(200)), StoreDamaged),
    "damaged": (_damage_first_page, StoreDamaged),
}


@pytest.mark.parametrize("kind", NOT_STORES)
@pytest.mark.parametrize("create", [True, False])
def test_what_is_no_store_is_refused_and_left_alone(path: Path, kind: str, create: bool) -> None:
    prepare, error = NOT_STORES[kind]
    prepare(path)
    before = path.read_bytes()
    with pytest.raises(error) as raised:
        Store.open(path, create=create)
    check_clear(raised, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "create"), [("missing.db", False), ("no/such/folder.db", True), (".", True), ("", False)]
)
def test_what_cannot_be_opened_is_said_to_be_so(tmp_path: Path, place: str, create: bool) -> None:
    with pytest.raises(StoreUnavailable) as raised:
        Store.open(tmp_path / place, create=create)
    check_clear(raised, tmp_path)


def test_an_empty_file_is_no_store_to_whoever_wants_one(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreDamaged) as raised:
        Store.open(path, create=False)
    check_clear(raised, path)
    assert path.read_bytes() == b""


def test_a_closed_store_says_so(path: Path) -> None:
    store = Store.open(path)
    store.close()
    store.close()
    for use in (
        lambda: store.load(KEYS),
        lambda: list(store.history()),
        lambda: walk(store, [report("a", 1)], now=now),
    ):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()


def test_names_with_marks_of_uris_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20 d.db"
    fill(path)
    assert path.exists()


# Damage inside


def test_damage_inside_the_file_is_found(path: Path) -> None:
    fill(path, things=200)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(8192, size, 4096):
            file.seek(at)
            file.write(b"\x55" * 512)
    with pytest.raises(StoreDamaged) as raised, Store.open(path) as store:
        store.check()
    check_clear(raised, path)


def test_a_state_that_rotted_fails_its_shadow_alone(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE shadows SET state = x'0102' WHERE thing = 'thing-1'")
    connection.close()
    with Store.open(path) as store:
        outcomes = walk(store, [report(f"thing-{n}", 7, at_ms=2_000) for n in range(3)], now=now).outcomes
        assert [type(outcome) for outcome in outcomes] == [Merged, Failed, Merged]
        with pytest.raises(StateDamaged, match="thing-1"):
            store.get(ShadowKey("thing-1"))
        with pytest.raises(StateDamaged, match="thing-1"):
            store.check()
        with pytest.raises(StateDamaged):
            store.open_replica("thing-1").reported["t"] = 1


def test_a_policy_that_rotted_is_named(path: Path) -> None:
    with Store.open(path) as store:
        store._db.run("UPDATE store SET default_policy = '{\"strategy\": 5}'")
        with pytest.raises(StoreDamaged) as raised:
            walk(store, [report("a", 1)], now=now)
        check_clear(raised, path)


# No room


def test_a_full_store_has_all_that_was_acknowledged_and_goes_on_with_more_room(path: Path) -> None:
    acknowledged: set[str] = set()

    def run_full(store: Store) -> None:
        for n in range(2_000):
            assert [type(one) for one in walk(store, [report(f"thing-{n}", "x" * 500)], now=now).outcomes] == [Merged]
            acknowledged.add(f"thing-{n}")

    with Store.open(path, bytes_max=200_000) as store, pytest.raises(StoreFull) as raised:
        run_full(store)
    check_clear(raised, path)
    assert raised.value.retryable
    assert len(acknowledged) > 10
    with Store.open(path, bytes_max=400_000) as store:
        store.check()
        assert {shadow.key.thing for shadow in store.shadows()} == acknowledged
        assert store.stats().history == len(acknowledged)
        assert [type(one) for one in walk(store, [report("late", 1)], now=now).outcomes] == [Merged]


def test_a_batch_for_which_there_is_no_room_leaves_no_trace(path: Path) -> None:
    fill(path)
    with Store.open(path, bytes_max=120_000) as store:
        before = store.stats()
        with pytest.raises(StoreFull):
            walk(store, [report(f"other-{n}", "x" * 1_000) for n in range(500)], now=now)
        assert store.stats() == before
        assert [type(one) for one in walk(store, [report("thing-0", 5, at_ms=5_000)], now=now).outcomes] == [Merged]


def test_there_must_be_room_for_a_new_store(path: Path) -> None:
    with pytest.raises(StoreFull):
        Store.open(path, bytes_max=4_096)
    with Store.open(path) as store:
        store.check()


# Others who write


def test_a_writer_waits_no_longer_than_told(path: Path) -> None:
    fill(path)
    with Store.open(path, busy_ms=20) as store, Store.open(path) as other:
        with other._db.writing():
            with pytest.raises(StoreBusy) as raised:
                walk(store, [report("thing-0", 5, at_ms=5_000)], now=now)
            check_clear(raised, path)
            assert raised.value.retryable
            assert store.stats().shadows == 3
        assert [type(one) for one in walk(store, [report("thing-0", 5, at_ms=5_000)], now=now).outcomes] == [Merged]


def test_a_write_between_reading_and_writing_is_joined(path: Path) -> None:
    with Store.open(path) as store, Store.open(path) as other:
        load, rival = (
            store.load,
            [DeltaMessage(CLASSIC, Replica("rival", epoch=1, now=now).set("/reported/r", 1).encode())],
        )

        class Slow:
            default_policy = store.default_policy
            commit = staticmethod(store.commit)

            def load(self, keys):
                records = load(keys)
                if rival:
                    walk(other, [rival.pop()], now=now)
                return records

        walk(Slow(), [report("thermostat", 2)], now=now)
        held = store.get(CLASSIC)
        assert held is not None and sorted(held.shadow.paths()) == ["/reported/r", "/reported/t"]


def test_a_change_that_does_not_follow_what_is_held_leaves_no_trace(store: Store) -> None:
    walk(store, [report("thermostat", 1), report("thermostat", 2, at_ms=2_000)], now=now)
    walk(store, [report("thermostat", 3, at_ms=3_000)], now=now)
    before = list(store.load([CLASSIC]).values())
    for either in (store, as_in_memory(store)):
        for revision in (1, 2, 4, 9):
            record = Record(0, b"other", revision=revision)
            entry = Entry("/reported/t", None, 1, None)
            refusal = Refusal(CLASSIC, "code", "reason", "delta", b"", "")
            change = Change(CLASSIC, 1, record, (entry,), refusals=(refusal,))
            failed = either.commit([change, Change(NAMED, 1)])
            assert [type(error) for error in failed.values()] == [RevisionConflict]
            assert list(failed) == [CLASSIC]
        assert list(either.load([CLASSIC]).values()) == before
    assert store.stats().history == 3
    assert list(store.refusals()) == []


def as_in_memory(store: Store) -> MemoryStore:
    memory = MemoryStore()
    memory.records.update(store.load([CLASSIC]))
    return memory


def test_parked_deltas_are_kept_until_their_turn_comes(path: Path) -> None:
    writer = Replica("gateway", epoch=1, now=now)
    first, *rest = [
        DeltaMessage(CLASSIC, writer.set("/reported/n", n).encode(), frozenset({"gateway"})) for n in range(4)
    ]
    for message in rest:
        with Store.open(path) as store:
            assert [type(one) for one in walk(store, [message], now=now).outcomes] == [Parked]
    with Store.open(path) as store:
        assert store.load([CLASSIC])[CLASSIC].parked == tuple(rest)
        assert store.stats().parked == 3
        assert [one.message for one in walk(store, [first], now=now).released] == rest
        assert store.stats().parked == 0
        assert [line.entry.after for line in store.history()] == [0, 1, 2, 3]


# Reading


def test_what_is_held_can_be_listed(store: Store) -> None:
    walk(store, [report("b", 1), report("a", 2), report("a", 3, name="config")], now=now)
    assert [shadow.key for shadow in store.shadows()] == [ShadowKey("b"), ShadowKey("a"), ShadowKey("a", "config")]
    assert [shadow.key for shadow in store.shadows(thing="a")] == [ShadowKey("a"), ShadowKey("a", "config")]
    first = next(store.shadows())
    held = store.get(ShadowKey("b"))
    assert held is not None
    assert (first.revision, first.updated_ms, first.state_bytes) == (1, NOW_MS, len(held.record.state))
    assert store.get(ShadowKey("c")) is None


def test_the_history_can_be_read_by_shadow_thing_and_path_in_both_directions(store: Store) -> None:
    for n in range(3):
        walk(store, [report("a", n, at_ms=1_000 + n), report("a", n, at_ms=1_000 + n, name="x")], now=now)
    lines = list(store.history())
    assert len(lines) == 6
    assert list(store.history(newest_first=True)) == lines[::-1]
    assert list(store.history(thing="a")) == lines
    assert list(store.history(key=ShadowKey("a"))) == [line for line in lines if line.key == ShadowKey("a")]
    assert list(store.history(path="/reported/t")) == lines
    assert list(store.history(path="/reported/u")) == list(store.history(thing="b")) == []
    assert [line.entry.after for line in store.history(key=ShadowKey("a"))] == [0, 1, 2]
    assert [line.entry.before for line in store.history(key=ShadowKey("a"))] == [None, 0, 1]


def test_many_rows_come_in_pages_between_which_others_write(store: Store) -> None:
    things = 2 * PAGE_ROWS + 3
    walk(store, [report(f"thing-{n}", n) for n in range(things)], now=now)
    seen = []
    for line in store.history():
        if line.key.thing == "thing-5":
            walk(store, [report("late", 1)], now=now)
        seen.append(line.key.thing)
    assert seen == [f"thing-{n}" for n in range(things)] + ["late"]
    assert [line.key.thing for line in store.history(newest_first=True)] == seen[::-1]


def test_values_come_back_as_they_were(store: Store) -> None:
    values = [1, 1.0, True, -0.5, 2**64 - 1, -(2**63), "", "\x00ü\U0001f600", [1, [None, {"a": 1.0}]], 1e300]
    for at, value in enumerate(values):
        walk(store, [OfflineChanges(CLASSIC, {"reported": {f"v{at}": value}}, at_ms=1_000 + at)], now=now)
    assert [repr(line.entry.after) for line in store.history()] == [repr(value) for value in values]


def test_conflicts_that_wait_for_a_review_can_be_listed(store: Store) -> None:
    store.set_default_policy(REVIEW)
    for key in KEYS:
        for name in ("a", "b"):
            writer = Replica(name, epoch=1, now=now)
            walk(store, [DeltaMessage(key, writer.update({"desired": {"mode": name}}).encode())], now=now)
    assert [pending.key for pending in store.conflicts()] == list(KEYS)
    (pending,) = store.conflicts(key=NAMED)
    assert [write.value for write in pending.decision.conflict.writes] == ["a", "b"]
    assert [write.value for write in pending.decision.accepted] == ["b"]
    assert pending.decision.held and pending.decision.reason
    assert list(store.conflicts(thing="other")) == []


def test_the_quarantine_keeps_the_newest(store: Store) -> None:
    junk = [DeltaMessage(CLASSIC, b"", source=f"line {n}") for n in range(REFUSALS_MAX + 5)]
    walk(store, junk, now=now)
    kept = list(store.refusals())
    assert len(kept) == REFUSALS_MAX
    assert (kept[0].refusal.source, kept[-1].refusal.source) == ("line 5", f"line {REFUSALS_MAX + 4}")
    assert kept[0].at_ms == NOW_MS
    assert store.drop_refusals() == REFUSALS_MAX
    assert list(store.refusals()) == []


def test_old_history_can_be_dropped(store: Store) -> None:
    for at_ms in (1_000, 2_000, 3_000):
        walk(store, [report("a", at_ms, at_ms=at_ms)], now=lambda at_ms=at_ms: at_ms)  # type: ignore[misc]  # a default
    assert store.drop_history(before_ms=3_000) == 2
    assert [line.entry.after for line in store.history()] == [3_000]


def test_a_store_tells_how_much_it_holds(store: Store) -> None:
    walk(store, [report("a", 1), DeltaMessage(CLASSIC, b"")], now=now)
    store.acknowledge(CLASSIC, "peer#00000001", VectorClock())
    store.open_replica("a")
    stats = store.stats()
    assert (stats.shadows, stats.replicas, stats.peers, stats.history) == (2, 1, 1, 1)
    assert (stats.conflicts, stats.parked, stats.refusals) == (0, 0, 1)
    assert 0 < stats.state_bytes < stats.file_bytes


def test_a_store_is_shown_with_its_file(store: Store, path: Path) -> None:
    assert repr(store) == f"<Store {path}>"


# Policies


def test_the_default_policy_is_kept_and_resolves_anew(path: Path) -> None:
    with Store.open(path) as store:
        assert store.default_policy == Policy()
        for name in ("a", "b"):
            writer = Replica(name, epoch=1, now=now)
            walk(store, [DeltaMessage(CLASSIC, writer.update({"desired": {"mode": name}}).encode())], now=now)
        assert list(store.conflicts()) == []
        store.set_default_policy(REVIEW)
        assert len(list(store.conflicts())) == 1
    with Store.open(path) as store:
        assert store.default_policy == REVIEW
        held = store.get(CLASSIC)
        assert held is not None and held.policy == REVIEW
        store.set_default_policy(Policy())
        assert list(store.conflicts()) == []


# Identity of the file


def test_a_copy_of_the_file_stands_for_other_plain_writers(path: Path, tmp_path: Path) -> None:
    fill(path)
    copied = tmp_path / "copy.db"
    shutil.copyfile(path, copied)
    moved = tmp_path / "moved.db"
    with Store.open(path) as store, Store.open(copied) as copy:
        (original,) = epochs(store)
        (copied_epoch,) = epochs(copy)
        assert copied_epoch != original
        assert [one.key for one in copy.shadows()] == [one.key for one in store.shadows()]
    os.rename(path, moved)
    with Store.open(moved) as store:
        assert epochs(store) == {original}


def epochs(store: Store) -> set[int]:
    """Return under which epochs plain writers are put into a shadow that is held, and one that is not."""
    return {record.epoch for record in store.load([ShadowKey("thing-0"), ShadowKey("new")]).values()}


def test_chance_and_time_come_from_the_machine() -> None:
    assert 0 <= new_epoch() < 2**32
    assert len({new_epoch() for _ in range(50)}) > 45
    assert wall_clock_ms() > 1_700_000_000_000


# Outboxes


def test_the_outbox_of_a_peer_holds_what_it_has_not_acknowledged(path: Path) -> None:
    with Store.open(path) as store:
        peer = Replica("peer", epoch=1, now=now)
        assert store.outbox(CLASSIC, peer.id) is None
        walk(store, [report("thermostat", 1)], now=now)
        delta = store.outbox(CLASSIC, peer.id)
        assert delta is not None
        peer.merge(delta)
        assert store.outbox(CLASSIC, peer.id) == delta
        store.acknowledge(CLASSIC, peer.id, peer.clock)
        store.acknowledge(CLASSIC, peer.id, VectorClock())
    with Store.open(path) as store:
        assert store.outbox(CLASSIC, peer.id) is None
        assert store.peers(CLASSIC) == {peer.id: peer.clock}
        assert store.peers(NAMED) == {}
        walk(store, [report("thermostat", 2, at_ms=2_000)], now=now)
        delta = store.outbox(CLASSIC, peer.id)
        assert delta is not None and delta.base == peer.clock
        with pytest.raises(InvalidIdentity):
            store.acknowledge(CLASSIC, "peer", peer.clock)


def test_events_of_plain_writers_go_on_after_reopening(path: Path) -> None:
    def event(version: int) -> DocumentEvent:
        current = {"state": {"reported": {"t": version}}, "metadata": {}, "version": version}
        return DocumentEvent(CLASSIC, {"previous": {}, "current": current, "timestamp": version})

    for version in (1, 2, 1, 3, 2):
        with Store.open(path) as store:
            walk(store, [event(version)], now=now)
    with Store.open(path) as store:
        assert [line.entry.after for line in store.history()] == [1, 2, 3]
        held = store.get(CLASSIC)
        assert held is not None and len(held.shadow.clock) == 1


def test_errors_are_adapter_errors_with_codes_of_their_own() -> None:
    kinds = [StoreBusy, StoreFull, StoreDamaged, StoreVersion, StoreUnavailable]
    assert all(issubclass(kind, AdapterError) for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert [kind.retryable for kind in kinds] == [True, True, False, False, False]
