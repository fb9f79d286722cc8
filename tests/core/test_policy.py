"""Policies: what their JSON may be, what each member decides, and what a wrong one is told."""

from __future__ import annotations

import json
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import InvalidPolicy, Policy
from crdtshadow.policy import DEFAULT_RANKS, LEVELS, OVERRIDES_MAX, RULES, STRATEGIES

KNOWN = "knows strategy, overrides, auto_resolve_threshold, ranks, priorities and field_priorities"


def policy(**members: Any) -> Policy:
    return Policy.from_json(members)


def refusal(data: Any) -> str:
    with pytest.raises(InvalidPolicy) as caught:
        Policy.from_json(data)
    return str(caught.value)


def test_the_default_merges_field_by_field_and_never_asks() -> None:
    default = Policy()
    assert default == Policy.from_json({}) == Policy.from_json("{}") == Policy.from_json(b"{}")
    assert default.strategy == "field_level_merge"
    assert default.auto_resolve_threshold is None
    assert default.strategy_at("/desired/a") == "field_level_merge"
    assert default.rule_at("/desired/a") == ""
    assert default.to_json() == {}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_strategy_holds_everywhere(strategy: str) -> None:
    assert policy(strategy=strategy).strategy == strategy
    assert policy(strategy=strategy).strategy_at("/reported/x/y") == strategy


# Overrides


def test_the_first_override_that_fits_decides_and_rules_do_not_stand_in_its_way() -> None:
    given_rules = policy(
        strategy="manual_review",
        overrides=[
            {"path": "/desired/**", "rule": "max"},
            {"path": "/desired/a", "strategy": "last_writer_wins"},
            {"path": "/desired/*", "strategy": "priority_based"},
            {"path": "/desired/a", "rule": "min"},
        ],
    )
    assert given_rules.strategy_at("/desired/a") == "last_writer_wins"
    assert given_rules.strategy_at("/desired/b") == "priority_based"
    assert given_rules.strategy_at("/desired/b/c") == "manual_review"
    assert given_rules.rule_at("/desired/a") == "max"
    assert given_rules.rule_at("/reported/a") == ""


def test_strategies_do_not_stand_in_the_way_of_rules() -> None:
    both = policy(overrides=[{"path": "/t", "strategy": "manual_review"}, {"path": "/t", "rule": "max"}])
    assert both.rule_at("/t") == "max"
    assert both.strategy_at("/t") == "manual_review"


@pytest.mark.parametrize("rule", RULES)
def test_a_policy_knows_its_rules(rule: str) -> None:
    ruled = policy(overrides=[{"path": "/reported/n", "rule": rule}, {"path": "/x", "strategy": "manual_review"}])
    assert ruled.rule_at("/reported/n") == rule
    assert ruled.has_rule(rule)
    assert ruled.has_rule("none", rule)
    assert not ruled.has_rule(*(other for other in RULES if other != rule))
    assert not ruled.has_rule()


# Priorities and ranks


def test_ranks_are_by_the_longest_pattern_that_fits_an_exact_name_first() -> None:
    ranked = policy(ranks={"*": 1, "app*": 2, "app-1*": 3, "app-12": -4, "*2": 9})
    ranks = {name: ranked.priority("/desired/a", name) for name in ("x", "app-2", "app-1", "app-13", "app-12", "b2")}
    assert ranks == {
        "x": (0, 1),
        "app-2": (0, 2),
        "app-1": (0, 3),
        "app-13": (0, 3),
        "app-12": (0, -4),
        "b2": (0, 9),
    }


def test_patterns_of_one_length_are_tried_in_the_order_of_their_letters() -> None:
    assert policy(ranks={"b*": 1, "*b": 2}).priority("/d", "bb") == (0, 2)
    assert policy(ranks={"*b": 2, "b*": 1}).priority("/d", "bb") == (0, 2)


def test_whom_no_pattern_fits_ranks_zero() -> None:
    assert policy(ranks={"cloud": 5}).priority("/d", "device") == (0, 0)


def test_the_default_ranks_put_the_cloud_above_apps_above_gateways_above_devices() -> None:
    default = Policy()
    assert [default.priority("/d", name)[1] for name in ("cloud", "app-7", "gateway", "lamp")] == [30, 25, 20, 10]
    assert dict(DEFAULT_RANKS) == {"*": 10, "gateway*": 20, "app*": 25, "cloud*": 30}


def test_who_is_in_an_order_comes_before_all_who_are_not() -> None:
    ordered = policy(
        ranks={"*": 7},
        priorities=[
            {"path": "/reported/**", "order": ["device*", "cloud"]},
            {"path": "/reported/a", "order": ["cloud"]},
        ],
    )
    assert ordered.priority("/reported/a", "device-1") == (1, 0)
    assert ordered.priority("/reported/a", "cloud") == (1, -1)
    assert ordered.priority("/reported/a", "app") == (0, 7)
    assert ordered.priority("/desired/a", "device-1") == (0, 7)


def test_only_the_first_order_that_fits_a_path_counts() -> None:
    ordered = policy(ranks={}, priorities=[{"path": "/a", "order": ["x"]}, {"path": "/a", "order": ["y"]}])
    assert ordered.priority("/a", "y") == (0, 0)


@pytest.mark.parametrize(("level", "expected"), [("high", (0, 30)), ("low", (0, -30)), ("medium", (0, 0))])
def test_a_field_may_count_ranks_up_down_or_not_at_all(level: str, expected: tuple[int, int]) -> None:
    leveled = policy(field_priorities={"mode": level, "/reported/t": level, "/x/*/y": level})
    for path in ("/desired/mode", "/mode", "/a/b/mode/c", "/reported/t", "/reported/t/deep", "/x/1/y"):
        assert leveled.priority(path, "cloud") == expected
        assert leveled.strategy_at(path) == "priority_based"
    for path in ("/desired/modes", "/desired/reported/t", "/reported/tt", "/x/y"):
        assert leveled.priority(path, "cloud") == (0, 30)
        assert leveled.strategy_at(path) == "field_level_merge"


def test_a_fields_name_is_taken_as_it_is() -> None:
    leveled = policy(field_priorities={"a/b~c": "low"})
    assert leveled.strategy_at("/desired/a~1b~0c") == "priority_based"
    assert leveled.strategy_at("/desired/a") == "field_level_merge"


def test_the_first_field_priority_that_fits_decides_and_overrides_come_before() -> None:
    leveled = policy(
        overrides=[{"path": "/desired/b", "strategy": "manual_review"}],
        field_priorities={"a": "low", "/desired/a": "high", "b": "high"},
    )
    assert leveled.priority("/desired/a", "cloud") == (0, -30)
    assert leveled.strategy_at("/desired/b") == "manual_review"
    assert leveled.strategy_at("/reported/b") == "priority_based"


# Data


EVERYTHING: dict[str, Any] = {
    "strategy": "manual_review",
    "overrides": [{"path": "/a", "rule": "max"}, {"path": "/b", "strategy": "last_writer_wins"}],
    "auto_resolve_threshold": 1,
    "ranks": {"*": -1},
    "priorities": [{"path": "/a", "order": ["x", "y*"]}],
    "field_priorities": {"a": "low"},
}


def test_a_policy_gives_back_what_it_was_made_from() -> None:
    made = Policy.from_json(EVERYTHING)
    assert made.to_json() == EVERYTHING
    assert made == Policy.from_json(json.dumps(EVERYTHING)) == Policy.from_json(json.dumps(EVERYTHING).encode())
    assert eval(repr(made), {"Policy": Policy}) == made
    assert made != Policy()
    assert made != EVERYTHING
    assert Policy() != {}


def test_a_policy_does_not_change_with_the_data_around_it() -> None:
    data = json.loads(json.dumps(EVERYTHING))
    made = Policy.from_json(data)
    data["overrides"][0]["path"] = "/z"
    given_back: Any = made.to_json()
    given_back["overrides"][0]["path"] = "/z"
    given_back["priorities"][0]["order"].append("z")
    assert made.to_json() == EVERYTHING


def test_any_kind_of_mapping_and_sequence_will_do() -> None:
    order = ("x", "y")
    data = OrderedDict(overrides=(MappingProxyType({"path": "/a", "rule": "set"}),), ranks=MappingProxyType({"x": 1}))
    made = Policy.from_json({**data, "priorities": ({"path": "/a", "order": order},)})
    assert made.to_json() == {
        "overrides": [{"path": "/a", "rule": "set"}],
        "ranks": {"x": 1},
        "priorities": [{"path": "/a", "order": ["x", "y"]}],
    }
    assert made.priority("/a", "y") == (1, -1)


def test_a_policy_cannot_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(Policy())


# Refusals


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "policy: needs an object, not list"),
        (None, "policy: needs an object, not NoneType"),
        ("[]", "policy: needs an object, not list"),
        ("3", "policy: needs an object, not int"),
        (b'"x"', "policy: needs an object, not str"),
        ({3: 1}, "policy: member 3 is not a string"),
        ({"rules": []}, f"policy: unknown member 'rules', {KNOWN}"),
        ({"strategy": "newest"}, "strategy: 'newest', needs " + ", ".join(STRATEGIES[:-1]) + " or manual_review"),
        ({"strategy": 3}, "strategy: 3, needs " + ", ".join(STRATEGIES[:-1]) + " or manual_review"),
        ({"overrides": {}}, "overrides: needs an array, not dict"),
        ({"overrides": "ab"}, "overrides: needs an array, not str"),
        ({"overrides": [3]}, "overrides[0]: needs an object, not int"),
        (
            {"overrides": [{"path": "/a", "rule": "max", "by": 1}]},
            "overrides[0]: unknown member 'by', knows path, strategy and rule",
        ),
        ({"overrides": [{"path": "/a"}]}, "overrides[0]: needs either a strategy or a rule"),
        (
            {"overrides": [{"path": "/a", "rule": "max", "strategy": "manual_review"}]},
            "overrides[0]: needs either a strategy or a rule",
        ),
        ({"overrides": [{"path": "/a", "rule": "max"}, {"rule": "max"}]}, "overrides[1].path: ..."),
        ({"overrides": [{"path": "a", "rule": "max"}]}, "overrides[0].path: ..."),
        (
            {"overrides": [{"path": "/a", "rule": "first"}]},
            "overrides[0].rule: 'first', needs max, min, union, counter or set",
        ),
        (
            {"overrides": [{"path": "/a", "strategy": "max"}]},
            "overrides[0].strategy: 'max', needs field_level_merge, last_writer_wins, priority_based or manual_review",
        ),
        ({"auto_resolve_threshold": 0}, "auto_resolve_threshold: 0, needs 1 or more, or null"),
        ({"auto_resolve_threshold": -1}, "auto_resolve_threshold: -1, needs 1 or more, or null"),
        ({"auto_resolve_threshold": True}, "auto_resolve_threshold: True, needs an integer"),
        ({"auto_resolve_threshold": 1.0}, "auto_resolve_threshold: 1.0, needs an integer"),
        ({"ranks": []}, "ranks: needs an object, not list"),
        ({"ranks": {"a": 1, 2: 3}}, "ranks: member 2 is not a string"),
        ({"ranks": {"x": "1"}}, "ranks['x']: '1', needs an integer"),
        ({"ranks": {"x": False}}, "ranks['x']: False, needs an integer"),
        ({"priorities": 3}, "priorities: needs an array, not int"),
        ({"priorities": ["x"]}, "priorities[0]: needs an object, not str"),
        (
            {"priorities": [{"path": "/a", "order": [], "x": 1}]},
            "priorities[0]: unknown member 'x', knows path and order",
        ),
        ({"priorities": [{"path": "/a"}]}, "priorities[0].order: needs an array, not NoneType"),
        (
            {"priorities": [{"path": "/a", "order": ["x", ""]}]},
            "priorities[0].order[1]: '', needs a replica's name or a pattern of names",
        ),
        (
            {"priorities": [{"path": "/a", "order": [3]}]},
            "priorities[0].order[0]: 3, needs a replica's name or a pattern of names",
        ),
        ({"priorities": [{"path": "/a", "order": []}, {"path": 3, "order": []}]}, "priorities[1].path: ..."),
        ({"field_priorities": []}, "field_priorities: needs an object, not list"),
        ({"field_priorities": {"": "low"}}, "field_priorities['']: needs a field's name or path"),
        ({"field_priorities": {"a": "lowest"}}, "field_priorities['a']: 'lowest', needs high, medium or low"),
        ({"field_priorities": {"/~": "low"}}, "field_priorities['/~']: ..."),
        ({"field_priorities": {"\ud800": "low"}}, "field_priorities['\\ud800']: ..."),
    ],
)
def test_a_wrong_policy_is_refused_with_the_place_and_the_reason(data: Any, message: str) -> None:
    told = refusal(data)
    assert told == message or (message.endswith("...") and told.startswith(message[:-3])), told


@pytest.mark.parametrize("text", ["", "{", b"\xff", '{"a": }', "[" * 100_000])
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    assert refusal(text).startswith("policy: not JSON: ")


def test_long_things_are_told_briefly() -> None:
    assert len(refusal({"strategy": "x" * 10_000})) < 200
    assert len(refusal({"x" * 10_000: 1})) < 300
    assert len(refusal({"auto_resolve_threshold": -(10**5_00)})) < 200
    assert len(refusal({"ranks": {"a": "x" * 10_000}})) < 200
    assert len(refusal({"priorities": [{"path": "/a", "order": [["x" * 10_000]]}]})) < 200
    assert len(refusal({b"x" * 10_000: 1})) < 200


@pytest.mark.parametrize("member", ["overrides", "priorities", "ranks", "field_priorities"])
def test_how_much_a_policy_may_say_is_bounded(member: str) -> None:
    assert OVERRIDES_MAX == 256
    items: dict[str, Any] = {
        "overrides": {"path": "/a", "rule": "max"},
        "priorities": {"path": "/a", "order": ["x"]},
        "ranks": 1,
        "field_priorities": "low",
    }

    def of(size: int) -> dict[str, Any]:
        if member in ("overrides", "priorities"):
            return {member: [items[member]] * size}
        return {member: {f"n{at}": items[member] for at in range(size)}}

    Policy.from_json(of(OVERRIDES_MAX))
    word = "items" if member in ("overrides", "priorities") else "members"
    assert refusal(of(OVERRIDES_MAX + 1)) == f"{member}: 257 {word}, at most 256 are allowed"


def test_how_many_names_an_order_may_have_is_bounded() -> None:
    names = [f"n{at}" for at in range(OVERRIDES_MAX + 1)]
    policy(priorities=[{"path": "/a", "order": names[1:]}])
    told = refusal({"priorities": [{"path": "/a", "order": names}]})
    assert told == "priorities[0].order: 257 items, at most 256 are allowed"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from([*STRATEGIES, *LEVELS, "/a"]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EVERYTHING, "path"]), inner),
    )
)
def test_any_json_is_a_policy_or_refused(data: Any) -> None:
    try:
        made = Policy.from_json(json.dumps(data))
    except InvalidPolicy:
        return
    assert made.to_json() == data
    assert made.strategy_at("/desired/a") in STRATEGIES
    assert made.rule_at("/desired/a") in ("", *RULES)
    assert made.priority("/desired/a", "cloud")[0] in (0, 1)


def test_an_errors_own_words_are_kept() -> None:
    assert refusal({"overrides": [{"path": "a", "rule": "max"}]}) == (
        "overrides[0].path: " + refusal({"priorities": [{"path": "a", "order": []}]}).partition(": ")[2]
    )
