"""What `crdtshadow replay` cannot run is refused in one clear line that says where and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.rehearsal import run_logs
from crdtshadow_cli.scenario import FORMAT, parse_scenario, read_scenarios
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import CrdtShadowError

WRITE = {"op": "d1", "wall": 1, "set": ["desired", "t"], "value": 20}


def one(*log: Any, **members: Any) -> dict[str, Any]:
    """Return a scenario with one replica."""
    return {"id": "T", "replicas": {"dev": {"log": list(log)}}, **members}


def file_of(*vectors: Any, **members: Any) -> str:
    return json.dumps({"format": FORMAT, "vectors": vectors, **members})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ("[1, 2", "not JSON"),
        (file_of().replace("[]", "NaN"), "NaN"),
        (file_of().replace("[]", "[" * 100_000), "not JSON"),
        ('{"format": 1, "format": 2}', "twice"),
        ("[]", "needs an object, not an array"),
        ('{"vectors": []}', "format is null"),
        ('{"format": "crdtshadow-merge-vectors/2", "vectors": []}', 'format is "crdtshadow-merge-vectors/2", needs'),
        (json.dumps({"format": FORMAT}), "vectors: needs an array, not nothing"),
        (file_of(5), r"vectors\[0\]: needs an object, not a number"),
        (file_of({}), r"vectors\[0\].id: needs a text, not nothing"),
        (file_of(one(), one()), "there are two scenarios T"),
        (file_of(one(), default_ranks=[]), "default_ranks: needs an object"),
        (file_of(one(), default_ranks={"dev": True}), "default_ranks: dev is true, needs a number"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    with pytest.raises(InputError, match=message) as refused:
        read_scenarios(str(file))
    assert str(refused.value).startswith(str(file))
    assert len(str(refused.value).splitlines()) == 1


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_scenarios(str(file))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_scenarios(str(tmp_path / "none.json"))


def test_a_scenario_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "few.json"
    file.write_text(file_of(one()))
    with pytest.raises(InputError, match="there is no scenario U"):
        read_scenarios(str(file), ids=["T", "U"])


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ({"id": "T"}, "T: replicas: needs an object, not nothing"),
        ({"id": "T", "replicas": {"dev": {}}}, "T: dev: log: needs an array, not nothing"),
        (one(5), r"T: dev: log\[0\]: needs an object, not a number"),
        (one({"op": "d1", "wall": 1}), "needs one of set, del and recv, has none"),
        (one({**WRITE, "del": ["desired", "t"]}), "needs one of set, del and recv, has set and del"),
        (one({"op": "d1", "set": ["desired", "t"], "value": 1}), "wall is missing"),
        (one({**WRITE, "wall": -1}), "wall is -1, needs milliseconds"),
        (one({**WRITE, "wall": 1.5}), "wall is 1.5, needs milliseconds"),
        (one({**WRITE, "wall": True}), "wall is true, needs milliseconds"),
        (one({**WRITE, "wall": 1 << 48}), "wall is 281474976710656, needs"),
        (one({**WRITE, "op": 5}), r"log\[0\].op: needs a text, not a number"),
        (one({**WRITE, "op": ""}), r"log\[0\].op: is empty"),
        (one({**WRITE, "set": "desired"}), r"log\[0\].set: needs an array, not a text"),
        (one({**WRITE, "set": ["desired", 5]}), r"log\[0\].set\[1\]: needs a text, not a number"),
        (one({**WRITE, "set": []}), "a path needs at least one key"),
        (one({**WRITE, "set": ["desired", "t" * 5_000]}), "longer than 4096 bytes"),
        (one({**WRITE, "set": ["desired", "\ud800"]}), "lone surrogate"),
        (one({"op": "d1", "wall": 1, "set": ["desired", "t"]}), "set needs a value"),
        (one({**WRITE, "value": {"a": None}}), "null is not a value"),
        (one({**WRITE, "value": 1 << 64}), "integer outside"),
        (one({**WRITE, "value": float("inf")}), "not finite"),
        (one(WRITE, WRITE), 'two operations are called "d1"'),
        (one({"recv": ["d9"], "wall": 1}), r'log\[0\].recv: there is no operation "d9"'),
        (one({"recv": "d1", "wall": 1}), "recv: needs an array, not a text"),
        (one({"recv": ["d1"]}, WRITE), "wall is missing"),
        (one(WRITE, deliveries=[["d1", "d2"]]), r'deliveries\[0\]: there is no operation "d2"'),
        (one(WRITE, deliveries=["d1"]), r"deliveries\[0\]: needs an array, not a text"),
        (one(priority_rules=[{"order": []}]), r"priority_rules\[0\].prefix: needs an array, not nothing"),
        (one(priority_rules=[{"prefix": [], "order": [1]}]), r"priority_rules\[0\].order\[0\]: needs a text"),
        (one(drift_bound_ms="60s"), 'drift_bound_ms is "60s", needs milliseconds'),
        (one(drift_bound_ms=-1), "drift_bound_ms is -1"),
        (one(expect=[]), "expect: needs an object"),
        (one(name=["x"]), "name: needs a text, not an array"),
    ],
)
def test_a_scenario_that_cannot_be_read(scenario: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_scenario(scenario, "T")


@pytest.mark.parametrize(
    ("logs", "message"),
    [
        ({"dev": [{"recv": ["d1"], "wall": 1}, WRITE]}, "T: a reception comes before what it receives: dev for d1"),
        (
            {
                "dev": [{"recv": ["c1"], "wall": 1}, WRITE],
                "cloud": [{"recv": ["d1"], "wall": 1}, {**WRITE, "op": "c1"}],
            },
            "dev for c1, cloud for d1",
        ),
        ({"dev": [{**WRITE, "set": ["t"]}]}, "T: operation d1: '/t': a shadow has the sections"),
        ({"dev": [{**WRITE, "set": ["desired"]}]}, "T: operation d1: /desired: a section holds fields"),
    ],
)
def test_a_scenario_that_cannot_happen(logs: dict[str, Any], message: str) -> None:
    scenario = parse_scenario({"id": "T", "replicas": {name: {"log": log} for name, log in logs.items()}}, "T")
    with pytest.raises(InputError, match=message):
        run_logs(scenario)


NAMES = st.sampled_from(["id", "replicas", "log", "op", "wall", "set", "del", "recv", "value", "deliveries", "dev"])
WORDS = st.sampled_from(["d1", "c1", "desired", "dev", "cloud", ""])
SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | WORDS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children),
    max_leaves=12,
)
LOGS = st.lists(
    st.fixed_dictionaries({}, optional={"op": SCRAPS, "wall": SCRAPS, "set": SCRAPS, "del": SCRAPS, "recv": SCRAPS})
    | st.just(WRITE)
    | st.just({"recv": ["d1"], "wall": 2}),
    max_size=3,
)


@given(
    st.fixed_dictionaries(
        {"id": st.just("T"), "replicas": st.dictionaries(st.sampled_from(["dev", "cloud"]), st.builds(dict, log=LOGS))},
        optional=dict.fromkeys(("name", "deliveries", "priority_rules", "drift_bound_ms", "expect"), SCRAPS),
    )
    | st.dictionaries(st.sampled_from(["id", "replicas"]), SCRAPS)
)
def test_nothing_but_clear_errors(scenario: dict[str, Any]) -> None:
    try:
        run_logs(parse_scenario(scenario, "T"))
    except CrdtShadowError as refused:
        assert len(str(refused).splitlines()) == 1
