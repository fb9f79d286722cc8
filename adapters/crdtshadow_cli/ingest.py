"""``crdtshadow ingest``: bring events, deltas and cached changes into a store."""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import crdtshadow_walk
from crdtshadow_walk import Message

from crdtshadow_cli.errors import BAD_INPUT, DONE, LOOK, WORLD_FAILED
from crdtshadow_cli.event_lines import REFUSALS, parse_line, read_lines
from crdtshadow_cli.inputs import opened, size_of
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_store
from crdtshadow_cli.tally import FIRST, Tally
from crdtshadow_cli.wording import count

if TYPE_CHECKING:
    from crdtshadow_local import StoreStats

BATCH_LINES: Final = 20_000
BATCH_BYTES: Final = 16 * 1024 * 1024
"""A batch is in memory as a whole, some eight times as large as its text. Each shadow in it is read
and written once, so the more of a shadow's events it holds, the better."""

DESCRIPTION = """\
Bring what AWS IoT, replicas and offline devices sent into a store: a JSON object a line, in any order,
with duplicates. What cannot be used is reported and changes nothing; the rest goes in. Running it
again does no harm.
"""

EPILOG = """\
lines, each with "thingName" and, for a named shadow, "shadowName":
  {"thingName": "T", "previous": ..., "current": ..., "timestamp": ...}
      an AWS update/documents event, by a rule: SELECT *, topic(3) AS thingName
      FROM '$aws/things/+/shadow/update/documents' (named: topic(6) AS shadowName as well)
  {"thingName": "T", "delta": "lQHE..."}
      a delta of a replica, in base64
  {"thingName": "T", "offline": {"state": {"reported": {"t": 21}}, "timestamp": 1700000000,
                                 "version": 7, "offlineDurationSeconds": 3600}}
      a device's cached changes; times in seconds; the last two may be left out

exit code 1 if lines were refused, 3 if all were.

examples:
  crdtshadow ingest events.jsonl --store fleet.db
  zcat events.jsonl.gz | crdtshadow ingest - --store fleet.db --json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "ingest", help="bring events and deltas into a store", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("events", metavar="EVENTS.jsonl", help="a file of lines, - for standard input")
    add_store(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    from crdtshadow_local import Store, wall_clock_ms

    def bring(batch: list[tuple[int, Message]]) -> None:
        if batch:
            walked = crdtshadow_walk.walk(store, [message for _, message in batch], now=wall_clock_ms)
            for (number, _), outcome in zip(batch, walked.outcomes, strict=True):
                tally.note(number, outcome)
            tally.released += len(walked.released)
        tally.end_batch()

    began = time.monotonic()
    with opened(args.events) as stream, Store.open(args.store) as store, Tally(keep_all=out.json) as tally:
        with _uncollected(), out.progress("ingesting", total=size_of(stream)) as advance:
            batch: list[tuple[int, Message]] = []
            batch_bytes = 0
            for line in read_lines(stream, args.events):
                tally.lines += 1
                if line.data is None or not line.data.isspace():
                    try:
                        batch.append((line.number, parse_line(line.data, source=f"{args.events}:{line.number}")))
                    except REFUSALS as error:
                        tally.refuse(line.number, error.code, str(error))
                batch_bytes += line.size
                if len(batch) >= BATCH_LINES or batch_bytes >= BATCH_BYTES:
                    bring(batch)
                    advance(batch_bytes)
                    batch, batch_bytes = [], 0
                    gc.collect()
            bring(batch)
            advance(batch_bytes)
        stats = store.stats()
        summary = {
            **tally.summary(),
            "seconds": round(time.monotonic() - began, 3),
            "shadows": stats.shadows,
            "conflicts_held": stats.conflicts,
        }
        out.result_with(summary, "refusals", tally.refusals())
        _print(args, stats, tally, out)
    if tally.failure:
        out.note(f"crdtshadow ingest: {tally.failure}; run it again for {count(tally.failed, 'line')}")
        return WORLD_FAILED
    if tally.refused:
        return LOOK if tally.taken else BAD_INPUT
    return DONE


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let Python not look for cycles by itself: it would look through all of a batch, often, and find none."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _print(args: argparse.Namespace, stats: StoreStats, tally: Tally, out: Output) -> None:
    if out.json:
        return
    for refusal in tally.first:
        out.note(f"{args.events}:{refusal['line']}: refused: {refusal['reason']}")
    if tally.refused > FIRST:
        out.note(f"{args.events}: and {tally.refused - FIRST:,} more lines refused; --json lists all")
    out.line(
        f"{args.events}: {count(tally.lines, 'line')}: {tally.merged:,} merged, {tally.echoes:,} said nothing new,"
        f" {tally.parked:,} wait for what they continue from, {tally.refused:,} refused"
    )
    held = count(stats.conflicts, "conflict")
    out.line(f"{args.store}: {count(stats.shadows, 'shadow')}, {held} held for review")
