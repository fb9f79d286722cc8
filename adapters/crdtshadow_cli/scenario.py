"""Scenarios of the format ``crdtshadow-merge-vectors/1``, read and checked.

A scenario is a list of replicas, each with a log of what happens there at its own wall times: local
writes, and receptions of operations. What the format says is in its files, under ``reading``; members
that are not known here are let pass.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, TypeAlias

from crdtshadow import InvalidIdentity, InvalidPath, InvalidValue, replica_id
from crdtshadow.limits import CLOCK_MS_MAX
from crdtshadow.paths import build, flatten
from crdtshadow.paths import check as check_path
from crdtshadow.values import check as check_value
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.inputs import read_json

FORMAT: Final = "crdtshadow-merge-vectors/1"
DEFAULT_RANKS: Final[Mapping[str, float]] = {"cloud": 30, "gw": 20, "dev": 10, "dev2": 10}
"""Of the format, for a file that gives none."""

FILE_BYTES_MAX: Final = 64 * 1024 * 1024

_ENTRY_KINDS: Final = ("set", "del", "recv")


class LocalWrite(NamedTuple):
    """A write in a replica's log; *value* is ``None`` for a removal."""

    op: str
    wall_ms: int
    path: str
    value: object


class Reception(NamedTuple):
    """Operations that arrive at a replica, with everything they had seen."""

    ops: tuple[str, ...]
    wall_ms: int


Entry: TypeAlias = "LocalWrite | Reception"


class PriorityRule(NamedTuple):
    """Replicas in descending order of rank, for the paths at and below a prefix."""

    prefix: str
    order: tuple[str, ...]


class Scenario(NamedTuple):
    """What happens at which replica, and what is expected to come of it.

    Attributes:
        id: Names it.
        name: Tells what it is about.
        logs: By replica.
        deliveries: Orders of arrival to try at an empty replica.
        priority_rules: The first whose prefix fits a path decides who ranks how.
        drift_ms_max: How far ahead of a receiver's clock a write may be; ``None`` for any.
        expect: The file's ``expect``, ``None`` if it gives none.
    """

    id: str
    name: str
    logs: Mapping[str, tuple[Entry, ...]]
    deliveries: tuple[tuple[str, ...], ...] = ()
    priority_rules: tuple[PriorityRule, ...] = ()
    drift_ms_max: int | None = None
    expect: Mapping[str, object] | None = None

    def identities(self) -> dict[str, str]:
        """Return by replica the name it has in the library: its own, or, if one is not allowed there, all numbered.

        Their order by bytes, which decides ties, is the same.

        >>> parse_scenario({"id": "T", "replicas": {"é": {"log": []}, "dev 1": {"log": []}}}, "T").identities()
        {'dev 1': 'replica0', 'é': 'replica1'}
        """
        try:
            for name in self.logs:
                replica_id(name, 0)
        except InvalidIdentity:
            digits = len(str(len(self.logs) - 1))
            return {name: f"replica{at:0{digits}}" for at, name in enumerate(sorted(self.logs, key=_bytes))}
        return {name: name for name in self.logs}

    def writes(self) -> list[LocalWrite]:
        """Return the writes of all logs."""
        return [entry for log in self.logs.values() for entry in log if isinstance(entry, LocalWrite)]


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogatepass")


class ScenarioFile(NamedTuple):
    """What a file holds.

    Attributes:
        scenarios: Those that can be run, in the file's order.
        refused: By the id of each other one, why it cannot.
        default_ranks: How much a replica counts where no rule says it.
    """

    scenarios: tuple[Scenario, ...]
    refused: Mapping[str, str]
    default_ranks: Mapping[str, float]


def read_scenarios(file: str, *, ids: Collection[str] = ()) -> ScenarioFile:
    """Return the scenarios of *file*, in its order.

    Args:
        file: Its name.
        ids: Which to read; all by default.

    Raises:
        InputError: It cannot be read, is of another format, or has no scenario of an id asked for.
    """
    content = _object(read_json(file, bytes_max=FILE_BYTES_MAX), file)
    if content.get("format") != FORMAT:
        raise InputError(f"{file}: format is {_show(content.get('format'))}, needs {_show(FORMAT)}")
    listed = _list(content.get("vectors"), f"{file}: vectors")
    bodies: dict[str, Mapping[str, object]] = {}
    for at, item in enumerate(listed):
        body = _object(item, f"{file}: vectors[{at}]")
        name = _text(body.get("id"), f"{file}: vectors[{at}].id")
        if name in bodies:
            raise InputError(f"{file}: there are two scenarios {name}")
        bodies[name] = body
    for wanted in ids:
        if wanted not in bodies:
            raise InputError(f"{file}: there is no scenario {wanted}")
    ranks = _ranks(content.get("default_ranks", DEFAULT_RANKS), f"{file}: default_ranks")
    scenarios: list[Scenario] = []
    refused: dict[str, str] = {}
    for name, body in bodies.items():
        if not ids or name in ids:
            try:
                scenarios.append(parse_scenario(body, name))
            except InputError as error:
                refused[name] = str(error)
    return ScenarioFile(tuple(scenarios), refused, ranks)


def parse_scenario(body: Mapping[str, object], where: str) -> Scenario:
    """Return the scenario that *body* describes.

    Args:
        body: An item of ``vectors``.
        where: How to name it in an error.

    Raises:
        InputError: It cannot be run; the message says where and why.
    """
    logs: dict[str, tuple[Entry, ...]] = {}
    for name, item in _object(body.get("replicas"), f"{where}: replicas").items():
        log = _list(_object(item, f"{where}: {name}").get("log"), f"{where}: {name}: log")
        logs[name] = tuple([_entry(entry, f"{where}: {name}: log[{at}]") for at, entry in enumerate(log)])
    scenario = Scenario(
        _text(body.get("id"), f"{where}: id"),
        _text(body.get("name", ""), f"{where}: name", empty=True),
        logs,
        tuple(
            [
                _ops(order, f"{where}: deliveries[{at}]")
                for at, order in enumerate(_list(body.get("deliveries", []), f"{where}: deliveries"))
            ]
        ),
        tuple(
            [
                _rule(rule, f"{where}: priority_rules[{at}]")
                for at, rule in enumerate(_list(body.get("priority_rules", []), f"{where}: priority_rules"))
            ]
        ),
        _drift(body, where),
        _expect(body, where),
    )
    _check_ops(scenario, where)
    return scenario


def _check_ops(scenario: Scenario, where: str) -> None:
    ops: set[str] = set()
    for write in scenario.writes():
        if write.op in ops:
            raise InputError(f"{where}: two operations are called {_show(write.op)}")
        ops.add(write.op)
    received = [
        (f"{name}: log[{at}].recv", entry.ops)
        for name, log in scenario.logs.items()
        for at, entry in enumerate(log)
        if isinstance(entry, Reception)
    ]
    delivered = [(f"deliveries[{at}]", order) for at, order in enumerate(scenario.deliveries)]
    for place, named in (*received, *delivered):
        for op in named:
            if op not in ops:
                raise InputError(f"{where}: {place}: there is no operation {_show(op)}")


def _entry(item: object, where: str) -> Entry:
    entry = _object(item, where)
    kinds = [kind for kind in _ENTRY_KINDS if kind in entry]
    if len(kinds) != 1:
        raise InputError(f"{where}: needs one of set, del and recv, has {' and '.join(kinds) or 'none'}")
    wall_ms = entry.get("wall")
    if not isinstance(wall_ms, int) or isinstance(wall_ms, bool) or not 0 <= wall_ms <= CLOCK_MS_MAX:
        found = "is missing" if "wall" not in entry else f"is {_show(wall_ms)}"
        raise InputError(f"{where}: wall {found}, needs milliseconds from 0 to {CLOCK_MS_MAX}")
    if kinds == ["recv"]:
        return Reception(_ops(entry["recv"], f"{where}.recv"), wall_ms)
    op = _text(entry.get("op"), f"{where}.op")
    path = _path(entry[kinds[0]], f"{where}.{kinds[0]}")
    if kinds == ["del"]:
        return LocalWrite(op, wall_ms, path, None)
    if "value" not in entry:
        raise InputError(f"{where}: set needs a value, or null to remove")
    return LocalWrite(op, wall_ms, path, _value(entry["value"], f"{where}.value"))


def _value(value: object, where: str) -> object:
    if value is None:
        return None
    try:
        leaves = flatten(value) if isinstance(value, Mapping) else {"": value}
        for path, leaf in leaves.items():
            check_value(leaf, f"{where}{path}")
    except (InvalidPath, InvalidValue) as error:
        raise InputError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
    return value


def _path(keys: object, where: str) -> str:
    listed = _list(keys, where)
    texts = [_text(key, f"{where}[{at}]", empty=True) for at, key in enumerate(listed)]
    if not texts:
        raise InputError(f"{where}: a path needs at least one key")
    try:
        return check_path(build(*texts))
    except InvalidPath as error:
        raise InputError(f"{where}: {error}") from None


def _ops(item: object, where: str) -> tuple[str, ...]:
    return tuple([_text(op, f"{where}[{at}]") for at, op in enumerate(_list(item, where))])


def _rule(item: object, where: str) -> PriorityRule:
    rule = _object(item, where)
    prefix = _list(rule.get("prefix"), f"{where}.prefix")
    keys = [_text(key, f"{where}.prefix[{at}]", empty=True) for at, key in enumerate(prefix)]
    return PriorityRule(build(*keys), _ops(rule.get("order"), f"{where}.order"))


def _drift(body: Mapping[str, object], where: str) -> int | None:
    bound = body.get("drift_bound_ms")
    if bound is None or (isinstance(bound, int) and not isinstance(bound, bool) and bound >= 0):
        return bound
    raise InputError(f"{where}: drift_bound_ms is {_show(bound)}, needs milliseconds from 0")


def _expect(body: Mapping[str, object], where: str) -> Mapping[str, object] | None:
    return None if body.get("expect") is None else _object(body["expect"], f"{where}: expect")


def _ranks(item: object, where: str) -> Mapping[str, float]:
    ranks: dict[str, float] = {}
    for name, rank in _object(item, where).items():
        if not isinstance(rank, int | float) or isinstance(rank, bool):
            raise InputError(f"{where}: {name} is {_show(rank)}, needs a number")
        ranks[name] = rank
    return ranks


def _object(item: object, where: str) -> Mapping[str, object]:
    if not isinstance(item, dict):
        raise InputError(f"{where}: needs an object, not {_kind(item)}")
    return item


def _list(item: object, where: str) -> list[object]:
    if not isinstance(item, list):
        raise InputError(f"{where}: needs an array, not {_kind(item)}")
    return item


def _text(item: object, where: str, *, empty: bool = False) -> str:
    if not isinstance(item, str):
        raise InputError(f"{where}: needs a text, not {_kind(item)}")
    if not item and not empty:
        raise InputError(f"{where}: is empty")
    return item


def _kind(item: object) -> str:
    match item:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "an array"
    return "an object"


def _show(item: object) -> str:
    text = json.dumps(item, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
