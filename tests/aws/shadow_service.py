"""AWS's shadow service, written from its documentation alone, for tests: nothing of this package is in it.

Where moto is lax it is strict: sizes, nesting, types, versions, and the 48 hours for which the version of a deleted
shadow is remembered. Sources: AWS IoT Core Developer Guide, "Device Shadow service documents", "Device Shadow error
messages", "Interacting with shadows"; AWS General Reference, "AWS IoT Core endpoints and quotas".
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from botocore.exceptions import ClientError

BYTES_MAX = 8 * 1024
LEVELS_MAX = 8
TOKEN_BYTES_MAX = 64
REMEMBERED_S = 48 * 3600

_ERRORS = {
    400: "InvalidRequestException",
    404: "ResourceNotFoundException",
    409: "ConflictException",
    413: "RequestEntityTooLargeException",
}


def client_error(code: str, status: int, message: str = "", **more: Any) -> ClientError:
    """Return the exception that boto3 raises for an answer of AWS."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, "Operation")


def refused(status: int, message: str) -> ClientError:
    return client_error(_ERRORS[status], status, message)


class FakeIotData:
    """The data plane for one account.

    Args:
        now_s: The service's clock.
        documents: Told of each event on ``update/documents``: thing, shadow or ``None``, payload.
        published: Told of each message: topic, payload.
    """

    def __init__(
        self,
        now_s: Callable[[], int],
        *,
        documents: Callable[[str, str | None, dict[str, Any]], None],
        published: Callable[[str, bytes], None],
    ) -> None:
        self._now_s = now_s
        self._documents = documents
        self._published = published
        self._shadows: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._deleted: dict[tuple[str, str | None], tuple[int, int]] = {}
        self.updates = 0

    def get_thing_shadow(self, *, thingName: str, shadowName: str | None = None) -> Any:
        found = self._shadows.get((thingName, shadowName))
        if found is None:
            raise refused(404, f"No shadow exists with name: '{shadowName or thingName}'")
        payload = {**deepcopy(found), "timestamp": self._now_s()}
        delta = _outstanding(found["state"].get("desired", {}), found["state"].get("reported", {}))
        if delta:
            payload["state"]["delta"] = delta
        return _answer(payload)

    def delete_thing_shadow(self, *, thingName: str, shadowName: str | None = None) -> Any:
        found = self._shadows.pop((thingName, shadowName), None)
        if found is None:
            raise refused(404, f"No shadow exists with name: '{shadowName or thingName}'")
        self._deleted[thingName, shadowName] = (found["version"] + 1, self._now_s())
        return _answer({"version": found["version"], "timestamp": self._now_s()})

    def update_thing_shadow(self, *, thingName: str, payload: Any, shadowName: str | None = None) -> Any:
        key = (thingName, shadowName)
        request = _request(payload)
        before = self._shadows.get(key)
        if request.get("version", self._version(key)) != self._version(key):
            raise refused(409, "Version conflict")
        state = deepcopy(before["state"]) if before else {}
        metadata = deepcopy(before["metadata"]) if before else {}
        patch = request["state"]
        for section in ("desired", "reported"):
            if patch is None or (section in patch and patch[section] is None):
                state.pop(section, None)
                metadata.pop(section, None)
            elif section in patch:
                values, stamps = state.setdefault(section, {}), metadata.setdefault(section, {})
                _merge(values, stamps, patch[section], self._now_s())
                if not values:
                    del state[section], metadata[section]
        if sum(len(_compact(state[name])) for name in state) > BYTES_MAX:
            raise refused(413, "The payload exceeds the maximum size allowed")
        after = {"state": state, "metadata": metadata, "version": self._version(key) + 1}
        self._deleted.pop(key, None)
        self._shadows[key] = after
        self.updates += 1
        token = {"clientToken": request["clientToken"]} if "clientToken" in request else {}
        event = {"previous": before, "current": after, "timestamp": self._now_s(), **token}
        self._documents(thingName, shadowName, deepcopy(event))
        return _answer({"state": patch, "version": after["version"], "timestamp": self._now_s(), **token})

    def publish(self, *, topic: str, qos: int = 0, payload: bytes = b"") -> Any:
        if len(payload) > 128 * 1024 or len(topic.encode()) > 256 or topic.count("/") > 7:
            raise refused(413 if len(payload) > 128 * 1024 else 400, "Invalid publish")
        self._published(topic, bytes(payload))
        return {}

    def state(self, thing: str, shadow: str | None = None) -> Any:
        """Return what the shadow says now, ``{}`` if there is none."""
        return deepcopy(self._shadows.get((thing, shadow), {}).get("state", {}))

    def version(self, thing: str, shadow: str | None = None) -> int:
        """Return its version, 0 if there is none."""
        return int(self._shadows.get((thing, shadow), {}).get("version", 0))

    def _version(self, key: tuple[str, str | None]) -> int:
        if key in self._shadows:
            return int(self._shadows[key]["version"])
        version, at = self._deleted.get(key, (0, 0))
        return version if self._now_s() - at <= REMEMBERED_S else 0


def _request(payload: Any) -> Any:
    try:
        request = json.loads(payload)
    except ValueError:
        raise refused(400, "Invalid JSON") from None
    if not isinstance(request, dict) or "state" not in request:
        raise refused(400, "Missing required node: state")
    state = request["state"]
    if not isinstance(state, dict | None):
        raise refused(400, "State node must be an object")
    for name, section in (state or {}).items():
        if name not in ("desired", "reported"):
            raise refused(400, f"State contains an invalid node: '{name}'")
        if not isinstance(section, dict | None):
            raise refused(400, f"{name.capitalize()} node must be an object")
        if section is not None and _levels(section) > LEVELS_MAX:
            raise refused(400, f"JSON contains too many levels of nesting; maximum is {LEVELS_MAX}")
        if _has_null_in_array(section):
            raise refused(400, "State contains an invalid node")
    version = request.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise refused(400, "Invalid version")
    token = request.get("clientToken", "")
    if not isinstance(token, str) or len(token.encode()) > TOKEN_BYTES_MAX:
        raise refused(400, "Invalid clientToken")
    return request


def _merge(values: Any, stamps: Any, patch: Any, now_s: int) -> None:
    for name, value in patch.items():
        if value is None:
            values.pop(name, None)
            stamps.pop(name, None)
        elif not isinstance(value, dict):
            values[name] = value
            stamps[name] = _stamped(value, now_s)
        elif isinstance(values.get(name), dict):
            _merge(values[name], stamps.setdefault(name, {}), value, now_s)
        else:
            inner: Any = {}
            inner_stamps: Any = {}
            _merge(inner, inner_stamps, value, now_s)
            if inner or not value:
                values[name], stamps[name] = inner, inner_stamps


def _stamped(value: Any, now_s: int) -> Any:
    return [_stamped(one, now_s) for one in value] if isinstance(value, list) else {"timestamp": now_s}


def _outstanding(desired: Any, reported: Any) -> Any:
    found: Any = {}
    for name, value in desired.items():
        other = reported.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            inner = _outstanding(value, other)
            if inner:
                found[name] = inner
        elif value != other or isinstance(value, bool) != isinstance(other, bool):
            found[name] = value
    return found


def _levels(value: Any) -> int:
    if isinstance(value, dict):
        return max((1 + _levels(one) for one in value.values()), default=0)
    return max((1 + _levels(one) for one in value), default=0) if isinstance(value, list) else 0


def _has_null_in_array(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null_in_array, value.values()))
    return isinstance(value, list) and any(one is None or _has_null_in_array(one) for one in value)


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _answer(payload: Any) -> Any:
    return {"payload": io.BytesIO(json.dumps(payload).encode())}
