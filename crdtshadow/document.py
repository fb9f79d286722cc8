"""AWS IoT shadow documents: what the Device Shadow service accepts, stores and publishes.

The service as pure functions: a document, a request and the time go in; the next document and the
messages AWS would publish come out. Times are epoch seconds, as in AWS's metadata. Payloads are
fresh plain dicts in AWS's member order; documents are values, to be read and never changed.

Sources, in the order in which they are believed:

1. Tests that were run against AWS (moto's ``aws_verified`` tests of iot-data) and answers of AWS
   printed in the samples of its device SDKs.
2. AWS IoT Core Developer Guide, pages "Device Shadow service documents", "Interacting with
   shadows", "Device Shadow MQTT topics", "Device Shadow error messages", "Diagnosing problems with
   shadows"; AWS General Reference, "AWS IoT Core endpoints and quotas"; AWS IoT API Reference,
   "UpdateThingShadow".
3. Code and tests of the Greengrass shadow manager, AWS's own second implementation.

Where they contradict each other:

* An unknown member of ``state`` is "ignored" ("Diagnosing problems with shadows"), but AWS answers
  400, naming the node. So it is here. Unknown members beside ``state`` are ignored.
* The first version is 0 ("Interacting with shadows"), but AWS answers 1. So it is here.
* Nesting may go 5, 6 or 8 levels deep, depending on the page; a level is a member inside a member,
  as in the example of the quotas page. It is a setting: :class:`Limits`.

Where all of them are silent, this module chooses: duplicate keys, numbers beyond 64 bits or not
finite, and lone surrogates are refused (400), since two readers would understand them differently;
``null`` anywhere inside an array is refused; removing members of a scalar leaves the scalar;
numbers compare by value inside arrays too; ``metadata`` of an accepted update has no entry for what
the update removed; a delta is published after every update that leaves one.

AWS's "delta" is called *outstanding* here, except in AWS-shaped payloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias, cast

from crdtshadow.errors import DocumentError, InvalidValue
from crdtshadow.paths import escape, nest
from crdtshadow.values import Value, check, check_text, copy, same

State: TypeAlias = "dict[str, Value | None]"
"""A JSON object: a section, the ``state`` of a document, its metadata, or a patch of one of them."""

SECTIONS: Final = ("desired", "reported")

SHADOW_BYTES_MAX: Final = 8_192
"""Compact ``desired`` plus compact ``reported``; up to 30 KB on request (AWS IoT Core quotas)."""

NESTING_MAX: Final = 8
"""Levels below a section (AWS IoT Core quotas; "Device Shadow error messages" says 6)."""

CLIENT_TOKEN_BYTES_MAX: Final = 64
"""A clientToken in UTF-8 ("Device Shadow service documents")."""

REQUEST_BYTES_MAX: Final = 128 * 1024
"""A whole request: the payload limit of an AWS IoT MQTT message (AWS IoT Core quotas)."""

THING_NAME_CHARS_MAX: Final = 128
"""``[a-zA-Z0-9:_-]+`` ("UpdateThingShadow")."""

SHADOW_NAME_CHARS_MAX: Final = 64
"""``[$a-zA-Z0-9:_-]+`` ("UpdateThingShadow")."""

TOMBSTONE_S: Final = 48 * 3_600
"""How long the version of a deleted shadow is remembered ("Interacting with shadows")."""

_THING_NAME_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-")
_SHADOW_NAME_CHARS: Final = _THING_NAME_CHARS | {"$"}
_DETAIL_CHARS_MAX: Final = 200

REFUSALS: Final[Mapping[str, int]] = {
    "Invalid JSON": 400,
    "Missing required node: state": 400,
    "State node must be an object": 400,
    "Desired node must be an object": 400,
    "Reported node must be an object": 400,
    "Invalid version": 400,
    "Invalid clientToken": 400,
    "JSON contains too many levels of nesting": 400,
    "State contains an invalid node": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "Thing not found": 404,
    "No shadow exists with name": 404,
    "Version conflict": 409,
    "The payload exceeds the maximum size allowed": 413,
    "Unsupported documented encoding; supported encoding is UTF-8": 415,
    "Internal service failure": 500,
}
"""AWS's texts and their status ("Device Shadow error messages"). AWS itself goes on after three of
them: ``; maximum is 8``, ``: 'delta'`` and ``: 'thermostat'``. Details of ours stand in brackets."""

OPERATIONS: Final = (
    "get",
    "get/accepted",
    "get/rejected",
    "update",
    "update/accepted",
    "update/rejected",
    "update/delta",
    "update/documents",
    "delete",
    "delete/accepted",
    "delete/rejected",
)
"""The ends of shadow topics ("Device Shadow MQTT topics")."""


class Limits(NamedTuple):
    """The quotas of an account, with AWS's defaults.

    >>> Limits(shadow_bytes_max=30 * 1024).nesting_max
    8
    """

    shadow_bytes_max: int = SHADOW_BYTES_MAX
    nesting_max: int = NESTING_MAX
    client_token_bytes_max: int = CLIENT_TOKEN_BYTES_MAX
    request_bytes_max: int = REQUEST_BYTES_MAX


DEFAULT_LIMITS: Final = Limits()


class ShadowDocument(NamedTuple):
    """One version of a shadow.

    Attributes:
        state: ``desired`` and ``reported``; a section without members is absent.
        metadata: The shape of ``state`` with ``{"timestamp": epoch seconds}`` for every scalar,
            also inside arrays, and ``{}`` for ``{}``.
        version: 1 for the first one.
    """

    state: State
    metadata: State
    version: int


class Tombstone(NamedTuple):
    """What is left of a deleted shadow: the version that the deletion took, and when it was."""

    version: int
    deleted_s: int


class UpdateRequest(NamedTuple):
    """A request to ``update`` that is well formed.

    Attributes:
        state: The patch: ``desired`` and ``reported``, each an object or ``None`` (remove the
            section), either may be absent. ``None`` clears both.
        version: The version the writer saw; ``None`` skips the check.
        client_token: Comes back in every answer.
    """

    state: State | None
    version: int | None = None
    client_token: str | None = None


class Update(NamedTuple):
    """The outcome of an accepted update; the three messages carry the same version.

    Attributes:
        document: The next version.
        accepted: Payload of ``update/accepted``.
        delta: Payload of ``update/delta``, ``None`` when nothing is outstanding.
        documents: Payload of ``update/documents``.
    """

    document: ShadowDocument
    accepted: State
    delta: State | None
    documents: State


class Deletion(NamedTuple):
    """The outcome of an accepted delete: what to remember, and the payload of ``delete/accepted``."""

    tombstone: Tombstone
    accepted: State


class Topic(NamedTuple):
    """The parts of a shadow topic; ``shadow`` is ``None`` for the classic shadow."""

    thing: str
    shadow: str | None
    operation: str


# Refusals


def refusal(text: str, detail: str = "") -> DocumentError:
    """Return the error of AWS that begins with *text*.

    Args:
        text: One of :data:`REFUSALS`.
        detail: What follows it, made one readable line.

    Raises:
        KeyError: AWS has no such text.

    >>> refusal("Version conflict").status
    409
    """
    return DocumentError(text + _one_line(detail), status=REFUSALS[text])


def _one_line(detail: str) -> str:
    if not detail.isprintable():
        detail = detail.encode("unicode_escape").decode()
    return detail if len(detail) <= _DETAIL_CHARS_MAX else detail[: _DETAIL_CHARS_MAX - 1] + "…"


def rejected(error: DocumentError, *, now_s: int, client_token: str | None = None) -> State:
    """Return the payload that AWS publishes on ``.../rejected`` for *error*.

    Details of ours, in brackets after AWS's text, are left out.

    Source: "Device Shadow service documents", error response document.

    >>> rejected(refusal("Version conflict", " (1 is not 2)"), now_s=7, client_token="a")
    {'code': 409, 'message': 'Version conflict', 'timestamp': 7, 'clientToken': 'a'}
    """
    message = str(error)
    for text in REFUSALS:
        if message.startswith(text + " ("):
            message = text
    return _with_token({"code": error.status, "message": message, "timestamp": now_s}, client_token)


# Requests


def parse_request(payload: bytes, *, limits: Limits = DEFAULT_LIMITS) -> UpdateRequest:
    """Return the request that *payload* states, or refuse it as AWS would.

    Args:
        payload: The body of an ``update`` message or of UpdateThingShadow: JSON in UTF-8.
        limits: The account's quotas.

    Raises:
        DocumentError: 413 for more than ``request_bytes_max`` (how large the *shadow* may become is
            judged by :func:`apply_update`), 415 for other encodings than UTF-8, else 400.

    Source: "Device Shadow service documents", "Device Shadow error messages".

    >>> parse_request(b'{"state": {"desired": {"led": "on"}}, "version": 3}')
    UpdateRequest(state={'desired': {'led': 'on'}}, version=3, client_token=None)
    >>> parse_request(b'{"state": {"desired": [1]}}')
    Traceback (most recent call last):
    ...
    crdtshadow.errors.DocumentError: Desired node must be an object
    """
    return check_request(_decode(payload, limits), limits=limits)


def check_request(body: object, *, limits: Limits = DEFAULT_LIMITS) -> UpdateRequest:
    """Return the request that the parsed JSON *body* states, sharing nothing with it.

    Raises:
        DocumentError: 400, as :func:`parse_request`.

    >>> check_request({"state": None, "clientToken": "reset"})
    UpdateRequest(state=None, version=None, client_token='reset')
    """
    if not isinstance(body, dict) or "state" not in body:
        raise refusal("Missing required node: state")
    token = _check_token(body.get("clientToken"), limits)
    return UpdateRequest(_check_state(body["state"], limits), _check_version(body.get("version")), token)


def find_client_token(payload: bytes, *, limits: Limits = DEFAULT_LIMITS) -> str | None:
    """Return the clientToken of a request that may be wrong otherwise, if it has a legible one.

    Answers to ``get`` and ``delete``, and refusals of ``update``, carry it too.

    >>> find_client_token(b'{"clientToken": "a", "state": 1}')
    'a'
    >>> find_client_token(b"") is None
    True
    """
    try:
        body = _decode(payload, limits)
        return _check_token(body.get("clientToken"), limits) if isinstance(body, dict) else None
    except DocumentError:
        return None


class _NotJson(ValueError):
    """Python's parser would let it pass."""


def _decode(payload: bytes, limits: Limits) -> object:
    import json  # here, because importing the core must not cost its import

    if len(payload) > limits.request_bytes_max:
        detail = f" ({len(payload)} bytes of request, the limit is {limits.request_bytes_max})"
        raise refusal("The payload exceeds the maximum size allowed", detail)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        raise refusal("Unsupported documented encoding; supported encoding is UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep(limits) from None
    except (json.JSONDecodeError, _NotJson) as error:
        raise refusal("Invalid JSON", f" ({error})") from None
    except ValueError:  # int() limits how many digits it converts
        raise refusal("Invalid JSON", " (a number has too many digits)") from None


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _NotJson(f"key {key[:40]!r} stands twice in one object")
            seen.add(key)
    return members


def _refuse_constant(name: str) -> object:
    raise _NotJson(f"{name} is not a JSON number")


def _check_version(version: object) -> int | None:
    if version is None:
        return None
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise refusal("Invalid version")
    return version


def _check_token(token: object, limits: Limits) -> str | None:
    if token is None:
        return None
    try:
        if isinstance(token, str) and len(token.encode()) <= limits.client_token_bytes_max:
            return token
    except UnicodeEncodeError:
        pass
    raise refusal("Invalid clientToken", f" (needs a text of at most {limits.client_token_bytes_max} bytes)")


def _check_state(state: object, limits: Limits) -> State | None:
    if state is None:
        return None
    if not isinstance(state, dict):
        raise refusal("State node must be an object")
    patch: State = {}
    for name, section in state.items():
        if name not in SECTIONS:
            raise refusal("State contains an invalid node", f": {name!r}")
        if section is None:
            patch[name] = None
        elif not isinstance(section, dict):
            raise refusal(f"{name.capitalize()} node must be an object")
        else:
            patch[name] = _check_section(section, name, limits)
    return patch


def _check_section(section: dict[object, object], name: str, limits: Limits) -> State:
    if _is_deeper(section, limits.nesting_max):
        raise _too_deep(limits)
    try:
        return _check_members(section, f"/{name}")
    except InvalidValue as error:
        raise refusal("State contains an invalid node", f": {error}") from None


def _check_members(members: dict[object, object], where: str) -> State:
    checked: State = {}
    for key, value in members.items():
        if not isinstance(key, str):
            raise InvalidValue(f"{where}: object key {key!r} is not a string")
        path = f"{where}/{escape(check_text(key, where))}"
        if value is None:
            checked[key] = None
        elif isinstance(value, dict):
            checked[key] = _check_members(value, path)
        elif isinstance(value, list | tuple) and _holds_null(value):
            raise InvalidValue(f"{path}: an array cannot hold null")
        else:
            checked[key] = check(value, path)
    return checked


def _holds_null(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_null, value))
    return value is None


def _too_deep(limits: Limits) -> DocumentError:
    return refusal("JSON contains too many levels of nesting", f"; maximum is {limits.nesting_max}")


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list | tuple) or not value:
        return False
    members = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(member, levels - 1) for member in members)


# The service


def apply_update(
    document: ShadowDocument | Tombstone | None,
    request: UpdateRequest,
    *,
    now_s: int,
    limits: Limits = DEFAULT_LIMITS,
) -> Update:
    """Return the version that follows *document* and the messages that tell of it.

    Objects merge, arrays are replaced, ``null`` removes; the version grows by one, also when
    nothing changes. *document* and *request* stay as they are.

    Args:
        document: What is stored; ``None`` or a tombstone for a shadow that does not exist.
        request: From :func:`parse_request` or :func:`check_request`.
        now_s: Epoch seconds.
        limits: The account's quotas; the size counts ``desired`` and ``reported`` of the outcome.

    Raises:
        DocumentError: 409 when the request is for another version, 413 when the outcome is too large.

    Source: "Interacting with shadows", "Device Shadow service documents".

    >>> update = apply_update(None, parse_request(b'{"state": {"desired": {"led": "on"}}}'), now_s=7)
    >>> update.accepted["metadata"], update.accepted["version"]
    ({'desired': {'led': {'timestamp': 7}}}, 1)
    >>> update.delta
    {'version': 1, 'timestamp': 7, 'state': {'led': 'on'}, 'metadata': {'led': {'timestamp': 7}}}
    >>> update.documents["previous"] is None
    True
    """
    base = _version_of(document, now_s)
    if request.version not in (None, base):
        raise refusal("Version conflict", f" (the request is for version {request.version}, the shadow is at {base})")
    before = document if isinstance(document, ShadowDocument) else None
    after = _merge_sections(before, request.state, base + 1, now_s)
    size = size_bytes(after)
    if size > limits.shadow_bytes_max:
        detail = f" ({size} bytes of desired and reported, the limit is {limits.shadow_bytes_max})"
        raise refusal("The payload exceeds the maximum size allowed", detail)
    return Update(
        after,
        _accepted(after.version, request, now_s),
        _delta(after, now_s, request.client_token),
        _documents(before, after, now_s, request.client_token),
    )


def get_accepted(
    document: ShadowDocument | Tombstone | None,
    *,
    now_s: int,
    name: str = "",
    client_token: str | None = None,
) -> State:
    """Return the payload of ``get/accepted``: the whole document with what is outstanding.

    Args:
        document: What is stored.
        now_s: Epoch seconds.
        name: How an error names the shadow; AWS says the thing's name for the classic one.
        client_token: Of the request.

    Raises:
        DocumentError: 404, there is no shadow.

    Source: "Interacting with shadows", "Device Shadow service documents".

    >>> stamp = {"timestamp": 5}
    >>> led = ShadowDocument({"desired": {"led": 1}}, {"desired": {"led": stamp}}, 1)
    >>> get_accepted(led, now_s=7)["state"]
    {'desired': {'led': 1}, 'delta': {'led': 1}}
    """
    if not isinstance(document, ShadowDocument):
        raise refusal("No shadow exists with name", f": '{name}'")
    payload = _snapshot(document)
    missing = outstanding(_section(document.state, "desired"), _section(document.state, "reported"))
    if missing:
        cast(State, payload["state"])["delta"] = missing
    payload["timestamp"] = now_s
    return _with_token(payload, client_token)


def delete(
    document: ShadowDocument | Tombstone | None,
    now_s: int,
    *,
    name: str = "",
    client_token: str | None = None,
) -> Deletion:
    """Return what remains of *document* after it was deleted.

    The deletion takes a version of its own, so a shadow deleted at 4 comes back as 6 within
    :data:`TOMBSTONE_S`, and as 1 later. The answer carries the version that was deleted.

    Args:
        document: What is stored.
        now_s: Epoch seconds.
        name: How an error names the shadow.
        client_token: Of the request.

    Raises:
        DocumentError: 404, there is no shadow.

    Source: "Interacting with shadows"; the Greengrass shadow manager for the version taken.

    >>> deletion = delete(ShadowDocument({}, {}, 4), now_s=7)
    >>> deletion
    Deletion(tombstone=Tombstone(version=5, deleted_s=7), accepted={'version': 4, 'timestamp': 7})
    >>> apply_update(deletion.tombstone, UpdateRequest({}), now_s=8).document.version
    6
    """
    if not isinstance(document, ShadowDocument):
        raise refusal("No shadow exists with name", f": '{name}'")
    accepted: State = {"version": document.version, "timestamp": now_s}
    return Deletion(Tombstone(document.version + 1, now_s), _with_token(accepted, client_token))


def _version_of(document: ShadowDocument | Tombstone | None, now_s: int) -> int:
    if document is None or (isinstance(document, Tombstone) and now_s - document.deleted_s > TOMBSTONE_S):
        return 0
    return document.version


def _merge_sections(before: ShadowDocument | None, patch: State | None, version: int, now_s: int) -> ShadowDocument:
    state: State = {}
    metadata: State = {}
    if before is None:
        before = ShadowDocument({}, {}, 0)
    for name in SECTIONS if patch is not None else ():
        section, stamps = _section(before.state, name), _section(before.metadata, name)
        if patch is not None and name in patch:
            section, stamps = _merge_section(section, stamps, patch[name], now_s)
        if section:
            state[name], metadata[name] = section, stamps
    return ShadowDocument(state, metadata, version)


def _merge_section(section: State, stamps: State, patch: Value | None, now_s: int) -> tuple[State, State]:
    return _merge(section, stamps, patch, now_s) if isinstance(patch, dict) else ({}, {})


def _merge(state: State, stamps: State, patch: State, now_s: int) -> tuple[State, State]:
    state, stamps = dict(state), dict(stamps)
    for key, value in patch.items():
        below = state.get(key)
        if value is None:
            state.pop(key, None)
            stamps.pop(key, None)
        elif isinstance(value, dict) and isinstance(below, dict):
            state[key], stamps[key] = _merge(below, _section(stamps, key), value, now_s)
        else:
            made = _without_nulls(value)
            if made is not None:
                state[key], stamps[key] = made, _stamped(made, now_s)
    return state, stamps


def _without_nulls(value: Value) -> Value | None:
    """Return a copy of *value* as it is stored; ``None`` for an object that only removes."""
    if not isinstance(value, dict):
        return copy(value)
    stored: State = {}
    for key, member in value.items():
        made = None if member is None else _without_nulls(member)
        if made is not None:
            stored[key] = made
    return stored if stored or not value else None


def _stamped(value: Value, now_s: int) -> Value:
    if isinstance(value, dict):
        return {key: _stamped(member, now_s) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_stamped(item, now_s) for item in value if item is not None]
    return {"timestamp": now_s}


def from_fields(fields: Mapping[str, Value], seconds: Mapping[str, int], version: int) -> ShadowDocument:
    """Return the document that has *fields*.

    Args:
        fields: Values by path, which begins with ``/desired`` or ``/reported``.
        seconds: When each was written, in epoch seconds.
        version: The document's version.

    >>> from_fields({"/desired/t": 21}, {"/desired/t": 9}, 1)
    ShadowDocument(state={'desired': {'t': 21}}, metadata={'desired': {'t': {'timestamp': 9}}}, version=1)
    """
    paths = sorted(fields)
    state = nest({path: copy(fields[path]) for path in paths})
    metadata = nest({path: _stamped(fields[path], seconds[path]) for path in paths})
    return ShadowDocument(cast("State", state), cast("State", metadata), version)


# Payloads


def _accepted(version: int, request: UpdateRequest, now_s: int) -> State:
    state = None if request.state is None else copy(request.state)
    metadata = _stamped(request.state or {}, now_s)
    payload: State = {"state": state, "metadata": metadata, "version": version, "timestamp": now_s}
    return _with_token(payload, request.client_token)


def _delta(document: ShadowDocument, now_s: int, client_token: str | None) -> State | None:
    missing = outstanding(_section(document.state, "desired"), _section(document.state, "reported"))
    if not missing:
        return None
    stamps = _stamps_of(missing, _section(document.metadata, "desired"))
    payload: State = {"version": document.version, "timestamp": now_s, "state": missing, "metadata": stamps}
    return _with_token(payload, client_token)


def _documents(before: ShadowDocument | None, after: ShadowDocument, now_s: int, client_token: str | None) -> State:
    previous = None if before is None else _snapshot(before)
    return _with_token({"previous": previous, "current": _snapshot(after), "timestamp": now_s}, client_token)


def _snapshot(document: ShadowDocument) -> State:
    return {"state": copy(document.state), "metadata": copy(document.metadata), "version": document.version}


def _stamps_of(part: State, stamps: State) -> State:
    found: State = {}
    for key, value in part.items():
        stamp = stamps.get(key)
        if isinstance(value, dict):
            found[key] = _stamps_of(value, _section(stamps, key))
        elif stamp is not None:
            found[key] = copy(stamp)
    return found


def _with_token(payload: State, client_token: str | None) -> State:
    if client_token is not None:
        payload["clientToken"] = client_token
    return payload


def _section(state: State, name: str) -> State:
    section = state.get(name)
    return section if isinstance(section, dict) else {}


# What is outstanding


def outstanding(desired: State | None, reported: State | None) -> State:
    """Return the part of *desired* that *reported* lacks or has otherwise; AWS's ``delta``.

    Down to the leaves, arrays whole; what only *reported* has is left out. Numbers compare by value,
    other types differ.

    Laws:
        ``outstanding(d, apply_patch(r, outstanding(d, r))) == {}``.

    Source: "Device Shadow MQTT topics", ``/update/delta``.

    >>> outstanding({"led": 1, "limits": {"low": 2, "high": 9}}, {"led": 1.0, "limits": {"low": 3, "high": 9}, "up": 5})
    {'limits': {'low': 2}}
    """
    missing: State = {}
    have = reported or {}
    for key, wanted in (desired or {}).items():
        current = have.get(key)
        if isinstance(wanted, dict) and isinstance(current, dict):
            below = outstanding(wanted, current)
            if below:
                missing[key] = below
        elif wanted is not None and not _agree(wanted, current):
            missing[key] = copy(wanted)
    return missing


def outstanding_fields(
    desired: State | None, reported: State | None, *, under: str = ""
) -> list[tuple[str, Value | None]]:
    """Return :func:`outstanding` as (pointer, value) pairs in the order of *desired*.

    Args:
        desired: The section, ``None`` if absent.
        reported: The section, ``None`` if absent.
        under: The pointer that *desired* stands at.

    >>> outstanding_fields({"led": 1, "limits": {"low": 2}}, None, under="/desired")
    [('/desired/led', 1), ('/desired/limits/low', 2)]
    """
    return list(_leaves(outstanding(desired, reported), under))


def _leaves(members: State, where: str) -> Iterator[tuple[str, Value | None]]:
    for key, value in members.items():
        path = f"{where}/{escape(key)}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _agree(a: Value | None, b: Value | None) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_agree(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(_agree, a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b


# Patches


def apply_patch(section: State | None, patch: State | None) -> State | None:
    """Return *section* as an update with *patch* leaves it.

    Args:
        section: The section before, ``None`` if absent.
        patch: What the request says about it; ``None`` removes it.

    Returns:
        The section after; ``None`` if it has no members and therefore vanishes.

    Source: "Device Shadow service documents", empty properties and arrays.

    >>> apply_patch({"led": 1, "limits": {"low": 2}}, {"led": None, "limits": {"low": None}})
    {'limits': {}}
    >>> apply_patch({"led": 1}, {"led": None}) is None
    True
    """
    return _merge_section(section or {}, {}, patch, 0)[0] or None


def diff(old: State | None, new: State | None) -> State | None:
    """Return the least patch that turns the section *old* into *new*, types exact.

    Returns:
        The patch; ``{}`` when there is nothing to say, ``None`` when the section must vanish.

    Laws:
        ``apply_patch(a, diff(a, b)) == b`` and ``diff(a, a) == {}``, where an absent section and
        one without members are the same.

    >>> diff({"led": 1, "limits": {"low": 2, "high": 9}}, {"limits": {"low": 2, "high": 8}})
    {'led': None, 'limits': {'high': 8}}
    >>> diff({"limits": {"low": 2}}, {"limits": {}})
    {'limits': {'low': None}}
    >>> diff({"led": 1}, None) is None
    True
    """
    if not new:
        return None if old else {}
    return _diff(old or {}, new)


def diff_states(old: State, new: State) -> State:
    """Return the least ``state`` of an update that turns the document state *old* into *new*.

    It may be put into an update request as it is; ``{}`` when there is nothing to say.

    Laws:
        Updating a document of state *old* with it gives one of state *new*.

    >>> diff_states({"desired": {"led": 1}}, {"reported": {"led": 1}})
    {'desired': None, 'reported': {'led': 1}}
    """
    patch: State = {}
    for name in SECTIONS:
        change = diff(_section(old, name), _section(new, name))
        if change != {}:
            patch[name] = change
    return patch


def _diff(old: State, new: State) -> State:
    patch: State = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            change = _diff(before, value)
            if change:
                patch[key] = change
        elif value is not None and not same(before, value):
            patch[key] = copy(value)
    return patch


# Sizes and names


def size_bytes(document: ShadowDocument | Mapping[str, Value | None]) -> int:
    """Return what counts against ``shadow_bytes_max``: compact ``desired`` plus compact ``reported``.

    Args:
        document: A document, or only its ``state``.

    Source: "Diagnosing problems with shadows": metadata does not count.

    >>> size_bytes({"desired": {"led": "on"}, "reported": {}})
    12
    """
    import json  # here, because importing the core must not cost its import

    state = document.state if isinstance(document, ShadowDocument) else document
    size = 0
    for name in SECTIONS:
        if state.get(name):
            size += len(json.dumps(state[name], ensure_ascii=False, separators=(",", ":")).encode())
    return size


def depth(value: Value | None) -> int:
    """Return how many levels of members *value* has: 0 for a scalar, ``{}`` and ``[]``.

    Source: "AWS IoT Core endpoints and quotas", whose example of five levels ends in ``{}``.

    >>> depth({"one": {"two": {"three": {"four": {"five": {}}}}}}), depth({"one": [1]})
    (5, 2)
    """
    levels = 0
    layer = [value]
    while layer := [member for item in layer for member in _members(item)]:
        levels += 1
    return levels


def _members(value: Value | None) -> list[Value | None]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def check_thing_name(name: object) -> str:
    """Return *name* if AWS IoT allows it for a thing: 1 to 128 of ``[a-zA-Z0-9:_-]``.

    Raises:
        InvalidValue: It does not.

    Source: "UpdateThingShadow".

    >>> check_thing_name("thermostat-7")
    'thermostat-7'
    """
    return _check_name(name, "thing name", THING_NAME_CHARS_MAX, _THING_NAME_CHARS)


def check_shadow_name(name: object) -> str:
    """Return *name* if AWS IoT allows it for a shadow: 1 to 64 of ``[$a-zA-Z0-9:_-]``.

    Raises:
        InvalidValue: It does not.

    Source: "UpdateThingShadow".

    >>> check_shadow_name("config")
    'config'
    """
    return _check_name(name, "shadow name", SHADOW_NAME_CHARS_MAX, _SHADOW_NAME_CHARS)


def _check_name(name: object, what: str, chars_max: int, chars: frozenset[str]) -> str:
    if isinstance(name, str) and 0 < len(name) <= chars_max and chars.issuperset(name):
        return name
    dollar = " $" if "$" in chars else ""
    raise InvalidValue(f"{what} {_one_line(repr(name))}: needs 1 to {chars_max} of A-Z a-z 0-9 : _ -{dollar}")


# Topics


def build_topic(thing: str, operation: str, *, shadow: str | None = None) -> str:
    """Return the topic of *operation* on a shadow of *thing*.

    Args:
        thing: The thing's name.
        operation: One of :data:`OPERATIONS`.
        shadow: The shadow's name, ``None`` for the classic shadow.

    Raises:
        InvalidValue: A name or an operation that AWS IoT does not have.

    Laws:
        ``parse_topic(build_topic(t, o, shadow=s)) == Topic(t, s, o)``.

    Source: "Device Shadow MQTT topics".

    >>> build_topic("T", "update/accepted", shadow="S")
    '$aws/things/T/shadow/name/S/update/accepted'
    """
    if operation not in OPERATIONS:
        raise InvalidValue(f"shadow operation {operation!r}: needs one of {', '.join(OPERATIONS)}")
    named = "" if shadow is None else f"/name/{check_shadow_name(shadow)}"
    return f"$aws/things/{check_thing_name(thing)}/shadow{named}/{operation}"


def parse_topic(topic: str) -> Topic | None:
    """Return the parts of a shadow topic, ``None`` for any other topic.

    Source: "Device Shadow MQTT topics".

    >>> parse_topic("$aws/things/T/shadow/update/documents")
    Topic(thing='T', shadow=None, operation='update/documents')
    >>> parse_topic("$aws/things/T/jobs/get") is None
    True
    """
    levels = topic.split("/")
    if levels[:2] != ["$aws", "things"] or levels[3:4] != ["shadow"]:
        return None
    named = levels[4:5] == ["name"]
    operation = "/".join(levels[6:] if named else levels[4:])
    if operation not in OPERATIONS:
        return None
    try:
        return Topic(check_thing_name(levels[2]), check_shadow_name(levels[5]) if named else None, operation)
    except InvalidValue:
        return None
