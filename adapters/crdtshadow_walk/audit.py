"""Audit: what a change did to what readers see, path by path."""

from __future__ import annotations

from typing import NamedTuple

from crdtshadow import Decision, Shade, Shadow, Stamp, View, Write
from crdtshadow.paths import ancestors
from crdtshadow.values import Value, same


class Entry(NamedTuple):
    """One line of the audit history: what a path showed, and what it shows since.

    A conflict that arose, changed or was settled has a line too, even if its path shows the same.

    Attributes:
        path: Which field.
        before: Its value, ``None`` if there was none.
        after: Its value since, ``None`` if it is gone.
        stamp: When it was written or removed and by whom, ``None`` if that has been forgotten.
        strategy: What decided, ``""`` if nothing competed.
        held: Waits for a review; *after* is provisional.
        writes: The writes that compete, empty if none do.
    """

    path: str
    before: Value | None
    after: Value | None
    stamp: Stamp | None
    strategy: str = ""
    held: bool = False
    writes: tuple[Write, ...] = ()

    @property
    def conflict(self) -> bool:
        """Whether writes compete for the path."""
        return bool(self.writes)


def audit(before: View, after: View, state: Shadow) -> tuple[Entry, ...]:
    """Return what changed from *before* to *after*, sorted by path.

    Args:
        before, after: Views of the same shadow.
        state: What *after* is the view of.
    """
    paths = {path for path, value in after.fields.items() if _differs(before.fields.get(path), value)}
    paths |= before.fields.keys() - after.fields.keys()
    deciding = {path: decision for decision in after.decisions for path in decision.conflict.paths}
    known = {decision.conflict.path: decision for decision in before.decisions}
    for decision in after.decisions:
        if known.get(decision.conflict.path) != decision and paths.isdisjoint(decision.conflict.paths):
            paths.add(decision.conflict.path)
    for decision in before.decisions:
        if deciding.keys().isdisjoint(decision.conflict.paths) and paths.isdisjoint(decision.conflict.paths):
            paths.add(decision.conflict.path)
    return tuple([_entry(path, before, after, deciding.get(path), state) for path in sorted(paths)])


def _differs(before: Value | None, after: Value) -> bool:
    return before is not after and not same(before, after)


def _entry(path: str, before: View, after: View, decision: Decision | None, state: Shadow) -> Entry:
    entry = Entry(
        path, before.fields.get(path), after.fields.get(path), after.stamps.get(path) or _last_stamp(state, path)
    )
    if decision is None:
        return entry
    return entry._replace(strategy=decision.strategy, held=decision.held, writes=decision.conflict.writes)


def _last_stamp(state: Shadow, path: str) -> Stamp | None:
    """Return the newest stamp that *state* remembers at *path*, or of a value or removal above it."""
    stamps = [one.stamp for one in state.siblings(path)]
    for upper in ancestors(path):
        stamps += [one.stamp for one in state.siblings(upper) if not isinstance(one.value, Shade)]
    return max(stamps, default=None)
