"""Store: the embedded store's transactions, and the whole walk of a batch through it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from crdtshadow_local import Store
from crdtshadow_walk import DeltaMessage, DocumentEvent, MemoryStore, Merged, ShadowKey, walk

from benchmarks.peer import START_MS
from benchmarks.suites.states import cloud_with, document_of, now, shadow_of

SIZES = (20, 1_000, pytest.param(10_000, marks=pytest.mark.deep))
KEY = ShadowKey("thermostat")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Yield a new store; its transactions wait for the disk, as they do in use."""
    with Store.open(tmp_path / "shadows.db") as opened:
        yield opened


@pytest.mark.parametrize("fields", SIZES)
def test_durable_write_of_one_field(benchmark: Any, store: Store, fields: int) -> None:
    replica = store.open_replica("thermostat", now=now)
    replica.update(document_of(fields))
    values = count()
    benchmark(lambda: replica.set("/reported/added", next(values)))
    held = store.get(KEY)
    assert held is not None
    assert held.shadow == replica.shadow


@pytest.mark.parametrize("fields", SIZES)
def test_get(benchmark: Any, store: Store, fields: int) -> None:
    walk(store, [DeltaMessage(KEY, shadow_of(fields).encode())], now=now)
    assert benchmark(store.get, KEY).shadow == shadow_of(fields)


@pytest.mark.parametrize("fields", SIZES)
def test_walk_of_one_delta(benchmark: Any, store: Store, fields: int) -> None:
    walk(store, [DeltaMessage(KEY, shadow_of(fields).encode())], now=now)
    cloud = cloud_with(shadow_of(fields))
    values = count()

    def one_more() -> tuple[tuple[DeltaMessage], dict[str, object]]:
        return (DeltaMessage(KEY, cloud.set("/reported/added", next(values)).encode()),), {}

    def bring(message: DeltaMessage) -> object:
        return walk(store, [message], now=now).outcomes[0]

    assert isinstance(benchmark.pedantic(bring, setup=one_more, rounds=20), Merged)


@pytest.mark.parametrize("shadows", [1, 10, 100])
def test_walk_of_a_hundred_events(benchmark: Any, tmp_path: Path, shadows: int) -> None:
    messages = [DocumentEvent(ShadowKey(f"thing{at % shadows:03}"), event_of(at // shadows)) for at in range(100)]
    names = count()

    def fresh() -> tuple[tuple[Store], dict[str, object]]:
        return (Store.open(tmp_path / f"{next(names)}.db"),), {}

    def bring(store: Store) -> list[object]:
        with store:
            return list(walk(store, messages, now=now).outcomes)

    outcomes = benchmark.pedantic(bring, setup=fresh, rounds=5)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Merged)] == []


@pytest.mark.parametrize("shadows", [1, 10, 100])
def test_walk_of_a_hundred_events_in_memory(benchmark: Any, shadows: int) -> None:
    messages = [DocumentEvent(ShadowKey(f"thing{at % shadows:03}"), event_of(at // shadows)) for at in range(100)]
    outcomes = benchmark(lambda: walk(MemoryStore(), messages, now=now).outcomes)
    assert [outcome for outcome in outcomes if not isinstance(outcome, Merged)] == []


def event_of(at: int) -> dict[str, object]:
    """Return what AWS IoT publishes after the *at*-th update of a thermostat."""
    before, after = (state_of(version) for version in (at, at + 1))
    return {"previous": before, "current": after, "timestamp": START_MS // 1_000 + at}


def state_of(version: int) -> dict[str, object]:
    reported = {**document_of(20)["reported"], "uptime": version}
    return {"state": {"reported": reported}, "metadata": {}, "version": version}


def test_open_a_replica(benchmark: Any, store: Store) -> None:
    replica = benchmark(lambda: store.open_replica("thermostat", now=now))
    assert replica.name == "thermostat"
