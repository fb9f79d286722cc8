"""Faults at the border to AWS: throttled, broken, or done but the answer lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ReadTimeoutError

from tests.aws.shadow_service import client_error

THROTTLED = "throttled"
BROKEN = "broken"
LOST = "lost"
"""The request was carried out, and nobody hears of it."""
AGAIN = "again"
"""The answer was lost, and botocore sent the request again: it is carried out twice."""

FAULTS = (THROTTLED, BROKEN, LOST, AGAIN)

_THROTTLING = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "iot": ("ThrottlingException", 429),
    "sqs": ("RequestThrottled", 403),
    "events": ("ThrottlingException", 400),
}


class Faulty:
    """A client of which every call may fail.

    Args:
        name: The service.
        client: What is called in truth.
        choose: Returns the fault of a call of ``<name>.<method>``, or ``""``.
    """

    def __init__(self, name: str, client: Any, choose: Callable[[str], str]) -> None:
        self._name = name
        self._client = client
        self._choose = choose

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._client, method)

        def failing(**request: Any) -> Any:
            match self._choose(f"{self._name}.{method}"):
                case "throttled":
                    code, status = _THROTTLING[self._name]
                    raise client_error(code, status, "slow down")
                case "broken":
                    raise client_error("InternalServerError", 500, "broken")
                case "lost":
                    call(**request)
                    raise ReadTimeoutError(endpoint_url=self._name)
                case "again":
                    call(**request)
            return call(**request)

        return failing
