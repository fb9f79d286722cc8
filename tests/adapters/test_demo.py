"""`crdtshadow demo`: the same story every time, on input that is what it claims to be."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest
from crdtshadow_cli import demo, ingest
from crdtshadow_cli.demo_data import LAMP, PUMP, THERMOSTAT, live, read_fleet
from crdtshadow_cli.demo_walk import Tale, last_arrivals, tell
from crdtshadow_cli.errors import OutputError, UsageError
from crdtshadow_cli.output import Output
from crdtshadow_local import Store
from crdtshadow_walk import ShadowKey

from crdtshadow import Policy, find_conflicts, resolve
from tests.adapters.fleet import run as command_line


def run(command: Any, *argv: str) -> tuple[int, str]:
    """Return the exit code and standard output of a command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(argv)
    stdout = io.StringIO()
    code = args.run(args, Output(stdout, io.StringIO(), json=args.json))
    return code, stdout.getvalue()


def run_demo(folder: Path, *argv: str, form: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return what the demo prints, and its report."""
    html = folder / "report.html"
    code, stdout = run(demo, *form, "demo", "--html", str(html), *argv)
    assert code == 0
    return stdout, html.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tale(tmp_path_factory: pytest.TempPathFactory) -> Tale:
    with Store.open(tmp_path_factory.mktemp("demo") / "fleet.db") as store:
        return tell(store, read_fleet(), live())


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    stdout, _ = run_demo(tmp_path_factory.mktemp("demo"), form=("--json",))
    told: dict[str, Any] = json.loads(stdout)
    return told


def test_it_runs_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = command_line("demo")
    assert (ran.code, ran.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [demo.HTML]


# The input.


def test_the_file_that_is_shipped_is_what_the_fleet_writes() -> None:
    """If this fails, write it anew: python -m crdtshadow_cli.demo_data"""
    assert [line.decode() for line in read_fleet()] == live().lines


def test_ingest_takes_the_file_and_finds_the_same_conflicts(tmp_path: Path, said: dict[str, Any]) -> None:
    file, store = tmp_path / "fleet.jsonl", str(tmp_path / "fleet.db")
    file.write_bytes(b"\n".join(read_fleet()))
    code, stdout = run(ingest, "--json", "ingest", str(file), "--store", store)
    assert (code, json.loads(stdout)["merged"]) == (0, 13)
    with Store.open(store, create=False) as opened:
        for thing in (THERMOSTAT, LAMP, PUMP):
            held = opened.get(ShadowKey(thing))
            assert held is not None
            told = next(shadow for shadow in said["shadows"] if shadow["thing"] == thing)
            assert [one.path for one in find_conflicts(held.shadow)] == [one["path"] for one in told["conflicts"]]


# The story.


def test_all_lines_say_nothing_new_the_second_time(tale: Tale) -> None:
    first = [type(arrival.outcome).__name__ for arrival in tale.arrivals]
    assert first.count("Merged") == 12 and first.count("Refused") == 1
    assert [type(outcome).__name__ for outcome in tale.again] == [
        {"Merged": "Echo"}.get(outcome, outcome) for outcome in first
    ]


def test_the_gateway_is_refused_and_comes_back_with_new_stamps(tale: Tale) -> None:
    story = next(story for story in tale.stories if story.key.thing == PUMP)
    refused = [update for update in story.updates if update.refused]
    assert [update.stamp.ms - update.arrived_ms for update in refused] == [156 * 60_000]
    again = [update for update in story.updates if update.stamp.replica == "gateway#6a7e0002"]
    assert [(one.path, one.value) for one in again[0].writes] == [(one.path, one.value) for one in refused[0].writes]


def test_devices_and_store_hold_the_same_bytes(tale: Tale) -> None:
    for story in tale.stories:
        assert story.published.synced.same and story.republished.synced.same


def test_what_is_published_comes_back_as_an_echo(tale: Tale) -> None:
    for story in tale.stories:
        for published in (story.published, story.republished):
            assert published.patch
            assert type(published.echo).__name__ == "Echo"


def test_what_waits_for_a_review_is_not_published_before_it(tale: Tale) -> None:
    story = next(story for story in tale.stories if story.key.thing == PUMP)
    assert story.published.patch == {"reported": {"mode": "eco", "rpm": 900}}
    assert story.republished.patch == {"desired": {"mode": "eco"}}


def test_the_strategies_differ(said: dict[str, Any]) -> None:
    thermostat = next(shadow for shadow in said["shadows"] if shadow["thing"] == THERMOSTAT)
    shown = {
        strategy: [one["strategies"][strategy][0].get("value", "removed") for one in thermostat["conflicts"]]
        for strategy in thermostat["conflicts"][0]["strategies"]
    }
    assert [one["path"] for one in thermostat["conflicts"]] == [
        "/desired/limits/max",
        "/desired/limits/min",
        "/desired/preheat",
        "/desired/target",
    ]
    assert shown == {
        "field_level_merge": [23, 19, "removed", 21],
        "last_writer_wins": [23, 16, "05:30", 18.5],
        "priority_based": [23, 16, "removed", 21],
        "manual_review": [23, 19, "removed", 21],
    }
    assert [one["aws"]["value"] for one in thermostat["conflicts"]] == [22, 19, "05:30", 18.5]


def test_what_aws_would_have_lost_is_newer_than_what_it_kept(tale: Tale) -> None:
    lost = [
        (story.key.thing, rival.conflict.path, write.stamp > rival.aws.stamp)
        for story in tale.stories
        for rival in story.rivals
        for write in rival.overruled
    ]
    assert lost == [
        (THERMOSTAT, "/desired/limits/max", True),
        (THERMOSTAT, "/desired/preheat", True),
        (THERMOSTAT, "/desired/target", True),
    ]


def test_aws_shows_whatever_arrived_last(tale: Tale) -> None:
    for key, shown in last_arrivals(tale.arrivals).items():
        for path, write in shown.items():
            arrived = [
                (arrival.at_ms, update.stamp, one)
                for arrival in tale.arrivals
                if arrival.message.key == key
                for update in arrival.updates
                for one in update.writes
                if one.path == path and update.stamp.replica != "gateway#6a7e0002"
            ]
            assert max(arrived)[2] == write


# The command.


def test_it_says_the_same_every_time(tmp_path: Path) -> None:
    assert run_demo(tmp_path) == run_demo(tmp_path)
    assert run_demo(tmp_path, form=("--json",)) == run_demo(tmp_path, form=("--json",))


def test_it_tells_the_six_steps_in_order(tmp_path: Path) -> None:
    stdout, _ = run_demo(tmp_path)
    headings = [line for line in stdout.splitlines() if line[:1].isdigit()]
    assert headings == ["1  ingest", "2  decode", "3  merge", "4  resolve", "5  store", "6  publish"]
    assert stdout.splitlines()[-1] == f"The report, with a picture: {tmp_path / 'report.html'}"


def test_the_store_can_be_kept(tmp_path: Path) -> None:
    kept = str(tmp_path / "fleet.db")
    stdout, _ = run_demo(tmp_path, "--keep", kept)
    assert f"The store: {kept}" in stdout
    with Store.open(kept, create=False) as store:
        store.check()
        held = store.get(ShadowKey(THERMOSTAT))
        assert held is not None
        assert resolve(held.shadow, Policy()).fields["/desired/target"] == 21
        assert [refused.refusal.code for refused in store.refusals()] == ["clock_drift", "clock_drift"]


def test_nothing_is_left_behind_but_the_report(tmp_path: Path) -> None:
    run_demo(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_store_that_is_there_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "fleet.db"
    kept.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"fleet\.db: is there already"):
        run_demo(tmp_path, "--keep", str(kept))
    assert kept.read_bytes() == b"mine"


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"none/report\.html: no such file"):
        run(demo, "demo", "--html", str(tmp_path / "none" / "report.html"))
