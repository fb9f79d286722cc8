"""Hypothesis strategies: values, paths, updates, and whole histories of diverging maps.

All draw from tiny alphabets on purpose (three replicas, few paths, times from 0 to 5), so that ties,
clashes of scalars with maps, removals and equal values come by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from hypothesis import strategies as st

from crdtshadow.clock import Stamp, VectorClock, pack_time, replica_id
from crdtshadow.errors import BelowFloor
from crdtshadow.lwwmap import LWWMap
from crdtshadow.paths import is_below
from crdtshadow.shadow import Changes, Shadow
from crdtshadow.sibling import REMOVED

REPLICAS: Final = tuple(replica_id(name, 0) for name in ("app", "cloud", "device"))
PATHS: Final = tuple(
    f"/{section}{rest}" for section in ("desired", "reported") for rest in ("/a", "/a/b", "/a/b/c", "/a/d", "/e")
)
MapType = TypeVar("MapType", bound=LWWMap)


def values(*, max_leaves: int = 4) -> st.SearchStrategy[object]:
    """Return any value that a field may hold, often one that Python thinks equal to another."""
    scalars = st.one_of(
        st.sampled_from([0, 1, 1.0, True, False, "", "1", -0.0]),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3),
    )
    nested = st.recursive(
        st.none() | scalars,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=max_leaves,
    )
    return scalars | st.lists(nested, max_size=2) | st.just({})


def few_values() -> st.SearchStrategy[object]:
    """Return one of a few values, so that the same ones meet."""
    return st.sampled_from([1, 1.0, True, "x", [1], {}])


def changes(paths: Sequence[str] = PATHS) -> st.SearchStrategy[Changes]:
    """Return what one update may write: values and removals by path, none in the way of another."""
    outcome = st.one_of(few_values(), st.just(REMOVED))
    return st.dictionaries(st.sampled_from(paths), outcome, min_size=1, max_size=3).map(_without_clashes)  # type: ignore[arg-type]  # outcomes


def _without_clashes(drawn: Changes) -> Changes:
    hiding = [path for path, outcome in drawn.items() if outcome != {}]
    return {path: outcome for path, outcome in drawn.items() if not any(is_below(path, upper) for upper in hiding)}


class Step(NamedTuple):
    """One step of a history.

    Attributes:
        at: Which replica acts, or receives.
        of: Whose state it merges, or as of whose clock it writes.
        ms: Its wall clock.
        what: ``write``, ``write as of``, ``merge``, ``merge whole`` or ``forget``.
        changes: What it writes.
    """

    at: int
    of: int
    ms: int
    what: str
    changes: Changes


def histories(
    replicas: int = len(REPLICAS), *, steps_max: int = 12, paths: Sequence[str] = PATHS
) -> st.SearchStrategy[list[Step]]:
    """Return what some replicas do: write, write as of an older clock, merge, and forget."""
    place = st.integers(0, replicas - 1)
    what = st.sampled_from(["write", "write", "write", "write as of", "merge", "merge", "merge whole", "forget"])
    step = st.builds(Step, place, place, st.integers(0, 5), what, changes(paths))
    return st.lists(step, max_size=steps_max)


def play(history: Sequence[Step], replicas: Sequence[str] = REPLICAS, *, kind: type[MapType] = Shadow) -> list[MapType]:  # type: ignore[assignment]  # the default of a bound type variable
    """Return the maps that *history* leaves, one for each replica.

    Removals are forgotten only as all have seen them. A merge that the floor forbids is skipped.
    """
    maps = [kind() for _ in replicas]
    seen: dict[int, dict[int, VectorClock]] = {at: {} for at in range(len(maps))}
    for step in history:
        here, other = maps[step.at], maps[step.of]
        match step.what:
            case "write" | "write as of":
                as_of = here.clock.meet(other.clock) if step.what == "write as of" else None
                _write(here, step, replicas[step.at], as_of)
            case "merge" | "merge whole":
                try:
                    here.merge(other.delta(here.clock if step.what == "merge" else None))
                except BelowFloor:
                    continue
                seen[step.at][step.of] = other.clock
            case _:
                _forget(here, step.at, seen[step.at], len(maps))
    return maps


def _write(here: LWWMap, step: Step, replica: str, as_of: VectorClock | None) -> None:
    known = here.clock if as_of is None else as_of
    time = max(pack_time(step.ms), known.newest() + 1, here.clock.get(replica) + 1)
    here.write(step.changes, Stamp(time, replica), as_of=as_of)


def _forget(here: LWWMap, at: int, acknowledged: dict[int, VectorClock], replicas: int) -> None:
    stable = here.clock
    for other in range(replicas):
        if other != at:
            stable = stable.meet(acknowledged.get(other, VectorClock()))
    here.forget(stable)


def maps(count: int = 3, *, steps_max: int = 12) -> st.SearchStrategy[list[Shadow]]:
    """Return that many shadows which diverged from each other."""
    return histories(count, steps_max=steps_max).map(lambda history: play(history, REPLICAS[:count]))
