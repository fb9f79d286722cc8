"""Resolve: the view of a state under a policy. A pure function; nothing in the state changes.

Where nothing competes, a field shows the value of its live write. Each conflict is decided by the
strategy at its path:

* ``field_level_merge``: of all writes along a path, the newest wins. A value shows if no newer write
  stands at its path, no newer value or removal above it (that includes what has given way to a
  write elsewhere below, which shades remember), and no newer value below it.
* ``last_writer_wins``: replicas in the order of their newest conflicting stamp in the section; a
  replica's writes win over those of all that follow, so that fields which depend on each other
  come from one writer.
* ``priority_based``: writes in the order of :meth:`Policy.priority`, then the newest first.
* ``manual_review``: held. What ``field_level_merge`` says is shown, provisionally.

In an order of writes, each is accepted that clashes with none accepted before it. Rules decide a
field's values instead: ``max``, ``min`` and ``union`` among values, ``set`` in favour of an element
added. They prefer any value to a removal, and fall back to the strategy where values are of no fit
type, or compete with what is above or below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from crdtshadow.clock import Stamp, replica_name
from crdtshadow.conflicts import Conflict, Write, Writes, clashes, find_conflicts, live_writes
from crdtshadow.errors import InvalidValue
from crdtshadow.lwwmap import LWWMap
from crdtshadow.paths import ancestors, nest, parse
from crdtshadow.policy import FIELD_LEVEL_MERGE, LAST_WRITER_WINS, MANUAL_REVIEW, PRIORITY_BASED, Policy
from crdtshadow.sibling import Shade, is_value
from crdtshadow.values import Value, canonical, check

_Key: TypeAlias = "Callable[[Write], tuple[object, ...]]"


class Decision(NamedTuple):
    """What a strategy, or a rule, made of one conflict.

    Attributes:
        conflict: The writes that compete.
        strategy: Which strategy or rule decided.
        accepted: The writes that show, provisionally if held; a removal among them shows as absence.
        held: Waits for a review.
        reason: Why, in words.
    """

    conflict: Conflict
    strategy: str
    accepted: Writes
    held: bool
    reason: str


class View(NamedTuple):
    """What a reader of a state sees under a policy.

    Attributes:
        fields: The value of every field that shows, by path.
        stamps: The stamp of every field that shows, by path.
        decisions: One for each conflict, sorted by path.
        held: Paths that wait for a review; what shows there is provisional.
    """

    fields: dict[str, Value]
    stamps: dict[str, Stamp]
    decisions: tuple[Decision, ...]
    held: frozenset[str]

    @property
    def document(self) -> dict[str, object]:
        """The fields as a fresh nested object."""
        return nest({path: self.fields[path] for path in sorted(self.fields)})


def resolve(state: LWWMap, policy: Policy) -> View:
    """Return the view of *state* under *policy*.

    >>> state = LWWMap()
    >>> _ = state.write({"/t": 21}, Stamp(1, "a#00000000"))
    >>> resolve(state, Policy()).document
    {'t': 21}
    """
    shown: dict[str, Write] = {}
    contested = set(state.contested())
    for path in tuple(contested):
        contested.update(state.below(path))
    for path in state.paths():
        if path not in contested:
            one = state.siblings(path)[0]
            if is_value(one.value):
                shown[path] = Write(path, one.stamp, one.value)  # type: ignore[arg-type]  # a value
    decisions = _decide(state, policy)
    in_conflict = {(write.path, write.stamp) for decision in decisions for write in decision.conflict.writes}
    for path in contested:
        for write in live_writes(state, path):
            if is_value(write.value) and (path, write.stamp) not in in_conflict and _is_unhidden(state, write, policy):
                shown[path] = write
    for decision in decisions:
        for write in reversed(decision.accepted):
            if is_value(write.value):
                shown[write.path] = write
    if policy.has_rule("counter", "set"):
        _fold(shown, policy)
    return View(
        {path: write.value for path, write in shown.items()},  # type: ignore[misc]  # none is a removal
        {path: write.stamp for path, write in shown.items()},
        decisions,
        frozenset([path for decision in decisions if decision.held for path in decision.conflict.paths]),
    )


def _is_unhidden(state: LWWMap, write: Write, policy: Policy) -> bool:
    """Tell whether a write without rivals shows, for all that its path and those above remember."""
    return policy.strategy_at(write.path) != FIELD_LEVEL_MERGE or _is_newest_along(state, write)


def _decide(state: LWWMap, policy: Policy) -> tuple[Decision, ...]:
    conflicts = find_conflicts(state)
    by_rule = {conflict.path: decision for conflict in conflicts if (decision := _decide_by_rule(conflict, policy))}
    left = [conflict for conflict in conflicts if conflict.path not in by_rule]
    threshold = policy.auto_resolve_threshold
    review = threshold is not None and len(left) >= threshold
    writers = _writers(left, policy)
    decided = []
    for conflict in conflicts:
        if conflict.path in by_rule:
            decided.append(by_rule[conflict.path])
        elif review:
            reason = f"{len(left)} conflicts, and {threshold} or more go to manual review"
            decided.append(_hold(state, conflict, reason))
        else:
            decided.append(_decide_by_strategy(state, conflict, policy, writers))
    return tuple(decided)


def _decide_by_strategy(state: LWWMap, conflict: Conflict, policy: Policy, writers: dict[str, list[str]]) -> Decision:
    strategy = policy.strategy_at(conflict.path)
    if strategy == MANUAL_REVIEW:
        return _hold(state, conflict, "held until somebody who has seen all sides writes")
    if strategy == FIELD_LEVEL_MERGE:
        accepted = _newest_along(state, conflict)
        reason = (
            f"{_who(accepted[0])} wrote last" if accepted else "newer than all was a write that has given way since"
        )
        return Decision(conflict, strategy, accepted, False, reason)
    if strategy == LAST_WRITER_WINS:
        order = writers[_section(conflict)]
        accepted = _accept(conflict, lambda write: (-order.index(write.stamp.replica), write.stamp))
        reason = f"{_who(accepted[0])} wrote last of those who conflict in this section"
        return Decision(conflict, strategy, accepted, False, reason)
    assert strategy == PRIORITY_BASED
    accepted = _accept(conflict, lambda write: (_priority(policy, write), write.stamp))
    lost = [write for write in conflict.writes if write not in accepted]
    tie = any(_priority(policy, write) == _priority(policy, accepted[0]) for write in lost)
    reason = f"{_who(accepted[0])} wrote last among equal ranks" if tie else f"{_who(accepted[0])} ranks highest"
    return Decision(conflict, strategy, accepted, False, reason)


def _hold(state: LWWMap, conflict: Conflict, reason: str) -> Decision:
    return Decision(conflict, MANUAL_REVIEW, _newest_along(state, conflict), True, reason)


def _who(write: Write) -> str:
    return replica_name(write.stamp.replica)


def _priority(policy: Policy, write: Write) -> tuple[int, int]:
    return policy.priority(write.path, replica_name(write.stamp.replica))


def _section(conflict: Conflict) -> str:
    return parse(conflict.path)[0]


def _writers(conflicts: Iterable[Conflict], policy: Policy) -> dict[str, list[str]]:
    """Return, for each section, replicas by their newest stamp in what the last writer wins there."""
    newest: dict[str, dict[str, Stamp]] = {}
    for conflict in conflicts:
        if policy.strategy_at(conflict.path) == LAST_WRITER_WINS:
            section = newest.setdefault(_section(conflict), {})
            for write in conflict.writes:
                replica = write.stamp.replica
                section[replica] = max(section.get(replica, write.stamp), write.stamp)
    return {section: sorted(stamps, key=stamps.__getitem__, reverse=True) for section, stamps in newest.items()}


def _accept(conflict: Conflict, key: _Key) -> Writes:
    """Return the writes that clash with none before them in the order of *key*, greatest first."""
    accepted: list[Write] = []
    for write in sorted(conflict.writes, key=key, reverse=True):
        if not any(clashes(write, winner) for winner in accepted):
            accepted.append(write)
    return tuple(accepted)


def _newest_along(state: LWWMap, conflict: Conflict) -> Writes:
    """Return the writes that are the newest along their paths, newest first."""
    newest = [write for write in conflict.writes if _is_newest_along(state, write)]
    return tuple(sorted(newest, key=_by_stamp, reverse=True))


def _is_newest_along(state: LWWMap, write: Write) -> bool:
    path, stamp, value = write
    for one in state.siblings(path):
        here = one.value.as_of if isinstance(one.value, Shade) else one.stamp
        if here is not None and here > stamp:
            return False
    for upper in ancestors(path):
        for one in state.siblings(upper):
            above = one.value.as_of if isinstance(one.value, Shade) else one.stamp if one.value != {} else None
            if above is not None and above > stamp:
                return False
    return value == {} or not any(
        one.stamp > stamp and is_value(one.value) for lower in state.below(path) for one in state.siblings(lower)
    )


def _by_stamp(write: Write) -> Stamp:
    return write.stamp


def _decide_by_rule(conflict: Conflict, policy: Policy) -> Decision | None:
    if len(conflict.paths) > 1:
        return None
    rule = policy.rule_at(conflict.path)
    if rule in ("", "counter", "set"):
        rule = "set" if policy.rule_at(_above(conflict.path)) == "set" else ""
    values = [write for write in conflict.writes if is_value(write.value)]
    merged = _MERGED_BY[rule](values) if rule and values else None
    if merged is None:
        return None
    return Decision(conflict, rule, (merged,), False, f"the rule {rule} decides this field")


def _above(path: str) -> str:
    return path[: path.rfind("/")]


def _newest(values: list[Write]) -> Write | None:
    return values[-1]


def _greatest(values: list[Write]) -> Write | None:
    return max(values, key=_by_number) if all(map(_is_number, values)) else None


def _least(values: list[Write]) -> Write | None:
    return min(values, key=_by_number) if all(map(_is_number, values)) else None


def _union(values: list[Write]) -> Write | None:
    """Return all elements of arrays of scalars, sorted by their canonical bytes, under the newest stamp."""
    elements: dict[bytes, Value] = {}
    for write in values:
        if not isinstance(write.value, list):
            return None
        for item in write.value:
            if item is None or isinstance(item, list | dict):
                return None
            elements[canonical(item)] = item
    return values[-1]._replace(value=[elements[key] for key in sorted(elements)])


_MERGED_BY: Final[dict[str, Callable[[list[Write]], Write | None]]] = {
    "max": _greatest,
    "min": _least,
    "union": _union,
    "set": _newest,
}


def _is_number(write: Write) -> bool:
    return isinstance(write.value, int | float) and not isinstance(write.value, bool)


def _by_number(write: Write) -> tuple[int | float, bytes]:
    assert isinstance(write.value, int | float)
    return write.value, canonical(write.value)


def _fold(shown: dict[str, Write], policy: Policy) -> None:
    """Show counters as their sum, and sets as an array, in place of the entries they are made of."""
    entries: dict[str, list[Write]] = {}
    for path, write in sorted(shown.items()):
        whole = _above(path)
        if policy.rule_at(whole) in ("counter", "set"):
            entries.setdefault(whole, []).append(write)
    for whole, writes in entries.items():
        folded = _sum(writes) if policy.rule_at(whole) == "counter" else _elements(writes)
        if folded is not None:
            for write in writes:
                del shown[write.path]
            shown[whole] = Write(whole, max(write.stamp for write in writes), folded)


def _sum(entries: list[Write]) -> Value | None:
    if not all(map(_is_number, entries)):
        return None
    try:
        return check(sum(_by_number(entry)[0] for entry in entries), "a counter")
    except InvalidValue:
        return None


def _elements(entries: list[Write]) -> Value | None:
    from json import loads

    elements: list[Value | None] = []
    try:
        for entry in entries:
            element = check(loads(parse(entry.path)[-1]), entry.path)
            if isinstance(element, list | dict):
                return None
            elements.append(element)
    except (ValueError, RecursionError):
        return None
    return elements
