"""Traffic for the walk: what replicas, plain writers and strangers send about a few shadows."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from tempfile import TemporaryDirectory

from crdtshadow_walk import (
    DeltaMessage,
    DocumentEvent,
    Merged,
    Message,
    Outcome,
    Parked,
    Record,
    Refused,
    ShadowKey,
    Store,
    walk,
)
from hypothesis import strategies as st

from crdtshadow import Delta, Shadow, Stamp
from crdtshadow.clock import pack_time
from crdtshadow.document import ShadowDocument, apply_update, check_request
from crdtshadow.testing.strategies import REPLICAS, Step, histories

CLASSIC = ShadowKey("thermostat")
NAMED = ShadowKey("thermostat", "config")
KEYS = (CLASSIC, NAMED)
NOW_MS = 9_000
"""Later than all that is written, so that nothing drifts."""

PATCHES = st.sampled_from(
    [
        {"desired": {"a": 1}},
        {"desired": {"a": {"b": 2}}, "reported": {"a": 1}},
        {"desired": {"a": None}, "reported": {"e": [1]}},
        {"reported": {"a": {"b": 1, "d": {}}}},
        {"desired": None},
        {"reported": {"e": 1.0}},
        None,
    ]
)

IN_MEMORY = "/dev/shm"
"""A file system in memory, where there is one: it spares tests that do not ask about crashes the wait for the disk."""


def in_memory_directory() -> TemporaryDirectory[str]:
    """Return a new directory, in memory if that is possible."""
    return TemporaryDirectory(dir=IN_MEMORY if os.path.isdir(IN_MEMORY) else None)


def now() -> int:
    return NOW_MS


def deltas_of(history: Sequence[Step]) -> tuple[list[Delta], Shadow]:
    """Return every delta that was sent in *history*, and the join of all that was written."""
    maps = [Shadow() for _ in REPLICAS]
    sent: list[Delta] = []
    for step in history:
        here, other = maps[step.at], maps[step.of]
        if step.what.startswith("merge"):
            sent.append(other.delta(here.clock if step.what == "merge" else None))
            here.merge(sent[-1])
        elif step.what.startswith("write"):
            time = max(pack_time(step.ms), here.clock.newest() + 1)
            sent.append(here.write(step.changes, Stamp(time, REPLICAS[step.at])))
    whole = Shadow()
    for one in maps:
        whole.merge(one)
    return sent, whole


def delta_traffic() -> st.SearchStrategy[tuple[list[DeltaMessage], dict[ShadowKey, Shadow]]]:
    """Return deltas for two shadows, and the state that each must reach."""

    def combine(pair: tuple[Sequence[Step], Sequence[Step]]) -> tuple[list[DeltaMessage], dict[ShadowKey, Shadow]]:
        messages, goals = [], {}
        for key, history in zip(KEYS, pair, strict=True):
            deltas, goals[key] = deltas_of(history)
            messages += [DeltaMessage(key, delta.encode()) for delta in deltas]
        return messages, goals

    return st.tuples(histories(), histories()).map(combine)


def batches_of(data: st.DataObject, messages: Sequence[Message]) -> list[list[Message]]:
    """Draw *messages* in any order, some of them doubled, in batches."""
    doubled = [*messages, *data.draw(st.lists(st.sampled_from(messages), max_size=4))] if messages else []
    order = data.draw(st.permutations(doubled))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [order[start:end] for start, end in pairwise(edges) if end > start]


def events_of(patches: Sequence[Mapping[str, object] | None], key: ShadowKey = CLASSIC) -> list[DocumentEvent]:
    """Return the events that AWS publishes when one writer after another sends *patches*."""
    document: ShadowDocument | None = None
    events = []
    for second, patch in enumerate(patches):
        token = {"clientToken": f"app-{second}"} if second % 2 else {}
        update = apply_update(document, check_request({"state": patch, **token}), now_s=second)
        document = update.document
        events.append(DocumentEvent(key, update.documents, f"version {document.version}"))
    return events


def states(store: Store) -> dict[ShadowKey, Shadow]:
    """Return the shadows that a store holds."""
    return {key: _shadow(record) for key, record in store.load(KEYS).items()}


def _shadow(record: Record) -> Shadow:
    return Shadow.decode(record.state) if record.state else Shadow()


def walk_all(store: Store, batches: Sequence[Sequence[Message]]) -> list[Outcome]:
    """Walk one batch after another and return all outcomes."""
    outcomes: list[Outcome] = []
    for batch in batches:
        walked = walk(store, batch, now=now)
        outcomes += (*walked.outcomes, *walked.released)
    return outcomes


def gist(outcome: Outcome) -> tuple[object, ...]:
    """Return what can be compared of an outcome."""
    kind = type(outcome).__name__
    match outcome:
        case Merged():
            return kind, outcome.changed, outcome.clones
        case Refused():
            return kind, outcome.code, outcome.reason
        case Parked():
            return kind, str(outcome.error)
        case _:
            return (kind,)
