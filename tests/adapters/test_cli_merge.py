"""`crdtshadow merge` and `explain`: states and AWS documents, and why what shows shows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crdtshadow_cli.documents import document_bytes, document_of, read_document
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.explanation import explain, unseen_by
from hypothesis import given

from crdtshadow import REMOVED, Policy, Shadow, Stamp, replica_name, resolve
from crdtshadow.clock import pack_time
from crdtshadow.policy import STRATEGIES
from crdtshadow.testing.strategies import maps
from tests.adapters import fleet
from tests.adapters.fleet import NOON_S, run
from tests.adapters.traffic import in_memory_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    with in_memory_directory() as name:
        yield Path(name)


def document(at_s: int, **desired: Any) -> dict[str, Any]:
    """Return what AWS would answer for a shadow written at some seconds after noon."""
    (event,) = fleet.events([(at_s, {"state": {"desired": desired}})])
    current: dict[str, Any] = event["current"]
    return {**current, "timestamp": NOON_S + 1_000}


def put(path: Path, body: object) -> Path:
    path.write_text(json.dumps(body))
    return path


# Reading AWS documents


def test_a_document_is_the_writing_of_its_file_at_its_times() -> None:
    delta = read_document(document(5, t=20, limits={"max": 9}), file="dir/console.json")
    assert {path: one.value for path, (one,) in delta.rows.items()} == {"/desired/t": 20, "/desired/limits/max": 9}
    assert {(replica_name(stamp.replica), stamp.ms) for stamp in delta.stamps()} == {("console", (NOON_S + 5) * 1000)}


def test_the_same_document_is_the_same_writing_and_another_is_another() -> None:
    one, same, other = (read_document(document(5, t=t), file="a.json") for t in (1, 1, 2))
    assert one == same
    assert set(one.upto).isdisjoint(other.upto)


@pytest.mark.parametrize(
    ("extra", "ms"),
    [
        ({"metadata": {"desired": {"t": {"timestamp": 7}}}, "timestamp": 9}, 7_000),
        ({"metadata": {"desired": {"t": [{"timestamp": 7}]}}, "timestamp": 9}, 7_000),
        ({"metadata": {"desired": {"t": {"timestamp": "7"}}}, "timestamp": 9}, 9_000),
        ({"metadata": {"desired": {"t": {"timestamp": 1 << 70}}}, "timestamp": 9}, 9_000),
        ({"metadata": [], "timestamp": 9}, 9_000),
        ({}, 0),
    ],
)
def test_a_field_has_the_time_that_its_document_says(extra: dict[str, object], ms: int) -> None:
    (stamp,) = read_document({"state": {"desired": {"t": 1}}, **extra}, file="x").stamps()
    assert stamp.ms == ms


def test_documents_come_in_several_shapes() -> None:
    whole = document(5, t=1)
    event = {"previous": None, "current": whole, "timestamp": NOON_S}
    outstanding = {**whole, "state": {**whole["state"], "delta": {"t": 1}}}
    assert read_document(whole, file="x") == read_document(event, file="x") == read_document(outstanding, file="x")
    assert read_document({"desired": {"t": 1}}, file="x").rows.keys() == {"/desired/t"}


@pytest.mark.parametrize("file", ["", "-", ".json", "ä ö.json", "n" * 500, "a#b"])
def test_any_file_name_makes_a_writer(file: str) -> None:
    assert read_document({"desired": {"t": 1}}, file=file)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ([], "is a JSON object, not list"),
        ({}, "no member 'state'"),
        ({"desired": {}, "x": 1}, "no member 'state'"),
        ({"state": 7}, "state: needs an object, not int"),
        ({"state": {"wanted": {}}}, "state: 'wanted', knows desired and reported"),
        ({"state": {"desired": [1]}}, "state.desired: needs an object, not list"),
        ({"state": {"desired": {"t": None}}}, "/desired/t: null is not a value"),
        ({"state": {"desired": {"t": 1 << 70}}}, "/desired/t: integer outside"),
        ({"state": {"desired": {"t": float("inf")}}}, "/desired/t: inf is not finite"),
    ],
)
def test_what_is_no_document_is_refused(body: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason.replace("[", r"\[")):
        read_document(body, file="x")


# merge


def test_documents_merge_by_their_times(directory: Path) -> None:
    device = put(directory / "device.json", document(5, t=20, mode="eco"))
    cloud = put(directory / "cloud.json", document(9, t=22))
    for one, other in itertools.permutations((device, cloud)):
        data = run("merge", one, other, "--json").data
        assert data["document"]["state"]["desired"] == {"t": 22, "mode": "eco"}
        assert [write["writer"] for write in data["conflicts"][0]["writes"]] == ["device", "cloud"]
    assert run("merge", device, cloud, "--check").code == 1
    assert run("merge", device, device, "--check").code == 0
    assert "cloud wrote last" in run("merge", device, cloud).stdout


def test_a_policy_decides_what_the_merged_document_shows(directory: Path) -> None:
    device = put(directory / "device.json", document(9, t=20))
    cloud = put(directory / "cloud.json", document(5, t=22))
    policy = put(directory / "policy.json", {"strategy": "priority_based"})
    ran = run("merge", device, cloud, "--policy", policy, "--json")
    assert ran.data["document"]["state"]["desired"] == {"t": 22}


def test_states_deltas_and_documents_merge_into_a_file(directory: Path) -> None:
    replica = fleet.device(0)
    first = replica.update({"reported": {"t": 1}})
    second = replica.update({"reported": {"t": 2}})
    state, delta, armoured = (directory / name for name in ("a.state", "b.delta", "c.txt"))
    state.write_bytes(first.encode())
    delta.write_bytes(second.encode())
    armoured.write_text(fleet.armour(replica.delta().encode()) + "\n")
    console = put(directory / "console.json", document(5, t=20))
    out = directory / "merged.state"
    ran = run("merge", delta, armoured, state, console, "-o", out)
    assert ran.code == 0 and f"a state of {len(out.read_bytes())} bytes" in ran.stdout
    merged = Shadow.decode(out.read_bytes())
    assert merged.siblings("/reported/t")[-1].value == 2
    assert run("merge", state, out, console, "-o", out).code == 0
    assert Shadow.decode(out.read_bytes()) == merged
    as_json = directory / "merged.json"
    run("merge", delta, state, console, "-o", as_json)
    assert json.loads(as_json.read_bytes())["state"]["desired"] == {"t": 20}
    assert run("merge", "-", delta, "--json", stdin=state.read_bytes()).data["state"] == fleet.armour(
        replica.delta().encode()
    )


def test_a_delta_without_what_it_continues_from_is_refused(directory: Path) -> None:
    replica = fleet.device(0)
    replica.update({"reported": {"t": 1}})
    path = directory / "b.delta"
    path.write_bytes(replica.update({"reported": {"t": 2}}).encode())
    ran = run("merge", path, path)
    assert ran.code == 3
    assert ran.stderr == f"crdtshadow merge: {path}: this delta continues from what has not arrived here yet\n"


def test_a_clone_is_reported(directory: Path) -> None:
    paths = []
    for value in (1, 2):
        shadow = Shadow()
        shadow.write({"/reported/t": value}, Stamp(pack_time(9), "thermostat#00000000"))
        path = directory / f"{value}.state"
        path.write_bytes(shadow.encode())
        paths.append(path)
    ran = run("merge", *paths)
    assert ran.code == 0
    assert "two outcomes of thermostat#00000000@9.0: two programs use one identity" in ran.stderr


@given(maps(1))
def test_a_document_read_again_shows_the_same(states: list[Shadow]) -> None:
    view = resolve(states[0], Policy())
    again = Shadow()
    again.merge(read_document(json.loads(document_bytes(document_of(view))), file="x.json"))
    assert resolve(again, Policy()).document == view.document


# explain


def test_explain_tells_who_had_not_seen_whom(directory: Path) -> None:
    one, other = Shadow(), Shadow()
    one.write({"/desired/t": 1}, Stamp(pack_time(5), "device#00000001"))
    other.write({"/desired/t": {}, "/desired/t/low": 3}, Stamp(pack_time(7), "cloud#00000002"))
    one.merge(other)
    (contest,) = explain(one, Policy(), "/desired/t/low").contests
    assert contest.decision.conflict.path == "/desired/t"
    assert [decision.strategy for decision in contest.strategies] == list(STRATEGIES)
    assert explain(one, Policy(), "/desired").contests == (contest,)
    path = directory / "x.state"
    path.write_bytes(one.encode())
    data = run("explain", "/desired/t", "--state", path, "--json").data
    (conflict,) = data["conflicts"]
    assert {write["writer"]: len(write["had_not_seen"]) for write in conflict["writes"]} == {"device": 2, "cloud": 1}
    text = run("explain", "/desired/t", "--state", path)
    assert text.code == 0
    assert all(strategy in text.stdout for strategy in STRATEGIES)


@given(maps(1))
def test_whatever_stands_somewhere_is_explained(states: list[Shadow]) -> None:
    (state,) = states
    view = resolve(state, Policy())
    for path in (*view.fields, *view.held):
        found = explain(state, Policy(), path)
        assert found.contests or path in {write.path for write in found.settled}
    for decision in view.decisions:
        for write in decision.conflict.writes:
            contests = explain(state, Policy(), write.path).contests
            assert decision in [contest.decision for contest in contests]
            assert all(unseen_by(one, contest) for contest in contests for one in contest.decision.conflict.writes)


def test_explain_what_nobody_contests(directory: Path) -> None:
    shadow = Shadow()
    shadow.write({"/desired/t": 1, "/reported/u": [1]}, Stamp(pack_time(5), "device#00000001"))
    shadow.write({"/desired/t": REMOVED}, Stamp(pack_time(6), "cloud#00000002"))
    path = directory / "x.state"
    path.write_bytes(shadow.encode())
    settled = run("explain", "/reported", "--state", path, "--json").data
    assert [write["value"] for write in settled["settled"]] == [[1]]
    assert "nothing competes" in run("explain", "/reported", "--state", path).stdout
    gone = run("explain", "/desired/t/below", "--state", path, "--json").data["removal"]
    assert (gone["path"], gone["writer"], gone["removed"]) == ("/desired/t", "cloud", True)
    assert "cloud removed /desired/t" in run("explain", "/desired/t", "--state", path).stdout


def test_explain_shows_what_each_strategy_would_choose(directory: Path) -> None:
    store = directory / "fleet.db"
    run("ingest", fleet.write_lines(directory / "events.jsonl", fleet.lines()), "--store", store)
    data = run("explain", "/desired/target", "--store", store, "--thing", "thermostat", "--json").data
    strategies = data["conflicts"][0]["strategies"]
    shows = {name: [write["value"] for write in said["shows"]] for name, said in strategies.items()}
    assert shows == {
        "field_level_merge": [18],
        "last_writer_wins": [18],
        "priority_based": [22],
        "manual_review": [18],
    }
    assert strategies["manual_review"]["held"]
    policy = put(directory / "policy.json", {"ranks": {"device": 99}, "overrides": [{"path": "/**", "rule": "max"}]})
    data = run("explain", "/desired/target", "--store", store, "--thing=thermostat", "--policy", policy, "--json").data
    assert (data["conflicts"][0]["strategy"], data["conflicts"][0]["shows"][0]["value"]) == ("max", 22)
    assert data["conflicts"][0]["strategies"]["priority_based"]["shows"][0]["value"] == 19
