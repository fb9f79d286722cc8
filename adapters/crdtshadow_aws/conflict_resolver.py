"""The conflict resolver: ingest, decode, merge, resolve, store. What it stores starts the publisher.

Invoked with a batch of the updates queue, it answers which records have to come again; invoked
directly, with one message or with ``{"messages": [...]}``, what became of each.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from crdtshadow_walk import Data, MessageRefused

from crdtshadow import EventRefused
from crdtshadow_aws.composition import Parts, parts
from crdtshadow_aws.errors import NotDone
from crdtshadow_aws.intake import FAILED, REFUSED, Arrival, Brought, Fate, bring, read_arrival, read_body


def handler(event: dict[str, Any], context: Any) -> Data:
    """Handle an invocation by AWS Lambda."""
    return handle(parts(), event, context)


def handle(parts: Parts, event: dict[str, Any], context: Any = None) -> Data:
    """Handle *event* with *parts*.

    Raises:
        AdapterError: Invoked directly, and not all could be stored.
    """
    try:
        return _batch(parts, event, context) if "Records" in event else _direct(parts, event)
    finally:
        parts.telemetry.flush()


def _batch(parts: Parts, event: dict[str, Any], context: Any) -> Data:
    records = event["Records"]
    brought = bring(parts, [read_body(one["body"], source=f"sqs:{one['messageId']}") for one in records])
    _log(parts, brought)
    fates = dict(zip([one["messageId"] for one in records], brought.fates, strict=True))

    def conclude(record: SQSRecord) -> None:
        fate = fates[record.message_id]
        if fate.what == FAILED:
            raise NotDone(fate.reason)

    if not records:  # Powertools takes it for an event of another kind
        return {"batchItemFailures": []}
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return dict(process_partial_response(event, conclude, processor, context))


def _direct(parts: Parts, event: dict[str, Any]) -> Data:
    bodies = event.get("messages", [event])
    if not isinstance(bodies, list):
        return {"results": [_data(Fate(REFUSED, "messages: needs an array", MessageRefused.code))]}
    arrivals: list[Arrival] = []
    fates: list[Fate | None] = []
    for at, body in enumerate(bodies):
        try:
            arrivals.append(read_arrival(body, source=f"direct:{at}"))
            fates.append(None)
        except (MessageRefused, EventRefused) as error:
            fates.append(Fate(REFUSED, str(error), error.code))
    brought = bring(parts, arrivals)
    _log(parts, brought)
    left = iter(brought.fates)
    results = [next(left) if fate is None else fate for fate in fates]
    failed = [fate for fate in results if fate.what == FAILED]
    if failed:
        raise NotDone(f"{len(failed)} of {len(results)} messages are not stored: {failed[0].reason}")
    return {"results": [_data(fate) for fate in results]}


def _data(fate: Fate) -> Data:
    return {name: text for name, text in fate._asdict().items() if text}


def _log(parts: Parts, brought: Brought) -> None:
    counts = Counter(fate.what for fate in brought.fates)
    parts.telemetry.logger.info(
        "batch", extra={**counts, "shadows_changed": len(brought.settled), "messages": len(brought.fates)}
    )
    for fate in brought.fates:
        if fate.what == REFUSED:
            parts.telemetry.logger.warning("refused", extra={"code": fate.code, "reason": fate.reason})
