"""What people do to stored shadows: settle a conflict, choose a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crdtshadow import Policy, Replica, Stamp, resolve
from crdtshadow.errors import AdapterError
from crdtshadow.limits import CLOCK_MS_MAX
from crdtshadow_walk.messages import ShadowKey, shadow_key
from crdtshadow_walk.outcomes import Settled
from crdtshadow_walk.ports import Change, Record, Store
from crdtshadow_walk.rewrite import ATTEMPTS_MAX, no_pause, rewrite, single
from crdtshadow_walk.settle import Settlement, conclude, decode_record

REVIEWER: Final = "cloud-review"
"""The replica name of reviews: they rank as what the cloud writes."""


def resolve_conflict(
    store: Store,
    key: ShadowKey,
    path: str,
    *,
    value: object = None,
    choose: Stamp | None = None,
    by: str = REVIEWER,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
) -> Settled:
    """Settle the conflict at *path* by a write that has seen all of its sides, and store that.

    Args:
        store: Where the shadow is kept.
        key: The shadow.
        path: The conflict's path, or that of one of its writes.
        value: What it shall be; an object makes the place equal to it, ``None`` removes it.
        choose: Instead of a value: the stamp of the write that shall win.
        by: The replica name to write under.
        now, pause, attempts_max: As for :func:`~crdtshadow_walk.walk.walk`.

    Raises:
        EventRefused: AWS IoT does not allow a shadow of that name.
        UnknownConflict: There is no conflict at *path*, or no such write in it; nothing was changed.
        LocalError: The value or the name cannot be used; nothing was changed.
        AdapterError: The store failed, or others wrote first too often.
    """
    policy = store.default_policy

    def derive(key: ShadowKey, record: Record) -> Settlement:
        held = decode_record(key, record, default_policy=policy)
        before = resolve(held.shadow, held.policy)
        # The record's epoch may be used again by the same name: the conditional write lets only one
        # of several go through, and what it wrote is in the state that the next one continues from.
        reviewer = Replica(by, epoch=record.epoch, now=now, policy=held.policy, drift_ms_max=CLOCK_MS_MAX)
        reviewer.rebase(held.shadow.delta())
        reviewer.resolve(path, value=value, choose=choose)
        return Settlement(*conclude(key, record, reviewer.shadow, before, reviewer.view(), now_ms=now()))

    return _settled(rewrite(store, (shadow_key(*key),), derive, pause=pause, attempts_max=attempts_max))


def set_policy(
    store: Store,
    key: ShadowKey,
    policy: Policy | None,
    *,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
) -> Settled:
    """Give a shadow its own policy, ``None`` for the store's default, and resolve it anew.

    The shadow's state is as it was: a policy decides only what readers see.

    Args:
        store: Where the shadow is kept.
        key: The shadow; it need not be held yet.
        policy: Decides from now on.
        now, pause, attempts_max: As for :func:`~crdtshadow_walk.walk.walk`.

    Raises:
        EventRefused: AWS IoT does not allow a shadow of that name.
        AdapterError: The store failed, or others wrote first too often.
    """
    default = store.default_policy

    def derive(key: ShadowKey, record: Record) -> Settlement:
        change, settled = resolve_anew(
            key, record._replace(policy=policy), record.policy or default, policy or default, now_ms=now()
        )
        return Settlement(change, settled)

    return _settled(rewrite(store, (shadow_key(*key),), derive, pause=pause, attempts_max=attempts_max))


def resolve_anew(
    key: ShadowKey, record: Record, before: Policy, after: Policy, *, now_ms: int
) -> tuple[Change, Settled]:
    """Return what to store of a shadow whose policy was *before* and is *after*; without history, nothing differs.

    Raises:
        StateDamaged: The record's bytes cannot be read.
    """
    shadow = decode_record(key, record, default_policy=after).shadow
    return conclude(key, record, shadow, resolve(shadow, before), resolve(shadow, after), now_ms=now_ms)


def _settled(done: dict[ShadowKey, Settlement | AdapterError]) -> Settled:
    settled = single(done).settled
    assert settled is not None
    return settled
