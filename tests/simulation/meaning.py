"""What has been written, and what a set of writes means: the oracle, kept up as sets grow.

Independent of the library: no state, clock or delta of it is looked at. An *update* is one write of a program, to one
or more paths; which updates somebody has seen is a set of bits. The rules are those of `tests.oracle.denotation`, in
a form whose cost does not grow with history: of each set are kept the writes that nothing in it replaces, and the
newest stamps at and above each path. A test compares the two forms.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from crdtshadow.sibling import Removed

PATHS: Final = (
    "/desired",
    "/desired/a",
    "/desired/a/b",
    "/desired/a/b/c",
    "/desired/a/d",
    "/desired/e",
    "/reported",
    "/reported/a",
    "/reported/a/b",
    "/reported/e",
)
PLACE: Final = {path: place for place, path in enumerate(PATHS)}
ABOVE: Final = tuple(
    tuple(place for place, upper in enumerate(PATHS) if path.startswith(f"{upper}/")) for path in PATHS
)

StampKey: TypeAlias = "tuple[int, str]"
Group: TypeAlias = "tuple[str, list[tuple[str, StampKey]]]"

NEVER: Final[StampKey] = (-1, "")


class Fact:
    """One path of one update: *text* is what was left there, exact in type; *replacers*, who replaced it."""

    __slots__ = ("bit", "hides", "is_set", "path", "place", "replacers", "stamp", "text", "value")

    def __init__(self, bit: int, stamp: StampKey, path: str, value: object) -> None:
        self.bit = bit
        self.stamp = stamp
        self.path = path
        self.place = PLACE[path]
        self.value = value
        self.text = repr(value)
        self.is_set = not isinstance(value, Removed)
        self.hides = not self.is_set or value != {}
        self.replacers = 0

    def __repr__(self) -> str:
        return f"{self.path}={self.text}@{self.stamp[0]}.{self.stamp[1]}"


class Update:
    """One update: its bit, its stamp, its facts, and the updates its writer had seen."""

    __slots__ = ("bit", "facts", "own", "seen", "stamp")

    def __init__(self, bit: int, stamp: StampKey, facts: tuple[Fact, ...], *, seen: int, own: int) -> None:
        self.bit = bit
        self.stamp = stamp
        self.facts = facts
        self.seen = seen
        self.own = own


class Sight(NamedTuple):
    """A set of updates and what follows from it; immutable.

    Attributes:
        mask: The updates, as bits.
        live: The facts that nothing in the set replaces.
        at: The newest stamp at each path.
        hiding: The newest stamp at each path of what leaves room for nothing below it.
        newest: The greatest hybrid time.
        own: By replica, its updates, as bits.
    """

    mask: int
    live: frozenset[Fact]
    at: tuple[StampKey, ...]
    hiding: tuple[StampKey, ...]
    newest: int
    own: dict[str, int]

    def union(self, other: Sight) -> Sight:
        """Return the union of two sets."""
        mask = self.mask | other.mask
        if mask == self.mask:
            return self
        if mask == other.mask:
            return other
        own = dict(self.own)
        for replica, bits in other.own.items():
            own[replica] = own.get(replica, 0) | bits
        return Sight(
            mask,
            frozenset([fact for fact in self.live | other.live if not fact.replacers & mask]),
            tuple(map(max, self.at, other.at)),
            tuple(map(max, self.hiding, other.hiding)),
            max(self.newest, other.newest),
            own,
        )


NOTHING: Final = Sight(0, frozenset(), (NEVER,) * len(PATHS), (NEVER,) * len(PATHS), -1, {})


class Chronicle:
    """All updates of a world, and the sets of them that its replicas have seen."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.by_stamp: dict[StampKey, Update] = {}

    def write(self, sight: Sight, stamp: StampKey, changes: Iterable[tuple[str, object]], *, as_of: int = -1) -> Sight:
        """Record an update by somebody who holds *sight*, and return what is held afterwards.

        Args:
            sight: What the writer holds.
            stamp: Names the update.
            changes: Paths and values, or removals.
            as_of: The updates that the writer had seen, as bits, if not all those that it holds; its own count anyway.
        """
        bit = 1 << len(self.updates)
        own = sight.own.get(stamp[1], 0)
        seen = sight.mask if as_of < 0 else sight.mask & (as_of | own)
        facts = tuple([Fact(bit, stamp, path, value) for path, value in changes])
        replaced = (
            sight.live if seen == sight.mask else [fact for fact in self._facts(seen) if not fact.replacers & seen]
        )
        for old in replaced:
            if any(_touches(new, old) for new in facts):
                old.replacers |= bit
        update = Update(bit, stamp, facts, seen=seen, own=own | bit)
        self.updates.append(update)
        self.by_stamp[stamp] = update
        at, hiding = list(sight.at), list(sight.hiding)
        for fact in facts:
            at[fact.place] = max(at[fact.place], stamp)
            if fact.hides:
                hiding[fact.place] = max(hiding[fact.place], stamp)
        return Sight(
            sight.mask | bit,
            frozenset([fact for fact in sight.live if not fact.replacers & bit]).union(facts),
            tuple(at),
            tuple(hiding),
            max(sight.newest, stamp[0]),
            {**sight.own, stamp[1]: own | bit},
        )

    def select(self, mask: int) -> list[Update]:
        """Return the updates of *mask*, oldest first."""
        return [update for update in self.updates if update.bit & mask]

    def mask_of(self, clock: Iterable[tuple[str, int]]) -> int:
        """Return the updates that a vector clock covers, as bits."""
        mask = 0
        for replica, time in clock:
            update = self.by_stamp.get((time, replica))
            if update is None:
                raise AssertionError(f"the clock names a stamp that nobody used: {time} of {replica}")
            mask |= update.own
        return mask

    def _facts(self, mask: int) -> list[Fact]:
        return [fact for update in self.select(mask) for fact in update.facts]


def _touches(new: Fact, old: Fact) -> bool:
    if new.place == old.place:
        return True
    if new.place in ABOVE[old.place]:
        return new.hides
    return new.is_set and old.hides and old.place in ABOVE[new.place]


def newest_view(sight: Sight) -> dict[str, str]:
    """Return what shows when the newest along each path wins: texts by path.

    A value shows if nothing as new was ever written at its path, nothing newer that hides was ever written above it,
    and no newer value lives below it.
    """
    shown = {}
    sets = [fact for fact in sight.live if fact.is_set]
    for fact in sets:
        stamp, place = fact.stamp, fact.place
        if sight.at[place] == stamp and not any(sight.hiding[upper] > stamp for upper in ABOVE[place]):
            if fact.hides and any(other.stamp > stamp and place in ABOVE[other.place] for other in sets):
                continue
            shown[fact.path] = fact.text
    return shown


def ranked_view(sight: Sight, ranks: dict[str, int]) -> dict[str, str]:
    """Return what shows when live writes are taken by rank of their writer's name, then the newest first."""
    order = sorted(sight.live, key=lambda fact: (ranks[fact.stamp[1].split("#")[0]], fact.stamp), reverse=True)
    taken: list[Fact] = []
    for fact in order:
        if not any(clash(fact, other) for other in taken):
            taken.append(fact)
    return {fact.path: fact.text for fact in reversed(taken) if fact.is_set}


def clash(a: Fact, b: Fact) -> bool:
    """Tell whether two live facts cannot both be had."""
    if a.bit == b.bit:
        return False
    if a.place == b.place:
        return a.text != b.text
    if a.place in ABOVE[b.place]:
        return a.hides and b.is_set
    return b.hides and a.is_set and b.place in ABOVE[a.place]


def conflicts(sight: Sight) -> list[Group]:
    """Return the groups of clashing live facts: the shortest path in each, and all its members."""
    left = list(sight.live)
    found: list[Group] = []
    while left:
        group = [left.pop()]
        for member in group:
            joining = [fact for fact in left if clash(member, fact)]
            if joining:
                group += joining
                left = [fact for fact in left if fact not in joining]
        if len(group) > 1:
            members = sorted((fact.path, fact.stamp) for fact in group)
            found.append((min([path for path, _ in members], key=lambda path: (path.count("/"), path)), members))
    return sorted(found)
