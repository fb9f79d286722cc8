"""From what arrives to what has become of it: bodies parsed, each shadow's messages walked together.

Shadows do not hinder each other: each has its own read and its own conditional write, and fails alone.
Nor do messages of one shadow: if together they cannot be stored, they are brought one by one, and
those that can never be are put into the quarantine. Senders of deltas are told what became of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

import crdtshadow_walk
from crdtshadow_walk import (
    DeltaMessage,
    Echo,
    Failed,
    Merged,
    Message,
    MessageRefused,
    Outcome,
    Parked,
    Refusal,
    Refused,
    Settled,
    ShadowKey,
    Walked,
    decode_json,
    read_message,
    refusal_of,
)

from crdtshadow import Delta, EventRefused, VectorClock
from crdtshadow.clock import TICK_BITS
from crdtshadow.errors import AdapterError, CrdtShadowError
from crdtshadow_aws.composition import Parts
from crdtshadow_aws.errors import POISON
from crdtshadow_aws.quarantine import RAW
from crdtshadow_aws.replies import answer, asked_clock, tell_sender
from crdtshadow_aws.telemetry import CLOCK_SKEW, CONFLICT_DETECTED, MERGE_DURATION, UPDATE_REFUSED

MERGED: Final = "merged"
ECHO: Final = "echo"
PARKED: Final = "parked"
ANSWERED: Final = "answered"
REFUSED: Final = "refused"
FAILED: Final = "failed"

_MS: Final = 1000


class Unreadable(NamedTuple):
    """A body that is no message.

    Attributes:
        body: What arrived.
        error: Why.
        source: Where it came from.
    """

    body: str
    error: CrdtShadowError
    source: str


Arrival: TypeAlias = "Message | Unreadable"


class Fate(NamedTuple):
    """What became of an arrival.

    Attributes:
        what: ``merged``, ``echo``, ``parked`` (waits for what it continues from), ``answered`` (it was a
            question), ``refused`` (in the quarantine) or ``failed`` (has to come again).
        reason: Why, in words.
        code: Of the error, if there was one.
    """

    what: str
    reason: str = ""
    code: str = ""


class Brought(NamedTuple):
    """What became of a batch.

    Attributes:
        fates: One for each arrival, in their order.
        settled: The shadows whose state changed, each once or, if its messages went one by one, more often.
    """

    fates: tuple[Fate, ...]
    settled: tuple[Settled, ...]


def read_body(text: str, *, source: str) -> Arrival:
    """Return what a body from the updates queue says.

    Args:
        text: The body.
        source: Where it came from, for people.
    """
    try:
        return read_arrival(decode_json(text), source=source)
    except (MessageRefused, EventRefused) as error:
        return Unreadable(text, error, source)


def read_arrival(body: object, *, source: str) -> Message:
    """Return what *body*, which was JSON, says.

    A delta may bring the writes of its thing, and of the MQTT client that sent it: the IoT policies see
    to it that both are who they say. What else it may bring is a matter of configuration.

    Raises:
        MessageRefused, EventRefused: It is no message.
    """
    message = read_message(body, source=source)
    if not isinstance(message, DeltaMessage) or not isinstance(body, Mapping):
        return message
    client = body.get("source")
    names = {message.key.thing, client} if isinstance(client, str) else {message.key.thing}
    return message._replace(speaks_for=frozenset(names))


def bring(parts: Parts, arrivals: Sequence[Arrival]) -> Brought:
    """Walk *arrivals*, shadow by shadow, and tell what became of each."""
    fates: dict[int, Fate] = {}
    settled: list[Settled] = []
    groups: dict[ShadowKey, list[tuple[int, Message]]] = {}
    questions: dict[int, tuple[ShadowKey, VectorClock]] = {}
    for at, arrival in enumerate(arrivals):
        if isinstance(arrival, Unreadable):
            fates[at] = _set_aside(parts, arrival)
        elif isinstance(arrival, DeltaMessage) and (clock := asked_clock(arrival)) is not None:
            questions[at] = (arrival.key, clock)
        else:
            groups.setdefault(arrival.key, []).append((at, arrival))
    for group in groups.values():
        for walked in _walk_shadow(parts, group):
            fates.update(walked.fates)
            settled += walked.settled
    for at, (key, clock) in questions.items():
        fates[at] = _answer(parts, key, clock)
    for one in settled:
        parts.telemetry.count(CONFLICT_DETECTED, sum(entry.conflict for entry in one.history))
    parts.telemetry.count(UPDATE_REFUSED, sum(fate.what == REFUSED for fate in fates.values()))
    return Brought(tuple([fates[at] for at in range(len(arrivals))]), tuple(settled))


class _Part(NamedTuple):
    fates: dict[int, Fate]
    settled: tuple[Settled, ...] = ()


def _walk_shadow(parts: Parts, group: Sequence[tuple[int, Message]]) -> Iterator[_Part]:
    """Yield what became of messages for one shadow: all of them, or one after the other if they fail together."""
    started = perf_counter()
    walked: Walked | AdapterError
    try:
        messages = [_authorised(parts, message) for _, message in group]
        walked = crdtshadow_walk.walk(
            parts.store,
            messages,
            now=parts.now,
            pause=parts.pause,
            drift_ms_max=parts.settings.drift_ms_max,
        )
    except AdapterError as error:
        walked = error
    parts.telemetry.time(MERGE_DURATION, (perf_counter() - started) * _MS)
    failure = _failure(walked)
    if isinstance(failure, POISON) and len(group) > 1:
        for one in group:
            yield from _walk_shadow(parts, [one])
    elif failure is not None:
        yield _Part({at: _fail(parts, message, failure) for at, message in group})
    elif isinstance(walked, Walked):
        outcomes = zip([at for at, _ in group], walked.outcomes, strict=True)
        yield _Part({at: _conclude(parts, outcome) for at, outcome in outcomes}, walked.settled)


def _authorised(parts: Parts, message: Message) -> Message:
    """Return *message* with what is configured about whom its sender may speak for."""
    if not isinstance(message, DeltaMessage) or message.speaks_for is None:
        return message
    more = parts.configuration.of(message.key.thing).speaks_for
    return message._replace(speaks_for=None if more is None else message.speaks_for | more)


def _failure(walked: Walked | AdapterError) -> AdapterError | None:
    if isinstance(walked, AdapterError):
        return walked
    return next((one.error for one in walked.outcomes if isinstance(one, Failed)), None)


def _fail(parts: Parts, message: Message, error: AdapterError) -> Fate:
    """Return the fate of a message that could not be stored; what never can be goes to the quarantine."""
    if isinstance(error, POISON):
        return _keep_aside(parts, refusal_of(message.key, Refused(message, error)))
    return _failed(parts, error)


def _set_aside(parts: Parts, arrival: Unreadable) -> Fate:
    body, error, source = arrival
    return _keep_aside(
        parts, Refusal(ShadowKey(""), error.code, str(error), RAW, body.encode(errors="backslashreplace"), source)
    )


def _keep_aside(parts: Parts, refusal: Refusal) -> Fate:
    try:
        parts.quarantine.add([refusal], at_ms=parts.now())
    except AdapterError as error:
        return _failed(parts, error)
    return Fate(REFUSED, refusal.reason, refusal.code)


def _failed(parts: Parts, error: AdapterError) -> Fate:
    parts.telemetry.logger.error("not stored, has to come again", extra={"code": error.code, "reason": str(error)})
    return Fate(FAILED, str(error), error.code)


def _answer(parts: Parts, key: ShadowKey, clock: VectorClock) -> Fate:
    try:
        answer(parts, key, clock)
    except AdapterError as error:
        return _failed(parts, error)
    return Fate(ANSWERED)


def _conclude(parts: Parts, outcome: Outcome) -> Fate:
    """Return the fate of a message that was walked, after its sender was told."""
    _measure_skew(parts, outcome)
    try:
        tell_sender(parts, outcome)
    except AdapterError as error:
        return _failed(parts, error)
    return _fate(outcome)


def _fate(outcome: Outcome) -> Fate:
    match outcome:
        case Merged():
            return Fate(MERGED)
        case Echo(_, reason):
            return Fate(ECHO, reason)
        case Parked(_, missing):
            return Fate(PARKED, str(missing), missing.code)
        case Refused() | Failed():
            return Fate(REFUSED, str(outcome.error), outcome.error.code)


def _measure_skew(parts: Parts, outcome: Outcome) -> None:
    if isinstance(outcome, Merged) and isinstance(outcome.message, DeltaMessage):
        ahead_ms = (Delta.decode(outcome.message.data).upto.newest() >> TICK_BITS) - parts.now()
        if ahead_ms > 0:
            parts.telemetry.time(CLOCK_SKEW, ahead_ms)
