"""Arguments of operations, checked one by one; what is wrong is said by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from crdtshadow_walk import SECONDS_MAX, ShadowKey, shadow_key

from crdtshadow import EventRefused
from crdtshadow_aws.errors import BadRequest

NAMES_MAX: Final = 100
"""Things or shadows that one call may name."""

Arguments = Mapping[str, Any]


def thing_of(arguments: Arguments) -> str:
    """Return the argument ``thingName``.

    Raises:
        BadRequest: It is missing, or no name that AWS IoT allows.
    """
    return key_of(arguments.get("thingName"), None, where="thingName").thing


def shadow_of(arguments: Arguments) -> ShadowKey:
    """Return the shadow that ``thingName`` and ``shadowName`` name; without the latter, the classic one.

    Raises:
        BadRequest: Names that AWS IoT does not allow.
    """
    return key_of(thing_of(arguments), arguments.get("shadowName"), where="shadowName")


def key_of(thing: object, shadow: object, *, where: str) -> ShadowKey:
    """Return the shadow of these names.

    Raises:
        BadRequest: Not names that AWS IoT allows; *where* says which argument has them.
    """
    if not isinstance(thing, str) or not isinstance(shadow, str | None):
        wrong = shadow if isinstance(thing, str) else thing
        raise BadRequest(f"{where}: needs a name, not {'nothing' if wrong is None else type(wrong).__name__}")
    try:
        return shadow_key(thing, shadow)
    except EventRefused as error:
        raise BadRequest(f"{where}: {error}") from None


def items_of(arguments: Arguments, name: str, *, most: int) -> list[Any] | None:
    """Return the argument *name*, an array, ``None`` if it is missing.

    Raises:
        BadRequest: It is no array, empty, or has more than *most* items.
    """
    items = arguments.get(name)
    if items is None:
        return None
    if not isinstance(items, list):
        raise BadRequest(f"{name}: needs an array, not {type(items).__name__}")
    if not 0 < len(items) <= most:
        raise BadRequest(f"{name}: {len(items)} items, needs 1 to {most}")
    return items


def seconds_of(arguments: Arguments, name: str) -> float | None:
    """Return the argument *name*, a duration in seconds, ``None`` if it is missing.

    Raises:
        BadRequest: It is none.
    """
    value = arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= SECONDS_MAX:
        raise BadRequest(f"{name}: {value!r}, needs seconds from 0 to {SECONDS_MAX}")
    return value


def integer_of(arguments: Arguments, name: str, *, default: int, most: int) -> int:
    """Return the argument *name*, an integer from 1 to *most*.

    Raises:
        BadRequest: It is none.
    """
    value = arguments.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadRequest(f"{name}: {value!r}, needs an integer from 1 to {most}")
    return value


def text_of(arguments: Arguments, name: str) -> str:
    """Return the argument *name*, a text.

    Raises:
        BadRequest: It is missing, or no text.
    """
    value = arguments.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name}: needs a text, not {'nothing' if value is None else repr(value)}")
    return value
