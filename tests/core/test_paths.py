"""Paths: JSON pointers, nested documents as flat maps of them, and patterns.

What it proves: pointers are those of RFC 6901 within the limits, flattening loses nothing, and patterns match what a
brute-force matcher over the keys matches.
"""

from __future__ import annotations

import enum
import json
import re
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdtshadow.errors import InvalidPath
from crdtshadow.limits import PATH_BYTES_MAX, PATH_DEPTH_MAX
from crdtshadow.paths import (
    ancestors,
    build,
    check,
    compile_glob,
    escape,
    flatten,
    is_below,
    match_name,
    nest,
    parse,
    unescape,
)
from crdtshadow.testing import strategies

RFC_6901 = re.compile(r"(/([^~/]|~[01])*)+", re.DOTALL)

keys = st.text("a~/01é", max_size=3) | st.text(max_size=3)
key_lists = st.lists(keys, max_size=4)
few_keys = st.sampled_from(["", "a", "ab", "b", "~", "/", "*"])
documents = st.recursive(
    st.dictionaries(few_keys, strategies.values(), max_size=3),
    lambda inner: st.dictionaries(few_keys, inner | strategies.values(), max_size=3),
    max_leaves=4,
)


class Key(str, enum.Enum):  # noqa: UP042  # a StrEnum formats as its text, these do not
    LED = "led"


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


# Pointers


@given(keys)
def test_escaping_keeps_the_key_and_leaves_no_slash(key: str) -> None:
    assert unescape(escape(key)) == key
    assert "/" not in escape(key)
    assert re.fullmatch(r"([^~/]|~[01])*", escape(key), re.DOTALL)


@given(key_lists)
def test_a_pointer_tells_the_keys_it_is_made_of(segments: list[str]) -> None:
    assert parse(build(*segments)) == tuple(segments)


@given(st.lists(keys, min_size=1, max_size=4))
def test_what_was_built_of_keys_is_a_pointer(segments: list[str]) -> None:
    path = build(*segments)
    assert check(path) == path
    assert build(*parse(path)) == path


@given(key_lists, key_lists)
def test_ancestors_and_what_is_below_are_prefixes_of_keys(one: list[str], two: list[str]) -> None:
    above = list(ancestors(build(*one)))
    assert [parse(path) for path in above] == [tuple(one[:length]) for length in range(len(one) - 1, 0, -1)]
    assert is_below(build(*one), build(*two)) == (len(one) > len(two) and one[: len(two)] == two)
    assert all(is_below(build(*one), path) for path in above)


@given(st.text("~01/aé\n\ud800", max_size=8) | st.text(st.characters(), max_size=8))
@example("")
@example("/\ud800")
@example("/~")
@example("/~~01")
@example("/~01")
@example("/a~2")
def test_pointers_are_those_of_rfc_6901(text: str) -> None:
    valid = RFC_6901.fullmatch(text) is not None and not any("\ud800" <= char <= "\udfff" for char in text)
    try:
        assert check(text) == text and valid
        assert build(*parse(text)) == text, "two pointers for one field"
    except InvalidPath as error:
        assert not valid
        assert str(error).isprintable()


@pytest.mark.parametrize("path", [None, 1, b"/a", ["a"], ("a",)])
def test_a_path_is_a_string(path: Any) -> None:
    with pytest.raises(InvalidPath, match="a path is a string"):
        check(path)


def test_the_bytes_of_a_path_are_bounded() -> None:
    check("/" + "a" * (PATH_BYTES_MAX - 1))
    check("/" + "é" * ((PATH_BYTES_MAX - 1) // 2))
    for path in ("/" + "a" * PATH_BYTES_MAX, "/" + "é" * (PATH_BYTES_MAX // 2)):
        with pytest.raises(InvalidPath, match=f"longer than {PATH_BYTES_MAX} bytes") as caught:
            check(path)
        assert len(str(caught.value)) < 100


def test_the_depth_of_a_path_is_bounded() -> None:
    check("/a" * PATH_DEPTH_MAX)
    with pytest.raises(InvalidPath, match=f"deeper than {PATH_DEPTH_MAX} segments"):
        check("/a" * (PATH_DEPTH_MAX + 1))


# Documents


@given(documents)
def test_flattening_a_document_loses_nothing(document: dict[str, Any]) -> None:
    flat = flatten(document)
    assert exact(nest(flat)) == exact(document)
    assert all(check(path) and (not isinstance(value, dict) or not value) for path, value in flat.items())


@given(st.dictionaries(st.lists(few_keys, min_size=1, max_size=3).map(lambda keys: build(*keys)), strategies.values()))
def test_nesting_shows_every_leaf_that_nothing_lies_below(flat: dict[str, Any]) -> None:
    showing = {path: value for path, value in flat.items() if not any(is_below(other, path) for other in flat)}
    assert exact(flatten(nest(flat))) == exact(showing)


@given(st.dictionaries(st.sampled_from(strategies.PATHS), st.integers(0, 3)), st.randoms())
def test_nesting_does_not_depend_on_order(flat: dict[str, Any], random: Any) -> None:
    items = list(flat.items())
    random.shuffle(items)
    assert nest(dict(items)) == nest(flat)


def test_flattening_keeps_nulls_and_empty_maps_and_takes_any_mapping() -> None:
    nested = MappingProxyType({"a": MappingProxyType({"b": None, "c": {}}), "d": MappingProxyType({}), "": 0})
    assert flatten(nested, "/x") == {"/x/a/b": None, "/x/a/c": {}, "/x/d": {}, "/x/": 0}


def test_a_key_of_an_enum_is_its_text() -> None:
    assert list(flatten({Key.LED: {Key.LED: 1}})) == ["/led/led"]
    assert build(Key.LED, Key.LED) == "/led/led"


@pytest.mark.parametrize("document", [{1: 2}, {"a": {None: 1}}, {b"a": {}}])
def test_a_key_that_is_no_string_is_refused(document: Any) -> None:
    with pytest.raises(InvalidPath, match="is not a string"):
        flatten(document)


def test_a_document_without_end_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(InvalidPath, match=f"deeper than {PATH_DEPTH_MAX}"):
        flatten(endless)


# Patterns, against a matcher that tries everything


def fits_name(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(fits_name(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return name[:1] == pattern[0] and fits_name(pattern[1:], name[1:])


def fits(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    if not pattern:
        return not segments
    if pattern[0] == "**":
        return any(fits(pattern[1:], segments[at:]) for at in range(len(segments) + 1))
    return bool(segments) and fits_name(pattern[0], segments[0]) and fits(pattern[1:], segments[1:])


@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6))
def test_a_name_matches_as_brute_force_says(pattern: str, name: str) -> None:
    assert match_name(pattern, name) == fits_name(pattern, name)


@given(
    st.lists(st.sampled_from(["**", "**", "*", "a", "a*", "*b", "a*b*a", "", "*0", "1*", "~", "/"]), max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", "aba", "", "~", "/", "a/", "~b", "0", "1"]), max_size=5),
)
@example(["*1"], ["/"])
@example(["*0"], ["~"])
@example(["**", "a", "**", "a"], ["a", "a"])
def test_a_path_matches_as_brute_force_over_its_keys_says(pattern: list[str], segments: list[str]) -> None:
    if pattern:
        assert compile_glob(build(*pattern))(build(*segments)) == fits(tuple(pattern), tuple(segments))


def test_many_stars_cost_little() -> None:
    matches = compile_glob("/**/a" * 32)
    assert matches("/a" * 64) and not matches("/a" * 63 + "/b")
    assert not match_name("*a" * 1_000 + "b", "a" * 4_000)


@pytest.mark.parametrize("pattern", ["", "a", "**", "/~", 7, "/a" * (PATH_DEPTH_MAX + 1)])
def test_a_pattern_is_shaped_like_a_pointer(pattern: Any) -> None:
    with pytest.raises(InvalidPath):
        compile_glob(pattern)
