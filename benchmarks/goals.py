"""The goals, and what a run says of them.

Times are told as the rival's over ours, so that more is better; bytes as ours, so that less is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, NamedTuple

from benchmarks.peers import OURS, RIVAL
from benchmarks.race import Json
from benchmarks.ratios import Spread, paired, spread
from benchmarks.shadows import THERMOSTAT, json_bytes

LEFT_A_KEY_MAX: Final = 0.01
"""What counts as 0 bytes a removed key: the clock and the floor take a few bytes, however many keys there were."""


class Reached(NamedTuple):
    """What a run says of a goal: in words, and whether it was met."""

    told: str
    met: bool


class Goal(ABC):
    """One goal; ``reached`` says what a run made of it, if anything."""

    workload: str
    step: str

    @property
    @abstractmethod
    def told(self) -> str:
        """What is wanted, in words."""

    @abstractmethod
    def reached(self, results: Mapping[str, Json]) -> Reached | None:
        """Return what *results*, by workload, say of it; nothing if they do not say."""


class TimesAsFast(Goal):
    """A step takes the rival at least so many times as long."""

    def __init__(self, workload: str, step: str, times: float) -> None:
        self.workload = workload
        self.step = step
        self.times = times

    @property
    def told(self) -> str:
        return f"{self.times:,g}x"

    def reached(self, results: Mapping[str, Json]) -> Reached | None:
        ratio = times_as_fast(results.get(self.workload, {}), OURS, self.step)
        if ratio is None:
            return None
        return Reached(f"{ratio.median:,.3g}x ({ratio.low:,.3g} to {ratio.high:,.3g})", ratio.median >= self.times)


class AtMost(Goal):
    """A size is at most a number of bytes, a share of the rival's, or of the document's JSON text."""

    def __init__(
        self, workload: str, step: str, *, most: float | None = None, of_rival: float | None = None, of_json: float = 0
    ) -> None:
        self.workload = workload
        self.step = step
        self._most = most
        self._of_rival = of_rival
        self._of_json = of_json

    @property
    def told(self) -> str:
        if self._of_rival is not None:
            return f"at most {self._of_rival:g}x {RIVAL}'s bytes"
        if self._most is not None:
            return f"at most {self._most:,g} bytes"
        return f"at most {self._of_json:g}x its JSON text ({json_bytes(THERMOSTAT)} bytes)"

    def reached(self, results: Mapping[str, Json]) -> Reached | None:
        peers = results.get(self.workload, {}).get("peers", {})
        if not {OURS, RIVAL} <= peers.keys():
            return None
        ours, theirs = (peers[name]["bytes"][self.step] for name in (OURS, RIVAL))
        if self._of_rival is not None:
            return Reached(f"{ours:,.0f}, {ours / theirs:.2f}x of {theirs:,.0f}", ours <= self._of_rival * theirs)
        if self._most is not None:
            return Reached(f"{ours:,.4g}", ours <= self._most)
        text = json_bytes(THERMOSTAT)
        return Reached(f"{ours:,.0f}, {ours / text:.2f}x", ours <= self._of_json * text)


def times_as_fast(entry: Json, name: str, step: str) -> Spread | None:
    """Return the rival's time over that of peer *name*, round by round, in one step of one workload."""
    peers = entry.get("peers", {})
    if not {name, RIVAL} <= peers.keys():
        return None
    theirs, its = (peers[each]["seconds"].get(step) for each in (RIVAL, name))
    return spread(paired(theirs, its)) if theirs and its else None


# In W1 and W2 the total is a sync and two reads, as it was when the goals were set; it shall hold with the writes too.
GOALS: Final[tuple[Goal, ...]] = (
    TimesAsFast("W1", "total", 4),
    TimesAsFast("W1", "with writes", 4),
    TimesAsFast("W1", "sync", 2),
    AtMost("W1", "state", of_json=1.05),
    AtMost("W1", "delta", of_rival=1),
    TimesAsFast("W2", "total", 6),
    TimesAsFast("W2", "with writes", 6),
    TimesAsFast("W2", "sync", 2.5),
    AtMost("W2", "delta", of_rival=0.65),
    TimesAsFast("W3", "sync", 5),
    TimesAsFast("W3", "full merge", 10),
    AtMost("W3", "delta", of_rival=0.5),
    AtMost("W4", "state", most=420),
    TimesAsFast("W4", "stale merge", 1_000),
    TimesAsFast("W5", "total", 1),
    TimesAsFast("W6", "a shadow", 5),
    AtMost("W7", "left a key", most=LEFT_A_KEY_MAX),
)

IMPORT_MS_MAX: Final = 10
"""Importing the core."""
