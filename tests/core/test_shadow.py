"""Shadows: AWS's update rules as writes.

What it proves: for a single writer, whatever the document and whatever the patch, what is written shows the document
that AWS's rules make of it (`document`, which knows nothing of paths, stamps or siblings), and touches no field that
the patch leaves alone. What it cannot: what concurrent patches mean together; that is what the laws and the denotation
are for.
"""

from __future__ import annotations

import enum
import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdtshadow.clock import Stamp, replica_id
from crdtshadow.document import apply_patch
from crdtshadow.errors import CrdtShadowError, DecodeError, InvalidPath, InvalidValue
from crdtshadow.limits import PATH_DEPTH_MAX, VALUE_NESTING_MAX
from crdtshadow.lwwmap import LWWMap
from crdtshadow.paths import is_below
from crdtshadow.policy import Policy
from crdtshadow.shadow import SECTIONS, Changes, Shadow, assign_changes, patch_changes
from crdtshadow.sibling import REMOVED
from crdtshadow.testing import strategies
from crdtshadow.view import resolve

A, B = replica_id("a", 0), replica_id("b", 0)


class Key(str, enum.Enum):  # noqa: UP042  # a StrEnum formats as its text, these do not
    LED = "led"
    DESIRED = "desired"


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shown(shadow: Shadow) -> dict[str, Any]:
    return resolve(shadow, Policy()).document


def written(shadow: Shadow, changes: Changes) -> Shadow:
    if changes:
        shadow.write(changes, Stamp(shadow.clock.newest() + 1, A))
        shadow.check()
    return shadow


def holding(document: dict[str, Any]) -> Shadow:
    return written(Shadow(), patch_changes({}, document))


# Few keys and shallow values, so that maps meet scalars, and members meet members.

keys = st.sampled_from(["a", "b", "a/b", "~", "", "desired"])
leaves = strategies.few_values() | st.sampled_from([0, -0.0, "", [None], [{"b": 1, "a": [1.0]}]])
objects = st.recursive(
    st.dictionaries(keys, leaves, max_size=2),
    lambda inner: st.dictionaries(keys, leaves | inner, max_size=3),
    max_leaves=5,
)
patches = st.recursive(
    st.dictionaries(keys, leaves | st.none(), max_size=2),
    lambda inner: st.dictionaries(keys, leaves | st.none() | inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(st.sampled_from(SECTIONS), objects)
document_patches = st.dictionaries(st.sampled_from(SECTIONS), patches | st.none()) | st.none()


def by_the_rules(document: dict[str, Any], patch: Any) -> dict[str, Any]:
    """What AWS makes of *patch*."""
    sections = dict.fromkeys(SECTIONS) if patch is None else patch
    after = dict(document)
    for name, part in sections.items():
        section = apply_patch(document.get(name), part)
        after.pop(name, None)
        if section is not None:
            after[name] = section
    return {name: plain(section) for name, section in after.items()}


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return 0.0 if value == 0 and isinstance(value, float) else value


@given(documents)
def test_a_first_patch_shows_the_document_that_aws_makes_of_it(document: dict[str, Any]) -> None:
    assert exact(shown(holding(document))) == exact(by_the_rules({}, document))


@given(documents, st.lists(document_patches, max_size=4))
@example({"desired": {"a": {"b": 1}}}, [{"desired": {"a": {"b": None}}}, {"desired": {"a": {}}}])
@example({"desired": {"a": {}}}, [{"desired": {"a": {"b": None}}}])
@example({"desired": {"a": 1}}, [{"desired": {"a": {"b": None}}}, {"desired": {"a": {}}}])
@example({"desired": {"a": {"b": 1}}}, [{"desired": {"a": 1}}, {"desired": {"a": {"a": 2}}}])
def test_patches_show_the_documents_that_aws_makes_of_them(document: dict[str, Any], patches: list[Any]) -> None:
    shadow = holding(document)
    expected = by_the_rules({}, document)
    for patch in patches:
        written(shadow, patch_changes(shown(shadow), patch))
        expected = by_the_rules(expected, patch)
        assert exact(shown(shadow)) == exact(expected)


@given(documents, document_patches)
def test_a_patch_writes_no_field_that_it_does_not_name(document: dict[str, Any], patch: Any) -> None:
    held = shown(holding(document))
    for path in patch_changes(held, patch):
        keys = path.replace("~1", "\0").split("/")[1:]
        part: Any = dict.fromkeys(SECTIONS) if patch is None else patch
        for key in keys:
            assert isinstance(part, dict), path
            part = part[key.replace("\0", "/").replace("~0", "~")]


@given(documents, document_patches)
def test_what_a_patch_makes_can_be_written_as_one_update(document: dict[str, Any], patch: Any) -> None:
    changes = patch_changes(shown(holding(document)), patch)
    full = {path for path, value in changes.items() if value != {}}
    assert not any(is_below(path, above) for path in changes for above in full)


@given(documents)
def test_a_document_that_is_patched_with_itself_stays_and_with_nothing_is_not_written(document: Any) -> None:
    shadow = holding(document)
    held = shown(shadow)
    assert patch_changes(held, {}) == patch_changes(held, {name: {} for name in held}) == {}
    assert exact(shown(written(shadow, patch_changes(held, held)))) == exact(held)


# Assignment


def at(document: Any, name: str) -> Any:
    return document.get("desired", {}).get(name)


@given(documents, st.sampled_from(["a", "b"]), objects | leaves | patches)
def test_an_assignment_makes_the_place_equal_to_the_value(document: Any, name: str, value: Any) -> None:
    shadow = holding(document)
    before = shown(shadow)
    escaped = f"/desired/{name}"
    written(shadow, assign_changes(at(before, name), value, escaped))
    rest = {key: member for key, member in before.get("desired", {}).items() if key != name}
    expected = by_the_rules({"desired": rest} if rest else {}, {"desired": {name: without_nulls(value)}})
    after = shown(shadow)
    assert exact(after.get("desired")) == exact(expected.get("desired"))
    assert exact(after.get("reported")) == exact(before.get("reported"))


def without_nulls(value: Any) -> Any:
    """An object whose members are all null is assigned as the empty one, since the place is to be it."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(member) for key, member in value.items() if member is not None}


@given(objects | leaves)
def test_what_is_there_is_not_assigned_again(value: Any) -> None:
    shadow = holding({"desired": {"a": value}})
    held = at(shown(shadow), "a")
    if isinstance(value, dict):
        assert assign_changes(held, value, "/desired/a") == {}
    assert shown(written(shadow, assign_changes(held, value, "/desired/a"))) == shown(
        holding({"desired": {"a": value}})
    )


@given(objects, objects)
def test_an_assignment_writes_what_differs_and_nothing_else(old: dict[str, Any], new: dict[str, Any]) -> None:
    held = at(shown(holding({"desired": {"a": old}})), "a")
    for path, value in assign_changes(held, new, "/desired/a").items():
        keys = [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[3:]]
        before: Any = held
        after: Any = new
        for key in keys:
            before = before.get(key) if isinstance(before, dict) else None
            after = after.get(key) if isinstance(after, dict) else None
        assert exact(plain(before)) != exact(plain(after))
        assert (value is REMOVED) == (after is None)


def test_an_equal_value_of_another_type_is_assigned() -> None:
    assert assign_changes({"on": 1}, {"on": True}, "/desired/a") == {"/desired/a/on": True}
    assert assign_changes({"on": [1]}, {"on": [1.0]}, "/desired/a") == {"/desired/a/on": [1.0]}
    assert assign_changes({"on": 0.0}, {"on": -0.0}, "/desired/a") == {}
    assert assign_changes({"on": [0.0]}, {"on": [-0.0]}, "/desired/a") == {}
    assert assign_changes({"on": [1]}, {"on": (1,)}, "/desired/a") == {}


# Refusals

BAD_VALUES = [[{1}], {1}, [2**70], [{1: 2, "a": 3}], ["\ud800"], [float("nan")], b"", [[], object()]]


def nested_list(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def nested_map(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"a": 1}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("bad", [*BAD_VALUES, nested_list(VALUE_NESTING_MAX), nested_list(5_000)], ids=range(10))
@pytest.mark.parametrize("held", [{"x": [1]}, {"x": 1}, {"x": {"y": 1}}, {}, None, 1])
def test_what_is_no_value_is_refused_wherever_it_stands(bad: Any, held: Any) -> None:
    shadow = Shadow()
    with pytest.raises(CrdtShadowError):
        written(shadow, assign_changes(held, {"x": bad}, "/desired/a"))
    with pytest.raises(CrdtShadowError):
        written(shadow, patch_changes({"desired": held if isinstance(held, dict) else {}}, {"desired": {"x": bad}}))
    assert shadow == Shadow()


@pytest.mark.parametrize("depth", [PATH_DEPTH_MAX, 5_000])
def test_a_document_nested_too_deeply_is_refused(depth: int) -> None:
    for act in (
        lambda: patch_changes({}, {"desired": nested_map(depth)}),
        lambda: patch_changes({"desired": nested_map(PATH_DEPTH_MAX - 2)}, {"desired": nested_map(depth)}),
        lambda: assign_changes(None, nested_map(depth), "/desired/a"),
        lambda: assign_changes(nested_map(PATH_DEPTH_MAX - 3), nested_map(depth), "/desired/a"),
        lambda: assign_changes({}, nested_map(depth), "/desired/a"),
    ):
        with pytest.raises(InvalidPath):
            written(Shadow(), act())


def test_the_deepest_path_can_be_patched() -> None:
    deepest = nested_map(PATH_DEPTH_MAX - 2)
    assert list(patch_changes({}, {"desired": deepest})) == ["/desired" + "/a" * (PATH_DEPTH_MAX - 1)]


@pytest.mark.parametrize("patch", [1, "text", [], b"", True, {"desired": 1}, {"desired": []}, {"reported": "x"}])
def test_a_patch_is_an_object_of_objects(patch: Any) -> None:
    with pytest.raises(InvalidValue, match="is an object"):
        patch_changes({}, patch)


@pytest.mark.parametrize("name", ["delta", "Desired", "", 1, None, b"desired"])
def test_a_patch_has_two_sections(name: Any) -> None:
    with pytest.raises(InvalidValue, match="sections desired and reported"):
        patch_changes({}, {name: {}})


@pytest.mark.parametrize("patch", [{1: 1}, {"a": {None: 1}}, {b"a": None}])
def test_a_key_is_a_string(patch: Any) -> None:
    for act in (lambda: patch_changes({}, {"desired": patch}), lambda: assign_changes({"b": 1}, patch, "/desired/a")):
        with pytest.raises(InvalidValue, match="is not a string"):
            act()


# Where things may stand


@pytest.mark.parametrize("path", ["/other", "/other/t", "/desiredx", "/", "/reported~1", "/x\ny"])
def test_all_of_a_shadow_stands_in_its_sections(path: str) -> None:
    shadow, foreign = holding({"desired": {"t": 1}}), LWWMap()
    before = shadow.encode()
    foreign.write({"/desired/u": 1, path: 1}, Stamp(1, B))
    with pytest.raises(InvalidPath) as refused:
        shadow.write({"/desired/u": 1, path: 1}, Stamp(9, A))
    assert str(refused.value).isprintable()
    with pytest.raises(DecodeError) as refused_too:
        shadow.merge(foreign)
    assert str(refused_too.value).isprintable()
    with pytest.raises(DecodeError):
        Shadow.decode(foreign.encode())
    assert shadow.encode() == before


@pytest.mark.parametrize("value", [1, {}, [1]])
def test_a_section_is_removed_whole_but_holds_no_value(value: Any) -> None:
    shadow, foreign = holding({"desired": {"t": 1}}), LWWMap()
    before = shadow.encode()
    foreign.write({"/desired": value}, Stamp(1, B))
    with pytest.raises(InvalidPath, match="a section holds fields"):
        shadow.write({"/desired": value}, Stamp(9, A))
    with pytest.raises(DecodeError, match="a section holds fields"):
        shadow.merge(foreign)
    assert shadow.encode() == before
    assert shown(written(shadow, {"/desired": REMOVED})) == {}


# Examples of the rules


def test_null_clears_both_sections_if_they_are_there() -> None:
    assert patch_changes({"desired": {"a": 1}, "reported": {}}, None) == {"/desired": REMOVED, "/reported": REMOVED}
    assert patch_changes({}, None) == patch_changes({}, {"desired": None}) == {}


def test_what_is_not_there_is_not_removed() -> None:
    assert patch_changes({"desired": {"a": 1}}, {"desired": {"b": None, "c": {"d": None}}}) == {}


def test_a_map_whose_last_member_goes_stays_as_an_empty_one() -> None:
    changes = patch_changes({"desired": {"m": {"a": 1}}}, {"desired": {"m": {"a": None}}})
    assert changes == {"/desired/m": {}, "/desired/m/a": REMOVED}


def test_removing_members_of_a_scalar_leaves_the_scalar() -> None:
    assert patch_changes({"desired": {"a": 1}}, {"desired": {"a": {"b": None}}}) == {}


def test_any_mapping_will_do() -> None:
    patch = MappingProxyType(
        {"desired": MappingProxyType({"m": MappingProxyType({"a": 1}), "e": MappingProxyType({})})}
    )
    assert patch_changes(MappingProxyType({}), patch) == {"/desired/m/a": 1, "/desired/e": {}}


def test_a_key_of_an_enum_is_its_text() -> None:
    assert patch_changes({}, {Key.DESIRED: {Key.LED: {Key.LED: 1}}}) == {"/desired/led/led": 1}
    assert patch_changes({"desired": {}}, {Key.DESIRED: None}) == {"/desired": REMOVED}
    assert assign_changes({"led": 1}, {Key.LED: 2}, "/desired") == {"/desired/led": 2}


def test_to_assign_null_is_to_remove() -> None:
    assert assign_changes(None, None, "/desired/a") == {"/desired/a": REMOVED}
