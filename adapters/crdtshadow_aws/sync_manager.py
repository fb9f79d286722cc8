"""The sync manager: one operation an invocation, answered as ``{"statusCode", "body"}``, the body JSON text.

An invocation by a schedule names its operation like any other; without one it is ``health_report``.

====  ==============================================================================
200   done
400   no such operation, or arguments that it cannot use; nothing was changed
404   no such thing, shadow or conflict
413   more than can be kept of one shadow; nothing was changed
503   AWS did not do its part; the same invocation may be made again
500   the deployment is wrong: a role, a table or a variable
====  ==============================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crdtshadow_walk import Data

from crdtshadow import CrdtShadowError, UnknownConflict
from crdtshadow.errors import AdapterError
from crdtshadow_aws.composition import Parts, parts
from crdtshadow_aws.errors import BadRequest, NotFound, StateTooLarge
from crdtshadow_aws.operations import OPERATIONS

SCHEDULED = "Scheduled Event"


def handler(event: object, context: Any) -> Data:
    """Handle an invocation by AWS Lambda."""
    return handle(parts(), event)


def handle(parts: Parts, event: object) -> Data:
    """Handle *event* with *parts*."""
    try:
        return _answer(200, _run(parts, event))
    except CrdtShadowError as error:
        status = _status(error)
        level = "error" if status >= 500 else "info"
        getattr(parts.telemetry.logger, level)("refused", extra={"code": error.code, "reason": str(error)})
        return _answer(status, {"error": str(error), "code": error.code})
    finally:
        parts.telemetry.flush()


def _run(parts: Parts, event: object) -> Data:
    if not isinstance(event, Mapping):
        raise BadRequest(f"the event: needs an object, not {type(event).__name__}")
    scheduled = event.get("detail-type") == SCHEDULED and "operation" not in event
    name = "health_report" if scheduled else event.get("operation")
    if not isinstance(name, str) or name not in OPERATIONS:
        raise BadRequest(f"operation: {name!r}, needs one of {', '.join(OPERATIONS)}")
    return {"operation": name, **OPERATIONS[name](parts, {} if scheduled else event)}


def _status(error: CrdtShadowError) -> int:
    match error:
        case NotFound() | UnknownConflict():
            return 404
        case StateTooLarge():
            return 413
        case AdapterError():
            return 503 if error.retryable else 500
    return 400


def _answer(status: int, body: Data) -> Data:
    return {"statusCode": status, "body": json.dumps(body, ensure_ascii=False)}
