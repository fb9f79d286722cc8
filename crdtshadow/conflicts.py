"""Conflicts: groups of concurrent writes that cannot all show.

Two live writes clash when they left different outcomes at one path, or when one left a value or
a removal at a path and the other a value below it. Neither has seen the other then, else it would
have replaced it. ``{}`` never clashes with what is below it; two equal values are no conflict for
a reader; a removal and a removal agree.

A conflict is a connected group of clashing writes; its path is the shortest among them. Shades take
no part: the writes that they stand for were made elsewhere, or have been replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from crdtshadow.clock import Stamp
from crdtshadow.lwwmap import LWWMap
from crdtshadow.paths import is_below
from crdtshadow.sibling import Removed, Shade, is_value, same_outcome
from crdtshadow.values import Value


class Write(NamedTuple):
    """One live write: where, when and by whom, and the value or ``REMOVED``."""

    path: str
    stamp: Stamp
    value: Value | Removed


Writes: TypeAlias = "tuple[Write, ...]"
_Name: TypeAlias = "tuple[str, Stamp]"


class Conflict(NamedTuple):
    """Concurrent writes that cannot all show.

    Attributes:
        path: The shortest path among the writes.
        writes: Two or more, sorted by path, then stamp.
    """

    path: str
    writes: Writes

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the writes, sorted, each once."""
        return tuple(sorted({write.path for write in self.writes}))


def live_writes(state: LWWMap, path: str) -> list[Write]:
    """Return the live writes at *path*, oldest first, without shades."""
    return [Write(path, one.stamp, one.value) for one in state.siblings(path) if not isinstance(one.value, Shade)]


def clashes(a: Write, b: Write) -> bool:
    """Tell whether the concurrent writes *a* and *b* cannot both show.

    >>> from crdtshadow.sibling import REMOVED
    >>> early, late = Stamp(1, "a#00000000"), Stamp(2, "b#00000000")
    >>> clashes(Write("/t", early, 1), Write("/t", late, 1.0))
    True
    >>> clashes(Write("/t", early, 1), Write("/t/low", late, 1))
    True
    >>> clashes(Write("/t", early, 1), Write("/t/low", late, REMOVED))
    False
    """
    if a.path == b.path:
        return not same_outcome(a.value, b.value)
    if len(a.path) > len(b.path):
        a, b = b, a
    return is_below(b.path, a.path) and a.value != {} and is_value(b.value)


def find_conflicts(state: LWWMap) -> tuple[Conflict, ...]:
    """Return the conflicts of *state*, sorted by path.

    Runtime: proportional to the paths where something may compete, not to all.
    """
    clashing = [pair for path in state.contested() for pair in _clashes_from(state, path)]
    if not clashing:
        return ()
    leader: dict[_Name, _Name] = {}
    writes: dict[_Name, Write] = {}
    for pair in clashing:
        for write in pair:
            writes.setdefault(_name(write), write)
        first, second = (_lead(leader, _name(write)) for write in pair)
        if first != second:
            leader[max(first, second)] = min(first, second)
    groups: dict[_Name, list[Write]] = {}
    for name in sorted(writes):
        groups.setdefault(_lead(leader, name), []).append(writes[name])
    found = [Conflict(min([write.path for write in group], key=_by_depth), tuple(group)) for group in groups.values()]
    return tuple(sorted(found, key=_by_path))


def _clashes_from(state: LWWMap, path: str) -> Iterator[tuple[Write, Write]]:
    """Yield the clashes at *path*, and those of its writes with values below it."""
    writes = live_writes(state, path)
    for at, write in enumerate(writes):
        yield from ((write, other) for other in writes[at + 1 :] if clashes(write, other))
        if write.value != {}:
            for lower in state.below(path):
                yield from ((write, other) for other in live_writes(state, lower) if is_value(other.value))


def _name(write: Write) -> _Name:
    return write.path, write.stamp


def _lead(leader: dict[_Name, _Name], name: _Name) -> _Name:
    while name in leader:
        name = leader[name]
    return name


def _by_depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _by_path(conflict: Conflict) -> tuple[str, Stamp]:
    return conflict.path, conflict.writes[0].stamp
