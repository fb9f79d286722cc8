"""Siblings: what one update left at one path, and the three things that can be.

* a value,
* ``REMOVED``: the update removed the field and what was below it,
* a ``Shade``: the update was made elsewhere, and what its writer had seen here gave way to it.

Values and removals compete with each other; shades only remember. Two shades arise. Writing
``/a/b`` where ``/a`` was seen to hold a value or a removal turns ``/a`` into a map: the shade left
at ``/a`` remembers how new the outcome was that stood there, since older writes below it, not yet
seen, must stay as hidden as they were (``as_of``). Writing ``/a`` whole leaves a shade at every
field seen below: it hides nothing by itself, as ``/a`` does that (``as_of`` is ``None``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from crdtshadow.clock import Stamp, VectorClock
from crdtshadow.values import Value, canonical


class Removed:
    """The type of :data:`REMOVED`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVED"

    def __reduce__(self) -> str:
        return "REMOVED"

    def __copy__(self) -> Removed:
        return self

    def __deepcopy__(self, memo: object) -> Removed:
        return self


REMOVED: Final = Removed()
"""A recorded removal, of a field or of all below it."""


class Shade(NamedTuple):
    """The memory of outcomes that gave way to a write above or below."""

    as_of: Stamp | None


Outcome: TypeAlias = "Value | Removed | Shade"
"""What an update left at a path."""


class Sibling(NamedTuple):
    """One update's outcome at a path. A path and a stamp name it."""

    stamp: Stamp
    value: Outcome


Siblings: TypeAlias = "tuple[Sibling, ...]"
"""The live siblings of a path, oldest first; at least one."""

Rows: TypeAlias = "Mapping[str, Siblings]"
"""Siblings by path."""


def is_value(outcome: Outcome) -> bool:
    """Tell whether *outcome* is a value, not a removal or a shade.

    >>> is_value({}), is_value(REMOVED), is_value(Shade(None))
    (True, False, False)
    """
    return outcome is not REMOVED and type(outcome) is not Shade


def order_key(outcome: Outcome) -> bytes:
    """Return the bytes by which two outcomes of one stamp are ordered: the greater wins.

    One stamp with two outcomes means that two programs used one identity. Any total order makes
    them converge; shades come first, then removals, then values by their canonical bytes.
    """
    if type(outcome) is Shade:
        stamp = outcome.as_of
        return b"\0" if stamp is None else b"\0" + (stamp.time + 1).to_bytes(9, "big") + stamp.replica.encode()
    if outcome is REMOVED:
        return b"\1"
    return b"\2" + canonical(outcome)  # type: ignore[arg-type]  # neither shade nor removal


def same_outcome(a: Outcome, b: Outcome) -> bool:
    """Tell whether *a* and *b* are the same, type exact.

    >>> same_outcome(1, 1.0), same_outcome(REMOVED, REMOVED)
    (False, True)
    """
    return a is b or order_key(a) == order_key(b)


def join_siblings(
    mine: Siblings, theirs: Siblings, my_clock: VectorClock, their_clock: VectorClock
) -> tuple[Siblings, list[Stamp]]:
    """Return the siblings that survive at one path, and the stamps found with two outcomes.

    A sibling survives if both sides hold it, or if the side that lacks it has not seen it: what
    was seen and is gone was replaced. Source: the optimized OR-Set without tombstones (Bieniusa
    et al. 2012, "An optimized conflict-free replicated set"), with multi-value registers in place
    of elements (Almeida et al. 2018, "Delta state replicated data types", the causal CRDTs).
    """
    ours = {sibling.stamp: sibling for sibling in mine}
    joined: dict[Stamp, Sibling] = {}
    clones: list[Stamp] = []
    for sibling in theirs:
        twin = ours.pop(sibling.stamp, None)
        if twin is None:
            if not my_clock.covers(sibling.stamp):
                joined[sibling.stamp] = sibling
        elif same_outcome(twin.value, sibling.value):
            joined[sibling.stamp] = twin
        else:
            clones.append(sibling.stamp)
            joined[sibling.stamp] = max(twin, sibling, key=lambda one: order_key(one.value))
    joined.update({stamp: sibling for stamp, sibling in ours.items() if not their_clock.covers(stamp)})
    return tuple([joined[stamp] for stamp in sorted(joined)]), clones
