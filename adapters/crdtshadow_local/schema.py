"""The tables of a store, all STRICT, and how a file is recognised as one.

=============  =================================================================================
``store``      one row: the incarnation of this file, where it lies, the default policy
``shadows``    a row per shadow: its bytes, its ledger, its own policy, how often it was written,
               and the epoch under which plain writers are put into it
``replicas``   identities that write here, with the time of their last write
``peers``      what peers are known to have seen; what they lack follows from that and the state
``history``    the audit: who changed which path from what to what
``conflicts``  those that wait for a review now
``parked``     deltas whose base has not arrived
``refusals``   the quarantine
=============  =================================================================================

The classic shadow, which has no name, is stored under the name ``''``, which no other can have.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x43524453
"""``CRDS``: SQLite keeps it in the file's header, where ``file`` and others find it."""

SCHEMA_VERSION: Final = 1

TABLES: Final = """
CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    incarnation INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    default_policy TEXT NOT NULL
) STRICT;

CREATE TABLE shadows (
    id INTEGER PRIMARY KEY,
    thing TEXT NOT NULL,
    shadow TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    policy TEXT,
    state BLOB NOT NULL,
    ledger BLOB NOT NULL,
    UNIQUE (thing, shadow)
) STRICT;

CREATE TABLE replicas (
    shadow_id INTEGER NOT NULL REFERENCES shadows (id),
    name TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    last_tick INTEGER NOT NULL,
    retired TEXT NOT NULL,
    PRIMARY KEY (shadow_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE peers (
    shadow_id INTEGER NOT NULL REFERENCES shadows (id),
    peer TEXT NOT NULL,
    clock TEXT NOT NULL,
    PRIMARY KEY (shadow_id, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE history (
    id INTEGER PRIMARY KEY,
    shadow_id INTEGER NOT NULL REFERENCES shadows (id),
    at_ms INTEGER NOT NULL,
    path TEXT NOT NULL,
    before TEXT,
    after TEXT,
    ms INTEGER,
    tick INTEGER,
    replica TEXT,
    strategy TEXT NOT NULL,
    held INTEGER NOT NULL,
    writes TEXT NOT NULL
) STRICT;
CREATE INDEX history_of_shadow ON history (shadow_id, id);

CREATE TABLE conflicts (
    id INTEGER PRIMARY KEY,
    shadow_id INTEGER NOT NULL REFERENCES shadows (id),
    path TEXT NOT NULL,
    strategy TEXT NOT NULL,
    reason TEXT NOT NULL,
    writes TEXT NOT NULL,
    accepted TEXT NOT NULL
) STRICT;
CREATE INDEX conflicts_of_shadow ON conflicts (shadow_id, id);

CREATE TABLE parked (
    id INTEGER PRIMARY KEY,
    shadow_id INTEGER NOT NULL REFERENCES shadows (id),
    data BLOB NOT NULL,
    speaks_for TEXT,
    source TEXT NOT NULL
) STRICT;
CREATE INDEX parked_of_shadow ON parked (shadow_id, id);

CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    thing TEXT NOT NULL,
    shadow TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    source TEXT NOT NULL
) STRICT;
"""
