"""AWS shadow documents: laws first, then an example for every rule, then the bugs others had."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crdtshadow.document import (
    DEFAULT_LIMITS,
    OPERATIONS,
    REFUSALS,
    SECTIONS,
    TOMBSTONE_S,
    Limits,
    ShadowDocument,
    Tombstone,
    Topic,
    Update,
    UpdateRequest,
    apply_patch,
    apply_update,
    build_topic,
    check_request,
    check_shadow_name,
    check_thing_name,
    delete,
    depth,
    diff,
    diff_states,
    find_client_token,
    get_accepted,
    outstanding,
    outstanding_fields,
    parse_request,
    parse_topic,
    refusal,
    rejected,
    size_bytes,
)
from crdtshadow.errors import DocumentError, InvalidValue

EXACT = {"sort_keys": True, "separators": (",", ":")}


def exact(value: object) -> str:
    """Text that tells 1, 1.0 and true apart and does not care for the order of members."""
    return json.dumps(value, **EXACT)  # type: ignore[arg-type]  # mypy reads the options as one type


def stored(state: dict[str, Any] | None, *, at: int = 1) -> ShadowDocument:
    """The document that one update with *state* creates."""
    return apply_update(None, check_request({"state": state}), now_s=at).document


def updated(before: ShadowDocument | Tombstone | None, state: object, *, at: int = 2, **rest: object) -> Update:
    return apply_update(before, check_request({"state": state, **rest}), now_s=at)


def refused(body: object, *, limits: Limits = DEFAULT_LIMITS) -> tuple[int, str]:
    """Status and message with which *body* is refused."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(DocumentError) as caught:
        parse_request(payload, limits=limits)
    return caught.value.status, str(caught.value)


# Generators: few keys and values, so that they meet.

keys = st.sampled_from(["a", "b", "state", "version", "timestamp", "a/b", "~"])
scalars = st.sampled_from([0, 1, 1.0, 2, -1.5, True, False, "", "x", "é", 2**64 - 1, -(2**63)])
arrays = st.recursive(
    st.lists(scalars, max_size=2),
    lambda inner: st.lists(scalars | inner | st.dictionaries(keys, scalars | inner, max_size=2), max_size=2),
    max_leaves=3,
)
leaves = scalars | arrays
sections = st.dictionaries(
    keys,
    st.recursive(leaves, lambda below: st.dictionaries(keys, leaves | below, max_size=3), max_leaves=6),
    max_size=3,
)
patches = st.dictionaries(
    keys,
    st.recursive(
        leaves | st.none(), lambda below: st.dictionaries(keys, leaves | st.none() | below, max_size=3), max_leaves=6
    ),
    max_size=3,
)
states = st.fixed_dictionaries({}, optional={"desired": sections, "reported": sections})
requests = st.none() | st.fixed_dictionaries(
    {}, optional={"desired": patches | st.none(), "reported": patches | st.none()}
)


def shape(value: object) -> object:
    """The tree of *value* with a mark for every scalar; metadata has the same tree with stamps."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "·"


def stamp_shape(state: object, metadata: object) -> object:
    """The tree of *metadata*, reading a stamp where *state* has a scalar."""
    if isinstance(state, dict):
        assert isinstance(metadata, dict)
        assert metadata.keys() == state.keys()
        return {key: stamp_shape(state[key], metadata[key]) for key in state}
    if isinstance(state, list):
        assert isinstance(metadata, list)
        assert len(metadata) == len(state)
        return [stamp_shape(item, stamps) for item, stamps in zip(state, metadata, strict=True)]
    assert isinstance(metadata, dict)
    assert list(metadata) == ["timestamp"]
    assert type(metadata["timestamp"]) is int
    return "·"


def stamps(state: Any, metadata: Any, path: tuple[object, ...] = ()) -> dict[tuple[object, ...], int]:
    """The timestamp of every scalar in *state*."""
    if isinstance(state, dict | list):
        found: dict[tuple[object, ...], int] = {}
        for key in state if isinstance(state, dict) else range(len(state)):
            found |= stamps(state[key], metadata[key], (*path, key))
        return found
    return {path: metadata["timestamp"]}


def scalar_paths(value: Any, path: tuple[object, ...] = ()) -> set[tuple[object, ...]]:
    """Where *value* has scalars other than null."""
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        return {found for key, member in members for found in scalar_paths(member, (*path, key))}
    return set() if value is None else {path}


def holds_null(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


# Laws


@given(sections, sections)
@example({"a": 1}, {"a": True})
@example({"a": [1]}, {"a": [1.0]})
@example({"a": {"b": 1}}, {"a": {}})
@example({"a": {}}, {"a": []})
def test_applying_a_diff_gives_the_other_section(old: Any, new: Any) -> None:
    assert exact(apply_patch(old, diff(old, new)) or {}) == exact(new)


@given(sections)
def test_a_section_does_not_differ_from_itself(section: Any) -> None:
    assert diff(section, copy.deepcopy(section)) == {}


@given(sections, sections)
def test_every_member_of_a_diff_is_needed(old: Any, new: Any) -> None:
    patch = diff(old, new)
    for key in patch or {}:
        without = {other: change for other, change in (patch or {}).items() if other != key}
        assert exact(apply_patch(old, without) or {}) != exact(new)


@given(states, states)
def test_updating_with_a_diff_of_states_gives_the_other_state(old: Any, new: Any) -> None:
    after = updated(stored(old), diff_states(old, new)).document
    assert exact(after.state) == exact({name: section for name, section in new.items() if section})


@given(sections, sections)
def test_nothing_is_outstanding_once_reported_adopts_it(desired: Any, reported: Any) -> None:
    missing = outstanding(desired, reported)
    adopted = apply_patch(reported, missing) or {}
    assert outstanding(desired, adopted) == {}


@given(sections, sections)
def test_outstanding_is_a_part_of_desired(desired: Any, reported: Any) -> None:
    assert exact(apply_patch(desired, outstanding(desired, reported)) or {}) == exact(desired)


@given(sections)
def test_without_reported_all_of_desired_is_outstanding(desired: Any) -> None:
    assert exact(outstanding(desired, None)) == exact(desired)
    assert outstanding(desired, copy.deepcopy(desired)) == {}


@given(sections, sections)
def test_outstanding_fields_are_the_leaves_of_outstanding(desired: Any, reported: Any) -> None:
    fields = outstanding_fields(desired, reported, under="/desired")
    assert len(dict(fields)) == len(fields)
    rebuilt: dict[str, Any] = {}
    for pointer, value in fields:
        *above, last = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[2:]]
        at = rebuilt
        for key in above:
            at = at.setdefault(key, {})
        at[last] = value
    assert exact(rebuilt) == exact(outstanding(desired, reported))


@given(st.lists(requests, max_size=4))
def test_the_version_grows_by_one_and_all_messages_carry_it(bodies: list[Any]) -> None:
    current: ShadowDocument | None = None
    for expected, body in enumerate(bodies, start=1):
        update = updated(current, body)
        assert update.document.version == update.accepted["version"] == expected
        assert update.documents["current"]["version"] == expected  # type: ignore[index, call-overload]  # a JSON object
        assert update.delta is None or update.delta["version"] == expected
        current = update.document


@given(st.lists(requests, max_size=3))
def test_metadata_has_exactly_the_leaves_of_the_state(bodies: list[Any]) -> None:
    current: ShadowDocument | None = None
    for body in bodies:
        update = updated(current, body)
        current = update.document
        assert stamp_shape(current.state, current.metadata) == shape(current.state)
        if update.delta is not None:
            assert stamp_shape(update.delta["state"], update.delta["metadata"]) == shape(update.delta["state"])


@given(states, requests)
def test_only_what_the_update_writes_gets_its_time(before: Any, body: Any) -> None:
    after = updated(stored(before, at=1), body, at=2).document
    written = {path for path, time in stamps(after.state, after.metadata).items() if time == 2}
    assert written == scalar_paths(body)
    assert set(stamps(after.state, after.metadata).values()) <= {1, 2}


@given(states, requests)
def test_nulls_and_empty_sections_are_never_stored(before: Any, body: Any) -> None:
    after = updated(stored(before), body).document
    assert not holds_null(after.state)
    assert all(after.state.values())
    assert set(after.state) <= set(SECTIONS)


@given(states, requests)
def test_the_same_update_again_changes_only_version_and_times(before: Any, body: Any) -> None:
    once = updated(stored(before), body, at=2).document
    twice = updated(once, body, at=3).document
    assert exact(twice.state) == exact(once.state)
    assert twice.version == once.version + 1


@given(states, requests)
def test_documents_and_requests_are_never_changed(before: Any, body: Any) -> None:
    old, request = stored(before), check_request({"state": body})
    told = exact([old, request])
    update = apply_update(old, request, now_s=2)
    new = exact(update.document)
    get_accepted(update.document, now_s=3)
    for payload in (update.accepted, update.delta, update.documents, get_accepted(update.document, now_s=3)):
        wreck(payload)
    assert exact([old, request]) == told
    wreck(request.state)
    assert exact(update.document) == new


def wreck(value: Any) -> None:
    """Empty every container in *value*."""
    if isinstance(value, dict | list):
        for member in list(value.values() if isinstance(value, dict) else value):
            wreck(member)
        value.clear()


@given(states, requests)
def test_a_request_survives_its_way_as_bytes(before: Any, body: Any) -> None:
    payload = json.dumps({"state": body, "clientToken": "t"}).encode()
    from_bytes = apply_update(stored(before), parse_request(payload), now_s=2)
    from_object = updated(stored(before), body, clientToken="t")
    assert exact(from_bytes) == exact(from_object)


json_like = st.recursive(
    scalars | st.none() | st.just(1e300),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(keys | st.sampled_from(SECTIONS), below, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(["state", "version", "clientToken", "x"]), json_like, max_size=4)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    payload = bytearray(json.dumps(draw(bodies)).encode())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(payload)))
        payload[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(payload)


@given(st.binary(max_size=40) | damaged(), st.sampled_from([None, stored({"desired": {"a": 1}}), Tombstone(3, 0)]))
def test_any_bytes_give_a_result_or_the_one_public_error(payload: bytes, before: Any) -> None:
    outcome: Update | DocumentError
    try:
        outcome = apply_update(before, parse_request(payload), now_s=5)
    except DocumentError as error:
        outcome = error
    if isinstance(outcome, DocumentError):
        assert outcome.status in {400, 409, 413, 415}
        assert str(outcome).isprintable()
        assert len(str(outcome)) < 300
        assert str(outcome).startswith(tuple(REFUSALS))
    else:
        json.dumps([outcome.accepted, outcome.delta, outcome.documents], allow_nan=False)


# Requests


def test_a_request_may_have_either_section_a_version_and_a_token() -> None:
    payload = b'{"state":{"desired":{"a":1},"reported":{"b":[2]}},"version":4,"clientToken":"me"}'
    assert parse_request(payload) == UpdateRequest({"desired": {"a": 1}, "reported": {"b": [2]}}, 4, "me")
    assert parse_request(b'{"state":{}}') == UpdateRequest({}, None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Invalid JSON (Expecting value: line 1 column 1 (char 0))"),
        (b'{"state":', "Invalid JSON (Expecting value: line 1 column 10 (char 9))"),
        (b'{"state":{}} {}', "Invalid JSON (Extra data: line 1 column 14 (char 13))"),
        (b'{"state":{"desired":{"a":NaN}}}', "Invalid JSON (NaN is not a JSON number)"),
        (b'{"state":{"desired":{"a":-Infinity}}}', "Invalid JSON (-Infinity is not a JSON number)"),
        (b'{"state":{"desired":{"a":1,"a":2}}}', "Invalid JSON (key 'a' stands twice in one object)"),
        (b'{"state":{},"state":{}}', "Invalid JSON (key 'state' stands twice in one object)"),
        (b'{"state":{"desired":{"a":' + b"9" * 5000 + b"}}}", "Invalid JSON (a number has too many digits)"),
        ({}, "Missing required node: state"),
        ({"desired": {}}, "Missing required node: state"),
        ([], "Missing required node: state"),
        (66, "Missing required node: state"),
        (None, "Missing required node: state"),
        ({"state": []}, "State node must be an object"),
        ({"state": "on"}, "State node must be an object"),
        ({"state": {"desired": 1}}, "Desired node must be an object"),
        ({"state": {"reported": [{}]}}, "Reported node must be an object"),
        ({"state": {}, "version": "1"}, "Invalid version"),
        ({"state": {}, "version": -1}, "Invalid version"),
        ({"state": {}, "version": 1.0}, "Invalid version"),
        ({"state": {}, "version": True}, "Invalid version"),
        ({"state": {}, "clientToken": 5}, "Invalid clientToken (needs a text of at most 64 bytes)"),
        ({"state": {}, "clientToken": "x" * 65}, "Invalid clientToken (needs a text of at most 64 bytes)"),
        ({"state": {}, "clientToken": "é" * 33}, "Invalid clientToken (needs a text of at most 64 bytes)"),
        ({"state": {}, "clientToken": "\ud800"}, "Invalid clientToken (needs a text of at most 64 bytes)"),
        ({"state": {"delta": {}}}, "State contains an invalid node: 'delta'"),
        (
            {"state": {"desired": {"a": [None]}}},
            "State contains an invalid node: /desired/a: an array cannot hold null",
        ),
        (
            {"state": {"reported": {"a": {"b": [{"c": [1, None]}]}}}},
            "State contains an invalid node: /reported/a/b: an array cannot hold null",
        ),
        (
            b'{"state":{"desired":{"a":1e999}}}',
            "State contains an invalid node: /desired/a: inf is not finite, which JSON cannot say",
        ),
        (
            {"state": {"desired": {"a": 2**64}}},
            "State contains an invalid node: /desired/a: integer outside [-2^63, 2^64)",
        ),
        (
            {"state": {"desired": {"a": "\ud800"}}},
            "State contains an invalid node: /desired/a: text with a lone surrogate is not Unicode",
        ),
        (
            {"state": {"desired": {"\ud800": 1}}},
            "State contains an invalid node: /desired: text with a lone surrogate is not Unicode",
        ),
    ],
)
def test_a_wrong_request_is_400_with_the_text_of_aws(body: object, message: str) -> None:
    assert refused(body) == (400, message)


def test_other_encodings_than_utf_8_are_415() -> None:
    text = '{"state":{"desired":{"é":1}}}'
    message = "Unsupported documented encoding; supported encoding is UTF-8"
    assert refused(text.encode("latin-1")) == (415, message)
    assert refused(text.encode("utf-16")) == (415, message)


def test_a_request_beyond_the_message_limit_is_413_unread() -> None:
    status, message = refused(b'{"state":' + b" " * 131_072)
    assert status == 413
    assert message == ("The payload exceeds the maximum size allowed (131081 bytes of request, the limit is 131072)")


def nested(levels: int) -> dict[str, Any]:
    value: Any = {}
    for _ in range(levels):
        value = {"n": value}
    return value  # type: ignore[no-any-return]  # levels is at least 1


def test_the_nesting_limit_is_a_setting_with_the_number_of_the_quotas_page() -> None:
    assert parse_request(json.dumps({"state": {"desired": nested(8)}}).encode())
    message = "JSON contains too many levels of nesting; maximum is {}"
    assert refused({"state": {"desired": nested(9)}}) == (400, message.format(8))
    assert refused({"state": {"reported": nested(7)}}, limits=Limits(nesting_max=6)) == (400, message.format(6))
    assert refused({"state": {"reported": {"a": [[[[[[[[1]]]]]]]]}}}) == (400, message.format(8))
    assert refused(b'{"state":{"desired":' + b'{"a":' * 20_000) == (400, message.format(8))
    assert refused(b"[" * 100_000) == (400, message.format(8))


def test_levels_are_counted_as_on_the_quotas_page() -> None:
    values: list[Any] = [1, {}, [], {"a": {}}, {"a": 1}, [[1]], nested(5)]
    assert [depth(value) for value in values] == [0, 0, 0, 1, 1, 2, 5]


def test_a_token_of_64_bytes_is_allowed() -> None:
    assert parse_request(b'{"state":{},"clientToken":"' + b"x" * 64 + b'"}').client_token == "x" * 64


def test_null_for_version_or_token_means_absent() -> None:
    assert parse_request(b'{"state":{},"version":null,"clientToken":null}') == UpdateRequest({})


def test_members_beside_state_are_ignored() -> None:
    assert parse_request(b'{"state":{},"timestamp":0,"metadata":[],"desired":1}') == UpdateRequest({})


def test_a_parsed_body_is_copied() -> None:
    body = {"state": {"desired": {"list": [1, [2]], "map": {"a": 1}}}}
    request = check_request(body)
    wreck(body)
    assert request.state == {"desired": {"list": [1, [2]], "map": {"a": 1}}}


@pytest.mark.parametrize("section", [{1: 2}, {"a": {2: 1}}, {"a": {1, 2}}, {"a": float("nan")}, {"a": b"x"}])
def test_a_body_that_is_not_json_is_refused(section: object) -> None:
    with pytest.raises(DocumentError, match="State contains an invalid node: /desired"):
        check_request({"state": {"desired": section}})


def test_a_body_that_holds_itself_is_refused() -> None:
    section: dict[str, Any] = {}
    section["a"] = [section]
    with pytest.raises(DocumentError, match="too many levels"):
        check_request({"state": {"desired": section}})


def test_refusals_of_hostile_keys_are_one_short_line() -> None:
    status, message = refused({"state": {"desired": {"x\n" * 5_000: [None]}}})
    assert status == 400
    assert message.isprintable()
    assert len(message) < 260


def test_the_token_of_a_wrong_request_can_still_be_found() -> None:
    assert find_client_token(b'{"clientToken":"a","state":[]}') == "a"
    for payload in (b"", b"[]", b"{", b'{"clientToken":1}', b"\xff", b"{}", b"[" * 100_000):
        assert find_client_token(payload) is None


# Updates


def test_objects_merge_recursively() -> None:
    before = stored({"desired": {"limits": {"low": 1, "high": 9}, "led": "on"}})
    after = updated(before, {"desired": {"limits": {"high": 8}}}).document
    assert after.state == {"desired": {"limits": {"low": 1, "high": 8}, "led": "on"}}


def test_arrays_are_replaced_whole() -> None:
    before = stored({"desired": {"colors": ["RED", "GREEN", "BLUE"]}})
    assert updated(before, {"desired": {"colors": ["RED"]}}).document.state == {"desired": {"colors": ["RED"]}}


def test_scalars_and_objects_replace_each_other() -> None:
    before = stored({"desired": {"a": 1, "b": {"c": 2}}})
    after = updated(before, {"desired": {"a": {"c": 2}, "b": 1}}).document
    assert after.state == {"desired": {"a": {"c": 2}, "b": 1}}
    assert stamp_shape(after.state, after.metadata) == shape(after.state)


def test_null_removes_a_leaf_a_subtree_or_a_section() -> None:
    before = stored({"desired": {"a": 1, "b": {"c": 2, "d": 3}}, "reported": {"e": 4}})
    assert updated(before, {"desired": {"a": None}}).document.state["desired"] == {"b": {"c": 2, "d": 3}}
    assert updated(before, {"desired": {"b": None}}).document.state["desired"] == {"a": 1}
    assert updated(before, {"desired": None}).document.state == {"reported": {"e": 4}}


def test_removing_what_is_not_there_changes_nothing() -> None:
    before = stored({"desired": {"a": 1}})
    patch = {"desired": {"b": None, "a": {"c": None}}, "reported": {"d": None}}
    after = updated(before, patch).document
    assert after == ShadowDocument(before.state, before.metadata, 2)


def test_an_emptied_or_empty_section_vanishes() -> None:
    before = stored({"desired": {"a": 1}, "reported": {}})
    assert before.state == {"desired": {"a": 1}}
    after = updated(before, {"desired": {"a": None}}).document
    assert (after.state, after.metadata) == ({}, {})


def test_an_empty_section_in_a_request_removes_nothing() -> None:
    before = stored({"desired": {"a": 1}})
    assert updated(before, {"desired": {}}).document.state == before.state


def test_an_empty_object_is_stored_as_a_value() -> None:
    assert stored({"desired": {"d": {}}}).state == {"desired": {"d": {}}}
    assert stored({"desired": {"d": {}}}).metadata == {"desired": {"d": {}}}
    before = stored({"desired": {"b": {"c": 3}}})
    assert updated(before, {"desired": {"b": {"c": {}}}}).document.state == {"desired": {"b": {"c": {}}}}
    assert updated(before, {"desired": {"b": {}}}).document.state == before.state


def test_a_subtree_of_nulls_is_not_stored() -> None:
    after = stored({"desired": {"keep": 1, "gone": {"a": None, "b": {"c": None}}, "some": {"a": None, "b": {}}}})
    assert after.state == {"desired": {"keep": 1, "some": {"b": {}}}}


def test_a_nested_map_whose_last_child_was_removed_stays() -> None:
    before = stored({"desired": {"b": {"c": 3}}})
    after = updated(before, {"desired": {"b": {"c": None}}}).document
    assert (after.state, after.metadata) == ({"desired": {"b": {}}}, {"desired": {"b": {}}})


def test_an_empty_state_is_accepted_and_takes_a_version() -> None:
    before = stored({"desired": {"a": 1}})
    update = updated(before, {})
    assert update.document == ShadowDocument(before.state, before.metadata, 2)
    assert update.accepted == {"state": {}, "metadata": {}, "version": 2, "timestamp": 2}


def test_an_empty_state_creates_a_shadow() -> None:
    assert get_accepted(stored({}), now_s=3) == {"state": {}, "metadata": {}, "version": 1, "timestamp": 3}


# What is outstanding


@pytest.mark.parametrize(
    ("desired", "reported", "missing"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]}, {}),
        ({"a": 1}, {"a": True}, {"a": 1}),
        ({"a": 0}, {"a": False}, {"a": 0}),
        ({"a": "1"}, {"a": 1}, {"a": "1"}),
        ({"a": [1]}, {"a": [True]}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1, 2]}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1]}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}),
        ({"a": [{}]}, {"a": [[]]}, {"a": [{}]}),
        ({"a": {"b": [1], "c": 2}}, {"a": {"b": [2], "c": 2}}, {"a": {"b": [1]}}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": 1}),
        ({"a": 1}, {"b": 1}, {"a": 1}),
        ({}, {"b": 1}, {}),
        (None, {"b": 1}, {}),
        ({"a": {}}, {"b": 1}, {"a": {}}),
        ({"a": {}}, {"a": {"b": 1}}, {}),
        ({"a": {}}, {"a": 1}, {"a": {}}),
        ({"a": 2**53 + 1}, {"a": float(2**53)}, {"a": 2**53 + 1}),
    ],
)
def test_outstanding_lists_the_differing_leaves_of_desired(desired: Any, reported: Any, missing: Any) -> None:
    assert exact(outstanding(desired, reported)) == exact(missing)


def test_delta_lists_every_difference_not_only_this_update() -> None:
    before = stored({"desired": {"led": "on", "speed": 3}, "reported": {"led": "off", "up": True}}, at=1)
    update = updated(before, {"reported": {"temperature": 21}}, at=2)
    assert update.delta == {
        "version": 2,
        "timestamp": 2,
        "state": {"led": "on", "speed": 3},
        "metadata": {"led": {"timestamp": 1}, "speed": {"timestamp": 1}},
    }


def test_there_is_no_delta_when_nothing_is_outstanding() -> None:
    before = stored({"desired": {"led": "on"}})
    assert updated(before, {"reported": {"led": "on"}}).delta is None


def test_outstanding_fields_can_stand_under_their_section() -> None:
    fields = outstanding_fields({"a/b": {"c": [1]}, "d": {}}, {}, under="/desired")
    assert fields == [("/desired/a~1b/c", [1]), ("/desired/d", {})]


# Messages


def test_accepted_echoes_the_request_and_stamps_what_stands() -> None:
    before = stored({"desired": {"a": 1, "b": 2}})
    update = updated(before, {"desired": {"a": None, "c": [1, [2]]}, "reported": None}, at=9, clientToken="t")
    assert update.accepted == {
        "state": {"desired": {"a": None, "c": [1, [2]]}, "reported": None},
        "metadata": {"desired": {"c": [{"timestamp": 9}, [{"timestamp": 9}]]}},
        "version": 2,
        "timestamp": 9,
        "clientToken": "t",
    }
    assert list(update.accepted) == ["state", "metadata", "version", "timestamp", "clientToken"]


def test_documents_tell_the_whole_state_before_and_after() -> None:
    first = updated(None, {"desired": {"a": 1}}, at=5)
    snapshot = {"state": {"desired": {"a": 1}}, "metadata": {"desired": {"a": {"timestamp": 5}}}, "version": 1}
    told: dict[str, Any] = {"previous": None, "current": snapshot, "timestamp": 5}
    assert first.documents == told
    second = updated(first.document, {"desired": {"b": 2}}, at=6, clientToken="t")
    told = {
        "previous": snapshot,
        "current": {
            "state": {"desired": {"a": 1, "b": 2}},
            "metadata": {"desired": {"a": {"timestamp": 5}, "b": {"timestamp": 6}}},
            "version": 2,
        },
        "timestamp": 6,
        "clientToken": "t",
    }
    assert second.documents == told


def test_get_returns_the_state_with_delta_metadata_version_and_time() -> None:
    document = updated(stored({"desired": {"a": 1, "b": 2}}), {"reported": {"a": 1}}, at=2).document
    payload: dict[str, Any] = get_accepted(document, now_s=3, client_token="t")
    assert payload == {
        "state": {"desired": {"a": 1, "b": 2}, "reported": {"a": 1}, "delta": {"b": 2}},
        "metadata": {
            "desired": {"a": {"timestamp": 1}, "b": {"timestamp": 1}},
            "reported": {"a": {"timestamp": 2}},
        },
        "version": 2,
        "timestamp": 3,
        "clientToken": "t",
    }
    assert list(payload["state"]) == ["desired", "reported", "delta"]


def test_a_refusal_as_a_message_has_only_the_text_of_aws() -> None:
    def message(body: bytes) -> object:
        with pytest.raises(DocumentError) as caught:
            updated(stored({}), **json.loads(body)) if body.startswith(b'{"state') else parse_request(body)
        return rejected(caught.value, now_s=1)["message"]

    assert message(b"{") == "Invalid JSON"
    assert message(b'{"state":{},"version":7}') == "Version conflict"
    assert message(b'{"state":{"delta (a)":{}}}') == "State contains an invalid node: 'delta (a)'"
    assert rejected(refusal("Forbidden"), now_s=1) == {"code": 403, "message": "Forbidden", "timestamp": 1}


def test_a_text_that_aws_does_not_have_cannot_be_refused_with() -> None:
    with pytest.raises(KeyError):
        refusal("Unprocessable")
    assert 422 not in REFUSALS.values()


# Versions


def test_a_stale_version_is_409() -> None:
    current = updated(stored({"desired": {"a": 1}}), {}).document
    for version in (0, 1, 3):
        with pytest.raises(DocumentError, match=rf"Version conflict .*version {version}, the shadow is at 2") as caught:
            updated(current, {}, version=version)
        assert caught.value.status == 409
    assert updated(current, {}, version=2).document.version == 3


def test_a_shadow_that_does_not_exist_is_at_version_0() -> None:
    assert updated(None, {}, version=0).document.version == 1
    with pytest.raises(DocumentError, match="Version conflict"):
        updated(None, {}, version=1)


def test_a_version_is_judged_before_the_size() -> None:
    with pytest.raises(DocumentError) as caught:
        updated(stored({}), {"desired": {"a": "x" * 9_000}}, version=5)
    assert caught.value.status == 409


def test_what_does_not_exist_cannot_be_read_or_deleted() -> None:
    for gone in (None, Tombstone(3, 0)):
        with pytest.raises(DocumentError, match="No shadow exists with name: 'T'") as caught:
            get_accepted(gone, now_s=1, name="T")
        assert caught.value.status == 404
        with pytest.raises(DocumentError, match="No shadow exists with name: 'T'"):
            delete(gone, 1, name="T")


def test_delete_tells_the_deleted_version() -> None:
    deletion = delete(stored({"desired": {"a": 1}}), 9, client_token="t")
    assert deletion.accepted == {"version": 1, "timestamp": 9, "clientToken": "t"}


# Sizes


def test_the_size_is_that_of_both_compact_sections() -> None:
    state: dict[str, Any] = {"desired": {"é": [1, 2]}, "reported": {"b": {"c": None}}}
    assert size_bytes(state) == len('{"é":[1,2]}'.encode()) + len('{"b":{"c":null}}')
    assert size_bytes({}) == size_bytes({"desired": {}, "reported": None}) == 0
    assert size_bytes(stored({"desired": {"a": 1}})) == len('{"a":1}')


def test_the_limit_is_exact_and_can_be_raised() -> None:
    fits = {"desired": {"a": "x" * (4_096 - 8)}, "reported": {"a": "x" * (4_096 - 8)}}
    assert size_bytes(updated(None, fits).document) == 8_192
    too_large = {"desired": {"a": "x" * (4_096 - 7)}, "reported": {"a": "x" * (4_096 - 8)}}
    with pytest.raises(DocumentError, match=r"\(8193 bytes of desired and reported, the limit is 8192\)") as caught:
        updated(None, too_large)
    assert caught.value.status == 413
    request = check_request({"state": too_large})
    assert apply_update(None, request, now_s=1, limits=Limits(shadow_bytes_max=30 * 1024)).document.version == 1


def test_the_limit_judges_the_outcome_not_the_request() -> None:
    half = {"desired": {"a": "x" * 5_000}}
    with pytest.raises(DocumentError) as caught:
        updated(stored(half), {"desired": {"b": "x" * 5_000}})
    assert caught.value.status == 413
    swapped = updated(stored(half), {"desired": {"a": None, "b": "x" * 5_000}})
    assert swapped.document.state == {"desired": {"b": "x" * 5_000}}


# Names and topics


@pytest.mark.parametrize("name", ["T", "a:b_c-9", "x" * 128])
def test_thing_names_that_aws_allows(name: str) -> None:
    assert check_thing_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 129, "a b", "a/b", "$a", "é", "a\n", None, 5, "x" * 10_000])
def test_thing_names_that_aws_refuses(name: object) -> None:
    with pytest.raises(InvalidValue, match=r"thing name .* needs 1 to 128 of A-Z a-z 0-9 : _ -") as caught:
        check_thing_name(name)
    assert len(str(caught.value)) < 300


def test_shadow_names() -> None:
    assert check_shadow_name("$a:b_c-9") == "$a:b_c-9"
    assert check_shadow_name("x" * 64)
    for name in ("", "x" * 65, "a/b", None):
        with pytest.raises(InvalidValue, match="needs 1 to 64 of"):
            check_shadow_name(name)


names = st.sampled_from(["T", "name", "shadow", "get", "update"])


@given(names, st.none() | names | st.just("$x"), st.sampled_from(OPERATIONS))
def test_topics_are_read_as_they_were_built(thing: str, shadow: str | None, operation: str) -> None:
    assert parse_topic(build_topic(thing, operation, shadow=shadow)) == Topic(thing, shadow, operation)


def test_topics_of_classic_and_named_shadows() -> None:
    assert build_topic("T", "update") == "$aws/things/T/shadow/update"
    assert build_topic("T", "update/documents", shadow="S") == "$aws/things/T/shadow/name/S/update/documents"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "$aws/things/T/shadow",
        "$aws/things/T/shadow/",
        "$aws/things/T/shadow/S/update",
        "$aws/things/T/shadow/update/delta/x",
        "$aws/things/T/shadow/name/S",
        "$aws/things/T/shadow/name//update",
        "$aws/things//shadow/update",
        "$aws/things/T/shadow/name/a b/update",
        "$aws/things/+/shadow/update",
        "aws/things/T/shadow/update",
        "$aws/things/T/jobs/get",
        "crdtshadow/T/S/delta",
    ],
)
def test_other_topics_are_no_shadow_topics(topic: str) -> None:
    assert parse_topic(topic) is None


@given(
    st.text(max_size=30) | st.lists(st.sampled_from(["$aws", "things", "shadow", "name", "get", "T", ""])).map("/".join)
)
def test_any_text_is_a_topic_or_is_not(topic: str) -> None:
    parsed = parse_topic(topic)
    assert parsed is None or build_topic(parsed.thing, parsed.operation, shadow=parsed.shadow) == topic


def test_a_topic_of_an_unknown_operation_is_not_built() -> None:
    with pytest.raises(InvalidValue, match="shadow operation 'patch': needs one of get, get/accepted"):
        build_topic("T", "patch")


# Bugs others had


@pytest.mark.parametrize("key", ["state", "metadata", "version", "timestamp", "desired", "delta", "clientToken"])
def test_regression_user_keys_named_like_those_of_aws(key: str) -> None:
    """aws-greengrass-shadow-manager 198: removing a user's key ``state`` emptied the wrong thing."""
    before = stored({"desired": {key: {key: 1}, "a": 1}, "reported": {key: 2}}, at=1)
    after = updated(before, {"desired": {key: {key: 3}}}, at=2)
    assert after.document.state == {"desired": {key: {key: 3}, "a": 1}, "reported": {key: 2}}
    assert after.document.metadata["desired"] == {key: {key: {"timestamp": 2}}, "a": {"timestamp": 1}}
    assert after.delta is not None
    assert after.delta["state"] == {key: {key: 3}, "a": 1}
    assert updated(before, {"desired": {key: None}}).document.state == {"desired": {"a": 1}, "reported": {key: 2}}


def test_regression_null_state_clears_both_sections() -> None:
    """aws-greengrass-shadow-manager 128: ``state: null`` left the old fields standing."""
    before = stored({"desired": {"a": 1}, "reported": {"b": 2}})
    update = updated(before, None)
    assert update.document == ShadowDocument({}, {}, 2)
    assert update.accepted == {"state": None, "metadata": {}, "version": 2, "timestamp": 2}
    assert update.delta is None
    assert updated(update.document, {"desired": {"c": 3}}).document.state == {"desired": {"c": 3}}


def test_regression_too_large_although_it_fits() -> None:
    """aws-greengrass-shadow-manager 126: white space and metadata were counted."""
    state = {"reported": {f"key{number}": number for number in range(500)}}
    payload = json.dumps({"state": state}, indent=8).encode()
    document = apply_update(None, parse_request(payload), now_s=1).document
    assert len(payload) > 8_192
    assert len(json.dumps(document.metadata)) > 8_192
    assert size_bytes(document) < 8_192


def test_regression_accepted_and_delta_carry_the_same_version() -> None:
    """aws-iot-device-sdk-python 92, 94: the second of the two messages was dropped as old."""
    update = updated(stored({"desired": {"a": 1}}), {"desired": {"a": 2}})
    assert update.delta is not None
    assert update.accepted["version"] == update.delta["version"] == update.document.version == 2


def test_regression_a_recreated_shadow_counts_on() -> None:
    """aws-greengrass-shadow-manager 98: a recreated shadow looked older than its own deletion."""
    document = updated(stored({"desired": {"a": 1}}), {"desired": {"a": 2}}).document
    tombstone = delete(document, 100).tombstone
    again = updated(tombstone, {"desired": {"b": 1}}, at=100 + TOMBSTONE_S)
    assert again.document.version == 4 > tombstone.version > document.version
    assert again.document.state == {"desired": {"b": 1}}
    assert again.documents["previous"] is None
    late = updated(tombstone, {"desired": {"b": 1}}, at=100 + TOMBSTONE_S + 1)
    assert late.document.version == 1
    with pytest.raises(DocumentError, match="Version conflict"):
        updated(tombstone, {}, at=101, version=document.version)


def test_regression_metadata_of_emptied_maps_stays_in_step() -> None:
    """aws-greengrass-shadow-manager 212, 222: metadata was dropped and the delta's lookup crashed."""
    before = stored({"desired": {"node": {"a": 1, "b": 2}}})
    update = updated(before, {"desired": {"node": {"a": None, "b": None}}})
    assert update.delta == {"version": 2, "timestamp": 2, "state": {"node": {}}, "metadata": {"node": {}}}


def test_a_document_with_incomplete_metadata_still_works() -> None:
    partly = ShadowDocument({"desired": {"a": {"b": 1, "c": 2}}}, {"desired": {"a": {}}}, 3)
    update = updated(partly, {"desired": {"a": {"b": 5}}})
    assert update.document.metadata == {"desired": {"a": {"b": {"timestamp": 2}}}}
    assert update.delta is not None
    assert update.delta["metadata"] == {"a": {"b": {"timestamp": 2}}}


def test_importing_the_module_imports_no_parser() -> None:
    code = "import sys; before = set(sys.modules); import crdtshadow.document; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"json", "dataclasses"} & set(found.stdout.split())


def test_every_refusal_text_of_this_module_is_in_its_table() -> None:
    assert set(REFUSALS.values()) == {400, 401, 403, 404, 409, 413, 415, 500}
    assert all(f"{name.capitalize()} node must be an object" in REFUSALS for name in (*SECTIONS, "state"))
    assert Limits(8_192, 8, 64, 131_072) == DEFAULT_LIMITS
