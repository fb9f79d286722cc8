"""The store on disk and the store in memory are driven together and never differ.

What it proves: whatever arrives, in whatever batches, with reviews, changes of policy and reopening of the file in
between, SQLite keeps exactly what the reference keeps, and the walk says the same about it. What it cannot: what
happens when the process or the disk fails.
"""

from __future__ import annotations

from pathlib import Path

from crdtshadow_local import Store
from crdtshadow_walk import (
    DeltaMessage,
    DocumentEvent,
    MemoryStore,
    Message,
    OfflineChanges,
    ShadowKey,
    resolve_conflict,
    set_policy,
    walk,
)
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from crdtshadow import Policy, Replica, UnknownConflict
from crdtshadow.document import ShadowDocument, apply_update, check_request
from crdtshadow.shadow import Changes
from crdtshadow.sibling import REMOVED
from crdtshadow.testing import FakeClock
from crdtshadow.testing.strategies import changes
from tests.adapters.traffic import KEYS, PATCHES, gist, in_memory_directory

POLICIES = st.sampled_from(
    [
        Policy(),
        Policy.from_json({"strategy": "manual_review"}),
        Policy.from_json({"strategy": "priority_based", "auto_resolve_threshold": 2}),
        Policy.from_json({"overrides": [{"path": "/desired/**", "strategy": "manual_review"}]}),
    ]
)
KEY = st.sampled_from(KEYS)
SPEAKS_FOR = st.sampled_from([None, None, None, frozenset({"app", "device"}), frozenset({"app"})])
JUNK = st.sampled_from(
    [
        DeltaMessage(KEYS[0], b"junk", source="line 3"),
        DeltaMessage(ShadowKey("no thing", "x"), b""),
        DocumentEvent(KEYS[1], {"current": 5, "\ud800": "\ud800"}, "\ud800"),
        OfflineChanges(KEYS[0], {"reported": "no"}, at_ms=-1),
    ]
)


class Stores(RuleBasedStateMachine):
    mail: Bundle = Bundle("mail")

    @initialize()
    def open(self) -> None:
        self.clock = FakeClock(10_000)
        self.directory = in_memory_directory()
        self.path = Path(self.directory.name, "shadows.db")
        self.store = Store.open(self.path)
        self.memory = MemoryStore(epoch=self.store.load(KEYS)[KEYS[0]].epoch)
        self.writers = {
            key: [Replica(name, epoch=1, now=self.clock) for name in ("app", "device", "gateway")] for key in KEYS
        }
        self.documents: dict[ShadowKey, ShadowDocument | None] = dict.fromkeys(KEYS)

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    @rule(target=mail, key=KEY, at=st.integers(0, 2), drawn=changes(), speaks_for=SPEAKS_FOR)
    def write(self, key: ShadowKey, at: int, drawn: Changes, speaks_for: frozenset[str] | None) -> Message:
        writer = self.writers[key][at]
        path, value = min(drawn.items())
        delta = writer.set(path, None if value is REMOVED else value)
        return DeltaMessage(key, delta.encode(), speaks_for)

    @rule(key=KEY, at=st.integers(0, 2))
    def deliver_what_continues_from_the_unknown(self, key: ShadowKey, at: int) -> None:
        writer = self.writers[key][at]
        writer.set("/reported/e", 0)
        self.deliver([DeltaMessage(key, writer.set("/reported/e", 1).encode())])

    @rule(target=mail, key=KEY, at=st.integers(0, 2), of=st.integers(0, 2))
    def exchange(self, key: ShadowKey, at: int, of: int) -> Message:
        writers = self.writers[key]
        delta = writers[of].delta(writers[at].clock)
        writers[at].merge(delta)
        return DeltaMessage(key, delta.encode())

    @rule(target=mail, key=KEY, patch=PATCHES, token=st.sampled_from([{}, {"clientToken": "app-1"}]))
    def update_aws(self, key: ShadowKey, patch: object, token: dict) -> Message:
        update = apply_update(self.documents[key], check_request({"state": patch, **token}), now_s=self.clock() // 1000)
        self.documents[key] = update.document
        return DocumentEvent(key, update.documents, f"version {update.document.version}")

    @rule(target=mail, key=KEY, patch=PATCHES, at_ms=st.integers(0, 20_000), version=st.none() | st.integers(0, 3))
    def come_back(self, key: ShadowKey, patch: object, at_ms: int, version: int | None) -> Message:
        return OfflineChanges(key, patch, at_ms, version)  # type: ignore[arg-type]  # also what is no patch

    @rule(target=mail, key=KEY)
    def run_ahead(self, key: ShadowKey) -> Message:
        ahead = Replica("ahead", epoch=self.clock(), now=lambda: self.clock() + 100_000)
        return DeltaMessage(key, ahead.set("/reported/ahead", 1).encode())

    @rule(target=mail, messages=st.lists(consumes(mail), max_size=4))
    def double(self, messages: list[Message]) -> object:
        return multiple(*messages, *messages)

    @rule(messages=st.lists(st.one_of(mail, mail, mail, JUNK), max_size=6))
    def deliver(self, messages: list[Message]) -> None:
        here = walk(self.store, messages, now=self.clock)
        there = walk(self.memory, messages, now=self.clock)
        assert list(map(gist, here.outcomes)) == list(map(gist, there.outcomes))
        assert list(map(gist, here.released)) == list(map(gist, there.released))
        assert [one.message for one in here.released] == [one.message for one in there.released]
        assert here.settled == there.settled

    @rule(ms=st.sampled_from([1, 1_000, -500, 120_000]))
    def pass_time(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(key=KEY, policy=st.none() | POLICIES)
    def choose_policy(self, key: ShadowKey, policy: Policy | None) -> None:
        here = set_policy(self.store, key, policy, now=self.clock)
        there = set_policy(self.memory, key, policy, now=self.clock)
        assert here == there

    @rule(policy=POLICIES)
    def choose_default_policy(self, policy: Policy) -> None:
        self.store.set_default_policy(policy, now=self.clock)
        self.memory.set_default_policy(policy, now=self.clock)

    @rule(key=KEY, at=st.integers(0, 3), value=st.sampled_from([None, 1, "x"]), choose=st.booleans())
    def review(self, key: ShadowKey, at: int, value: object, choose: bool) -> None:
        pending = self.memory.conflicts.get(key, ())
        if not pending:
            return
        conflict = pending[at % len(pending)].conflict
        write = conflict.writes[at % len(conflict.writes)]
        wanted = {"choose": write.stamp} if choose else {"value": value if conflict.path.count("/") > 1 else None}
        settled: list[object] = []
        for store in (self.store, self.memory):
            try:
                settled.append(resolve_conflict(store, key, conflict.path, now=self.clock, **wanted))
            except UnknownConflict as error:
                settled.append(str(error))
        assert settled[0] == settled[1]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store.open(self.path, create=False)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.load(KEYS) == self.memory.load(KEYS)
        assert self.store.default_policy == self.memory.default_policy
        for key in KEYS:
            told = [(line.at_ms, line.entry) for line in self.store.history(key=key)]
            assert repr(told) == repr(self.memory.history.get(key, []))
            pending = tuple(one.decision for one in self.store.conflicts(key=key))
            assert repr(pending) == repr(self.memory.conflicts.get(key, ()))
        assert list(map(tuple, self.store.refusals())) == self.memory.refusals


TestStores = Stores.TestCase
