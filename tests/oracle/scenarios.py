"""Scenarios of the format `crdtshadow-merge-vectors/1`: logs of replicas into writes, writes into expectations.

Where the format leaves a detail open, this is how it is read here:

- One `recv` is one reception for each operation that it names, in the order named, even of what is known already.
- Under a drift bound each arriving operation is judged by itself, the unnamed past of a named one included. It is
  refused if its timestamp is more than the bound ahead of the receiver's wall clock, and then moves no clock; what
  follows it is later still, so it is refused as well. The deliveries after the logs have no wall clock, so there an
  operation is refused only if it, or one in its past, was refused before and has not been accepted since.
- A rule's ranks are positions in its `order`, and the default ranks, which apply where no rule does, are positions
  too; so ranks from different rules can be compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path as File
from typing import Any, Final, NamedTuple, TypeAlias

from tests.oracle import hlc
from tests.oracle.denotation import (
    Fields,
    Write,
    conflicts,
    document,
    lww_view,
    priority_view,
    settled_view,
)

FORMAT: Final = "crdtshadow-merge-vectors/1"
VECTORS: Final = File(__file__).parent.parent / "vectors"
DEFAULT_RANKS: Final = {"cloud": 30, "gw": 20, "dev": 10, "dev2": 10}

Scenario: TypeAlias = dict[str, Any]
Rank: TypeAlias = Callable[[Write], float]


class Run(NamedTuple):
    """What came of a scenario's logs.

    Attributes:
        writes: All writes, by operation id.
        clocks: The timestamp of each, by operation id.
        history: For each replica, the operations it holds after each entry of its log.
        held: For each replica, the operations it holds after the final deliveries.
        rejected: For each replica that refused any, the operations it refused, sorted.
    """

    writes: dict[str, Write]
    clocks: dict[str, hlc.Clock]
    history: dict[str, tuple[frozenset[str], ...]]
    held: dict[str, frozenset[str]]
    rejected: dict[str, list[str]]

    def writes_of(self, ops: Iterable[str]) -> list[Write]:
        """Return the writes of these operations and of everything they had seen."""
        wanted: set[str] = set()
        for op in ops:
            wanted |= {op} | self.writes[op].seen
        return [self.writes[op] for op in sorted(wanted)]


class ScenarioFile(NamedTuple):
    """The scenarios of a file and the ranks that hold in it by default."""

    scenarios: list[Scenario]
    default_ranks: dict[str, int]


def load(name: str) -> ScenarioFile:
    """Return what the file of that name among the test vectors holds."""
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    if content["format"] != FORMAT or content["count"] != len(content["vectors"]):
        raise ValueError(f"{name} is not a whole file of {FORMAT}")
    return ScenarioFile(content["vectors"], content["default_ranks"])


def run(scenario: Scenario) -> Run:
    """Return the writes that the logs amount to, and who holds which in the end.

    Raises:
        ValueError: An operation id is used twice, a value is a map with children or null, or a reception waits for an
            operation that cannot have happened before it.
    """
    logs = {name: replica["log"] for name, replica in scenario["replicas"].items()}
    replicas = {name: _Replica(name) for name in logs}
    writes: dict[str, Write] = {}
    clocks: dict[str, hlc.Clock] = {}
    history: dict[str, list[frozenset[str]]] = {name: [] for name in logs}
    waiting = True
    while waiting:
        waiting = False
        for name, log in logs.items():
            done = history[name]
            while len(done) < len(log) and all(op in writes for op in log[len(done)].get("recv", ())):
                replicas[name].do(log[len(done)], writes, clocks, scenario.get("drift_bound_ms"))
                done.append(frozenset(replicas[name].held))
                waiting = True
    if any(len(history[name]) < len(log) for name, log in logs.items()):
        raise ValueError(f"scenario {scenario['id']}: a reception comes before what it receives")
    for replica in replicas.values():
        replica.take_the_rest(writes)
    return Run(
        writes,
        clocks,
        {name: tuple(done) for name, done in history.items()},
        {name: frozenset(replica.held) for name, replica in replicas.items()},
        {name: sorted(replica.refused) for name, replica in replicas.items() if replica.refused},
    )


def rank_of(scenario: Scenario, default_ranks: Mapping[str, int]) -> Rank:
    """Return the rank that the scenario's priority rules, or else the default ranks, give a write."""
    levels = sorted(set(default_ranks.values()), reverse=True)
    default_positions = {replica: levels.index(rank) for replica, rank in default_ranks.items()}

    def rank(write: Write) -> float:
        for rule in scenario.get("priority_rules", ()):
            prefix = tuple(rule["prefix"])
            if write.path[: len(prefix)] == prefix:
                positions = {replica: position for position, replica in enumerate(rule["order"])}
                return -positions.get(write.replica, math.inf)
        return -default_positions.get(write.replica, math.inf)

    return rank


def expectation(writes: Iterable[Write], rank: Rank) -> dict[str, Any]:
    """Return what the writes show under each strategy, in the words of the format."""
    everything = list(writes)
    return {
        "lww": document(lww_view(everything)),
        "priority": document(priority_view(everything, rank)),
        "manual": {
            "conflicts": [
                {"path": list(conflict.path), "siblings": [_sibling(write) for write in conflict.siblings]}
                for conflict in conflicts(everything)
            ],
            "settled": document(settled_view(everything)),
        },
    }


def expect(scenario: Scenario, default_ranks: Mapping[str, int] = DEFAULT_RANKS) -> dict[str, Any]:
    """Return the scenario's `expect`: the view that all replicas share, or that of the one that refused something.

    Raises:
        ValueError: Several replicas refused, and differ in what they show, which the format cannot say.
    """
    ran = run(scenario)
    rank = rank_of(scenario, default_ranks)
    shares = {ran.held[replica] for replica in ran.rejected} or set(ran.held.values())
    if len(shares) > 1:
        raise ValueError(f"scenario {scenario['id']}: the replicas hold different operations")
    writes = [ran.writes[op] for op in shares.pop()]
    expected = expectation(writes, rank)
    if scenario.get("tie_break_sensitive"):
        expected["lww_if_lower_id_wins"] = document(lww_view(writes, lower_id_wins=True))
    if ran.rejected:
        expected["rejected_ops"] = ran.rejected
    return expected


def timestamps(ran: Run) -> dict[str, list[Any]]:
    """Return the scenario's `timestamps`."""
    return {op: [clock.ms, clock.counter, ran.writes[op].replica] for op, clock in ran.clocks.items()}


def fields(nested: Mapping[str, Any]) -> Fields:
    """Return the leaves of nested maps by path; the inverse of `document`.

    >>> fields({"desired": {"a": {"b": 1}, "c": [{}]}})
    {('desired', 'a', 'b'): 1, ('desired', 'c'): [{}]}
    """
    leaves: Fields = {}
    for key, value in nested.items():
        below = fields(value) if isinstance(value, dict) else {(): value}
        leaves |= {(key, *path): leaf for path, leaf in below.items()}
    return leaves


class _Replica:
    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = hlc.UNSET
        self.held: set[str] = set()
        self.refused: set[str] = set()

    def do(
        self, entry: Mapping[str, Any], writes: dict[str, Write], clocks: dict[str, hlc.Clock], bound: int | None
    ) -> None:
        if "recv" in entry:
            for op in entry["recv"]:
                self._receive(op, entry["wall"], writes, clocks, bound)
            return
        if entry["op"] in writes:
            raise ValueError(f"operation {entry['op']} happens twice")
        self.clock = hlc.send(self.clock, entry["wall"])
        clocks[entry["op"]] = self.clock
        writes[entry["op"]] = self._write(entry)
        self.held.add(entry["op"])

    def _write(self, entry: Mapping[str, Any]) -> Write:
        seen = frozenset(self.held)
        if "del" in entry:
            return Write(entry["op"], self.name, self.clock.time, tuple(entry["del"]), "del", None, seen)
        value = entry["value"]
        if value is None or (isinstance(value, dict) and value):
            raise ValueError(f"operation {entry['op']}: maps exist through their leaves, and null is no value")
        return Write(entry["op"], self.name, self.clock.time, tuple(entry["set"]), "set", value, seen)

    def _receive(
        self, op: str, wall: int, writes: dict[str, Write], clocks: dict[str, hlc.Clock], bound: int | None
    ) -> None:
        arriving = {op} | writes[op].seen
        if bound is not None:
            ahead = {each for each in arriving - self.held if clocks[each].ms > wall + bound}
            self.refused |= ahead
            arriving -= ahead
        self.held |= arriving
        if op in arriving:
            self.clock = hlc.receive(self.clock, clocks[op], wall)

    def take_the_rest(self, writes: Mapping[str, Write]) -> None:
        kept_out = self.refused - self.held
        self.refused |= {op for op, write in writes.items() if kept_out & write.seen}
        self.held |= set(writes) - self.refused


def _sibling(write: Write) -> dict[str, Any]:
    return {"op": write.op, "deleted": True} if write.kind == "del" else {"op": write.op, "value": write.value}
