"""The publisher: invoked with a batch of the state table's stream, it publishes what the rows have become.

Of several changes of one shadow in a batch, each is told in history and events, and the AWS shadow is
updated once, to the last. A record that fails comes again with all that follow it in its shard; that
does no harm, since doing anything of it twice changes nothing.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from crdtshadow_walk import Data, StateDamaged

from crdtshadow_aws.composition import Parts, parts
from crdtshadow_aws.images import Image
from crdtshadow_aws.outbox import bring_up_to_date, refuse, tell


def handler(event: dict[str, Any], context: Any) -> Data:
    """Handle an invocation by AWS Lambda."""
    return handle(parts(), event, context)


def handle(parts: Parts, event: dict[str, Any], context: Any = None) -> Data:
    """Handle *event* with *parts*."""
    images = [Image(record, default_policy=parts.settings.default_policy) for record in event["Records"]]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    known = dict(zip(numbers, images, strict=True))
    last = {image.key: number for number, image in known.items()}

    def conclude(record: DynamoDBRecord) -> None:
        number = record.raw_event["dynamodb"]["SequenceNumber"]
        image = known[number]
        try:
            tell(parts, image)
            if last[image.key] == number:
                bring_up_to_date(parts, image)
        except StateDamaged as error:  # it is as damaged whenever it comes
            refuse(parts, image, error)
        except Exception:
            parts.telemetry.logger.exception("not published, has to come again", extra={"shadow": str(image.key)})
            raise

    if not images:  # Powertools takes it for an event of another kind
        return {"batchItemFailures": []}
    try:
        processor = BatchProcessor(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False)
        return dict(process_partial_response(event, conclude, processor, context))
    finally:
        parts.telemetry.flush()
