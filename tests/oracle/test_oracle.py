"""The oracle says what the scenario files say, and obeys its own definitions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle import denotation as meaning
from tests.oracle import hlc, scenarios
from tests.oracle.denotation import Fields, Path, Write, exact
from tests.oracle.generate import FIELDS, REMOVABLE, REPLICAS, VALUES, WALLS
from tests.oracle.generate import scenarios as generated
from tests.oracle.scenarios import DEFAULT_RANKS, Scenario

EXAMPLES = scenarios.load("scenarios_examples.json")
MORE = scenarios.load("scenarios_more.json")
DEBATABLE = scenarios.load("scenarios_debatable.json")
ALL = [
    pytest.param(scenario, file.default_ranks, id=scenario["id"])
    for file in (EXAMPLES, MORE, DEBATABLE)
    for scenario in file.scenarios
]

View = Callable[[list[Write]], Fields]


def by_default_rank(write: Write) -> float:
    return DEFAULT_RANKS[write.replica]


VIEWS = [
    pytest.param(meaning.lww_view, id="lww"),
    pytest.param(lambda writes: meaning.priority_view(writes, by_default_rank), id="priority"),
    pytest.param(meaning.settled_view, id="settled"),
]


def writes_of(scenario: Scenario) -> list[Write]:
    return list(scenarios.run(scenario).writes.values())


# The files.


@pytest.mark.parametrize(("scenario", "ranks"), ALL)
def test_a_scenario_comes_out_as_its_file_says(scenario: Scenario, ranks: dict[str, int]) -> None:
    expected = scenarios.expect(scenario, ranks)
    for part in expected.keys() | scenario["expect"].keys():
        assert exact(expected[part]) == exact(scenario["expect"][part]), part


@pytest.mark.parametrize(("scenario", "ranks"), ALL)
def test_timestamps_come_out_as_the_file_says(scenario: Scenario, ranks: dict[str, int]) -> None:
    timestamps = scenarios.timestamps(scenarios.run(scenario))
    refused = {op for ops in scenario["expect"].get("rejected_ops", {}).values() for op in ops}
    assert {op: stamp for op, stamp in timestamps.items() if op in scenario["timestamps"]} == scenario["timestamps"]
    assert timestamps.keys() - scenario["timestamps"].keys() <= refused


@pytest.mark.parametrize(("scenario", "ranks"), ALL)
def test_every_delivery_brings_every_operation(scenario: Scenario, ranks: dict[str, int]) -> None:
    ran = scenarios.run(scenario)
    for order in scenario.get("deliveries", []):
        assert {write.op for write in ran.writes_of(order)} == ran.writes.keys()


def test_scenarios_have_names_of_their_own() -> None:
    every = [*EXAMPLES.scenarios, *MORE.scenarios, *DEBATABLE.scenarios]
    assert len({scenario["id"] for scenario in every}) == len({scenario["name"] for scenario in every}) == len(every)


@pytest.mark.parametrize("scenario", DEBATABLE.scenarios, ids=lambda scenario: scenario["id"])
def test_what_is_expected_of_a_debatable_scenario_is_acceptable(scenario: Scenario) -> None:
    for part, outcomes in scenario["acceptable"].items():
        assert exact(scenario["expect"].get(part, {})) in map(exact, outcomes)


# The clock.


def test_the_clock_follows_the_textbook() -> None:
    assert hlc.send(hlc.UNSET, 0) == hlc.Clock(0, 0)
    assert hlc.send(hlc.Clock(5, 2), 7) == hlc.Clock(7, 0)
    assert hlc.send(hlc.Clock(5, 2), 3) == hlc.Clock(5, 3)
    assert hlc.receive(hlc.Clock(5, 2), hlc.Clock(5, 7), 5) == hlc.Clock(5, 8)
    assert hlc.receive(hlc.Clock(5, 2), hlc.Clock(4, 7), 5) == hlc.Clock(5, 3)
    assert hlc.receive(hlc.Clock(5, 2), hlc.Clock(6, 7), 5) == hlc.Clock(6, 8)
    assert hlc.receive(hlc.Clock(5, 2), hlc.Clock(6, 7), 8) == hlc.Clock(8, 0)


@given(generated(drift=True))
def test_a_timestamp_is_later_than_all_that_its_writer_had_seen(scenario: Scenario) -> None:
    writes = scenarios.run(scenario).writes
    assert len({write.stamp for write in writes.values()}) == len(writes)
    for write in writes.values():
        assert all(writes[op].time < write.time for op in write.seen)


# The runs.


@given(generated())
def test_the_order_of_replicas_in_a_scenario_does_not_matter(scenario: Scenario) -> None:
    backwards = {**scenario, "replicas": dict(reversed(scenario["replicas"].items()))}
    assert scenarios.expect(backwards) == scenarios.expect(scenario)


@given(generated(drift=True))
def test_whoever_holds_an_operation_holds_its_past(scenario: Scenario) -> None:
    ran = scenarios.run(scenario)
    for ops in [*ran.held.values(), *(held for history in ran.history.values() for held in history)]:
        assert {write.op for write in ran.writes_of(ops)} == ops
    for name, ops in ran.held.items():
        assert ran.writes.keys() - ops <= set(ran.rejected.get(name, ()))


@given(generated())
def test_in_the_end_everybody_holds_everything(scenario: Scenario) -> None:
    ran = scenarios.run(scenario)
    assert all(ops == ran.writes.keys() for ops in ran.held.values())


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        (
            {"dev": [{"recv": ["c1"], "wall": 0}, {"op": "d1", "wall": 1, "del": ["desired"]}]},
            "before what it receives",
        ),
        ({"dev": [{"op": "d1", "wall": 1, "del": ["desired"]}, {"op": "d1", "wall": 1, "del": ["desired"]}]}, "twice"),
        ({"dev": [{"op": "d1", "wall": 1, "set": ["desired", "a"], "value": {"b": 1}}]}, "maps exist"),
        ({"dev": [{"op": "d1", "wall": 1, "set": ["desired", "a"], "value": None}]}, "null"),
    ],
)
def test_what_cannot_be_run_is_an_error(logs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scenarios.run({"id": "E", "replicas": {name: {"log": log} for name, log in logs.items()}})


# The definitions.


@given(generated(), st.randoms(use_true_random=False))
def test_order_and_repetition_of_the_writes_do_not_matter(scenario: Scenario, random: Any) -> None:
    writes = writes_of(scenario)
    shuffled = writes + random.sample(writes, len(writes) // 2)
    random.shuffle(shuffled)
    rank = scenarios.rank_of(scenario, DEFAULT_RANKS)
    assert exact(scenarios.expectation(shuffled, rank)) == exact(scenarios.expectation(writes, rank))


@pytest.mark.parametrize("view", VIEWS)
@given(generated())
def test_a_view_shows_the_values_of_live_writes_only(view: View, scenario: Scenario) -> None:
    writes = writes_of(scenario)
    offered = {(write.path, write.outcome) for write in meaning.live(writes) if write.kind == "set"}
    assert {(path, exact(value)) for path, value in view(writes).items()} <= offered


@pytest.mark.parametrize("view", VIEWS)
@given(generated())
def test_a_view_is_a_document(view: View, scenario: Scenario) -> None:
    shown = view(writes_of(scenario))
    assert not any(meaning.is_above(one, other) for one in shown for other in shown)
    leaves = {path: value for path, value in shown.items() if value != {}}
    assert exact_fields(scenarios.fields(meaning.document(shown))) == exact_fields(leaves)


@given(generated())
def test_what_is_replaced_was_seen_and_is_older(scenario: Scenario) -> None:
    writes = writes_of(scenario)
    living = {write.op for write in meaning.live(writes)}
    for old in writes:
        replacing = [new for new in writes if meaning.replaces(new, old)]
        assert all(old.op in new.seen and old.time < new.time for new in replacing)
        assert (old.op in living) is not bool(replacing)


@given(generated())
def test_live_writes_that_cannot_both_be_had_are_concurrent(scenario: Scenario) -> None:
    for one, other in combinations(meaning.live(writes_of(scenario)), 2):
        strangers = (one._replace(seen=frozenset()), other._replace(seen=frozenset()))
        assert meaning.clash(*strangers) == meaning.clash(one, other) == meaning.clash(other, one)


@given(generated())
def test_a_conflict_holds_everything_that_clashes_with_a_member(scenario: Scenario) -> None:
    writes = writes_of(scenario)
    living = meaning.live(writes)
    groups = [{write.op for write in conflict.siblings} for conflict in meaning.conflicts(writes)]
    assert sum(map(len, groups)) == len(set().union(*groups))
    for group in groups:
        assert len(group) > 1
    for one in living:
        clashing = {other.op for other in living if meaning.clash(one, other)}
        own = next((group for group in groups if one.op in group), set())
        assert clashing <= own
        assert bool(clashing) is bool(own)


@given(generated())
def test_the_path_of_a_conflict_is_at_or_above_its_siblings(scenario: Scenario) -> None:
    for conflict in meaning.conflicts(writes_of(scenario)):
        assert conflict.path in {write.path for write in conflict.siblings}
        assert all(write.path[: len(conflict.path)] == conflict.path for write in conflict.siblings)


@given(generated())
def test_without_conflict_all_strategies_show_the_same_but_for_what_a_replaced_write_hides(scenario: Scenario) -> None:
    writes = writes_of(scenario)
    settled = meaning.settled_view(writes)
    if not meaning.conflicts(writes):
        assert exact_fields(meaning.priority_view(writes, by_default_rank)) == exact_fields(settled)
        leaves = {item for item in exact_fields(meaning.lww_view(writes)) if item[1] != "{}"}
        assert leaves <= exact_fields(settled)


@given(generated())
def test_what_priority_leaves_out_clashes_with_something_that_ranks_higher(scenario: Scenario) -> None:
    writes = writes_of(scenario)
    shown = exact_fields(meaning.priority_view(writes, by_default_rank))
    living = meaning.live(writes)
    for write in living:
        if write.kind == "set" and write.occupies and (write.path, write.outcome) not in shown:
            assert any(
                meaning.clash(write, other)
                and (by_default_rank(other), other.stamp) > (by_default_rank(write), write.stamp)
                for other in living
            )


@given(generated())
def test_the_newest_write_of_all_is_shown_as_it_is(scenario: Scenario) -> None:
    writes = writes_of(scenario)
    if writes:
        newest = max(writes, key=lambda write: write.stamp)
        shown = meaning.lww_view(writes)
        if newest.kind == "del":
            assert not any(path[: len(newest.path)] == newest.path for path in shown)
        elif newest.occupies:
            assert exact(shown[newest.path]) == newest.outcome


def test_an_empty_map_is_shown_where_nothing_below_it_is() -> None:
    entries = [
        {"op": "d1", "wall": 1, "set": ["desired", "a"], "value": {}},
        {"op": "d2", "wall": 2, "set": ["desired", "a", "b"], "value": 1},
        {"op": "d3", "wall": 3, "del": ["desired", "a", "b"]},
    ]
    for view in (meaning.lww_view, meaning.settled_view):
        for length, shown in (
            (1, {("desired", "a"): {}}),
            (2, {("desired", "a", "b"): 1}),
            (3, {("desired", "a"): {}}),
        ):
            assert view(writes_of({"id": "E", "replicas": {"dev": {"log": entries[:length]}}})) == shown


edits = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(REPLICAS), WALLS, FIELDS, VALUES),
        st.tuples(st.sampled_from(REPLICAS), WALLS, REMOVABLE, st.none()),
    ),
    max_size=10,
)


@given(edits)
def test_writers_who_see_each_other_edit_one_document(steps: list[tuple[str, int, Path, Any]]) -> None:
    logs: dict[str, list[dict[str, Any]]] = {name: [] for name in REPLICAS}
    edited: dict[str, Any] = {}
    for number, (name, wall, path, value) in enumerate(steps):
        if number:
            logs[name].append({"recv": [f"o{number - 1}"], "wall": wall})
        what = {"del": list(path)} if value is None else {"set": list(path), "value": value}
        logs[name].append({"op": f"o{number}", "wall": wall, **what})
        edit(edited, path, value)
    scenario = {"id": "E", "replicas": {name: {"log": log} for name, log in logs.items()}}
    expected = meaning.document(scenarios.fields(edited))
    shown = scenarios.expect(scenario)
    assert exact([shown["lww"], shown["priority"], shown["manual"]]) == exact(
        [expected, expected, {"conflicts": [], "settled": expected}]
    )


def edit(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set the value at the path of a JSON document, or remove what is there if the value is None."""
    for key in path[:-1]:
        if not isinstance(document.get(key), dict):
            if value is None:
                return
            document[key] = {}
        document = document[key]
    if value is None:
        document.pop(path[-1], None)
    elif value != {} or not isinstance(document.get(path[-1]), dict):
        document[path[-1]] = dict(value) if value == {} else value


def exact_fields(fields: Fields) -> set[tuple[Path, str]]:
    return {(path, exact(value)) for path, value in fields.items()}
