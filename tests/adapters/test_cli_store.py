"""The commands on a store: what they print, as tables and as JSON, and what they change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crdtshadow import Shadow, find_conflicts
from tests.adapters import fleet
from tests.adapters.fleet import Ran, run, untouched, write_lines
from tests.adapters.traffic import in_memory_directory

TARGET = "/desired/target"


@pytest.fixture
def directory() -> Iterator[Path]:
    with in_memory_directory() as name:
        yield Path(name)


@pytest.fixture
def store(directory: Path) -> Path:
    """A store with the fleet in it."""
    made = directory / "fleet.db"
    assert run("ingest", write_lines(directory / "events.jsonl", fleet.lines()), "--store", made).code == 0
    return made


def fields(ran: Ran) -> dict[str, Any]:
    return {field["path"]: field["value"] for field in ran.data["fields"]}


# show


def test_show_lists_shadows(store: Path) -> None:
    listed = run("show", "--store", store, "--json").data["shadows"]
    assert [(one["thing"], one["shadow"]) for one in listed] == [("thermostat", None), ("thermostat", "config")]
    table = run("show", "--store", store)
    assert (table.code, table.stderr) == (0, "")
    assert "config" in table.stdout and "classic" in table.stdout


def test_show_one_tells_who_and_when(store: Path) -> None:
    ran = run("show", "--store", store, "--thing", "thermostat", "--json")
    assert fields(ran)[TARGET] == 18
    (target,) = [field for field in ran.data["fields"] if field["path"] == TARGET]
    assert (target["writer"], target["at"]) == ("thermostat", "2023-11-14T22:15:50.000Z")
    assert ran.data["document"]["state"]["delta"] == {"target": 18}
    table = run("show", "--store", store, "--thing", "thermostat").stdout
    assert "2023-11-14 22:15:50.000Z" in table and "in conflict" in table


def test_show_a_named_shadow(store: Path) -> None:
    assert fields(run("show", "--store", store, "--thing", "thermostat", "--shadow", "config", "--json")) == {
        "/desired/interval": 30
    }


def test_show_under_another_policy_changes_nothing(directory: Path, store: Path) -> None:
    policy = directory / "policy.json"
    policy.write_text('{"strategy": "priority_based"}')
    with untouched(directory):
        ran = run("show", "--store", store, "--thing", "thermostat", "--policy", policy, "--json")
    assert fields(ran)[TARGET] == 22


def test_text_from_outside_never_steers_the_terminal(store: Path) -> None:
    assert "\x1b" not in run("show", "--store", store, "--thing", "thermostat").stdout
    assert "é" in run("show", "--store", store, "--thing", "thermostat").stdout


def test_limit_bounds_a_listing_and_says_so(store: Path) -> None:
    assert len(run("show", "--store", store, "--limit", 1, "--json").data["shadows"]) == 1
    assert "--limit 0" in run("show", "--store", store, "--limit", 1).stderr
    assert run("show", "--store", store, "--limit", 2).stderr == ""


# history and conflicts


def test_history_is_newest_first_and_can_be_narrowed(store: Path) -> None:
    everything = run("history", "--store", store, "--json").data["history"]
    assert {line["shadow"] for line in everything} == {None, "config"}
    lines = run("history", "--store", store, "--thing", "thermostat", "--path", TARGET, "--json").data["history"]
    assert [line["changed_at"] for line in lines] == [lines[0]["changed_at"]] * 4
    assert [(line["before"], line["after"], [write["value"] for write in line["writes"]]) for line in lines] == [
        (18, 18, [19, 22, 18]),
        (18, 18, [22, 18]),
        (18, 18, [20, 18]),
        (None, 18, []),
    ]
    assert lines[0]["written"]["writer"] == "thermostat"
    run("resolve", TARGET, "--store", store, "--thing", "thermostat", "--value", "21")
    newest = run("history", "--store", store, "--json", "--limit", 1).data["history"][0]
    assert (newest["path"], newest["before"], newest["after"]) == (TARGET, 18, 21)
    assert "thermostat" in run("history", "--store", store, "--thing", "thermostat", "--shadow", "$default").stdout


def test_conflicts_lists_what_competes(store: Path) -> None:
    found = run("conflicts", "--store", store, "--json")
    assert found.code == 0
    assert [(one["path"], one["held"]) for one in found.data["conflicts"]] == [
        (TARGET, False),
        ("/reported/temp", False),
    ]
    assert "app: 22" in run("conflicts", "--store", store).stdout


def test_conflicts_check_is_for_scripts(store: Path) -> None:
    assert run("conflicts", "--store", store, "--check").code == 1
    assert run("conflicts", "--store", store, "--check", "--held").code == 0
    assert run("conflicts", "--store", store, "--check", "--thing", "thermostat", "--shadow", "config").code == 0


# resolve


@pytest.mark.parametrize(
    ("how", "shows"),
    [
        (("--value", "21"), 21),
        (("--choose", "app"), 22),
        (("--choose", "thermostat#00000007"), 18),
        (("--choose", f"thermostat#00000007@{(fleet.NOON_S + 150) * 1000}.0"), 18),
        (("--value", "null"), None),
        (("--value", '"eco"', "--by", "operator"), "eco"),
    ],
)
def test_resolve_settles_a_conflict(store: Path, how: tuple[str, ...], shows: object) -> None:
    ran = run("resolve", TARGET, "--store", store, "--thing", "thermostat", *how, "--json")
    assert (ran.code, ran.data["conflicts_left"]) == (0, 1)
    assert fields(run("show", "--store", store, "--thing", "thermostat", "--json")).get(TARGET) == shows


def test_resolve_says_what_shows_now(store: Path) -> None:
    assert (
        "/desired/target is 21" in run("resolve", TARGET, "--store", store, "--thing=thermostat", "--value=21").stdout
    )


# export


def test_export_writes_an_aws_document(store: Path) -> None:
    document = run("export", "--store", store, "--thing", "thermostat").data
    assert document["state"]["desired"] == {"target": 18}
    assert document["metadata"]["desired"] == {"target": {"timestamp": fleet.NOON_S + 150}}
    assert set(document) == {"state", "metadata", "version", "timestamp"}


def test_export_writes_a_state_that_merges(directory: Path, store: Path) -> None:
    place = ("--store", store, "--thing", "thermostat", "--as", "state")
    state = directory / "thermostat.state"
    assert run("export", *place, "-o", state, "--json").data["bytes"] == len(state.read_bytes())
    assert len(find_conflicts(Shadow.decode(state.read_bytes()))) == 2
    assert run("export", *place).stdout.strip() == fleet.armour(state.read_bytes())
    assert run("export", *place, "--json").data["state"] == fleet.armour(state.read_bytes())
    again = directory / "again.db"
    line = {"thingName": "thermostat", "delta": run("export", *place).stdout.strip()}
    assert run("ingest", write_lines(directory / "state.jsonl", [line]), "--store", again).code == 0
    assert run("export", "--store", again, *place[2:]).stdout == run("export", *place).stdout


def test_export_never_overwrites_its_store(directory: Path, store: Path) -> None:
    with untouched(directory):
        assert run("export", "--store", store, "--thing", "thermostat", "-o", store).code == 2


# stats and policy


def test_stats_count_and_check(store: Path) -> None:
    counted = run("stats", "--store", store, "--check", "--json").data
    assert (counted["shadows"], counted["conflicts"], counted["checked"]) == (2, 0, True)
    assert "shadows" in run("stats", "--store", store).stdout


def test_a_policy_of_the_store_holds_conflicts_and_lets_go(directory: Path, store: Path) -> None:
    policy = directory / "review.json"
    policy.write_text('{"strategy": "manual_review"}')
    assert run("policy", "set", policy, "--store", store, "--json").data["conflicts_held"] == 2
    assert len(run("conflicts", "--store", store, "--held", "--json").data["conflicts"]) == 2
    assert "held for review" in run("show", "--store", store, "--thing", "thermostat").stdout
    assert "2" in run("show", "--store", store).stdout
    assert "held" in run("history", "--store", store).stdout
    assert run("policy", "unset", "--store", store, "--json").data["conflicts_held"] == 0


def test_a_policy_of_one_shadow_goes_before_the_default(directory: Path, store: Path) -> None:
    policy = directory / "rank.json"
    policy.write_text('{"strategy": "priority_based"}')
    place = ("--store", store, "--thing", "thermostat")
    assert not run("policy", "show", *place, "--json").data["own"]
    assert "no policy of its own" in run("policy", "show", *place).stderr
    assert run("policy", "set", policy, *place).code == 0
    assert run("policy", "show", *place).data == {"strategy": "priority_based"}
    assert run("policy", "show", *place, "--json").data["own"]
    assert run("policy", "show", "--store", store).data == {}
    assert fields(run("show", *place, "--json"))[TARGET] == 22
    run("policy", "unset", *place)
    assert fields(run("show", *place, "--json"))[TARGET] == 18


def test_policy_check_tells_what_decides_a_path(directory: Path) -> None:
    policy = directory / "policy.json"
    policy.write_text(
        json.dumps(
            {
                "overrides": [{"path": "/reported/peak", "rule": "max"}],
                "field_priorities": {"mode": "high"},
                "auto_resolve_threshold": 5,
            }
        )
    )
    ran = run("policy", "check", policy, "--path", "/reported/peak")
    assert ran.code == 0
    assert "1 override, 1 field priority, from 5 conflicts on all are held" in ran.stdout
    assert "the rule max, else field_level_merge" in ran.stdout
    decides = run("policy", "check", policy, "--path", "/desired/mode", "--json").data["decides"]
    assert decides == {"path": "/desired/mode", "strategy": "priority_based", "rule": None}
