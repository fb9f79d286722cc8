"""State files: bytes as the core writes them, the same in base64, or AWS documents."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

from crdtshadow import CrdtShadowError, DecodeError, Delta, MissingBase, Shadow, Stamp
from crdtshadow.limits import STATE_BYTES_MAX
from crdtshadow_cli.documents import read_document
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.inputs import decode_json, read_bytes

_TEXT_BYTES_MAX = STATE_BYTES_MAX * 4 // 3 + 1024


def read_delta(name: str) -> Delta:
    """Return what the file *name* holds: a whole state, a delta, or an AWS document.

    An AWS document has no clocks. It is read as the writing of a plain writer named after the file,
    at the times of its metadata; see :mod:`crdtshadow_cli.documents`.

    Raises:
        InputError: It cannot be read, or is nothing of these.
    """
    data = read_bytes(name, bytes_max=_TEXT_BYTES_MAX)
    try:
        if data.lstrip().startswith(b"{"):
            return read_document(decode_json(data), file=name)
        return Delta.decode(_unarmoured(data), bytes_max=STATE_BYTES_MAX)
    except DecodeError as error:
        raise InputError(f"{name}: neither a state, nor a delta, nor an AWS document in JSON: {error}") from None
    except CrdtShadowError as error:
        raise InputError(f"{name}: {error}") from None


def read_state(name: str) -> Shadow:
    """Return the shadow in the file *name*.

    Raises:
        InputError: It cannot be read, or holds no whole state.
    """
    return join_all([(name, read_delta(name))]).state


class Joined(NamedTuple):
    """Several states as one.

    Attributes:
        state: The least that contains all.
        clones: Stamps that came with two outcomes: two programs use one identity.
    """

    state: Shadow
    clones: tuple[Stamp, ...]


def join_all(deltas: list[tuple[str, Delta]]) -> Joined:
    """Return all *deltas* joined; they are named for errors.

    Raises:
        InputError: One continues from what the others lack, or they cannot be joined.
    """
    state = Shadow()
    clones: set[Stamp] = set()
    waiting = sorted(deltas, key=_full_first)
    while waiting:
        missing: list[tuple[str, Delta]] = []
        for name, delta in waiting:
            try:
                clones.update(state.merge(delta).clones)
            except MissingBase as error:
                missing.append((name, delta))
                if len(missing) == len(waiting):
                    raise InputError(f"{missing[0][0]}: {error}") from None
            except CrdtShadowError as error:
                raise InputError(f"{name}: {error}") from None
        waiting = missing
    return Joined(state, tuple(sorted(clones)))


def _full_first(named: tuple[str, Delta]) -> bool:
    return not named[1].full


def _unarmoured(data: bytes) -> bytes:
    """Return what *data* says in base64, or *data* if it is not base64."""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True) if data.isascii() else data
    except binascii.Error:
        return data
