"""What follows from a change of a row: the AWS shadow, the merged topic, history, metrics, events.

All of it is derived from the stream's images, so that a change and its consequences are one: whoever
stops in the middle begins again with the same record. History and metrics have keys that are the same
then, deltas join to the same, and an event that comes twice has the same ``id``.

Rows of other regions, which a global table brings here, are published as well, but their history is
told where they were written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import crdtshadow_walk
from crdtshadow_walk import (
    Data,
    DocumentEvent,
    Failed,
    Publication,
    Record,
    ShadowKey,
    decision_data,
    decode_record,
    forget_document,
    iso_time,
    note_published,
)

from crdtshadow.document import diff_states
from crdtshadow.errors import CrdtShadowError, DocumentError
from crdtshadow_aws.batch_writes import put_all
from crdtshadow_aws.bus import CONFLICT_RESOLVED, REVIEW_REQUIRED, SYNC_COMPLETED, UPDATE_REFUSED, Event
from crdtshadow_aws.composition import Parts
from crdtshadow_aws.errors import VersionMoved
from crdtshadow_aws.history import Past, history_items
from crdtshadow_aws.images import Image
from crdtshadow_aws.items import shadow_name
from crdtshadow_aws.replies import MERGED_TOPIC
from crdtshadow_aws.shadow_service import AwsShadow
from crdtshadow_aws.sync_metrics import Measured, describe, metrics_item
from crdtshadow_aws.telemetry import PUBLISH_CONFLICT
from crdtshadow_aws.telemetry import SYNC_COMPLETED as SYNCED
from crdtshadow_aws.telemetry import UPDATE_REFUSED as REFUSED

WRITTEN: Final = "written"
"""In place of a strategy: somebody wrote who had seen all sides."""

CATCH_UP_MAX: Final = 4
"""How often a publication looks at what others wrote into the AWS shadow meanwhile, before it comes again."""


def tell(parts: Parts, image: Image) -> None:
    """Write history and metrics of a change, send its delta, and tell of its conflicts.

    Raises:
        AdapterError: Not all of it was done.
    """
    if image.removed or not image.changed:
        return
    events: list[Event] = []
    if image.region == parts.store.region:
        _write(parts, image)
        events += _conflict_events(image)
    if image.delta and parts.configuration.of(image.key.thing).merged_deltas:
        try:
            parts.shadows.send(image.key, MERGED_TOPIC, image.delta.encode())
        except DocumentError as error:
            refuse(parts, image, error)
    parts.bus.put(events)


def bring_up_to_date(parts: Parts, image: Image) -> Publication | None:
    """Bring the AWS shadow to what readers see; return what was sent, ``None`` if nothing was.

    Raises:
        AdapterError: It was not done.
    """
    if image.removed:
        return None
    record = image.record if image.region == parts.store.region else None
    try:
        sent = publish_shadow(parts, image.key, record)
    except DocumentError as error:
        refuse(parts, image, error)
        return None
    if sent is not None or image.changed:
        parts.telemetry.count(SYNCED)
    if sent is not None:
        parts.bus.put([_event(SYNC_COMPLETED, image, "", {"changed": sent.patch})])
    return sent


def publish_shadow(parts: Parts, key: ShadowKey, record: Record | None = None) -> Publication | None:
    """Bring the AWS shadow of *key* to what readers see; return what was sent, ``None`` if nothing was.

    If others wrote into the AWS shadow meanwhile, what they wrote is merged first.

    Args:
        parts: What to work with.
        key: The shadow.
        record: What the store held a moment ago, if that is known.

    Raises:
        DocumentError: AWS would refuse the document; the state is kept whole.
        AdapterError: It was not done.
    """
    tried: Publication | None = None

    def send(publication: Publication) -> int:
        nonlocal tried
        tried = publication
        return parts.shadows.update(publication)

    for attempt in range(1, CATCH_UP_MAX + 1):
        try:
            return crdtshadow_walk.publish(parts.store, key, send, record=record, now=parts.now, pause=parts.pause)
        except VersionMoved:
            parts.telemetry.count(PUBLISH_CONFLICT)
            if attempt == CATCH_UP_MAX:
                raise
            if attempt > 1:
                parts.pause(attempt)
            record = None
            if catch_up(parts, key, tried):
                return tried
    return None


def catch_up(parts: Parts, key: ShadowKey, tried: Publication | None = None) -> bool:
    """Merge what the AWS shadow of *key* holds, as if it had been told by an event.

    Args:
        parts: What to work with.
        key: The shadow.
        tried: An update that AWS refused, or whose answer was lost.

    Returns:
        Whether it is just what *tried* says, so that there is nothing to do any more.

    Raises:
        AdapterError: It was not done.
    """
    found = parts.shadows.read(key)
    if found is None:
        forget_document(parts.store, key, now=parts.now, pause=parts.pause)
        return False
    if tried is not None and found.version > tried.aws_version and not diff_states(found.state, tried.document):
        note_published(parts.store, tried, found.version, now=parts.now, pause=parts.pause)
        return True
    walked = crdtshadow_walk.walk(parts.store, [_as_event(parts, key, found)], now=parts.now, pause=parts.pause)
    for outcome in walked.outcomes:
        if isinstance(outcome, Failed):
            raise outcome.error
    return False


def _as_event(parts: Parts, key: ShadowKey, found: AwsShadow) -> DocumentEvent:
    """Return the event that AWS would have published with the version that was read."""
    ledger = decode_record(key, parts.store.load((key,))[key], default_policy=parts.store.default_policy).ledger
    begun_anew = found.version < ledger.aws_version
    current = {"state": found.state, "metadata": found.metadata, "version": found.version}
    event = {"previous": None if begun_anew else {}, "current": current, "timestamp": found.timestamp_s}
    return DocumentEvent(key, event, "the AWS shadow, read")


def _write(parts: Parts, image: Image) -> None:
    settings = parts.settings
    past = Past(
        image.key,
        image.at_ms,
        image.region,
        image.revision,
        image.entries,
        image.delta.encode() if image.delta else b"",
    )
    measured = Measured(
        image.key,
        image.at_ms,
        image.region,
        image.revision,
        len(image.entries),
        describe(image.arisen),
        len(image.arisen),
    )
    items = {
        parts.history_table: history_items(past, ttl_days=settings.history_ttl_days),
        parts.metrics_table: [metrics_item(measured, ttl_days=settings.metrics_ttl_days)],
    }
    put_all(parts.dynamodb, items)


def _conflict_events(image: Image) -> Iterator[Event]:
    for decision in image.arisen:
        kind = REVIEW_REQUIRED if decision.held else CONFLICT_RESOLVED
        yield _event(kind, image, decision.conflict.path, decision_data(decision))
    for decision in image.settled:
        path = decision.conflict.path
        data: Data = {"path": path, "strategy": WRITTEN, "writes": decision_data(decision)["writes"]}
        yield _event(CONFLICT_RESOLVED, image, path, data)


def refuse(parts: Parts, image: Image, error: CrdtShadowError) -> None:
    """Tell that a change cannot be published, now or ever.

    Raises:
        AdapterError: Nobody was told.
    """
    parts.telemetry.count(REFUSED)
    parts.telemetry.logger.error(
        "update refused", extra={"shadow": str(image.key), "code": error.code, "reason": str(error)}
    )
    parts.bus.put([_event(UPDATE_REFUSED, image, f"#{error.code}", {"code": error.code, "reason": str(error)})])


def _event(kind: str, image: Image, path: str, data: Data) -> Event:
    key = image.key
    detail: Data = {
        "id": f"{key.thing}/{shadow_name(key)}/{image.region}/{image.revision}{path}",
        "thingName": key.thing,
        "shadowName": shadow_name(key),
        "region": image.region,
        "revision": image.revision,
        "at": iso_time(image.at_ms),
        **data,
    }
    return Event(kind, detail)
