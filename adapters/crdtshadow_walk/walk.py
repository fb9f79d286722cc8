"""The walk of a batch: ingest, decode, merge, resolve, store, publish.

*Ingest* groups messages by shadow. Of each shadow the record is read once, all messages are
*decoded* and *merged* in memory, the outcome is *resolved* into what readers see
(:mod:`crdtshadow_walk.settle`), and what changed is *stored* with one conditional write. Was
somebody else faster, then the record is read and everything joined again, which is safe since
joining is idempotent. What there is to *publish* comes back as values (:mod:`crdtshadow_walk.publish`
sends it); an echo changes nothing, so it writes nothing and publishes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from crdtshadow.errors import AdapterError, EventRefused
from crdtshadow.limits import DRIFT_MS_MAX
from crdtshadow_walk.messages import Message, ShadowKey, shadow_key
from crdtshadow_walk.outcomes import Failed, Outcome, Walked
from crdtshadow_walk.ports import Record, Store
from crdtshadow_walk.rewrite import ATTEMPTS_MAX, no_pause, rewrite
from crdtshadow_walk.settle import Settlement, refuse, settle


def walk(
    store: Store,
    messages: Sequence[Message],
    *,
    now: Callable[[], int],
    pause: Callable[[int], None] = no_pause,
    attempts_max: int = ATTEMPTS_MAX,
    drift_ms_max: int = DRIFT_MS_MAX,
) -> Walked:
    """Bring *messages* into *store*; return what became of each, and what there is to publish.

    What is refused changes nothing, goes to the store's quarantine, and hinders no other message;
    nor does a shadow whose storing fails.

    Args:
        store: Where shadows are kept.
        messages: A batch, in any order, of any number of shadows; memory grows with it.
        now: Returns the wall clock in milliseconds since 1970.
        pause: Called with the number of the attempt that was lost to others, before the next one.
        attempts_max: How often to try while others write the same shadows.
        drift_ms_max: How far ahead of *now* the stamps of a delta may be.

    Raises:
        AdapterError: The store failed as a whole. The batch has to come again; whatever of it was
            stored is an echo then.
    """
    groups, strays = _ingest(messages)
    policy = store.default_policy

    def derive(key: ShadowKey, record: Record) -> Settlement:
        group = [messages[at] for at in groups[key]]
        return settle(key, record, group, default_policy=policy, now_ms=now(), drift_ms_max=drift_ms_max)

    refused = {at: refuse(messages[at], error, now_ms=now()) for at, error in strays.items()}
    if refused:
        store.commit([one.change for one in refused.values() if one.change])
    done = rewrite(store, groups, derive, pause=pause, attempts_max=attempts_max)
    outcomes = {at: one.outcomes[0] for at, one in refused.items()}
    for key, ats in groups.items():
        outcomes.update(zip(ats, _outcomes(done[key], [messages[at] for at in ats]), strict=True))
    settlements = [one for one in done.values() if isinstance(one, Settlement)]
    return Walked(
        tuple([outcomes[at] for at in range(len(messages))]),
        tuple([outcome for one in settlements for outcome in one.released]),
        tuple([one.settled for one in settlements if one.settled]),
    )


def _ingest(messages: Sequence[Message]) -> tuple[dict[ShadowKey, list[int]], dict[int, EventRefused]]:
    """Return the places of *messages* by shadow, and those for no shadow that AWS IoT allows."""
    groups: dict[ShadowKey, list[int]] = {}
    strays: dict[int, EventRefused] = {}
    for at, message in enumerate(messages):
        try:
            groups.setdefault(shadow_key(*message.key), []).append(at)
        except EventRefused as error:
            strays[at] = error
    return groups, strays


def _outcomes(done: Settlement | AdapterError, messages: Sequence[Message]) -> Iterator[Outcome]:
    if isinstance(done, Settlement):
        return iter(done.outcomes)
    return (Failed(message, done) for message in messages)
