"""JSON values: which are allowed, and when two are the same.

A value is atomic: a string, a boolean, an integer of 64 bits, a finite float, an array of such
(and of objects), or the empty object. Two values are the same when their canonical bytes are:
``1``, ``1.0`` and ``True`` are three values, although Python calls them equal. ``-0.0`` becomes
``0.0``. ``None`` is no value: in an update it removes.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgpack

from crdtshadow.errors import InvalidValue
from crdtshadow.limits import VALUE_NESTING_MAX

Value: TypeAlias = "bool | int | float | str | list[Value | None] | dict[str, Value | None]"
"""What a field may hold; objects only empty, or inside an array."""

_INT_MIN: Final = -(2**63)
_INT_END: Final = 2**64


def check(value: object, where: str) -> Value:
    """Return a validated copy of *value* that shares nothing mutable with it.

    Args:
        value: What a caller, a request or a decoder brought.
        where: How to name it in an error, usually its pointer.

    Raises:
        InvalidValue: Not a JSON value, out of range, not finite, or nested too deeply.

    >>> check([1, -0.0, "a"], "/x")
    [1, 0.0, 'a']
    """
    if isinstance(value, dict) and value:
        raise InvalidValue(f"{where}: an object is not one value; write its members")
    checked = _check(value, where, 0)
    if checked is None:
        raise InvalidValue(f"{where}: null is not a value")
    return checked


def _check(value: object, where: str, depth: int) -> Value | None:
    kind = type(value)
    if kind is str:
        return check_text(value, where)  # type: ignore[arg-type]  # narrowed by kind, which mypy does not follow
    if value is None or kind is bool:
        return value  # type: ignore[return-value]  # as above
    if isinstance(value, int) and not isinstance(value, bool):
        if _INT_MIN <= value < _INT_END:
            return int(value)
        raise InvalidValue(f"{where}: integer outside [-2^63, 2^64)")
    if isinstance(value, float):
        if value - value != 0.0:
            raise InvalidValue(f"{where}: {value!r} is not finite, which JSON cannot say")
        return float(value) + 0.0
    if isinstance(value, str):
        return check_text(str.__str__(value), where)  # not what an Enum says of itself
    if depth >= VALUE_NESTING_MAX:
        raise InvalidValue(f"{where}: nested deeper than {VALUE_NESTING_MAX}")
    if isinstance(value, list | tuple):
        return [_check(item, where, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_check_key(key, where): _check(item, where, depth + 1) for key, item in value.items()}
    raise InvalidValue(f"{where}: {kind.__name__} is not a JSON value")


def check_text(text: str, where: str) -> str:
    """Return *text*, which must be encodable as UTF-8 (no lone surrogates)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidValue(f"{where}: text with a lone surrogate is not Unicode") from None
    return text


def _check_key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidValue(f"{where}: object key {key!r} is not a string")
    return check_text(str.__str__(key), where)


def copy(value: Value) -> Value:
    """Return *value* sharing nothing mutable with it.

    >>> copy([1, [2]])
    [1, [2]]
    """
    kind = type(value)
    if kind is list:
        return [copy(item) if type(item) is list or type(item) is dict else item for item in value]  # type: ignore[union-attr]  # narrowed by kind
    if kind is dict:
        return {
            key: copy(item) if type(item) is list or type(item) is dict else item
            for key, item in value.items()  # type: ignore[union-attr]  # narrowed by kind
        }
    return value


def canonical(value: Value | None) -> bytes:
    """Return the bytes that define identity and order of values.

    msgpack in its shortest form; objects with sorted keys.

    >>> canonical(1) == canonical(1.0)
    False
    """
    kind = type(value)
    if kind is list or kind is dict:
        value = ordered(value)
    packed: bytes = msgpack.packb(value)
    return packed


def ordered(value: Value | None) -> Value | None:
    """Return *value* with the keys of its objects sorted, as canonical bytes need them.

    >>> ordered([{"b": 1, "a": 2}])
    [{'a': 2, 'b': 1}]
    """
    if type(value) is list:
        return [ordered(item) for item in value]
    if type(value) is dict:
        return {key: ordered(value[key]) for key in sorted(value)}
    return value


def same(a: Value | None, b: Value | None) -> bool:
    """Tell whether *a* and *b* are one value, type exact.

    >>> same(1, True), same([1], [1])
    (False, True)
    """
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is list or kind is dict:
        return canonical(a) == canonical(b)
    return a == b
