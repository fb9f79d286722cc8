"""The verdict on one host after an event: what its replica holds and shows, against what it has seen."""

from __future__ import annotations

from typing import Final

from crdtshadow import Shade, Shadow, VectorClock, View
from tests.simulation.hosts import Host
from tests.simulation.meaning import Chronicle, Fact, Sight, conflicts, newest_view, ranked_view

THOROUGH_EVERY: Final = 32
"""How many verdicts there are for one that checks the library's own invariants, and decodes the state."""

NEWEST: Final = "newest"
RANKED: Final = "ranked"
RANKS: Final = {"cloud": 30, "gateway": 20, "app": 25, "device": 10, "twin": 10}


class Judge:
    """Compares hosts with the oracle, and states with each other.

    Attributes:
        late: Updates, as bits, by writers who had missed removals that somebody had forgotten.
    """

    def __init__(self, chronicle: Chronicle, view: str) -> None:
        self.late = 0
        self._chronicle = chronicle
        self._view = view
        self._bytes: dict[tuple[int, tuple[tuple[str, int], ...]], bytes] = {}
        self._forgotten: list[tuple[int, int]] = []
        self._levels: dict[Host, tuple[Shadow, int, VectorClock]] = {}
        self._verdicts = 0

    def judge(self, host: Host) -> None:
        """Raise ``AssertionError`` if *host* is not what the oracle says."""
        shadow = host.replica.shadow
        sight = host.sight
        seen = self._chronicle.mask_of(shadow.clock.items())
        assert seen == sight.mask, f"the clock names {self._difference(seen, sight.mask)}"
        remembered = self._rows(shadow, sight)
        level = (shadow, sight.mask, shadow.floor)
        if self._levels.get(host) == level:
            return
        self._levels[host] = level
        self._same_bytes(shadow, sight)
        self._shown(host.replica.view(), remembered)
        self._verdicts += 1
        if self._verdicts % THOROUGH_EVERY == 0:
            shadow.check()
            again = Shadow.decode(shadow.encode())
            again.check()
            assert again.encode() == shadow.encode(), "decoded and encoded again, the state differs"

    def _difference(self, seen: int, expected: int) -> str:
        lost = [update.stamp for update in self._chronicle.select(expected & ~seen)]
        found = [update.stamp for update in self._chronicle.select(seen & ~expected)]
        return f"updates {found} that were not seen, and lacks {lost}"

    def _rows(self, shadow: Shadow, sight: Sight) -> Sight:
        """Compare the rows; return *sight* without the removals that were forgotten."""
        live = {(fact.path, fact.stamp): fact for fact in sight.live}
        if shadow.floor:
            floor = dict(shadow.floor.items())
            forgotten = [fact for fact in sight.live if _is_forgotten(fact, floor)]
            for fact in forgotten:
                del live[fact.path, fact.stamp]
            if forgotten:
                sight = sight._replace(live=sight.live.difference(forgotten))
        held = 0
        for path in shadow.paths():
            for stamp, value in shadow.siblings(path):
                if type(value) is not Shade:
                    held += 1
                    expected = live.get((path, stamp))
                    assert expected is not None, f"{path}: {value!r} at {stamp} was replaced, or never seen"
                    assert repr(value) == expected.text, f"{path}: {value!r} at {stamp}, written was {expected.text}"
        if held != len(live):
            kept = {(path, one.stamp) for path in shadow.paths() for one in shadow.siblings(path)}
            lost = sorted(fact.path for name, fact in live.items() if name not in kept)
            raise AssertionError(f"{lost}: a live write is gone")
        return sight

    def _same_bytes(self, shadow: Shadow, sight: Sight) -> None:
        data = shadow.encode()
        known = self._bytes.setdefault((sight.mask, tuple(shadow.floor.items())), data)
        assert known == data, "the same was seen and forgotten elsewhere, and the bytes are others"

    def _shown(self, view: View, sight: Sight) -> None:
        groups = [
            (decision.conflict.path, sorted((write.path, tuple(write.stamp)) for write in decision.conflict.writes))
            for decision in view.decisions
        ]
        expected = conflicts(sight) if len(sight.live) > 1 else []
        assert sorted(groups) == expected, f"the conflicts are {groups}, and should be {expected}"
        if self._view == RANKED:
            meant = ranked_view(sight, RANKS)
        elif self._view == NEWEST and not sight.mask & self.late:
            meant = newest_view(sight)
        else:
            return
        shown = {path: repr(value) for path, value in view.fields.items()}
        assert shown == meant, f"{shown} shows, and {meant} should"

    def forgot(self, host: Host, others: list[Host], before: VectorClock) -> None:
        """Judge what *host* has just forgotten: nobody that it had to wait for may have missed it."""
        covered = self._chronicle.mask_of(host.replica.shadow.floor.items())
        risen = covered & ~self._chronicle.mask_of(before.items())
        if not risen:
            return
        waited_for = (host.waits_for | set(host.sight.own)) - host.retired
        for other in others:
            if other.id in waited_for:
                missed = risen & ~other.sight.mask
                assert not missed, f"{other.id} has not seen what was forgotten: {self._difference(0, missed)}"
        self._forgotten.append((covered, host.sight.mask))
        for update in self._chronicle.updates:
            if not update.bit & host.sight.mask and covered & ~update.seen:
                self.late |= update.bit

    def wrote(self) -> None:
        """Note whether the newest update was made by somebody who had missed what is forgotten."""
        update = self._chronicle.updates[-1]
        if any(covered & ~(update.seen | update.bit) for covered, _ in self._forgotten):
            self.late |= update.bit


def _is_forgotten(fact: Fact, floor: dict[str, int]) -> bool:
    return not fact.is_set and floor.get(fact.stamp[1], -1) >= fact.stamp[0]
