"""Publish: what others lack of a shadow, derived from its state and from what they are known to have.

A library peer has acknowledged a vector clock: it lacks the delta since. The AWS document is known
from the ledger: it lacks the difference to what readers see, except where a review is awaited.
Nothing is queued, so nothing is lost; and where there is nothing new, there is nothing to send.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from crdtshadow import Delta, Ledger, Policy, VectorClock, record_published, resolve
from crdtshadow.document import State, diff_states
from crdtshadow.paths import flatten, is_below, nest
from crdtshadow_walk.messages import ShadowKey, shadow_key
from crdtshadow_walk.ports import Change, Record, Store
from crdtshadow_walk.rewrite import ATTEMPTS_MAX, no_pause, rewrite, single
from crdtshadow_walk.settle import Settlement, decode_record


class Publication(NamedTuple):
    """What the AWS document of a shadow lacks.

    Attributes:
        key: The shadow.
        patch: The ``state`` of the update request to send.
        document: The whole ``state`` that it leads to.
        aws_version: The last version known, which *patch* is a change of; 0 if none is.
        clock: What *document* shows the writes of.
    """

    key: ShadowKey
    patch: State
    document: State
    aws_version: int
    clock: VectorClock


def outgoing(key: ShadowKey, record: Record, acknowledged: VectorClock) -> Delta | None:
    """Return what a peer that has seen *acknowledged* lacks of a stored shadow, ``None`` if nothing.

    Raises:
        StateDamaged: The record's bytes cannot be read.
    """
    delta = decode_record(key, record, default_policy=Policy()).shadow.delta(acknowledged)
    return delta or None


def publication(key: ShadowKey, record: Record, *, default_policy: Policy) -> Publication | None:
    """Return what the AWS document of a stored shadow lacks, ``None`` if nothing.

    Fields that wait for a review stay there as they are.

    Raises:
        StateDamaged: The record's bytes cannot be read.
    """
    held = decode_record(key, record, default_policy=default_policy)
    view = resolve(held.shadow, held.policy)
    version, known = _last_known(held.ledger)
    fields = {path: value for path, value in view.fields.items() if not _touches(path, view.held)}
    if view.held:
        fields.update({path: value for path, value in flatten(known).items() if _touches(path, view.held)})  # type: ignore[misc]  # values of a document
    document = cast("State", nest({path: fields[path] for path in sorted(fields)}))
    patch = diff_states(known, document)
    return Publication(key, patch, document, version, held.shadow.clock) if patch else None


def publish(
    store: Store,
    key: ShadowKey,
    send: Callable[[Publication], int],
    *,
    record: Record | None = None,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
) -> Publication | None:
    """Bring the AWS document of a shadow up to date; return what was sent, ``None`` if nothing was.

    Args:
        store: Where the shadow is kept.
        key: The shadow.
        send: Updates the AWS document and returns the version that AWS answers. What it raises goes
            to the caller; the next call publishes what is lacking then.
        record: What the store held a moment ago, if that is known; read from it otherwise.
        now, pause, attempts_max: As for :func:`~crdtshadow_walk.walk.walk`.

    Raises:
        EventRefused: AWS IoT does not allow a shadow of that name.
        AdapterError: The store failed, or others wrote first too often. The update will come back
            as an event, and is taken for somebody else's write of the same values.
    """
    key = shadow_key(*key)
    if record is None:
        record = store.load((key,))[key]
    lacking = publication(key, record, default_policy=store.default_policy)
    if lacking is None:
        return None
    aws_version = send(lacking)
    note_published(store, lacking, aws_version, record=record, now=now, pause=pause, attempts_max=attempts_max)
    return lacking


def note_published(
    store: Store,
    sent: Publication,
    aws_version: int,
    *,
    record: Record | None = None,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
) -> None:
    """Remember that the AWS document became what *sent* says, as *aws_version*.

    Args:
        store, record, now, pause, attempts_max: As for :func:`publish`.
        sent: What was sent.
        aws_version: That AWS answered.

    Raises:
        AdapterError: The store failed, or others wrote first too often.
    """

    def derive(key: ShadowKey, record: Record) -> Settlement:
        ledger = decode_record(key, record, default_policy=Policy()).ledger
        known = record_published(ledger, sent.document, aws_version=aws_version, clock=sent.clock)
        return _keep_ledger(key, record, known, now())

    _rewrite_ledger(store, sent.key, derive, record, pause, attempts_max)


def forget_document(
    store: Store,
    key: ShadowKey,
    *,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
) -> None:
    """Remember that there is no AWS document of a shadow any more: somebody deleted it.

    The shadow's state is as it was; the next publication makes the document anew.

    Args:
        store, key, now, pause, attempts_max: As for :func:`publish`.

    Raises:
        AdapterError: The store failed, or others wrote first too often.
    """

    def derive(key: ShadowKey, record: Record) -> Settlement:
        ledger = decode_record(key, record, default_policy=Policy()).ledger
        return _keep_ledger(key, record, Ledger(cached=ledger.cached), now())

    _rewrite_ledger(store, shadow_key(*key), derive, None, pause, attempts_max)


def _keep_ledger(key: ShadowKey, record: Record, ledger: Ledger, at_ms: int) -> Settlement:
    return Settlement(Change(key, at_ms, record._replace(ledger=ledger.encode(), revision=record.revision + 1)))


def _rewrite_ledger(
    store: Store,
    key: ShadowKey,
    derive: Callable[[ShadowKey, Record], Settlement],
    record: Record | None,
    pause: Callable[[int], None],
    attempts_max: int,
) -> None:
    known = None if record is None else {key: record}
    single(rewrite(store, (key,), derive, pause=pause, attempts_max=attempts_max, known=known))


def _last_known(ledger: Ledger) -> tuple[int, State]:
    """Return version and content of the newest AWS document that was ingested or published."""
    versions = [(one.aws_version, one.document) for one in ledger.published]
    version, document = max([(ledger.aws_version, ledger.document), *versions], key=lambda known: known[0])
    return version, cast("State", document)


def _touches(path: str, held: frozenset[str]) -> bool:
    return any(path == one or is_below(path, one) or is_below(one, path) for one in held)
