"""What a receiver may refuse of a well-formed delta before joining it: its times, and its authority."""

from __future__ import annotations

from collections.abc import Collection

from crdtshadow.clock import replica_name
from crdtshadow.delta import Delta
from crdtshadow.errors import ClockDrift, NotAuthorized
from crdtshadow.lwwmap import LWWMap
from crdtshadow.sibling import same_outcome


def check_drift(state: LWWMap, delta: Delta, *, now_ms: int, drift_ms_max: int) -> None:
    """Refuse *delta* if it brings a stamp too far in the future; the past is never refused.

    Args:
        state: The receiver's; what it has accepted before is not judged again.
        delta: What arrived.
        now_ms: The receiver's wall clock.
        drift_ms_max: How far ahead of it a stamp may be.

    Raises:
        ClockDrift: With *now_ms*, so that the sender can re-stamp.

    Source: Kulkarni et al. 2014, section 5: a bound on the drift keeps one wrong clock from
    dragging along all others.
    """
    for stamp in delta.upto.stamps():
        ahead = stamp.ms - now_ms
        if ahead > drift_ms_max and not state.clock.covers(stamp):
            raise ClockDrift(
                f"{stamp.replica} is {ahead} ms ahead of {now_ms}, at most {drift_ms_max} ms are allowed", now_ms=now_ms
            )


def check_authority(state: LWWMap, delta: Delta, speaks_for: Collection[str]) -> None:
    """Refuse *delta* if its sender claims more than the writes of replicas it may speak for.

    Args:
        state: The receiver's. What it holds already may be repeated by anybody.
        delta: What arrived.
        speaks_for: The names of the replicas whose writes the sender may bring.

    Raises:
        NotAuthorized: It brings, claims or alters a write of another replica, removes something
            without a write of its own, or forgets removals that the receiver remembers.
    """
    for stamp in delta.upto.stamps():
        if replica_name(stamp.replica) not in speaks_for and not state.clock.covers(stamp):
            raise NotAuthorized(f"a write of {stamp.replica} from a peer that may speak for {_names(speaks_for)} only")
    if not delta.floor <= state.floor:
        raise NotAuthorized(f"a peer that may speak for {_names(speaks_for)} only forgets removals")
    absent = (path for path in state.paths() if path not in delta.rows) if delta.full else ()
    for path in (*delta.rows, *absent):
        theirs = delta.rows.get(path, ())
        kept = {one.stamp: one.value for one in theirs}
        for one in state.siblings(path):
            alters = one.stamp in kept and not same_outcome(one.value, kept[one.stamp])
            if alters and replica_name(one.stamp.replica) not in speaks_for:
                raise NotAuthorized(
                    f"{path}: another outcome for a write of {one.stamp.replica}"
                    f" from a peer that may speak for {_names(speaks_for)} only"
                )
        replaces = any(one.stamp not in kept and delta.upto.covers(one.stamp) for one in state.siblings(path))
        if replaces and all(state.clock.covers(one.stamp) for one in theirs):
            raise NotAuthorized(f"{path}: replaced without a write, by a peer that may speak for {_names(speaks_for)}")


def _names(speaks_for: Collection[str]) -> str:
    return ", ".join(sorted(speaks_for)) or "nobody"
