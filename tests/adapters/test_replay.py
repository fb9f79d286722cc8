"""`crdtshadow replay`: every scenario comes out as its file says, and every disagreement is noticed."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest
from crdtshadow_cli import rehearsal as rehearsing
from crdtshadow_cli import replay
from crdtshadow_cli.output import Output
from crdtshadow_cli.rehearsal import run_logs, same_everywhere
from crdtshadow_cli.scenario import Scenario, parse_scenario, read_scenarios

from crdtshadow import Delta, merge_bytes

VECTORS = Path(__file__).parent.parent / "vectors"
EXAMPLES, MORE, DEBATABLE = (
    read_scenarios(str(VECTORS / f"scenarios_{name}.json")) for name in ("examples", "more", "debatable")
)
TOLD = [
    pytest.param(scenario, file.default_ranks, id=scenario.id)
    for file in (EXAMPLES, MORE)
    for scenario in file.scenarios
]
OPEN = {
    item["id"]: item["acceptable"] for item in json.loads((VECTORS / "scenarios_debatable.json").read_text())["vectors"]
}


def run(*argv: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error of `crdtshadow replay`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    commands = parser.add_subparsers()
    replay.add_parser(commands)
    args = parser.parse_args(argv)
    stdout, stderr = io.StringIO(), io.StringIO()
    code = args.run(args, Output(stdout, stderr, json=args.json))
    return code, stdout.getvalue(), stderr.getvalue()


def scenario_file(folder: Path, *vectors: Any, **members: Any) -> str:
    """Return the name of a new file that holds these scenarios."""
    file = folder / "scenarios.json"
    file.write_text(json.dumps({"format": "crdtshadow-merge-vectors/1", "vectors": vectors, **members}))
    return str(file)


def two_writers(**members: Any) -> dict[str, Any]:
    logs = {
        "cloud": {"log": [{"op": "c1", "wall": 2000, "set": ["desired", "t"], "value": 21}]},
        "dev": {"log": [{"op": "d1", "wall": 1000, "set": ["desired", "t"], "value": 20}]},
    }
    return {"id": "T1", "replicas": logs, **members}


# The files.


@pytest.mark.parametrize(("scenario", "ranks"), TOLD)
def test_a_scenario_comes_out_as_its_file_says(scenario: Scenario, ranks: dict[str, float]) -> None:
    outcome = replay.replay(scenario, ranks)
    assert outcome.agreement.agreed
    assert outcome.differs == ()


@pytest.mark.parametrize("scenario", DEBATABLE.scenarios, ids=lambda scenario: scenario.id)
def test_what_is_debatable_comes_out_in_an_acceptable_way(scenario: Scenario) -> None:
    outcome = replay.replay(scenario, DEBATABLE.default_ranks)
    assert outcome.agreement.agreed
    for part in outcome.differs:
        assert any(replay.agree(option, outcome.data[part]) for option in OPEN[scenario.id][part]), part


# The command.


def test_json_is_a_list_in_the_vocabulary_of_the_file(tmp_path: Path) -> None:
    code, stdout, stderr = run("--json", "replay", scenario_file(tmp_path, two_writers()))
    assert (code, stderr) == (0, "")
    assert json.loads(stdout) == [
        {
            "id": "T1",
            "agreed": True,
            "lww": {"desired": {"t": 21}},
            "priority": {"desired": {"t": 21}},
            "manual": {
                "conflicts": [
                    {"path": ["desired", "t"], "siblings": [{"op": "c1", "value": 21}, {"op": "d1", "value": 20}]}
                ],
                "settled": {},
            },
            "rejected_ops": {},
        }
    ]


def test_people_read_the_views_and_a_summary(tmp_path: Path) -> None:
    expect = {"lww": {"desired": {"t": 21}}}
    code, stdout, stderr = run("replay", scenario_file(tmp_path, two_writers(name="two writers", expect=expect)))
    assert (code, stderr) == (0, "")
    assert stdout.splitlines() == [
        "T1  two writers",
        '  lww       {"desired": {"t": 21}}',
        '  priority  {"desired": {"t": 21}}',
        "  settled   {}",
        "  conflict  /desired/t  c1: 21, d1: 20",
        "  agreed    in every order (2 orders), by deltas, live deltas and full states",
        "",
        "1 scenario: 1 agreed, 1 of 1 as expected",
    ]


@pytest.mark.parametrize(
    ("expect", "part"),
    [
        ({"lww": {"desired": {"t": 20}}}, "lww"),
        ({"lww": {"desired": {"t": 21.0}}}, "lww"),
        ({"priority": None}, "priority"),
        ({"manual": {"conflicts": [], "settled": {}}}, "manual"),
        ({"manual": {"conflicts": [{"path": 5}], "settled": []}}, "manual"),
        ({"rejected_ops": {"cloud": ["d1"]}}, "rejected_ops"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_comes_out_otherwise_is_said(tmp_path: Path, expect: Any, part: str, form: list[str]) -> None:
    code, stdout, stderr = run(*form, "replay", scenario_file(tmp_path, two_writers(expect=expect)))
    assert code == 1
    assert stderr == f"T1: {part} is not as expected\n"
    assert ("expected:" in stdout) is not bool(form)


def test_only_the_scenarios_asked_for_are_run(tmp_path: Path) -> None:
    file = scenario_file(tmp_path, two_writers(), {"id": "broken"}, two_writers() | {"id": "T2"})
    code, stdout, _ = run("--json", "replay", file, "--id", "T2", "--id", "T1")
    assert code == 0
    assert [told["id"] for told in json.loads(stdout)] == ["T1", "T2"]


def test_a_scenario_that_cannot_be_run_hinders_no_other(tmp_path: Path) -> None:
    waiting = two_writers() | {"id": "W"}
    waiting["replicas"] = {"dev": {"log": [{"recv": ["d1"], "wall": 1}, *waiting["replicas"]["dev"]["log"]]}}
    file = scenario_file(tmp_path, {"id": "broken"}, waiting, two_writers())
    code, stdout, stderr = run("--json", "replay", file)
    assert code == 1
    ran, *refused = json.loads(stdout)
    assert (ran["id"], ran["agreed"]) == ("T1", True)
    assert refused == [
        {"id": "broken", "refused": "broken: replicas: needs an object, not nothing"},
        {"id": "W", "refused": "W: a reception comes before what it receives: dev for d1"},
    ]
    assert stderr.splitlines() == [f"{file}: refused: {one['refused']}" for one in refused]
    code, stdout, _ = run("replay", file)
    assert (code, stdout.splitlines()[-1]) == (1, "3 scenarios: 1 agreed, 2 refused")


def test_nothing_comes_out_if_no_scenario_can_be_run(tmp_path: Path) -> None:
    for form in ([], ["--json"]):
        code, stdout, stderr = run(*form, "replay", scenario_file(tmp_path, {"id": "broken"}))
        assert (code, stdout) == (3, "")
        assert stderr.endswith(": refused: broken: replicas: needs an object, not nothing\n")


def test_replicas_may_have_any_name_and_ties_compare_its_bytes(tmp_path: Path) -> None:
    """Of equal stamps the one of é wins, whose bytes are greater than those of z; and the ranks are theirs."""
    names = {"z": 1, "é": 2, "dev 1": 3, "": 4, "*": 5, "x" * 500: 6}
    writes = {
        name: {"log": [{"op": f"w{value}", "wall": 7, "set": ["desired", "t"], "value": value}]}
        for name, value in names.items()
    }
    rules = [{"prefix": ["desired"], "order": ["dev 1", "z"]}]
    scenarios = [{"id": "T", "replicas": writes}, {"id": "U", "replicas": writes, "priority_rules": rules}]
    file = scenario_file(tmp_path, *scenarios, default_ranks={"z": 3, "*": 2, "é": 1})
    code, stdout, _ = run("--json", "replay", file)
    told, ruled = json.loads(stdout)
    assert (code, told["agreed"], told["lww"]) == (0, True, {"desired": {"t": 2}})
    assert told["priority"] == {"desired": {"t": 1}}
    assert ruled["priority"] == {"desired": {"t": 3}}
    assert len(told["manual"]["conflicts"][0]["siblings"]) == len(names)


def test_null_removes(tmp_path: Path) -> None:
    scenario = two_writers()
    scenario["replicas"]["cloud"]["log"][0]["value"] = None
    told = json.loads(run("--json", "replay", scenario_file(tmp_path, scenario))[1])[0]
    assert told["lww"] == {}
    assert told["manual"]["conflicts"][0]["siblings"] == [{"op": "c1", "deleted": True}, {"op": "d1", "value": 20}]


def test_a_scenario_without_writes_shows_nothing(tmp_path: Path) -> None:
    file = scenario_file(tmp_path, {"id": "T", "replicas": {}}, {"id": "U", "replicas": {"dev": {"log": []}}})
    code, stdout, _ = run("--json", "replay", file)
    assert code == 0
    for told in json.loads(stdout):
        assert told["agreed"] is True
        assert told["lww"] == told["priority"] == told["manual"]["settled"] == {}


# Ranks.


def test_the_ranks_of_the_file_count(tmp_path: Path) -> None:
    file = scenario_file(tmp_path, two_writers(), default_ranks={"dev": -1.5, "cloud": -2})
    assert json.loads(run("--json", "replay", file)[1])[0]["priority"] == {"desired": {"t": 20}}


def test_who_has_no_rank_ranks_lowest(tmp_path: Path) -> None:
    file = scenario_file(tmp_path, two_writers(), default_ranks={"dev": -5})
    assert json.loads(run("--json", "replay", file)[1])[0]["priority"] == {"desired": {"t": 20}}


# Refusals.


def bounded(*entries: Any) -> dict[str, Any]:
    log = [{"op": "d1", "wall": 9_000, "set": ["desired", "t"], "value": 20}]
    return {"id": "T", "replicas": {"dev": {"log": log}, "cloud": {"log": list(entries)}}, "drift_bound_ms": 1_000}


def test_what_is_refused_twice_is_listed_once_and_never_shown(tmp_path: Path) -> None:
    late = [{"recv": ["d1", "d1"], "wall": 5}, {"recv": ["d1"], "wall": 7}]
    told = json.loads(run("--json", "replay", scenario_file(tmp_path, bounded(*late)))[1])[0]
    assert told["rejected_ops"] == {"cloud": ["d1"]}
    assert (told["lww"], told["agreed"]) == ({}, True)


def test_a_refused_write_may_be_accepted_later(tmp_path: Path) -> None:
    later = [{"recv": ["d1"], "wall": 5}, {"recv": ["d1"], "wall": 8_500}]
    told = json.loads(run("--json", "replay", scenario_file(tmp_path, bounded(*later)))[1])[0]
    assert told["rejected_ops"] == {"cloud": ["d1"]}
    assert told["lww"] == {"desired": {"t": 20}}


# Disagreement is noticed.


def with_ops(count: int) -> Scenario:
    file = next(scenario for scenario in EXAMPLES.scenarios if len(scenario.writes()) == count)
    return file._replace(deliveries=())


@pytest.mark.parametrize("count", [3, 10])
def test_an_order_that_leads_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    scenario = with_ops(count)
    rehearsal = run_logs(scenario)
    assert same_everywhere(scenario, rehearsal).agreed
    first, second, *_ = rehearsal.accepted
    assert first.stamp and second.stamp
    stamps = first.stamp, second.stamp

    def lose_the_second_after_the_first(state: bytes, delta: bytes) -> bytes:
        held = Delta.decode(state).upto
        missed = delta == second.full and [held.covers(stamp) for stamp in stamps] == [True, False]
        return state if missed else merge_bytes(state, delta)

    monkeypatch.setattr(rehearsing, "merge_bytes", lose_the_second_after_the_first)
    assert not same_everywhere(scenario, rehearsal).agreed


def test_a_replica_that_holds_something_else_is_noticed() -> None:
    scenario = with_ops(3)
    rehearsal = run_logs(scenario)
    odd = rehearsal._replace(states={**rehearsal.states, "odd": rehearsal.accepted[0].full})
    assert not same_everywhere(scenario, odd).agreed


def test_listed_deliveries_are_tried_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = next(scenario for scenario in EXAMPLES.scenarios if scenario.deliveries)
    orders = []
    honest = rehearsing._in_order

    def listening(order: Any, arrive: Any) -> Any:
        orders.append(tuple(one.name for one in order))
        return honest(order, arrive)

    monkeypatch.setattr(rehearsing, "_in_order", listening)
    same_everywhere(scenario, run_logs(scenario))
    assert set(scenario.deliveries) == set(orders)
    assert len(orders) == 3 * len(scenario.deliveries)


# Standing of the clock.


def test_a_reception_ticks_the_clock_even_if_it_brings_nothing_new() -> None:
    """As the textbook has it: d1 is [1000,3], after g1 with [1000,2]; without the second tick gw would win."""
    logs = {
        "cloud": {"log": [{"op": "c1", "wall": 1000, "set": ["desired", "u"], "value": 1}]},
        "dev": {
            "log": [
                {"recv": ["c1", "c1"], "wall": 1000},
                {"op": "d1", "wall": 1000, "set": ["desired", "t"], "value": 20},
            ]
        },
        "gw": {
            "log": [{"recv": ["c1"], "wall": 1000}, {"op": "g1", "wall": 1000, "set": ["desired", "t"], "value": 22}]
        },
    }
    operations = run_logs(parse_scenario({"id": "T", "replicas": logs}, "T")).operations
    stamps = {name: (one.stamp.ms, one.stamp.tick) for name, one in operations.items() if one.stamp}
    assert stamps == {"c1": (1000, 0), "d1": (1000, 3), "g1": (1000, 2)}


@pytest.mark.parametrize("scenario", [pytest.param(one.values[0], id=str(one.id)) for one in TOLD])
def test_stamps_come_out_as_the_file_says(scenario: Scenario) -> None:
    told = {item["id"]: item.get("timestamps", {}) for name in ("examples", "more") for item in vectors(name)}[
        scenario.id
    ]
    operations = run_logs(scenario).operations
    stamps = {
        name: [one.stamp.ms, one.stamp.tick, one.stamp.replica[:-9]] for name, one in operations.items() if one.stamp
    }
    assert {name: stamp for name, stamp in stamps.items() if name in told}.items() <= told.items()


def vectors(name: str) -> list[Any]:
    listed: list[Any] = json.loads((VECTORS / f"scenarios_{name}.json").read_text())["vectors"]
    return listed
