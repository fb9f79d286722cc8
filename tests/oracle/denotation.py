"""What a set of writes means: which are live, which conflict, and what each strategy shows.

- A write *replaces* one that its author had seen, if they touch: they are at the same path; or it is a scalar or a
  removal above the old one; or it is a set below an old scalar or removal. A removal below an old scalar replaces
  nothing. What no write replaces is *live*.
- Two concurrent writes *clash* if both cannot be had: they are at the same path with different outcomes, or one is a
  scalar or a removal above the other, which is a set. A *conflict* is a connected group of clashing live writes.
- Arrays are atomic, so they count as scalars. An empty map is a value that neither replaces, hides nor clashes with
  anything below it.
- Values are compared by type and value: 1, 1.0 and true are three values.

Every function takes the writes in any order and ignores repetitions of a write. No two writes have the same replica
and time. A view is a mapping of path to value; `document` nests it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str, ...]
Value: TypeAlias = Any
Fields: TypeAlias = dict[Path, Value]


class Write(NamedTuple):
    """One write: *kind* is "del" for a removal, whose *value* is ignored; *seen* is transitively closed."""

    op: str
    replica: str
    time: int
    path: Path
    kind: Literal["set", "del"]
    value: Value
    seen: frozenset[str]

    @property
    def occupies(self) -> bool:
        """Say whether nothing below the path can be had together with this write."""
        return self.kind == "del" or self.value != {}

    @property
    def outcome(self) -> str:
        """Return a text that two writes share if and only if they leave the same at their path."""
        return "removed" if self.kind == "del" else exact(self.value)

    @property
    def stamp(self) -> tuple[int, bytes]:
        return self.time, self.replica.encode()


def exact(value: Value) -> str:
    """Return a text that two values share if and only if they are the same in type and value.

    >>> exact({"b": 1, "a": [1.0, True]})
    '{"a": [1.0, true], "b": 1}'
    """
    return json.dumps(_without_negative_zero(value), sort_keys=True, allow_nan=False)


def is_above(upper: Path, lower: Path) -> bool:
    """Say whether *upper* is a proper ancestor of *lower*.

    >>> is_above(("a",), ("a", "b")), is_above(("a",), ("a",)), is_above(("a",), ("ab",))
    (True, False, False)
    """
    return len(upper) < len(lower) and lower[: len(upper)] == upper


def replaces(new: Write, old: Write) -> bool:
    """Say whether *new* supersedes *old*, which it must have seen."""
    if old.op not in new.seen:
        return False
    if new.path == old.path:
        return True
    if is_above(new.path, old.path):
        return new.occupies
    return is_above(old.path, new.path) and old.occupies and new.kind == "set"


def live(writes: Iterable[Write]) -> list[Write]:
    """Return the writes that no other write replaces, by operation id."""
    everything = _distinct(writes)
    return [old for old in everything if not any(replaces(new, old) for new in everything)]


def are_concurrent(one: Write, other: Write) -> bool:
    """Say whether neither write had seen the other, and they are two."""
    return one.op != other.op and one.op not in other.seen and other.op not in one.seen


def clash(one: Write, other: Write) -> bool:
    """Say whether two writes are concurrent and cannot both be had."""
    if not are_concurrent(one, other):
        return False
    if one.path == other.path:
        return one.outcome != other.outcome
    upper, lower = sorted((one, other), key=lambda write: len(write.path))
    return is_above(upper.path, lower.path) and upper.occupies and lower.kind == "set"


class Conflict(NamedTuple):
    """A connected group of clashing live writes, by operation id, and the path above or at all of them."""

    path: Path
    siblings: tuple[Write, ...]


def conflicts(writes: Iterable[Write]) -> list[Conflict]:
    """Return the groups of clashing live writes, by path."""
    ungrouped = live(writes)
    found = []
    while ungrouped:
        group = [ungrouped.pop()]
        for member in group:
            group += [write for write in ungrouped if clash(member, write)]
            ungrouped = [write for write in ungrouped if not clash(member, write)]
        if len(group) > 1:
            path = min((write.path for write in group), key=len)
            found.append(Conflict(path, tuple(sorted(group, key=lambda write: write.op))))
    return sorted(found, key=lambda conflict: conflict.path)


def lww_view(writes: Iterable[Write], *, lower_id_wins: bool = False) -> Fields:
    """Return what is shown when the greatest timestamp along the path wins.

    For each path there compete all writes at it, the scalars and removals above it, and the sets below it: replaced
    writes too, so a replaced scalar or removal still hides what is older than it. Exact ties go to the greater replica
    id by bytes, or to the lower one if asked.
    """
    everything = _distinct(writes)
    replicas = sorted({write.replica for write in everything}, key=str.encode, reverse=lower_id_wins)

    def seniority(write: Write) -> tuple[int, int]:
        return write.time, replicas.index(write.replica)

    shown = {}
    for path in {write.path for write in everything}:
        winner = max(
            (write for write in everything if write.path == path or (is_above(write.path, path) and write.occupies)),
            key=seniority,
        )
        below = [write for write in everything if is_above(path, write.path) and write.kind == "set"]
        if winner.path != path or winner.kind == "del":
            continue
        if not winner.occupies or all(seniority(winner) > seniority(write) for write in below):
            shown[path] = winner.value
    return _without_covered_maps(shown)


def priority_view(writes: Iterable[Write], rank: Callable[[Write], float]) -> Fields:
    """Return what is shown when of the live writes the greatest (rank, timestamp, replica id) is taken first.

    A write is left out if and only if it clashes with one that was taken before it.
    """
    taken: list[Write] = []
    for write in sorted(live(writes), key=lambda write: (rank(write), write.stamp), reverse=True):
        if not any(clash(write, earlier) for earlier in taken):
            taken.append(write)
    return _together(taken)


def settled_view(writes: Iterable[Write]) -> Fields:
    """Return what the live writes outside all conflicts show."""
    everything = _distinct(writes)
    disputed = {write.op for conflict in conflicts(everything) for write in conflict.siblings}
    return _together(write for write in live(everything) if write.op not in disputed)


def document(fields: Mapping[Path, Value]) -> dict[str, Value]:
    """Return the fields as nested maps, without empty maps.

    >>> document({("desired", "a", "b"): 1, ("desired", "c"): {}, ("reported", "d"): [{}]})
    {'desired': {'a': {'b': 1}}, 'reported': {'d': [{}]}}
    """
    root: dict[str, Value] = {}
    for path, value in sorted(fields.items(), key=lambda field: field[0]):
        if value == {}:
            continue
        parent = root
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
        parent[path[-1]] = value
    return root


def _distinct(writes: Iterable[Write]) -> list[Write]:
    by_op = {write.op: write for write in writes}
    return [by_op[op] for op in sorted(by_op)]


def _together(writes: Iterable[Write]) -> Fields:
    return _without_covered_maps({write.path: write.value for write in writes if write.kind == "set"})


def _without_covered_maps(fields: Fields) -> Fields:
    return {
        path: value
        for path, value in fields.items()
        if value != {} or not any(is_above(path, other) for other in fields)
    }


def _without_negative_zero(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _without_negative_zero(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_negative_zero(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value
