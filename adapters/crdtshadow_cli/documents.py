"""AWS documents as states. A document says what is, and since when, but not who had seen what.

So it is read as the writing of one plain writer, named after the file: each field at its time in
``metadata``, or else at the document's ``timestamp``, or else in 1970, so that whatever is dated is
newer. Fields of one second are one update. What two documents say differently therefore competes,
as if both had been written unseen by the other; what they say alike does not. What one of them lacks
was not removed there, for all that is known.

The writer's epoch comes from the document's content, so the same document read twice is the same
writing, and two documents from files of the same name are two writers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import PurePath
from typing import Final

from crdtshadow import Delta, InvalidPath, InvalidValue, Shadow, Stamp, View, replica_id
from crdtshadow.clock import pack_time
from crdtshadow.document import SECTIONS, State, from_fields, get_accepted
from crdtshadow.limits import NAME_CHARS_MAX
from crdtshadow.paths import flatten
from crdtshadow.paths import parse as keys_of
from crdtshadow.values import Value, canonical, check
from crdtshadow_cli.errors import InputError

_SECONDS_END: Final = 1 << 38
"""Their milliseconds fit into the 48 bits of a hybrid time."""

_NAME_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.@$+-")


def read_document(body: object, *, file: str) -> Delta:
    """Return the state that the AWS document *body* is read as.

    Args:
        body: ``{"state": {"desired": ..., "reported": ...}, "metadata": ..., "timestamp": ...}`` as
            ``get/accepted`` and GetThingShadow answer, its ``state`` alone, or an
            ``update/documents`` event, of which ``current`` counts.
        file: The file's name, from which the writer's is made.

    Raises:
        InputError: Not of that shape, or a value that cannot be held.

    >>> body = {"state": {"desired": {"t": 20}}, "metadata": {"desired": {"t": {"timestamp": 9}}}}
    >>> delta = read_document(body, file="console.json")
    >>> [(path, one.stamp.ms, one.value) for path, (one,) in delta.rows.items()]
    [('/desired/t', 9000, 20)]
    """
    document = _whole(body)
    metadata = document.get("metadata")
    otherwise = _seconds(document.get("timestamp")) or 0
    fields = _fields(document["state"])
    seconds = {path: _written(metadata, path, otherwise) for path in fields}
    fingerprint = canonical([[path, fields[path], seconds[path]] for path in sorted(fields)])
    epoch = int.from_bytes(blake2b(fingerprint, digest_size=4).digest(), "big")
    replica = replica_id(_writer(file), epoch)
    state = Shadow()
    for second in sorted(set(seconds.values())):
        update = {path: value for path, value in fields.items() if seconds[path] == second}
        state.write(update, Stamp(pack_time(second * 1000), replica))
    return state.delta()


def document_of(view: View, *, version: int | None = None) -> State:
    """Return what readers see in the shape of AWS's ``get/accepted``.

    Args:
        view: Of a shadow.
        version: The document's, ``None`` to leave it out.
    """
    seconds = {path: stamp.ms // 1000 for path, stamp in view.stamps.items()}
    document = get_accepted(from_fields(view.fields, seconds, version or 0), now_s=max(seconds.values(), default=0))
    if version is None:
        del document["version"]
    return document


def document_bytes(document: State) -> bytes:
    """Return *document* as the content of a JSON file."""
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _whole(body: object) -> Mapping[str, object]:
    """Return the object that has ``state``."""
    if not isinstance(body, Mapping):
        raise InputError(f"an AWS document is a JSON object, not {type(body).__name__}")
    current = body.get("current")
    if isinstance(current, Mapping):
        body = {"timestamp": body.get("timestamp"), **current}
    if "state" in body:
        return body
    if body and body.keys() <= {*SECTIONS, "delta"}:
        return {"state": body}
    raise InputError("not an AWS document: it has no member 'state'")


def _fields(state: object) -> dict[str, Value]:
    if not isinstance(state, Mapping):
        raise InputError(f"state: needs an object, not {type(state).__name__}")
    sections = {name: section for name, section in state.items() if name != "delta"}
    for name, section in sections.items():
        if name not in SECTIONS:
            raise InputError(f"state: {name!r}, knows desired and reported")
        if not isinstance(section, Mapping):
            raise InputError(f"state.{name}: needs an object, not {type(section).__name__}")
    try:
        leaves = flatten({name: section for name, section in sections.items() if section})
        return {path: check(value, path) for path, value in leaves.items()}
    except (InvalidPath, InvalidValue) as error:
        raise InputError(f"state: {error}") from None


def _written(metadata: object, path: str, otherwise: int) -> int:
    """Return when *metadata* says that the field at *path* was written, in epoch seconds."""
    for key in keys_of(path):
        metadata = metadata.get(key) if isinstance(metadata, Mapping) else None
    while isinstance(metadata, list) and metadata:
        metadata = metadata[0]
    written = _seconds(metadata.get("timestamp")) if isinstance(metadata, Mapping) else None
    return otherwise if written is None else written


def _seconds(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _SECONDS_END else None


def _writer(file: str) -> str:
    name = PurePath(file).stem
    return "".join([char if char in _NAME_CHARS else "-" for char in name])[:NAME_CHARS_MAX] or "document"
