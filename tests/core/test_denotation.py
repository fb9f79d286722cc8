"""What a shadow means, against a set-theoretic definition over the writes that were seen.

What it proves: at every replica, at every moment, conflicts and views are those that follow from the writes it has
seen, their order in time and who had seen what, whatever came as delta or whole state. The definition
(`tests.oracle.denotation`) shares no code and no representation with the library. What it cannot: say more about
`{}` and about maps that were emptied than the definition does.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import REMOVED, Policy, Shadow, Stamp, find_conflicts, resolve
from crdtshadow.clock import pack_time, replica_name
from crdtshadow.paths import parse
from crdtshadow.testing.strategies import PATHS, REPLICAS, few_values
from tests.oracle import denotation
from tests.oracle.denotation import Write

RANKS = {"device": 10, "app": 25, "cloud": 30}
PRIORITY = Policy.from_json({"strategy": "priority_based", "ranks": RANKS})
REVIEW = Policy.from_json({"strategy": "manual_review"})
PLACES = st.integers(0, len(REPLICAS) - 1)
STEPS = st.one_of(
    st.tuples(st.just("set"), PLACES, st.integers(0, 5), st.sampled_from(PATHS[:5]), few_values()),
    st.tuples(st.just("del"), PLACES, st.integers(0, 5), st.sampled_from(PATHS[:5]), st.none()),
    st.tuples(st.just("merge"), PLACES, PLACES, st.booleans(), st.none()),
)


class World:
    """Shadows beside the sets of writes that they have seen."""

    def __init__(self) -> None:
        self.shadows = [Shadow() for _ in REPLICAS]
        self.seen: list[dict[str, Write]] = [{} for _ in REPLICAS]
        self.ops: dict[Stamp, str] = {}

    def write(self, kind: Any, at: int, ms: int, path: str, value: Any) -> None:
        shadow = self.shadows[at]
        stamp = Stamp(max(pack_time(ms), shadow.clock.newest() + 1), REPLICAS[at])
        op = f"{replica_name(stamp.replica)}{len(self.ops)}"
        shadow.write({path: REMOVED if kind == "del" else value}, stamp)
        self.ops[stamp] = op
        self.seen[at][op] = Write(op, stamp.replica, stamp.time, parse(path), kind, value, frozenset(self.seen[at]))

    def merge(self, at: int, of: int, whole: bool) -> None:
        self.shadows[at].merge(self.shadows[of].delta(None if whole else self.shadows[at].clock))
        self.seen[at].update(self.seen[of])

    def check(self, at: int) -> None:
        shadow, writes = self.shadows[at], list(self.seen[at].values())
        shadow.check()
        assert self.conflicts(shadow) == [
            (conflict.path, [write.op for write in conflict.siblings]) for conflict in denotation.conflicts(writes)
        ]
        settled = {
            path: value for path, value in self.fields(shadow, REVIEW).items() if path not in self.disputed(shadow)
        }
        assert pruned(settled) == pruned(denotation.settled_view(writes))
        by_rank = denotation.priority_view(writes, lambda write: RANKS[replica_name(write.replica)])
        assert pruned(self.fields(shadow, PRIORITY)) == pruned(by_rank)
        if all(write.kind == "del" or write.value != {} for write in writes):
            newest = pruned(self.fields(shadow, Policy()))
            assert newest == pruned(lww_view_of_live_maps(writes))
            if not any(write.kind == "del" for write in writes):
                assert newest == pruned(denotation.lww_view(writes))

    def conflicts(self, shadow: Shadow) -> list[Any]:
        return sorted(
            (parse(conflict.path), sorted({self.ops[write.stamp] for write in conflict.writes}))
            for conflict in find_conflicts(shadow)
        )

    def disputed(self, shadow: Shadow) -> set[Any]:
        return {parse(path) for conflict in find_conflicts(shadow) for path in conflict.paths}

    def fields(self, shadow: Shadow, policy: Policy) -> dict[Any, Any]:
        return {parse(path): value for path, value in resolve(shadow, policy).fields.items()}


def lww_view_of_live_maps(writes: list[Write]) -> dict[Any, Any]:
    """Return the newest along each path, where a set below hides a scalar only while it is live.

    Open choice O3 of the scenario format: whether a scalar shows where a newer map was emptied again.
    """
    live = {write.op for write in denotation.live(writes)}
    shown = {}
    for path in {write.path for write in writes}:
        hiding = [one for one in writes if one.path == path or (denotation.is_above(one.path, path) and one.occupies)]
        winner = max(hiding, key=by_stamp)
        below = [one for one in writes if denotation.is_above(path, one.path) and one.kind == "set" and one.op in live]
        newest = winner.path == path and all(by_stamp(one) < by_stamp(winner) for one in below)
        if newest and winner.kind == "set" and winner.op in live:
            shown[path] = winner.value
    return shown


def by_stamp(write: Write) -> tuple[int, bytes]:
    return write.stamp


def pruned(fields: dict[Any, Any]) -> str:
    return denotation.exact(denotation.document(fields))


@given(st.lists(STEPS, max_size=14))
def test_every_replica_shows_what_the_writes_that_it_has_seen_mean(steps: list[Any]) -> None:
    world = World()
    for what, at, *rest in steps:
        if what == "merge":
            world.merge(at, rest[0], rest[1])
        else:
            world.write(what, at, *rest)
        world.check(at)
