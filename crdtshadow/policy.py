"""Policies: which strategy or rule decides where. A policy is data (JSON), not code.

    {
      "strategy": "field_level_merge",
      "overrides": [{"path": "/desired/limits/**", "strategy": "last_writer_wins"},
                    {"path": "/reported/peak", "rule": "max"}],
      "auto_resolve_threshold": 5,
      "ranks": {"*": 10, "gateway*": 20, "app*": 25, "cloud*": 30},
      "priorities": [{"path": "/reported/**", "order": ["gateway*", "cloud*"]}],
      "field_priorities": {"firmware": "high", "/desired/mode": "low"}
    }

Every member may be left out.

* ``strategy``: how conflicts are decided where nothing else is said.
* ``overrides``: of strategies, the first whose path (a glob: ``*`` one segment, ``**`` any number)
  fits decides; so it is of rules. A *rule* decides a field by its values instead: ``max``, ``min``,
  ``union`` (of arrays), ``counter`` (a map of per-replica entries, shown as their sum), ``set`` (a map
  of its elements, shown as an array).
* ``auto_resolve_threshold``: with that many conflicts or more in one state, all go to manual review;
  ``null`` for never.
* ``ranks``: how much a replica counts under ``priority_based``, by name (``*``: any characters; the
  longest pattern that fits decides).
* ``priorities``: for the paths that fit, names in descending order; replicas that are not listed come
  after, by rank. The first that fits a path decides.
* ``field_priorities``: fields that ``priority_based`` decides whatever ``strategy`` is: ``high`` by
  rank, ``low`` by rank reversed (the device wins), ``medium`` by time alone. The key is a path glob,
  or a field's name wherever it stands; what is below such a field goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from reprlib import repr as brief
from typing import Final, NamedTuple, TypeAlias

from crdtshadow.errors import CrdtShadowError, InvalidPath, InvalidPolicy
from crdtshadow.paths import compile_glob, escape, match_name

FIELD_LEVEL_MERGE: Final = "field_level_merge"
LAST_WRITER_WINS: Final = "last_writer_wins"
PRIORITY_BASED: Final = "priority_based"
MANUAL_REVIEW: Final = "manual_review"
STRATEGIES: Final = (FIELD_LEVEL_MERGE, LAST_WRITER_WINS, PRIORITY_BASED, MANUAL_REVIEW)

RULES: Final = ("max", "min", "union", "counter", "set")
LEVELS: Final = ("high", "medium", "low")

DEFAULT_RANKS: Final[Mapping[str, int]] = {"*": 10, "gateway*": 20, "app*": 25, "cloud*": 30}

OVERRIDES_MAX: Final = 256
"""Overrides, priorities and field priorities, each."""

Priority: TypeAlias = "tuple[int, int]"
"""Compares replicas at one path; the greater wins."""

_Test: TypeAlias = "Callable[[str], bool]"


class _Override(NamedTuple):
    fits: _Test
    strategy: str
    rule: str


class _Order(NamedTuple):
    fits: _Test
    names: tuple[str, ...]


class Policy:
    """Which strategy or rule decides where; immutable, made from JSON by :meth:`from_json`.

    The default is ``field_level_merge`` everywhere, with the default ranks and no threshold.
    """

    __slots__ = ("_data", "_levels", "_orders", "_overrides", "_ranks", "auto_resolve_threshold", "strategy")

    strategy: str
    auto_resolve_threshold: int | None

    def __init__(self) -> None:
        self._build({})

    def _build(self, data: Mapping[str, object]) -> None:
        known = _object(data, "policy", _MEMBERS)
        self.strategy = _choice(known.get("strategy", FIELD_LEVEL_MERGE), "strategy", STRATEGIES)
        overrides = _list(known.get("overrides", []), "overrides")
        self._overrides = [_override(item, f"overrides[{at}]") for at, item in enumerate(overrides)]
        self.auto_resolve_threshold = _threshold(known.get("auto_resolve_threshold"))
        ranks = _object(known.get("ranks", DEFAULT_RANKS), "ranks")
        checked = [(name, _integer(rank, f"ranks[{name!r}]")) for name, rank in ranks.items()]
        self._ranks = sorted(checked, key=_by_precision)
        orders = _list(known.get("priorities", []), "priorities")
        self._orders = [_order(item, f"priorities[{at}]") for at, item in enumerate(orders)]
        self._levels = [
            (_field(key), _choice(level, f"field_priorities[{key!r}]", LEVELS))
            for key, level in _object(known.get("field_priorities", {}), "field_priorities").items()
        ]
        self._data = _copy_members(known)

    @classmethod
    def from_json(cls, data: Mapping[str, object] | str | bytes) -> Policy:
        """Return the policy that *data* describes.

        Args:
            data: An object, or the JSON text of one.

        Raises:
            InvalidPolicy: Not such an object; the message says which member and why.

        >>> Policy.from_json({"strategy": "newest"})
        Traceback (most recent call last):
        crdtshadow.errors.InvalidPolicy: strategy: 'newest', needs field_level_merge, last_writer_wins, \
priority_based or manual_review
        """
        if isinstance(data, str | bytes):
            data = _parse(data)
        policy = cls()
        policy._build(data)
        return policy

    def to_json(self) -> dict[str, object]:
        """Return the data this policy was made from.

        >>> Policy.from_json('{"strategy": "manual_review"}').to_json()
        {'strategy': 'manual_review'}
        """
        return _copy_members(self._data)

    def strategy_at(self, path: str) -> str:
        """Return the strategy that decides a conflict at *path*.

        >>> Policy().strategy_at("/desired/t")
        'field_level_merge'
        """
        for override in self._overrides:
            if override.strategy and override.fits(path):
                return override.strategy
        return PRIORITY_BASED if self._level_at(path) else self.strategy

    def rule_at(self, path: str) -> str:
        """Return the rule for the values at *path*, ``""`` if there is none."""
        return next((override.rule for override in self._overrides if override.rule and override.fits(path)), "")

    def has_rule(self, *rules: str) -> bool:
        """Tell whether any path has one of *rules*."""
        return any(override.rule in rules for override in self._overrides)

    def priority(self, path: str, name: str) -> Priority:
        """Return how much a write at *path* by the replica called *name* counts; greater wins.

        >>> Policy().priority("/desired/t", "cloud") > Policy().priority("/desired/t", "thermostat")
        True
        """
        for order in self._orders:
            if order.fits(path):
                for at, pattern in enumerate(order.names):
                    if match_name(pattern, name):
                        return 1, -at
                break
        rank = next((rank for pattern, rank in self._ranks if match_name(pattern, name)), 0)
        match self._level_at(path):
            case "low":
                return 0, -rank
            case "medium":
                return 0, 0
        return 0, rank

    def _level_at(self, path: str) -> str:
        return next((level for fits, level in self._levels if fits(path)), "")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._data == other._data

    __hash__ = None  # type: ignore[assignment]  # holds a dict

    def __repr__(self) -> str:
        return f"Policy.from_json({self._data!r})"


_MEMBERS: Final = (
    "strategy",
    "overrides",
    "auto_resolve_threshold",
    "ranks",
    "priorities",
    "field_priorities",
)


def _parse(text: str | bytes) -> Mapping[str, object]:
    from json import loads

    try:
        return _object(loads(text), "policy")
    except CrdtShadowError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidPolicy(f"policy: not JSON: {error}") from None


def _object(data: object, where: str, members: tuple[str, ...] = ()) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        raise InvalidPolicy(f"{where}: needs an object, not {type(data).__name__}")
    for key in data:
        if not isinstance(key, str):
            raise InvalidPolicy(f"{where}: member {brief(key)} is not a string")
        if members and key not in members:
            raise InvalidPolicy(f"{where}: unknown member {brief(key)}, knows {_one_of(members, 'and')}")
    if len(data) > OVERRIDES_MAX:
        raise InvalidPolicy(f"{where}: {len(data)} members, at most {OVERRIDES_MAX} are allowed")
    return data


def _copy_members(data: Mapping[str, object]) -> dict[str, object]:
    return {key: _copy(value) for key, value in data.items()}


def _copy(value: object) -> object:
    if isinstance(value, Mapping):
        return _copy_members(value)
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _list(data: object, where: str) -> list[object]:
    if not isinstance(data, list | tuple):
        raise InvalidPolicy(f"{where}: needs an array, not {type(data).__name__}")
    if len(data) > OVERRIDES_MAX:
        raise InvalidPolicy(f"{where}: {len(data)} items, at most {OVERRIDES_MAX} are allowed")
    return list(data)


def _choice(value: object, where: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise InvalidPolicy(f"{where}: {brief(value)}, needs {_one_of(choices, 'or')}")
    return value


def _one_of(choices: tuple[str, ...], word: str) -> str:
    return f"{', '.join(choices[:-1])} {word} {choices[-1]}"


def _integer(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidPolicy(f"{where}: {brief(value)}, needs an integer")
    return value


def _threshold(value: object) -> int | None:
    if value is None or _integer(value, "auto_resolve_threshold") > 0:
        return value  # type: ignore[return-value]  # an integer, as just checked
    raise InvalidPolicy(f"auto_resolve_threshold: {brief(value)}, needs 1 or more, or null")


def _glob(pattern: object, where: str) -> _Test:
    try:
        return compile_glob(pattern)  # type: ignore[arg-type]  # refused if it is no string
    except InvalidPath as error:
        raise InvalidPolicy(f"{where}: {error}") from None


def _override(item: object, where: str) -> _Override:
    override = _object(item, where, ("path", "strategy", "rule"))
    if ("strategy" in override) == ("rule" in override):
        raise InvalidPolicy(f"{where}: needs either a strategy or a rule")
    fits = _glob(override.get("path"), f"{where}.path")
    if "rule" in override:
        return _Override(fits, "", _choice(override["rule"], f"{where}.rule", RULES))
    return _Override(fits, _choice(override["strategy"], f"{where}.strategy", STRATEGIES), "")


def _order(item: object, where: str) -> _Order:
    order = _object(item, where, ("path", "order"))
    names = _list(order.get("order"), f"{where}.order")
    for at, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise InvalidPolicy(f"{where}.order[{at}]: {brief(name)}, needs a replica's name or a pattern of names")
    return _Order(_glob(order.get("path"), f"{where}.path"), tuple(str(name) for name in names))


def _field(key: str) -> _Test:
    if key.startswith("/"):
        return _glob(f"{key}/**", f"field_priorities[{key!r}]")
    if not key:
        raise InvalidPolicy("field_priorities['']: needs a field's name or path")
    return _glob(f"/**/{escape(key)}/**", f"field_priorities[{key!r}]")


def _by_precision(item: tuple[str, int]) -> tuple[bool, int, str]:
    pattern, _ = item
    return "*" in pattern, -len(pattern), pattern
