"""JSON from outside: read strictly, or refused in one line."""

from __future__ import annotations

import json
from typing import Final, NoReturn

from crdtshadow_walk.errors import MessageRefused

_SHOWN_CHARS: Final = 60


def decode_json(data: bytes | str) -> object:
    """Return the JSON document *data*, which is text or its UTF-8.

    Raises:
        MessageRefused: Not UTF-8, not JSON, a key twice in one object, or a number that JSON cannot say.

    >>> decode_json('{"t": 21.5}')
    {'t': 21.5}
    >>> decode_json(b'{"t": NaN}')
    Traceback (most recent call last):
    crdtshadow_walk.errors.MessageRefused: not JSON: NaN is not a JSON number
    """
    try:
        return _DECODER.decode(data if isinstance(data, str) else data.decode())
    except UnicodeDecodeError as error:
        raise MessageRefused(f"not UTF-8: byte {error.object[error.start]:#04x} at {error.start}") from None
    except RecursionError:
        raise MessageRefused("not JSON that can be read: nested too deeply") from None
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno} column {error.colno}"
        raise MessageRefused(f"not JSON: {error.msg}, {place}") from None
    except _NotJson as error:
        raise MessageRefused(f"not JSON: {error}") from None
    except ValueError:  # int() limits how many digits it converts
        raise MessageRefused("not JSON: a number has too many digits") from None


class _NotJson(ValueError):
    """Python's parser would let it pass."""


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _NotJson(f"key {key[:_SHOWN_CHARS]!r} stands twice in one object")
            seen.add(key)
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJson(f"{name} is not a JSON number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
