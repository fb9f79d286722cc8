"""`crdtshadow ingest`: the line format, what is refused and how it is told, and bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from crdtshadow_cli import ingest
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.event_lines import LINE_BYTES_MAX, REFUSALS, parse_line, read_lines
from crdtshadow_cli.tally import FIRST
from crdtshadow_walk import DeltaMessage, DocumentEvent, OfflineChanges, ShadowKey
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters import fleet
from tests.adapters.fleet import NOON_S, events, run, write_lines
from tests.adapters.traffic import in_memory_directory


@pytest.fixture
def directory() -> Iterator[Path]:
    with in_memory_directory() as name:
        yield Path(name)


def parse(body: object) -> Any:
    return parse_line(json.dumps(body).encode())


# The line format

EVENT = next(events([(0, {"state": {"desired": {"t": 1}}})]))


@pytest.mark.parametrize(
    ("names", "key"),
    [
        ({"thingName": "T"}, ShadowKey("T")),
        ({"thingName": "T", "shadowName": "$default"}, ShadowKey("T")),
        ({"thingName": "T", "shadowName": "config"}, ShadowKey("T", "config")),
        ({"topic": "$aws/things/T/shadow/update/documents"}, ShadowKey("T")),
        ({"topic": "$aws/things/T/shadow/name/S/update/documents"}, ShadowKey("T", "S")),
        ({"topic": "$aws/things/T/shadow/name/S/update/documents", "thingName": "T", "shadowName": "S"}, ("T", "S")),
    ],
)
def test_an_event_names_its_shadow(names: dict[str, str], key: ShadowKey) -> None:
    message = parse({**names, **EVENT})
    assert isinstance(message, DocumentEvent)
    assert message.key == key


def test_a_delta_is_base64() -> None:
    assert parse({"thingName": "T", "delta": "AAE="}) == DeltaMessage(ShadowKey("T"), b"\0\1")


def test_cached_changes_have_seconds() -> None:
    state = {"reported": {"t": 1}}
    offline = {"state": state, "timestamp": 100.25, "version": 3, "offlineDurationSeconds": 40}
    message = parse({"thingName": "T", "offline": offline})
    assert message == OfflineChanges(ShadowKey("T"), state, at_ms=100_250, version=3, offline_ms=60_250)
    message = parse({"thingName": "T", "offline": {"state": state, "timestamp": 9, "offlineDurationSeconds": 40}})
    assert (message.offline_ms, message.version) == (0, None)


OFFLINE = {"state": {"reported": {}}, "timestamp": 1}
REFUSED: list[tuple[Any, str]] = [
    (b"{", "not JSON: Expecting property name enclosed in double quotes, column 2"),
    (b"\xff{}", "not UTF-8: byte 0xff at 0"),
    ('{"thingName": "T"}'.encode("utf-16"), "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"thingName": "T", "delta": NaN}', "NaN is not a JSON number"),
    (b'{"thingName": "T", "delta": "", "delta": ""}', "'delta' stands twice"),
    (b'{"thingName": "T", "delta": ' + b"9" * 5_000 + b"}", "too many digits"),
    (None, f"longer than {LINE_BYTES_MAX:,} bytes"),
    ([], "needs an object, not list"),
    ({"thingName": "T"}, "needs one of the members current"),
    ({"thingName": "T", "delta": "", "offline": OFFLINE}, "needs one of the members current"),
    ({"delta": ""}, "thingName: is missing"),
    ({"thingName": 7, "delta": ""}, "thing name 7: needs 1 to 128"),
    ({"thingName": "T", "shadowName": "a b", "delta": ""}, "shadow name 'a b': needs 1 to 64"),
    ({"thingName": "T", "delta": 7}, "delta: needs base64, not int"),
    ({"thingName": "T", "delta": "é"}, "delta: not base64"),
    ({"thingName": "T", "delta": "A"}, "delta: not base64"),
    ({"topic": "$aws/things/T/shadow/get", **EVENT}, "is not one of a shadow's update/documents"),
    ({"topic": 7, **EVENT}, "is not one of a shadow's update/documents"),
    ({"topic": "$aws/things/T/shadow/update/documents", "thingName": "U", **EVENT}, "names the shadow T"),
    ({"thingName": "T", "offline": []}, "offline: needs an object, not list"),
    ({"thingName": "T", "offline": {"timestamp": 1}}, "offline.state: needs an object, not nothing"),
    ({"thingName": "T", "offline": {**OFFLINE, "timestamp": "now"}}, "offline.timestamp: 'now', needs epoch seconds"),
    ({"thingName": "T", "offline": {**OFFLINE, "timestamp": True}}, "offline.timestamp: True, needs epoch seconds"),
    ({"thingName": "T", "offline": {**OFFLINE, "timestamp": -1}}, "offline.timestamp: -1, needs epoch seconds"),
    ({"thingName": "T", "offline": {**OFFLINE, "timestamp": NOON_S * 1000}}, "these look like milliseconds"),
    (b'{"thingName": "T", "offline": {"state": {}, "timestamp": 1e999}}', "inf, needs epoch seconds"),
    ({"thingName": "T", "offline": {**OFFLINE, "version": 1.5}}, "offline.version: 1.5, needs an integer"),
    ({"thingName": "T", "offline": {**OFFLINE, "offlineDurationSeconds": []}}, "offlineDurationSeconds: [], needs"),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_a_wrong_line_is_refused(body: Any, reason: str) -> None:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(REFUSALS) as caught:
        parse_line(data)
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


MEMBERS = st.sampled_from(
    ["thingName", "current", "delta", "offline", "state", "timestamp", "version", "previous", "desired", "reported"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
    max_leaves=8,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_message_or_refused(data: bytes) -> None:
    try:
        parse_line(data)
    except REFUSALS as refused:
        assert str(refused)


def test_lines_are_read_one_at_a_time_and_none_longer_than_allowed() -> None:
    long = b"x" * (LINE_BYTES_MAX + 200_000)
    fits = b"y" * LINE_BYTES_MAX
    stream = io.BytesIO(b"a\n" + long + b"\n" + fits + b"\n\n" + long)
    read = [(line.number, line.size, line.data) for line in read_lines(stream, "x")]
    assert read == [
        (1, 2, b"a\n"),
        (2, len(long) + 1, None),
        (3, len(fits) + 1, fits + b"\n"),
        (4, 1, b"\n"),
        (5, len(long), None),
    ]


def test_a_file_that_fails_while_it_is_read_says_where() -> None:
    stream = mock.Mock()
    stream.readline.side_effect = [b"{}\n", OSError(5, "Input/output error")]
    with pytest.raises(InputError, match=r"^x: Input/output error after line 1$"):
        list(read_lines(stream, "x"))


# The command


def test_a_batch_in_any_order_ends_in_one_state(directory: Path) -> None:
    lines = fleet.lines()
    states = []
    for name, order in (("one", lines), ("other", [*reversed(lines), *lines])):
        store = directory / f"{name}.db"
        run("ingest", write_lines(directory / f"{name}.jsonl", order), "--store", store)
        shown = run("show", "--store", store, "--thing", "thermostat", "--json").data["document"]
        states.append(shown["state"])
    assert states[0] == states[1]


def test_the_summary_counts_what_became_of_lines(directory: Path) -> None:
    lines = fleet.lines()
    path = write_lines(directory / "events.jsonl", [*lines, lines[0]])
    counted = run("ingest", path, "--store", directory / "a.db", "--json")
    assert counted.code == 0
    assert (counted.data["lines"], counted.data["merged"], counted.data["echoes"]) == (7, 6, 1)
    assert (counted.data["shadows"], counted.data["refusals"]) == (2, [])
    again = run("ingest", path, "--store", directory / "a.db", "--json").data
    assert (again["merged"], again["echoes"]) == (0, 7)


def test_a_delta_waits_for_what_it_continues_from(directory: Path) -> None:
    replica = fleet.device(0)
    first = replica.update({"reported": {"t": 1}})
    second = replica.update({"reported": {"t": 2}})
    for delta, outcome in ((second, "parked"), (first, "merged")):
        line = {"thingName": "T", "delta": fleet.armour(delta.encode())}
        ran = run("ingest", "-", "--store", directory / "a.db", "--json", stdin=json.dumps(line).encode())
        assert (ran.code, ran.data[outcome]) == (0, 1)
    assert ran.data["released"] == 1
    assert run("export", "--store", directory / "a.db", "--thing", "T").data["state"]["reported"] == {"t": 2}


def test_refused_lines_are_told_and_the_rest_goes_in(directory: Path) -> None:
    good = fleet.lines()
    bad = [{"thingName": "T", "delta": "AAAA"}, {"thingName": "T", "current": 7}, "text"]
    path = write_lines(directory / "events.jsonl", [bad[2], *good, *bad])
    ran = run("ingest", path, "--store", directory / "a.db")
    assert ran.code == 1
    told = ran.stderr.splitlines()
    assert [line.partition(": refused: ")[0] for line in told] == [f"{path}:{number}" for number in (1, 8, 9, 10)]
    assert "6 merged" in ran.stdout and "4 refused" in ran.stdout
    data = run("ingest", path, "--store", directory / "b.db", "--json").data
    assert [(one["line"], one["code"]) for one in data["refusals"]] == [
        (1, "bad_input"),
        (8, "malformed"),
        (9, "event_refused"),
        (10, "bad_input"),
    ]
    assert data["refused_by_code"] == {"bad_input": 2, "event_refused": 1, "malformed": 1}


def test_many_refused_lines_are_counted_and_the_first_are_shown(directory: Path) -> None:
    path = directory / "events.jsonl"
    path.write_bytes(b"?\n" * (FIRST + 5) + b"\n")
    ran = run("ingest", path, "--store", directory / "a.db")
    assert ran.code == 3
    assert len(ran.stderr.splitlines()) == FIRST + 1
    assert "5 more lines refused" in ran.stderr
    assert len(run("ingest", path, "--store", directory / "a.db", "--json").data["refusals"]) == FIRST + 5


def test_an_empty_file_is_fine(directory: Path) -> None:
    assert run("ingest", "-", "--store", directory / "a.db", stdin=b"\n\n").code == 0


def test_a_stamp_from_the_future_is_refused(directory: Path) -> None:
    ahead = fleet.device(10_000_000_000).update({"reported": {"t": 1}})
    line = {"thingName": "T", "delta": fleet.armour(ahead.encode())}
    ran = run("ingest", "-", "--store", directory / "a.db", "--json", stdin=json.dumps(line).encode())
    assert (ran.code, ran.data["refused_by_code"]) == (3, {"clock_drift": 1})


def test_memory_is_bounded_by_the_batch(directory: Path) -> None:
    path = directory / "events.jsonl"
    (line,) = events([(0, {"state": {"reported": {"t": list(range(100))}}})], thingName="T")
    text = json.dumps(line).encode() + b"\n"

    def peak(count: int) -> int:
        path.write_bytes(text * count)
        tracemalloc.start()
        run("ingest", path, "--store", directory / f"{count}.db", "--json")
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    with mock.patch.object(ingest, "BATCH_BYTES", 4 * len(text)):
        peak(4)  # imports and caches
        assert peak(160) < 1.5 * peak(16)
