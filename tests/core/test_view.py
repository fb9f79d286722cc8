"""Views: what a reader sees where writes compete, by each strategy and rule, and what he is told of it.

Each strategy against its definition, on generated histories: `tests/strategies`. Here are its edges, one by one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest

from crdtshadow import REMOVED, Decision, Policy, Replica, Stamp, View, resolve
from crdtshadow.clock import EMPTY_CLOCK
from crdtshadow.lwwmap import LWWMap

Said: TypeAlias = "tuple[str, int, dict[str, Any]]"
"""Who, when, and what was written by path."""

NEWEST_RESTS = "newer than all was a write that has given way since"


def apart(*said: Said) -> LWWMap:
    """Return the state of writes of which none has seen another; but each writer has seen its own."""
    state = LWWMap()
    for name, time, changes in said:
        alone = LWWMap()
        mine = [one for one in said if one[0] == name and one[1] < time]
        for _, earlier, before in sorted(mine, key=lambda one: one[1]):
            alone.write(before, Stamp(earlier, f"{name}#00000000"))
        alone.write(changes, Stamp(time, f"{name}#00000000"))
        state.merge(alone)
    return state


def policy(strategy: str = "field_level_merge", **members: Any) -> Policy:
    return Policy.from_json({"strategy": strategy, **members})


def rule(name: str, path: str = "/n", **members: Any) -> Policy:
    return policy(overrides=[{"path": path, "rule": name}], **members)


def only(view: View) -> Decision:
    (decision,) = view.decisions
    return decision


def accepted(decision: Decision) -> list[tuple[str, str]]:
    return [(write.path, write.stamp.replica.partition("#")[0]) for write in decision.accepted]


# Nothing competes


def test_without_rivals_a_value_shows_with_its_stamp() -> None:
    state = apart(("a", 1, {"/x": 1, "/y/z": "on", "/gone": REMOVED}))
    view = resolve(state, Policy())
    stamp = Stamp(1, "a#00000000")
    assert dict(view.fields) == {"/x": 1, "/y/z": "on"}
    assert dict(view.stamps) == {"/x": stamp, "/y/z": stamp}
    assert view.decisions == ()
    assert view.held == frozenset()
    assert view.document == {"x": 1, "y": {"z": "on"}}


def test_an_empty_state_shows_nothing() -> None:
    view = resolve(LWWMap(), policy("manual_review", auto_resolve_threshold=1))
    assert dict(view.fields) == {} and view.decisions == () and view.document == {}


@pytest.mark.parametrize("strategy", ["field_level_merge", "last_writer_wins", "priority_based", "manual_review"])
def test_the_same_value_written_twice_is_no_conflict(strategy: str) -> None:
    view = resolve(apart(("a", 1, {"/x": 1}), ("b", 2, {"/x": 1})), policy(strategy))
    assert view.decisions == ()
    assert dict(view.stamps) == {"/x": Stamp(2, "b#00000000")}


@pytest.mark.parametrize("strategy", ["field_level_merge", "last_writer_wins", "priority_based", "manual_review"])
def test_removed_twice_is_removed(strategy: str) -> None:
    view = resolve(apart(("a", 1, {"/x": REMOVED}), ("b", 2, {"/x": REMOVED})), policy(strategy))
    assert view.decisions == () and dict(view.fields) == {}


def test_an_empty_map_gives_way_to_what_is_in_it() -> None:
    view = resolve(apart(("a", 2, {"/x": {}}), ("b", 1, {"/x/y": 1})), Policy())
    assert view.decisions == ()
    assert view.document == {"x": {"y": 1}}


def test_what_was_written_above_and_has_given_way_still_hides_what_is_older() -> None:
    here, there = Replica("a", epoch=1, now=lambda: 2), Replica("b", epoch=1, now=lambda: 1)
    there.set("/desired/x/old", 1)
    here.set("/desired/x", 7)
    here.set("/desired/x/new", 2)
    here.merge(there.delta(since=here.clock))
    assert here.view().document == {"desired": {"x": {"new": 2}}}, "the scalar at /x was newer than /x/old"
    by_rank = resolve(here.shadow, policy("priority_based"))
    assert by_rank.document == {"desired": {"x": {"new": 2, "old": 1}}}, "only what is live has a rank"


# field_level_merge


def test_field_by_field_the_newest_shows() -> None:
    state = apart(("a", 1, {"/x": 1, "/y": 1}), ("b", 2, {"/x": 2}), ("c", 3, {"/y": 3}))
    view = resolve(state, Policy())
    assert view.document == {"x": 2, "y": 3}
    assert [decision.conflict.path for decision in view.decisions] == ["/x", "/y"]
    assert [decision.reason for decision in view.decisions] == ["b wrote last", "c wrote last"]
    assert [accepted(decision) for decision in view.decisions] == [[("/x", "b")], [("/y", "c")]]
    assert {decision.strategy for decision in view.decisions} == {"field_level_merge"}
    assert view.held == frozenset() and not any(decision.held for decision in view.decisions)


def test_equal_times_go_to_the_greater_replica() -> None:
    view = resolve(apart(("a", 1, {"/x": 1}), ("b", 1, {"/x": 2})), Policy())
    assert view.document == {"x": 2}


def test_a_newer_removal_shows_as_absence() -> None:
    view = resolve(apart(("a", 1, {"/x": 1}), ("b", 2, {"/x": REMOVED})), Policy())
    assert view.document == {}
    assert only(view).reason == "b wrote last"
    assert accepted(only(view)) == [("/x", "b")]


def test_a_newer_value_above_hides_those_below() -> None:
    state = apart(("a", 1, {"/x/p": 1, "/x/q": 1}), ("b", 2, {"/x": 5}), ("c", 3, {"/x/q": 3}))
    view = resolve(state, Policy())
    assert view.document == {"x": {"q": 3}}, "the newest along each path"
    assert only(view).conflict.path == "/x"
    assert only(view).conflict.paths == ("/x", "/x/p", "/x/q")
    assert accepted(only(view)) == [("/x/q", "c")]


def test_a_newer_removal_above_hides_those_below() -> None:
    view = resolve(apart(("a", 1, {"/x/p": 1}), ("b", 2, {"/x": REMOVED})), Policy())
    assert view.document == {}
    view = resolve(apart(("a", 3, {"/x/p": 1}), ("b", 2, {"/x": REMOVED})), Policy())
    assert view.document == {"x": {"p": 1}}


def test_a_newer_empty_map_above_hides_nothing() -> None:
    state = apart(("a", 1, {"/x/p": 1}), ("b", 2, {"/x": {}}), ("c", 3, {"/x/p": 2}))
    view = resolve(state, Policy())
    assert view.document == {"x": {"p": 2}}


def test_where_the_newest_has_given_way_nothing_of_the_rest_shows() -> None:
    state = apart(("a", 1, {"/x/p": 1}), ("b", 2, {"/x/p": 2}))
    over = LWWMap()
    over.write({"/x": 9}, Stamp(3, "c#00000000"))
    over.write({"/x/q": 4}, Stamp(4, "c#00000000"))
    state.merge(over)
    view = resolve(state, Policy())
    assert view.document == {"x": {"q": 4}}
    assert only(view).accepted == ()
    assert only(view).reason == NEWEST_RESTS


# last_writer_wins


def test_the_last_writer_wins_all_conflicting_fields_of_a_section() -> None:
    state = apart(
        ("a", 1, {"/desired/low": 1, "/desired/high": 2}),
        ("b", 2, {"/desired/low": 5}),
        ("b", 4, {"/desired/high": 6}),
        ("a", 3, {"/desired/mode": "x"}),
        ("b", 5, {"/reported/t": 1}),
        ("a", 6, {"/reported/t": 2}),
    )
    view = resolve(state, policy("last_writer_wins"))
    assert view.document == {"desired": {"low": 5, "high": 6, "mode": "x"}, "reported": {"t": 2}}
    assert [decision.reason for decision in view.decisions] == [
        "b wrote last of those who conflict in this section",
        "b wrote last of those who conflict in this section",
        "a wrote last of those who conflict in this section",
    ]
    assert {decision.strategy for decision in view.decisions} == {"last_writer_wins"}


def test_the_last_writer_wins_even_where_it_wrote_earlier() -> None:
    state = apart(("a", 1, {"/d/x": 1}), ("b", 2, {"/d/x": 2, "/d/y": 2}), ("a", 3, {"/d/y": 3}))
    assert resolve(state, policy("last_writer_wins")).document == {"d": {"x": 1, "y": 3}}
    assert resolve(state, policy("field_level_merge")).document == {"d": {"x": 2, "y": 3}}


def test_a_third_writer_comes_after_the_last_two() -> None:
    state = apart(
        ("a", 1, {"/d/x": 1}),
        ("b", 2, {"/d/x": 2, "/d/y": 2}),
        ("c", 3, {"/d/y": 3, "/d/z": 3}),
        ("a", 4, {"/d/z": 4}),
    )
    view = resolve(state, policy("last_writer_wins"))
    assert view.document == {"d": {"x": 1, "y": 3, "z": 4}}


def test_fields_under_another_strategy_do_not_make_anybody_last() -> None:
    state = apart(("a", 1, {"/d/x": 1}), ("b", 2, {"/d/x": 2}), ("b", 3, {"/d/y": 3}), ("a", 4, {"/d/y": 4}))
    mixed = policy("last_writer_wins", overrides=[{"path": "/d/y", "strategy": "field_level_merge"}])
    assert resolve(state, mixed).document == {"d": {"x": 2, "y": 4}}


def test_what_a_rule_decides_does_not_make_anybody_last() -> None:
    state = apart(("a", 1, {"/d/x": 1}), ("b", 2, {"/d/x": 2}), ("b", 3, {"/d/y": 3}), ("a", 4, {"/d/y": 4}))
    mixed = policy("last_writer_wins", overrides=[{"path": "/d/y", "rule": "min"}])
    assert resolve(state, mixed).document == {"d": {"x": 2, "y": 3}}


def test_the_last_writers_value_above_takes_the_place_of_those_below() -> None:
    state = apart(("a", 1, {"/d/x": 1}), ("a", 3, {"/d/z": 3}), ("b", 2, {"/d/x/y": 2, "/d/z": 0}))
    assert resolve(state, policy("last_writer_wins")).document == {"d": {"x": 1, "z": 3}}


# priority_based


def test_the_highest_rank_shows_however_old() -> None:
    state = apart(("cloud", 1, {"/x": 1}), ("lamp", 9, {"/x": 2}))
    view = resolve(state, policy("priority_based"))
    assert view.document == {"x": 1}
    assert only(view).strategy == "priority_based"
    assert only(view).reason == "cloud ranks highest"
    assert accepted(only(view)) == [("/x", "cloud")]


def test_among_equal_ranks_the_newest_shows() -> None:
    state = apart(("lamp", 2, {"/x": 1}), ("bulb", 1, {"/x": 2}))
    view = resolve(state, policy("priority_based"))
    assert view.document == {"x": 1}
    assert only(view).reason == "lamp wrote last among equal ranks"


def test_a_lower_rank_beside_equal_ones_changes_nothing_of_the_reason() -> None:
    state = apart(("cloud", 1, {"/x": 1}), ("lamp", 2, {"/x": 2}), ("bulb", 3, {"/x": 3}))
    assert only(resolve(state, policy("priority_based"))).reason == "cloud ranks highest"
    state = apart(("cloud", 1, {"/x": 1}), ("cloud2", 2, {"/x": 2}), ("bulb", 3, {"/x": 3}))
    assert only(resolve(state, policy("priority_based"))).reason == "cloud2 wrote last among equal ranks"


def test_the_rank_is_the_one_at_the_path_of_the_write() -> None:
    state = apart(("cloud", 1, {"/x": 1}), ("lamp", 2, {"/x": 2}))
    turned = policy(field_priorities={"/x": "low"})
    assert resolve(state, turned).document == {"x": 2}
    assert only(resolve(state, turned)).reason == "lamp ranks highest"


def test_all_that_clashes_with_nothing_accepted_shows() -> None:
    state = apart(("cloud", 1, {"/x/p": 1}), ("lamp", 2, {"/x": 2}), ("bulb", 3, {"/x/q": 3}))
    view = resolve(state, policy("priority_based"))
    assert view.document == {"x": {"p": 1, "q": 3}}
    assert accepted(only(view)) == [("/x/p", "cloud"), ("/x/q", "bulb")]


def test_a_value_that_clashes_with_a_removal_alone_may_show_beside() -> None:
    state = apart(("cloud", 1, {"/x": REMOVED}), ("lamp", 2, {"/x": 2}))
    view = resolve(state, policy("priority_based"))
    assert view.document == {}
    assert accepted(only(view)) == [("/x", "cloud")]


# manual_review


def test_a_conflict_is_held_and_shows_the_newest_meanwhile() -> None:
    state = apart(("a", 1, {"/x": 1, "/y": 1}), ("b", 2, {"/x": 2}))
    view = resolve(state, policy("manual_review"))
    assert view.document == {"x": 2, "y": 1}
    assert view.held == frozenset({"/x"})
    assert only(view).held and only(view).strategy == "manual_review"
    assert only(view).reason == "held until somebody who has seen all sides writes"
    assert accepted(only(view)) == [("/x", "b")]


def test_all_paths_of_a_held_conflict_are_held() -> None:
    state = apart(("a", 1, {"/x": 1}), ("b", 2, {"/x/y": 2}))
    assert resolve(state, policy("manual_review")).held == frozenset({"/x", "/x/y"})


def test_one_field_may_be_held_and_another_decided() -> None:
    state = apart(("a", 1, {"/x": 1, "/y": 1}), ("b", 2, {"/x": 2, "/y": 2}))
    view = resolve(state, policy(overrides=[{"path": "/y", "strategy": "manual_review"}]))
    assert view.held == frozenset({"/y"})
    assert [decision.held for decision in view.decisions] == [False, True]


# The threshold


@pytest.mark.parametrize(("threshold", "held"), [(None, False), (1, True), (2, True), (3, False)])
def test_from_a_number_of_conflicts_on_all_are_held(threshold: int | None, held: bool) -> None:
    state = apart(("a", 1, {"/x": 1, "/y": 1}), ("b", 2, {"/x": 2, "/y": 2}))
    view = resolve(state, policy("priority_based", auto_resolve_threshold=threshold))
    assert [decision.held for decision in view.decisions] == [held, held]
    if held:
        reason = f"2 conflicts, and {threshold} or more go to manual review"
        assert {(decision.strategy, decision.reason) for decision in view.decisions} == {("manual_review", reason)}


def test_what_a_rule_decides_does_not_count_and_is_not_held() -> None:
    state = apart(("a", 1, {"/n": 1, "/y": 1}), ("b", 2, {"/n": 2, "/y": 2}))
    view = resolve(state, rule("max", auto_resolve_threshold=2))
    assert [decision.held for decision in view.decisions] == [False, False]
    view = resolve(state, rule("max", auto_resolve_threshold=1))
    assert [(decision.strategy, decision.held) for decision in view.decisions] == [
        ("max", False),
        ("manual_review", True),
    ]
    assert view.held == frozenset({"/y"})


# Rules


@pytest.mark.parametrize(
    ("name", "values", "shows", "by"),
    [
        ("max", [1, 7, 3], 7, "b"),
        ("max", [1, 2.5, -3], 2.5, "b"),
        ("min", [1, 7, -3], -3, "c"),
        ("min", [0.5, 7, 3], 0.5, "a"),
        ("union", [["b"], ["a"], ["b", 1]], [1, "a", "b"], "c"),
        ("union", [[1, 1.0, True], [], ["é"]], [1, "é", True, 1.0], "c"),
    ],
)
def test_a_rule_decides_by_the_values(name: str, values: list[Any], shows: Any, by: str) -> None:
    state = apart(*[(writer, at, {"/n": value}) for at, (writer, value) in enumerate(zip("abc", values, strict=True))])
    view = resolve(state, rule(name))
    assert repr(view.document) == repr({"n": shows})
    assert only(view).strategy == name
    assert only(view).reason == f"the rule {name} decides this field"
    assert not only(view).held
    assert accepted(only(view)) == [("/n", by)]


@pytest.mark.parametrize(("name", "shows"), [("max", 2), ("min", 1)])
def test_a_rule_prefers_any_value_to_a_removal(name: str, shows: int) -> None:
    state = apart(("a", 1, {"/n": 1}), ("b", 2, {"/n": 2}), ("c", 3, {"/n": REMOVED}))
    assert resolve(state, rule(name)).document == {"n": shows}


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("odd", ["x", True, [1], {}])
def test_numbers_and_others_are_left_to_the_strategy(name: str, odd: Any) -> None:
    view = resolve(apart(("a", 1, {"/n": 5}), ("b", 2, {"/n": odd})), rule(name))
    assert repr(view.document) == repr({"n": odd})
    assert only(view).strategy == "field_level_merge"


@pytest.mark.parametrize("odd", ["x", 1, [None], [[1]], [{}], [1, None], {}])
def test_a_union_is_of_arrays_of_scalars(odd: Any) -> None:
    view = resolve(apart(("a", 1, {"/n": [1]}), ("b", 2, {"/n": odd})), rule("union"))
    assert repr(view.document) == repr({"n": odd})
    assert only(view).strategy == "field_level_merge"


@pytest.mark.parametrize("name", ["max", "min"])
def test_one_and_one_point_zero_tie_by_their_bytes(name: str) -> None:
    one_way = resolve(apart(("a", 1, {"/n": 1}), ("b", 2, {"/n": 1.0})), rule(name))
    other_way = resolve(apart(("a", 1, {"/n": 1.0}), ("b", 2, {"/n": 1})), rule(name))
    assert repr(one_way.document) == repr(other_way.document)


def test_a_rule_leaves_what_competes_with_above_and_below_to_the_strategy() -> None:
    view = resolve(apart(("a", 1, {"/n": 5}), ("b", 2, {"/n/x": 1})), rule("max"))
    assert only(view).strategy == "field_level_merge"
    assert view.document == {"n": {"x": 1}}


def test_a_field_without_values_is_left_to_the_strategy() -> None:
    state = apart(("a", 1, {"/n": REMOVED}), ("b", 2, {"/n": REMOVED}))
    assert resolve(state, rule("max")).decisions == ()


@pytest.mark.parametrize("name", ["counter", "set"])
def test_a_counter_or_set_itself_is_left_to_the_strategy_where_values_compete(name: str) -> None:
    view = resolve(apart(("a", 1, {"/n": 5}), ("b", 2, {"/n": 6})), rule(name))
    assert only(view).strategy == "field_level_merge"
    assert view.document == {"n": 6}


# Counters and sets


def test_a_counter_shows_the_sum_of_its_entries_under_the_newest_stamp() -> None:
    view = resolve(apart(("a", 1, {"/n/a": 2}), ("b", 3, {"/n/b": 0.5}), ("c", 2, {"/n/c": -4})), rule("counter"))
    assert view.document == {"n": -1.5}
    assert dict(view.stamps) == {"/n": Stamp(3, "b#00000000")}
    assert view.decisions == ()


@pytest.mark.parametrize("odd", ["x", True, [1]])
def test_a_counter_with_an_entry_that_is_no_number_shows_as_the_map_it_is(odd: Any) -> None:
    view = resolve(apart(("a", 1, {"/n/a": 2}), ("b", 3, {"/n/b": odd})), rule("counter"))
    assert repr(view.document) == repr({"n": {"a": 2, "b": odd}})


@pytest.mark.parametrize("big", [1e308, 2**64 - 1])
def test_a_counter_beyond_all_numbers_shows_as_the_map_it_is(big: float) -> None:
    view = resolve(apart(("a", 1, {"/n/a": big}), ("b", 3, {"/n/b": big})), rule("counter"))
    assert view.document == {"n": {"a": big, "b": big}}


def test_a_set_shows_its_elements_sorted_by_their_text() -> None:
    state = apart(("a", 1, {'/n/"b"': True, "/n/1": True, "/n/true": True}), ("b", 2, {'/n/"a"': True}))
    view = resolve(state, rule("set"))
    assert repr(view.document) == repr({"n": ["a", "b", 1, True]})
    assert dict(view.stamps) == {"/n": Stamp(2, "b#00000000")}


def test_an_element_added_and_discarded_at_once_stays() -> None:
    state = apart(("a", 1, {'/n/"x"': True}), ("b", 2, {'/n/"x"': REMOVED}))
    view = resolve(state, rule("set", auto_resolve_threshold=1))
    assert view.document == {"n": ["x"]}
    assert only(view).strategy == "set"
    assert only(view).reason == "the rule set decides this field"
    assert only(view).held is False


def test_an_element_with_two_values_shows_once() -> None:
    state = apart(("a", 1, {'/n/"x"': True}), ("b", 2, {'/n/"x"': 1}))
    view = resolve(state, rule("set"))
    assert view.document == {"n": ["x"]}
    assert accepted(only(view)) == [('/n/"x"', "b")]


@pytest.mark.parametrize("key", ["x", "[1]", "{}", "NaN", "[" * 3_000])
def test_a_set_with_a_member_that_is_no_element_shows_as_the_map_it_is(key: str) -> None:
    view = resolve(apart(("a", 1, {'/n/"ok"': True, f"/n/{key}": True})), rule("set"))
    assert view.document == {"n": {'"ok"': True, key: True}}


def test_what_competes_with_entries_from_above_is_decided_first() -> None:
    state = apart(("a", 1, {"/n/a": 2}), ("b", 3, {"/n": 9}))
    assert resolve(state, rule("counter")).document == {"n": 9}
    state = apart(("a", 4, {"/n/a": 2}), ("b", 3, {"/n": 9}))
    assert resolve(state, rule("counter")).document == {"n": 2}


def test_only_the_members_of_a_counter_are_summed() -> None:
    plain = apart(("a", 1, {"/n/a": 2, "/m": 5, "/n2/a": 1}))
    assert resolve(plain, rule("counter")).document == {"n": 2, "m": 5, "n2": {"a": 1}}


# The whole


def test_a_view_is_of_the_state_as_it_was() -> None:
    state = apart(("a", 1, {"/x": 1}))
    view = resolve(state, Policy())
    state.write({"/x": 2}, Stamp(2, "a#00000000"))
    assert view.document == {"x": 1}


def test_a_document_is_the_readers_own() -> None:
    state = apart(("a", 1, {"/x": 1, "/m/y": 2}))
    view = resolve(state, Policy())
    first: Any = view.document
    first["m"]["y"] = 3
    assert view.document == {"x": 1, "m": {"y": 2}}


def test_what_is_forgotten_hides_nothing_any_more() -> None:
    state = apart(("a", 1, {"/x": 1}))
    state.write({"/x": REMOVED}, Stamp(2, "a#00000000"))
    assert state.forget(state.clock) == ("/x",)
    assert resolve(state, Policy()).document == {}
    assert state.floor != EMPTY_CLOCK
