"""Records, changes and identities as rows. Every function here runs inside a transaction of the caller."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from crdtshadow_walk import Change, Record, Refusal, RevisionConflict, ShadowKey

from crdtshadow import InvalidPolicy, Policy, Stamp, VectorClock
from crdtshadow.clock import pack_time
from crdtshadow_local.database import Database
from crdtshadow_local.errors import StoreDamaged
from crdtshadow_local.rows import (
    pack_clock,
    pack_decision,
    pack_entry,
    pack_json,
    pack_parked,
    shadow_name,
    unpack_clock,
    unpack_field,
    unpack_parked,
)

REFUSALS_MAX: Final = 1_000
"""Refusals that are kept; the oldest give way."""

_POLICIES_CACHED: Final = 256


def read_record(db: Database, key: ShadowKey) -> Record:
    """Return the record of *key*, one of revision 0 if there is none."""
    found = db.run(
        "SELECT id, epoch, revision, policy, state, ledger FROM shadows WHERE thing = ? AND shadow = ?",
        key.thing,
        shadow_name(key),
    ).fetchone()
    if found is None:
        return Record(db.incarnation)
    shadow_id, epoch, revision, policy, state, ledger = found
    parked = db.run("SELECT data, speaks_for, source FROM parked WHERE shadow_id = ? ORDER BY id", shadow_id)
    return Record(
        epoch,
        state,
        ledger,
        None if policy is None else read_policy(policy, db.path),
        tuple([unpack_parked(key, columns) for columns in parked]),
        revision,
    )


def read_default_policy(db: Database) -> Policy:
    """Return the policy of shadows that have none of their own."""
    return read_policy(db.one("SELECT default_policy FROM store")[0], db.path)


@lru_cache(_POLICIES_CACHED)
def read_policy(text: str, path: str) -> Policy:
    """Return the policy kept as *text* in the file at *path*."""
    try:
        return Policy.from_json(text)
    except InvalidPolicy as error:
        raise StoreDamaged(f"{path}: a policy in it is none: {error}") from None


def write_change(db: Database, change: Change) -> RevisionConflict | None:
    """Write *change*; return why not, if somebody else wrote first."""
    record = change.record
    if record is not None:
        shadow_id = _write_record(db, change.key, record, change.at_ms)
        if shadow_id is None:
            return RevisionConflict(f"shadow {change.key}: was written since revision {record.revision - 1} was read")
        if change.history:
            db.run_many(
                "INSERT INTO history (shadow_id, at_ms, path, before, after, ms, tick, replica, strategy, held, writes)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(shadow_id, change.at_ms, *pack_entry(entry)) for entry in change.history],
            )
        if change.conflicts is not None:
            db.run("DELETE FROM conflicts WHERE shadow_id = ?", shadow_id)
            db.run_many(
                "INSERT INTO conflicts (shadow_id, path, strategy, reason, writes, accepted) VALUES (?, ?, ?, ?, ?, ?)",
                [(shadow_id, *pack_decision(decision)) for decision in change.conflicts],
            )
    if change.refusals:
        _write_refusals(db, change.refusals, change.at_ms)
    return None


def _write_record(db: Database, key: ShadowKey, record: Record, at_ms: int) -> int | None:
    """Write *record* if it follows the revision held; return the shadow's row id, ``None`` if it does not."""
    if record.revision == 1:
        ensure_shadow(db, key, at_ms)
    written = db.run(
        "UPDATE shadows SET epoch = ?, revision = ?, updated_ms = ?, policy = ?, state = ?, ledger = ?"
        " WHERE thing = ? AND shadow = ? AND revision = ? RETURNING id",
        record.epoch,
        record.revision,
        at_ms,
        None if record.policy is None else pack_json(record.policy.to_json()),
        record.state,
        record.ledger,
        key.thing,
        shadow_name(key),
        record.revision - 1,
    ).fetchall()
    if not written:
        return None
    ((shadow_id,),) = written
    db.run("DELETE FROM parked WHERE shadow_id = ?", shadow_id)
    db.run_many(
        "INSERT INTO parked (shadow_id, data, speaks_for, source) VALUES (?, ?, ?, ?)",
        [(shadow_id, *pack_parked(message)) for message in record.parked],
    )
    return int(shadow_id)


def ensure_shadow(db: Database, key: ShadowKey, at_ms: int) -> int:
    """Return the row id of *key*, of a new row of revision 0 if there was none."""
    db.run(
        "INSERT INTO shadows (thing, shadow, epoch, revision, updated_ms, state, ledger)"
        " VALUES (?, ?, ?, 0, ?, x'', x'') ON CONFLICT DO NOTHING",
        key.thing,
        shadow_name(key),
        db.incarnation,
        at_ms,
    )
    return int(db.one("SELECT id FROM shadows WHERE thing = ? AND shadow = ?", key.thing, shadow_name(key))[0])


def _write_refusals(db: Database, refusals: Sequence[Refusal], at_ms: int) -> None:
    db.run_many(
        "INSERT INTO refusals (at_ms, thing, shadow, code, reason, kind, payload, source)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(at_ms, one.key.thing, shadow_name(one.key), *one[1:]) for one in refusals],
    )
    db.run("DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - ?", REFUSALS_MAX)


def read_peers(db: Database, key: ShadowKey) -> dict[str, VectorClock]:
    """Return what peers are known to have seen of *key*, by their replica ids."""
    rows = db.run(
        "SELECT peer, clock FROM peers JOIN shadows ON shadows.id = shadow_id"
        " WHERE thing = ? AND shadow = ? ORDER BY peer",
        key.thing,
        shadow_name(key),
    )
    return {peer: unpack_clock(clock) for peer, clock in rows}


def acknowledge(db: Database, shadow_id: int, peer: str, clock: VectorClock) -> None:
    """Note that *peer* has seen *clock* too."""
    known = db.run("SELECT clock FROM peers WHERE shadow_id = ? AND peer = ?", shadow_id, peer).fetchone()
    seen = clock if known is None else clock.join(unpack_clock(known[0]))
    db.run("INSERT OR REPLACE INTO peers VALUES (?, ?, ?)", shadow_id, peer, pack_clock(seen))


class Identity(NamedTuple):
    """Under which a replica writes.

    Attributes:
        incarnation: Of the file in which this was written.
        epoch: Of the replica.
        last_time: The hybrid time of its last write, -1 if there is none.
        retired: Replicas that it need not wait for.
    """

    incarnation: int
    epoch: int
    last_time: int
    retired: tuple[str, ...]


def read_identity(db: Database, shadow_id: int, name: str) -> Identity | None:
    """Return the identity of the replica called *name*, ``None`` if it never was here."""
    found = db.run(
        "SELECT incarnation, epoch, last_ms, last_tick, retired FROM replicas WHERE shadow_id = ? AND name = ?",
        shadow_id,
        name,
    ).fetchone()
    if found is None:
        return None
    incarnation, epoch, ms, tick, retired = found
    return Identity(incarnation, epoch, pack_time(ms, tick), tuple(unpack_field(retired)))


def write_identity(db: Database, shadow_id: int, name: str, identity: Identity) -> None:
    """Keep *identity* in place of the one before."""
    last = Stamp(identity.last_time, name)
    db.run(
        "INSERT OR REPLACE INTO replicas (shadow_id, name, incarnation, epoch, last_ms, last_tick, retired)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        shadow_id,
        name,
        identity.incarnation,
        identity.epoch,
        last.ms,
        last.tick,
        pack_json(identity.retired),
    )
