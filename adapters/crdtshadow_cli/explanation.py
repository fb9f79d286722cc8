"""Why a path shows what it shows: which writes compete, who had seen what, how strategies decide.

Writes that compete are concurrent: had one seen another, it would have replaced it. That is all a
state knows of the past, and all that is told here. A write has seen the earlier ones of its own
replica; whether it had seen a write that it does not clash with is not kept.
"""

from __future__ import annotations

from typing import NamedTuple

from crdtshadow import REMOVED, Decision, Policy, Shadow, View, Write, resolve
from crdtshadow.conflicts import clashes
from crdtshadow.paths import ancestors, check, is_below
from crdtshadow.policy import PRIORITY_BASED, STRATEGIES
from crdtshadow_cli.errors import InputError


class Contest(NamedTuple):
    """A conflict, what the policy makes of it, and what each strategy would.

    Attributes:
        decision: Under the policy.
        strategies: Under each strategy alone, in the order of ``STRATEGIES``; ranks and priorities
            are the policy's own, its overrides, rules and threshold are left out.
    """

    decision: Decision
    strategies: tuple[Decision, ...]


class Explanation(NamedTuple):
    """What there is to say about a path.

    Attributes:
        path: Which.
        view: What a reader sees of the whole shadow.
        contests: The conflicts that the path is part of, or lies below or above of.
        settled: What stands at the path, or below it, and competes with nothing.
        gone: The removal, at the path or above it, if there is nothing else.
    """

    path: str
    view: View
    contests: tuple[Contest, ...]
    settled: tuple[Write, ...]
    gone: Write | None


def explain(state: Shadow, policy: Policy, path: str) -> Explanation:
    """Return why *path* of *state* shows what it shows under *policy*.

    Raises:
        InvalidPath: Not a path.
        InputError: Nothing was ever written there, or all of it has been forgotten.

    >>> from crdtshadow import Stamp
    >>> state = Shadow()
    >>> _ = state.write({"/desired/t": 20}, Stamp(1, "app#00000000"))
    >>> explain(state, Policy(), "/desired/t").settled[0].value
    20
    """
    check(path)
    view = resolve(state, policy)
    alone = [resolve(state, only(policy, strategy)).decisions for strategy in STRATEGIES]
    contests = [
        Contest(decision, tuple([decisions[at] for decisions in alone]))
        for at, decision in enumerate(view.decisions)
        if any(_touches(one, path) for one in decision.conflict.paths)
    ]
    contested = {one for contest in contests for one in contest.decision.conflict.paths}
    settled = [
        Write(one, view.stamps[one], value)
        for one, value in view.fields.items()
        if _touches(one, path) and one not in contested
    ]
    gone = None if contests or settled else _removal(state, path)
    if not (contests or settled or gone):
        raise InputError(f"{path}: nothing stands here")
    return Explanation(path, view, tuple(contests), tuple(sorted(settled)), gone)


def _removal(state: Shadow, path: str) -> Write | None:
    """Return the newest removal at *path* or above it."""
    removals = [
        Write(one, sibling.stamp, REMOVED)
        for one in (path, *ancestors(path))
        for sibling in state.siblings(one)
        if sibling.value is REMOVED
    ]
    return max(removals, key=lambda write: write.stamp, default=None)


def only(policy: Policy, strategy: str) -> Policy:
    """Return *strategy* everywhere, with the ranks and priorities of *policy*."""
    kept = {"ranks", "priorities"} | ({"field_priorities"} if strategy == PRIORITY_BASED else set())
    members = {name: value for name, value in policy.to_json().items() if name in kept}
    return Policy.from_json({"strategy": strategy, **members})


def unseen_by(write: Write, contest: Contest) -> list[Write]:
    """Return the writes of the contest that *write* had certainly not seen."""
    return [other for other in contest.decision.conflict.writes if clashes(write, other)]


def _touches(one: str, path: str) -> bool:
    return one == path or is_below(one, path) or is_below(path, one)
