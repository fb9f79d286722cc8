"""The AWS shadow of a thing, and the thing's topics.

An update says for which version it is, so that AWS refuses it (409) if somebody else wrote since;
and it is checked against AWS's rules before it is sent, so that what AWS would refuse is named here.
Its ``clientToken`` begins with :data:`TOKEN_PREFIX`: the IoT rule leaves out what carries it.

Source: AWS IoT API Reference, "UpdateThingShadow", "GetThingShadow", "Publish".
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError
from crdtshadow_walk import Publication, ShadowKey

from crdtshadow.document import DEFAULT_LIMITS, Limits, check_request, refusal
from crdtshadow.document import size_bytes as document_bytes
from crdtshadow.errors import DocumentError
from crdtshadow.limits import DELTA_BYTES_MAX
from crdtshadow_aws.clients import IotData
from crdtshadow_aws.errors import AwsError, VersionMoved, error_code, translated
from crdtshadow_aws.items import shadow_name

TOKEN_PREFIX: Final = "crdtshadow-"
_AT_LEAST_ONCE: Final = 1
_REFUSED: Final = {
    "InvalidRequestException": 400,
    "ResourceNotFoundException": 404,
    "MethodNotAllowedException": 405,
    "RequestEntityTooLargeException": 413,
    "UnsupportedDocumentEncodingException": 415,
}


class AwsShadow(NamedTuple):
    """The AWS shadow as it was read.

    Attributes:
        version: AWS's.
        timestamp_s: When it was read, by AWS's clock.
        state: ``desired`` and ``reported``.
        metadata: When each field was written.
    """

    version: int
    timestamp_s: int
    state: dict[str, Any]
    metadata: dict[str, Any]


class ShadowService:
    """AWS IoT's data plane.

    Args:
        client: Of the data endpoint.
        limits: The account's quotas.
    """

    def __init__(self, client: IotData, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._client = client
        self._limits = limits

    def read(self, key: ShadowKey) -> AwsShadow | None:
        """Return the AWS shadow, ``None`` if there is none.

        Raises:
            AwsError: AWS IoT failed.
        """
        try:
            with translated(f"reading the AWS shadow of {key}"):
                answer = self._client.get_thing_shadow(**_names(key))
        except AwsError as error:
            if isinstance(error.__cause__, ClientError) and error_code(error.__cause__) == "ResourceNotFoundException":
                return None
            raise
        payload = json.loads(answer["payload"].read())
        state = {name: part for name, part in payload.get("state", {}).items() if name != "delta"}
        return AwsShadow(payload["version"], payload["timestamp"], state, payload.get("metadata", {}))

    def update(self, publication: Publication) -> int:
        """Bring the AWS shadow to what *publication* says; return the version that it has then.

        Raises:
            DocumentError: AWS would refuse that document, or did, for good.
            VersionMoved: Somebody wrote since the version that the publication continues.
            AwsError: AWS IoT failed.
        """
        key, version = publication.key, publication.aws_version
        request: dict[str, Any] = {"state": publication.patch, "clientToken": client_token(publication)}
        if version:
            request["version"] = version
        check_request(request, limits=self._limits)
        size = document_bytes(publication.document)
        if size > self._limits.shadow_bytes_max:
            detail = f" ({size} bytes of desired and reported, the limit is {self._limits.shadow_bytes_max})"
            raise refusal("The payload exceeds the maximum size allowed", detail)
        if not version and self.read(key) is not None:
            raise VersionMoved(f"the AWS shadow of {key}: is there, and was not known")
        try:
            with translated(f"updating the AWS shadow of {key}"):
                answer = self._client.update_thing_shadow(
                    **_names(key), payload=json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
                )
        except AwsError as error:
            code = error_code(error.__cause__) if isinstance(error.__cause__, ClientError) else ""
            if code == "ConflictException":
                raise VersionMoved(f"the AWS shadow of {key}: is not at version {version} any more") from None
            if code in _REFUSED:
                raise DocumentError(str(error), status=_REFUSED[code]) from None
            raise
        return int(json.loads(answer["payload"].read())["version"])

    def send(self, key: ShadowKey, end: str, payload: bytes) -> None:
        """Publish *payload* on ``crdtshadow/<thing>/<shadow>/<end>``.

        Raises:
            DocumentError: It is too large for a message.
            AwsError: AWS IoT failed.
        """
        topic = f"crdtshadow/{key.thing}/{shadow_name(key)}/{end}"
        if len(payload) > DELTA_BYTES_MAX:
            raise refusal("The payload exceeds the maximum size allowed", f" ({len(payload)} bytes for {topic})")
        with translated(f"publishing on {topic}"):
            self._client.publish(topic=topic, qos=_AT_LEAST_ONCE, payload=payload)


def client_token(publication: Publication) -> str:
    """Return the ``clientToken`` of an update; the same for the same update."""
    text = json.dumps([publication.aws_version, publication.patch], separators=(",", ":"))
    return TOKEN_PREFIX + blake2b(text.encode(), digest_size=8).hexdigest()


def _names(key: ShadowKey) -> dict[str, str]:
    names = {"thingName": key.thing}
    return names if key.shadow is None else {**names, "shadowName": key.shadow}
