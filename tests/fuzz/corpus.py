"""What fuzzing begins with: the bytes of real states, deltas, ledgers, replicas, sessions, policies and documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any, Final

from crdtshadow import (
    REMOVED,
    BelowFloor,
    Delta,
    Ledger,
    Policy,
    Replica,
    Session,
    Shadow,
    ingest_event,
    ingest_offline,
    record_published,
)
from crdtshadow.document import Limits, ShadowDocument, apply_update, check_request
from crdtshadow.shadow import Changes
from crdtshadow.testing.strategies import PATHS, REPLICAS, Step, play

NOW_MS: Final = 1_700_000_000_000
_VALUES: Final[tuple[Any, ...]] = (
    1,
    1.0,
    True,
    "on",
    "é😀",
    [1, [2.5, {"k": None}]],
    {},
    -1,
    2**63,
    2**64 - 1,
    -(2**63),
    1e-9,
    "",
    [],
)

DOCUMENTS: Final[tuple[dict[str, Any], ...]] = (
    {"desired": {"led": "on", "limits": {"low": 2, "high": 9}}, "reported": {"led": "off", "up": 5}},
    {"desired": {"led": "on", "limits": {"low": 3}}, "reported": {"led": "on", "list": [1, 2, {"a": [True]}]}},
    {"reported": {"deep": {"a": {"b": {"c": {"d": {}}}}}, "text~/": "é", "n": 1.5e300}},
    {},
)
POLICIES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"strategy": "last_writer_wins", "auto_resolve_threshold": 2},
    {"strategy": "manual_review", "auto_resolve_threshold": None},
    {
        "strategy": "priority_based",
        "ranks": {"*": 10, "cloud*": 30, "a*p": -5},
        "priorities": [{"path": "/reported/**", "order": ["device*", "cloud"]}],
        "field_priorities": {"a": "high", "/desired/e": "low", "b": "medium"},
    },
    {
        "overrides": [
            {"path": "/desired/a", "rule": "set"},
            {"path": "/desired/e", "rule": "max"},
            {"path": "/reported/a", "rule": "counter"},
            {"path": "/reported/**", "strategy": "last_writer_wins"},
            {"path": "/*/e", "rule": "union"},
        ]
    },
)


def packed_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@cache
def shadows() -> tuple[Shadow, ...]:
    """Return shadows that diverged from each other in a hundred ways, some with forgotten removals."""
    played: list[Shadow] = []
    for seed in range(40):
        played += play(list(_history(Random(seed))))
    return tuple({shadow.encode(): shadow for shadow in played}.values())


def _history(dice: Random) -> Iterable[Step]:
    for _ in range(dice.randrange(1, 16)):
        what = dice.choice(("write", "write", "write as of", "merge", "merge", "merge whole", "forget"))
        changes: Changes = {dice.choice(PATHS): dice.choice((REMOVED, *_VALUES))}
        yield Step(dice.randrange(len(REPLICAS)), dice.randrange(len(REPLICAS)), dice.randrange(6), what, changes)


@cache
def deltas() -> tuple[bytes, ...]:
    """Return what some of the shadows lack of others, and some of them whole."""
    dice = Random(1)
    some = dice.sample(shadows(), min(24, len(shadows())))
    found = {one.delta(other.clock).encode() for one in some for other in some[:5]}
    return tuple(sorted(found, key=len))


@cache
def states() -> tuple[bytes, ...]:
    return tuple(shadow.encode() for shadow in shadows()[:60])


@cache
def replicas() -> tuple[bytes, ...]:
    """Return saved replicas: fresh, used, acknowledged, retired, cloned."""
    saved: list[bytes] = [_replica("fresh", Shadow()).save()]
    for at, shadow in enumerate(shadows()[:12]):
        replica = _replica(f"r{at}", shadow.copy())
        replica.reported["n"] = at
        for peer in REPLICAS[: at % 4]:
            replica.acknowledge(peer, shadow.clock)
        if at % 3 == 0:
            replica.retire(REPLICAS[0])
        saved.append(replica.save())
    return tuple(saved)


def _replica(name: str, shadow: Shadow) -> Replica:
    return Replica(name, epoch=7, now=lambda: NOW_MS, shadow=shadow)


@cache
def messages() -> tuple[bytes, ...]:
    """Return the messages of sessions: wants, deltas, seens, refusals."""
    found: list[bytes] = []
    for here, there in zip(shadows()[:10], shadows()[3:13], strict=True):
        a, b = Session(_replica("a", here.copy())), Session(_replica("b", there.copy()))
        pending = [(b, a, a.hello())]
        while pending:
            receiver, sender, message = pending.pop()
            found.append(message)
            replies = receiver.receive(message).replies
            pending += [(sender, receiver, reply) for reply in replies] if len(found) < 200 else []
    return tuple(dict.fromkeys(found))


@cache
def ledgers() -> tuple[bytes, ...]:
    """Return ledgers after some events, cached changes and publications."""
    kept = [Ledger()]
    shadow, ledger = Shadow(), Ledger()
    for event in events():
        ledger = ingest_event(shadow, ledger, event, epoch=1, now_ms=NOW_MS).ledger
        kept.append(ledger)
        ledger = record_published(ledger, DOCUMENTS[0], aws_version=ledger.aws_version + 2, clock=shadow.clock)
        ledger = ingest_offline(
            shadow, ledger, {"reported": {"c": ledger.aws_version}}, epoch=1, now_ms=NOW_MS, at_ms=NOW_MS - 5
        ).ledger
        kept.append(ledger)
    return tuple(one.encode() for one in kept)


@cache
def events() -> tuple[dict[str, Any], ...]:
    """Return payloads of update/documents, as AWS would publish them for the documents."""
    found: list[dict[str, Any]] = []
    before: ShadowDocument | None = None
    for at, document in enumerate(DOCUMENTS):
        wanted = {"desired": document.get("desired"), "reported": document.get("reported")}
        request = check_request({"state": wanted, "clientToken": ("app-1", "x")[at % 2]})
        update = apply_update(before, request, now_s=NOW_MS // 1000 - 9 + at, limits=Limits(nesting_max=32))
        found.append(dict(update.documents))
        before = update.document
    return tuple(found)


def requests() -> tuple[bytes, ...]:
    bodies = [{"state": document, "version": at, "clientToken": "t"} for at, document in enumerate(DOCUMENTS)]
    removals = [{"state": None}, {"state": {"desired": None, "reported": {"led": None}}}]
    return tuple(map(packed_json, [*bodies, *removals]))


def event_texts() -> tuple[bytes, ...]:
    return tuple(map(packed_json, events()))


def policy_texts() -> tuple[bytes, ...]:
    return tuple(map(packed_json, POLICIES))


@cache
def policies() -> tuple[Policy, ...]:
    return tuple(map(Policy.from_json, POLICIES))


def remix(dice: Random) -> bytes:
    """Return a well-formed delta that means something odd: clocks, floor and rows of different states."""
    one, other, third = dice.sample(shadows(), 3)
    rows = dict(one.delta().rows) | dict(other.delta().rows if dice.random() < 0.5 else {})
    for path in list(rows):
        if dice.random() < 0.2:
            del rows[path]
    clocks = (one.clock, other.clock, third.clock, one.clock.join(other.clock), one.clock.meet(third.clock), one.floor)
    pick: Callable[..., Any] = dice.choice
    try:
        return Delta(pick((pick(clocks), Shadow().clock)), pick(clocks), floor=pick(clocks), rows=rows).encode()
    except (KeyError, BelowFloor):  # not even its sender could have written that
        return one.encode()
