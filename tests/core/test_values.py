"""Values: which are allowed, and when two are the same.

What it proves: exactly JSON within 64 bits is let in, as a copy, and two values are the same exactly if JSON text that
tells types apart would be. What it cannot: that other languages read the same numbers; the vectors of the wire format
are for that.
"""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, UserDict
from decimal import Decimal
from itertools import product
from types import MappingProxyType
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdtshadow import values as subject
from crdtshadow.errors import InvalidValue
from crdtshadow.limits import VALUE_NESTING_MAX
from crdtshadow.testing import strategies


class Mode(str, enum.Enum):  # noqa: UP042  # a StrEnum formats as its text, these do not
    ECO = "eco"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def exact(value: Any) -> str:
    """Text that two values share if and only if they are the same; knows nothing of msgpack."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def mutable_parts(value: Any) -> list[int]:
    if isinstance(value, list):
        return [id(value), *(found for item in value for found in mutable_parts(item))]
    if isinstance(value, dict):
        return [id(value), *(found for item in value.values() for found in mutable_parts(item))]
    return []


def plain(value: Any) -> Any:
    """Return what is to be kept of a valid *value*, written anew."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {"".join(key): plain(item) for key, item in value.items()}
    return 0.0 if type(value) is float and value == 0.0 else value


def is_json(value: Any, levels: int = VALUE_NESTING_MAX) -> bool:
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -(2**63) <= value <= 2**64 - 1
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, list | tuple):
        return levels > 0 and all(is_json(item, levels - 1) for item in value)
    if isinstance(value, dict):
        keys = all(isinstance(key, str) and is_json(key) for key in value)
        return levels > 0 and keys and all(is_json(item, levels - 1) for item in value.values())
    return False


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**400]),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=3),
        st.sampled_from([b"1", "\ud800", "a\udfffb", 1j, Decimal(1), object, {1}, float]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(st.characters(), max_size=2) | st.sampled_from([1, b"a", None]), inner, max_size=2),
    ),
    max_leaves=5,
)


@given(anything)
@example(float("nan"))
@example(-0.0)
@example([-0.0])
@example(nested(VALUE_NESTING_MAX))
@example(nested(VALUE_NESTING_MAX + 1))
def test_exactly_json_is_let_in_unchanged(value: Any) -> None:
    allowed = value is not None and is_json(value) and not (isinstance(value, dict) and value)
    try:
        checked = subject.check(value, "/x")
    except InvalidValue as error:
        assert not allowed, error
        assert str(error).startswith("/x: ") and str(error).isprintable()
        return
    assert allowed
    assert exact(checked) == exact(plain(value))
    assert subject.same(checked, subject.check(checked, "/x"))
    assert not set(mutable_parts(value)) & set(mutable_parts(checked))


@given(strategies.values(), strategies.values())
def test_values_are_the_same_exactly_if_their_json_is_type_for_type(a: Any, b: Any) -> None:
    one, two = subject.check(a, ""), subject.check(b, "")
    alike = exact(one) == exact(two)
    assert subject.same(one, two) == (subject.canonical(one) == subject.canonical(two)) == alike


def test_what_python_thinks_equal_may_be_several_values() -> None:
    distinct: list[Any] = [0, 0.0, False, 1, 1.0, True, "1", [], {}]
    distinct += [[value] for value in distinct] + [[{"a": 1}], [{"a": True}]]
    assert [[subject.same(a, b) for b in distinct] for a in distinct] == [
        [at == other for other in range(len(distinct))] for at in range(len(distinct))
    ]
    assert len({subject.canonical(value) for value in distinct}) == len(distinct)


@given(strategies.values())
def test_canonical_bytes_say_the_whole_value(value: Any) -> None:
    checked = subject.check(value, "")
    assert exact(msgpack.unpackb(subject.canonical(checked))) == exact(checked)


@given(st.dictionaries(st.text(max_size=2), strategies.values(), min_size=1, max_size=4), st.randoms())
def test_the_order_of_members_does_not_matter(members: dict[str, Any], random: Any) -> None:
    items = list(members.items())
    random.shuffle(items)
    one, two = subject.check([members], ""), subject.check([dict(items)], "")
    assert subject.same(one, two)
    assert repr(subject.ordered(one)) == repr(subject.ordered(two))


@given(strategies.values())
def test_a_copy_is_the_same_and_shares_nothing_mutable(value: Any) -> None:
    for original in (subject.check(value, ""), subject.check([value, [value], {"k": [value]}], "")):
        twin = subject.copy(original)
        assert exact(twin) == exact(original)
        assert not set(mutable_parts(original)) & set(mutable_parts(twin))


# Numbers, one by one


@pytest.mark.parametrize("value", [-(2**63), -1, 0, 2**53 + 1, 2**63, 2**64 - 1])
def test_integers_of_64_bits_are_kept_exactly(value: int) -> None:
    assert subject.check(value, "/x") == value
    assert msgpack.unpackb(subject.canonical(value)) == value


@pytest.mark.parametrize("value", [-(2**63) - 1, 2**64, 10**400, [2**64]])
def test_an_integer_beyond_64_bits_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match=r"/x: integer outside \[-2\^63, 2\^64\)"):
        subject.check(value, "/x")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), [float("nan")], [{"a": float("inf")}]])
def test_a_number_that_is_not_finite_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match="not finite"):
        subject.check(value, "/x")


@pytest.mark.parametrize("value", [-0.0, [-0.0], [{"a": -0.0}]])
def test_negative_zero_becomes_zero(value: Any) -> None:
    assert "-0.0" not in exact(subject.check(value, "/x"))


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, 0.1, 1e100])
def test_floats_keep_every_bit(value: float) -> None:
    assert repr(subject.check(value, "/x")) == repr(msgpack.unpackb(subject.canonical(value))) == repr(value)


# Other types


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Mode.ECO, "eco"),
        (Text("a"), "a"),
        (Level.LOW, 1),
        ([Mode.ECO, {Mode.ECO: Level.LOW}], ["eco", {"eco": 1}]),
        ((1, (2,)), [1, [2]]),
        ([OrderedDict(a=1)], [{"a": 1}]),
    ],
)
def test_a_subtype_is_kept_as_the_plain_type(value: Any, kept: Any) -> None:
    checked = subject.check(value, "/x")
    assert repr(checked) == repr(kept)
    assert subject.same(checked, kept)


@pytest.mark.parametrize(
    "value", [b"a", bytearray(b"a"), {1}, 1j, Decimal(1), object(), UserDict(), MappingProxyType({}), range(2)]
)
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match="is not a JSON value"):
        subject.check(value, "/x")


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", ["\ud800"], [{"\ud800": 1}], [{"a": "\ud800"}]])
def test_a_lone_surrogate_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValue, match="surrogate"):
        subject.check(value, "/x")


def test_text_beyond_the_first_plane_is_kept() -> None:
    assert subject.check("\U0001f600\u0000\ufffe", "/x") == "\U0001f600\u0000\ufffe"


@pytest.mark.parametrize("key", [1, None, b"a", 1.5, True])
def test_a_key_that_is_no_string_is_refused(key: Any) -> None:
    with pytest.raises(InvalidValue, match="is not a string"):
        subject.check([{key: 1}], "/x")


def test_null_is_no_value_but_may_stand_in_an_array() -> None:
    with pytest.raises(InvalidValue, match="null is not a value"):
        subject.check(None, "/x")
    assert subject.check([None, {"a": None}], "/x") == [None, {"a": None}]


def test_an_object_is_several_values_unless_it_is_empty() -> None:
    with pytest.raises(InvalidValue, match="write its members"):
        subject.check({"a": 1}, "/x")
    assert subject.check({}, "/x") == {}


@pytest.mark.parametrize("container", [lambda inner: [inner], lambda inner: [{"k": inner}]])
def test_nesting_is_bounded(container: Any) -> None:
    value: Any = []
    depth = 1
    while depth + len(mutable_parts(container(1))) <= VALUE_NESTING_MAX:
        value = container(value)
        depth += len(mutable_parts(container(1)))
    subject.check(value, "/x")
    with pytest.raises(InvalidValue, match=f"nested deeper than {VALUE_NESTING_MAX}"):
        subject.check(container(value), "/x")


def test_a_value_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidValue, match="nested deeper"):
        subject.check(endless, "/x")


@pytest.mark.parametrize(("a", "b"), list(product([None, 1, "", [], {}], [None])))
def test_absence_is_the_same_as_nothing_but_itself(a: Any, b: Any) -> None:
    assert subject.same(a, b) == (a is None)
