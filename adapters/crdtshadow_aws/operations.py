"""The sync manager's operations: arguments in, what becomes the body of the answer out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from crdtshadow_walk import (
    Data,
    Held,
    MessageRefused,
    OfflineChanges,
    Record,
    ShadowKey,
    decision_data,
    decode_record,
    field_data,
    find_write,
    iso_time,
    publication,
    read_offline,
    resolve_conflict,
    say_list,
    set_policy,
)

from crdtshadow import Decision, UnknownConflict, View, resolve
from crdtshadow.document import outstanding
from crdtshadow.errors import DocumentError
from crdtshadow.paths import check
from crdtshadow_aws.arguments import (
    NAMES_MAX,
    Arguments,
    integer_of,
    items_of,
    key_of,
    seconds_of,
    shadow_of,
    text_of,
    thing_of,
)
from crdtshadow_aws.bus import SYNC_COMPLETED, Event
from crdtshadow_aws.composition import Parts
from crdtshadow_aws.errors import BadRequest, NotDone, NotFound
from crdtshadow_aws.intake import ECHO, FAILED, MERGED, REFUSED, Fate, bring
from crdtshadow_aws.items import integer_of as stored_integer
from crdtshadow_aws.items import read_policy, read_row_key, shadow_name
from crdtshadow_aws.outbox import catch_up, publish_shadow
from crdtshadow_aws.telemetry import OFFLINE_SYNC

CACHED_CHANGES_MAX: Final = 1_000
HOURS: Final = 24
HOURS_MAX: Final = 720
"""Thirty days, as long as sync metrics are kept."""
CONFLICTS: Final = 100
CONFLICTS_MAX: Final = 1_000
THINGS_NAMED_MAX: Final = 50

HEALTHY: Final = "healthy"
CONFLICTED: Final = "conflicts"
UNPUBLISHED: Final = "unpublished"
SILENT: Final = "silent"
UNKNOWN: Final = "unknown"
"""From the best to what needs most attention."""

_SEVERITY: Final = (HEALTHY, SILENT, UNPUBLISHED, CONFLICTED, UNKNOWN)
_HOUR_MS: Final = 3_600_000


def sync_check(parts: Parts, arguments: Arguments) -> Data:
    """Compare shadows of a thing with AWS's, take in what was missed, and publish what is lacking there.

    Args:
        parts: What to work with.
        arguments: ``thingName``; ``shadowNames``, all that are known by default.

    Raises:
        NotFound: No such thing, or none of these shadows.
    """
    thing = thing_of(arguments)
    names = items_of(arguments, "shadowNames", most=NAMES_MAX)
    if names is None:
        keys = list(dict.fromkeys(read_row_key(row).key for row in parts.store.rows(thing)))
        keys = keys or [ShadowKey(thing)]
    else:
        keys = [key_of(thing, name, where=f"shadowNames[{at}]") for at, name in enumerate(names)]
    shadows = [_check_shadow(parts, key) for key in dict.fromkeys(keys)]
    if all(shadow["health"] == UNKNOWN for shadow in shadows):
        raise NotFound(f"{thing}: no such thing, or none of its shadows {', '.join(map(shadow_name, keys))}")
    return {
        "thingName": thing,
        "inSync": all(shadow["inSync"] for shadow in shadows),
        "health": _worst(shadow["health"] for shadow in shadows),
        "shadows": shadows,
        "configurationProblems": list(parts.configuration.of(thing).problems),
    }


def offline_sync(parts: Parts, arguments: Arguments) -> Data:
    """Merge what a device cached while it was cut off, with its own times, and answer what holds since.

    Args:
        parts: What to work with.
        arguments: ``thingName``, ``offlineDurationSeconds``, and ``cachedChanges``: objects with ``shadowName``,
            ``state`` (a patch), ``timestamp`` (epoch seconds), and ``version`` if the device knows which it
            saw last.

    Raises:
        BadRequest: No change can be used.
        NotDone: Not all could be stored.
    """
    thing = thing_of(arguments)
    duration_s = seconds_of(arguments, "offlineDurationSeconds")
    changes = items_of(arguments, "cachedChanges", most=CACHED_CHANGES_MAX)
    if changes is None:
        raise BadRequest("cachedChanges: is missing")
    now_ms = parts.now()
    offline_ms = None if duration_s is None else max(now_ms - round(duration_s * 1000), 0)
    latest_ms = now_ms + parts.settings.drift_ms_max
    messages: list[OfflineChanges] = []
    refused: dict[int, Fate] = {}
    for at, change in enumerate(changes):
        try:
            messages.append(_cached_change(thing, change, offline_ms, latest_ms, where=f"cachedChanges[{at}]"))
        except (BadRequest, MessageRefused) as error:
            refused[at] = Fate(REFUSED, str(error), error.code)
    if not messages:
        raise BadRequest("; ".join(fate.reason for fate in refused.values()))
    brought = bring(parts, messages)
    left = iter(brought.fates)
    fates = [refused.get(at) or next(left) for at in range(len(changes))]
    counts = Counter(fate.what for fate in fates)
    if counts[FAILED]:
        reasons = [fate.reason for fate in fates if fate.what == FAILED]
        raise NotDone(f"{counts[FAILED]} of {len(fates)} changes are not stored; send all again ({reasons[0]})")
    parts.telemetry.count(OFFLINE_SYNC)
    body: Data = {
        "thingName": thing,
        "merged": counts[MERGED],
        "echoes": counts[ECHO],
        "refused": [
            {"index": at, "code": fate.code, "reason": fate.reason}
            for at, fate in enumerate(fates)
            if fate.what == REFUSED
        ],
        "shadows": [_outcome(parts, key) for key in dict.fromkeys(message.key for message in messages)],
    }
    if brought.settled:
        parts.bus.put([Event(SYNC_COMPLETED, {"id": f"{thing}/offline/{now_ms}", "at": iso_time(now_ms), **body})])
    return body


def conflict_summary(parts: Parts, arguments: Arguments) -> Data:
    """Count the conflicts of the last hours: by type, strategy, thing and shadow.

    Args:
        parts: What to work with.
        arguments: ``timeRangeHours``.
    """
    hours = integer_of(arguments, "timeRangeHours", default=HOURS, most=HOURS_MAX)
    until_ms = parts.now()
    since_ms = until_ms - hours * _HOUR_MS
    kinds: Counter[str] = Counter()
    strategies: Counter[str] = Counter()
    things: Counter[str] = Counter()
    shadows: Counter[str] = Counter()
    changes = 0
    for measured in parts.sync_metrics.between(since_ms, until_ms):
        changes += 1
        if measured.conflict_count:
            things[measured.key.thing] += measured.conflict_count
            shadows[f"{measured.key.thing}/{shadow_name(measured.key)}"] += measured.conflict_count
            kinds.update(str(one["type"]) for one in measured.conflicts)
            strategies.update(str(one["strategy"]) for one in measured.conflicts)
    return {
        "timeRangeHours": hours,
        "since": iso_time(since_ms),
        "until": iso_time(until_ms),
        "changes": changes,
        "totalConflicts": things.total(),
        "conflictsByType": dict(kinds.most_common()),
        "conflictsByStrategy": dict(strategies.most_common()),
        "conflictsByThing": dict(things.most_common(THINGS_NAMED_MAX)),
        "conflictsByShadow": dict(shadows.most_common(THINGS_NAMED_MAX)),
        "things": len(things),
        "pendingReviews": len(parts.store.pending(limit=CONFLICTS_MAX)),
    }


def health_report(parts: Parts, arguments: Arguments) -> Data:
    """Tell how things fare; without names, those of which conflicts wait for a review, and the last hour.

    Args:
        parts: What to work with.
        arguments: ``thingNames``.
    """
    names = items_of(arguments, "thingNames", most=NAMES_MAX)
    if names is None:
        things = sorted({row.key.thing for row in parts.store.pending(limit=CONFLICTS_MAX)})[:NAMES_MAX]
    else:
        things = [key_of(name, None, where=f"thingNames[{at}]").thing for at, name in enumerate(names)]
    parts.configuration.fetch(things)
    reports = [_thing_health(parts, thing) for thing in dict.fromkeys(things)]
    counts = Counter(str(report["health"]) for report in reports)
    last_hour = conflict_summary(parts, {"timeRangeHours": 1})
    return {
        "at": iso_time(parts.now()),
        "health": _worst(counts) if reports else HEALTHY,
        "counts": {name: counts[name] for name in _SEVERITY},
        "things": reports,
        "lastHour": {name: last_hour[name] for name in ("changes", "totalConflicts", "pendingReviews")},
    }


def conflicts(parts: Parts, arguments: Arguments) -> Data:
    """List the conflicts that wait for a review, each with all its writes.

    Args:
        parts: What to work with.
        arguments: ``thingName``, ``shadowName``, to list only those of a thing or a shadow; ``limit``.

    Raises:
        NotFound: No such thing, or shadow.
    """
    limit = integer_of(arguments, "limit", default=CONFLICTS, most=CONFLICTS_MAX)
    if arguments.get("thingName") is None:
        keys = [row.key for row in parts.store.pending(limit=limit)]
    elif arguments.get("shadowName") is not None:
        keys = [_existing(parts, shadow_of(arguments)).key]
    else:
        thing = thing_of(arguments)
        keys = list(dict.fromkeys(read_row_key(row).key for row in parts.store.rows(thing)))
        if not keys:
            raise NotFound(f"{thing}: no such thing here")
    found: list[Data] = []
    for key in keys:
        held = _held(parts, key)
        if held is not None:
            view = resolve(held.shadow, held.policy)
            found += [{**_names(key), **decision_data(one)} for one in view.decisions if one.held]
    return {"conflicts": found[:limit], "more": len(found) > limit}


def settle_conflict(parts: Parts, arguments: Arguments) -> Data:
    """Settle a conflict by a write that has seen all its sides.

    Args:
        parts: What to work with.
        arguments: ``thingName``, ``shadowName``, ``path``, and either ``value`` (null removes) or ``choose``: a
            writer's name, or a stamp as ``conflicts`` has it.

    Raises:
        NotFound: No such shadow.
        UnknownConflict: There is no conflict at that path, or no such write in it.
    """
    key = shadow_of(arguments)
    path = check(text_of(arguments, "path"))
    if ("value" in arguments) == ("choose" in arguments):
        raise BadRequest("needs either value or choose")
    held = _existing(parts, key)
    choose = None
    if "choose" in arguments:
        wanted = text_of(arguments, "choose")
        conflict = _decision_at(held, path).conflict
        choose = find_write(conflict, wanted)
    settled = resolve_conflict(
        parts.store, key, path, value=arguments.get("value"), choose=choose, now=parts.now, pause=parts.pause
    )
    view = settled.view
    below = sorted(one for one in view.fields if one == path or one.startswith(f"{path}/"))
    return {
        **_names(key),
        "path": path,
        "fields": [field_data(view, one) for one in below],
        "conflictsLeft": len(view.decisions),
    }


OPERATIONS: Final[Mapping[str, Callable[[Parts, Arguments], Data]]] = {
    "sync_check": sync_check,
    "offline_sync": offline_sync,
    "conflict_summary": conflict_summary,
    "health_report": health_report,
    "conflicts": conflicts,
    "resolve_conflict": settle_conflict,
}


def _check_shadow(parts: Parts, key: ShadowKey) -> Data:
    found = parts.shadows.read(key)
    held = _held(parts, key)
    if found is None and held is None:
        return {"shadowName": shadow_name(key), "health": UNKNOWN, "inSync": False}
    caught_up = found is not None and found.version > _last_version(held)
    if caught_up:
        catch_up(parts, key)
    _apply_policy(parts, key)
    refused = ""
    if found is not None or not _last_version(held):
        try:
            publish_shadow(parts, key)
        except DocumentError as error:
            refused = str(error)
    held = _existing(parts, key)
    state = _describe(parts, held)
    aws_version = None if found is None else max(found.version, _last_version(held))
    return {**state, "awsVersion": aws_version, "caughtUp": caught_up, **({"refused": refused} if refused else {})}


def _describe(parts: Parts, held: Held) -> Data:
    """Return what is to be said of a shadow's condition."""
    key, record = held.key, held.record
    view = resolve(held.shadow, held.policy)
    document = view.document
    waiting = outstanding(document.get("desired"), document.get("reported"))  # type: ignore[arg-type]  # a document
    published = publication(key, record, default_policy=parts.store.default_policy) is None
    reviews = sum(decision.held for decision in view.decisions)
    row = _own_row(parts, key)
    updated_ms = stored_integer(row, "updatedAt") if row else 0
    silent_ms = parts.configuration.of(key.thing).offline_after_s * 1000
    if reviews:
        health = CONFLICTED
    elif not published:
        health = UNPUBLISHED
    else:
        health = SILENT if parts.now() - updated_ms > silent_ms else HEALTHY
    return {
        "shadowName": shadow_name(key),
        "health": health,
        "inSync": published and not waiting and not reviews,
        "published": published,
        "outstanding": waiting,
        "conflicts": [decision_data(decision) for decision in view.decisions],
        "pendingReviews": reviews,
        "lastSync": iso_time(updated_ms),
        "revision": record.revision,
    }


def _thing_health(parts: Parts, thing: str) -> Data:
    keys = list(dict.fromkeys(read_row_key(row).key for row in parts.store.rows(thing)))
    shadows: list[Data] = []
    for key in keys:
        _apply_policy(parts, key)
        shadows.append(_describe(parts, _existing(parts, key)))
    problems = list(parts.configuration.of(thing).problems)
    return {
        "thingName": thing,
        "health": _worst(str(one["health"]) for one in shadows) if shadows else UNKNOWN,
        "shadows": [
            {name: one[name] for name in ("shadowName", "health", "inSync", "pendingReviews", "lastSync")}
            for one in shadows
        ],
        "configurationProblems": problems,
    }


def _apply_policy(parts: Parts, key: ShadowKey) -> None:
    """Resolve a shadow anew whose policy was changed since its row was written."""
    row = _own_row(parts, key)
    policy = parts.configuration.policy_of(key)
    if row is not None and read_policy(row) != (policy or parts.store.default_policy):
        set_policy(parts.store, key, policy, now=parts.now, pause=parts.pause)


def _own_row(parts: Parts, key: ShadowKey) -> Mapping[str, Any] | None:
    rows = parts.store.rows(key.thing, f"{shadow_name(key)}#")
    return next((row for row in rows if read_row_key(row).region == parts.store.region), None)


def _held(parts: Parts, key: ShadowKey) -> Held | None:
    record: Record = parts.store.load((key,))[key]
    if not record.revision and not record.state:
        return None
    return decode_record(key, record, default_policy=parts.store.default_policy)


def _existing(parts: Parts, key: ShadowKey) -> Held:
    held = _held(parts, key)
    if held is None:
        raise NotFound(f"{key}: no such shadow here")
    return held


def _last_version(held: Held | None) -> int:
    if held is None:
        return 0
    return max([held.ledger.aws_version, *(one.aws_version for one in held.ledger.published)])


def _decision_at(held: Held, path: str) -> Decision:
    decisions = resolve(held.shadow, held.policy).decisions
    for decision in decisions:
        if path in decision.conflict.paths:
            return decision
    known = [decision.conflict.path for decision in decisions]
    others = f"; there is one at {say_list(known[:10])}" if known else ""
    raise UnknownConflict(f"{path}: there is no conflict here in {held.key}{others}")


def _cached_change(thing: str, change: object, offline_ms: int | None, latest_ms: int, *, where: str) -> OfflineChanges:
    """Return the message that a cached change makes.

    Raises:
        BadRequest, MessageRefused: It cannot be used.
    """
    if not isinstance(change, Mapping):
        raise BadRequest(f"{where}: needs an object, not {type(change).__name__}")
    key = key_of(thing, change.get("shadowName"), where=f"{where}.shadowName")
    try:
        message = read_offline(key, dict(change), source=f"offline_sync {where}")
    except MessageRefused as error:
        raise BadRequest(f"{where}{str(error).removeprefix('offline')}") from None
    if message.at_ms > latest_ms:
        raise BadRequest(f"{where}.timestamp: {change['timestamp']!r} lies in the future")
    if message.offline_ms is None and offline_ms is not None:
        message = message._replace(offline_ms=min(offline_ms, message.at_ms))
    return message


def _outcome(parts: Parts, key: ShadowKey) -> Data:
    """Return what holds in a shadow: what its device shall know."""
    held = _existing(parts, key)
    view: View = resolve(held.shadow, held.policy)
    return {
        "shadowName": shadow_name(key),
        "state": view.document,
        "conflicts": [decision_data(decision) for decision in view.decisions],
        "awsVersion": _last_version(held) or None,
    }


def _names(key: ShadowKey) -> Data:
    return {"thingName": key.thing, "shadowName": shadow_name(key)}


def _worst(healths: Iterable[object]) -> str:
    return max((str(one) for one in healths), key=_SEVERITY.index)
