"""``crdtshadow history``: who changed what, from what to what, newest first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from crdtshadow_walk import Entry

from crdtshadow.paths import check
from crdtshadow_cli.errors import DONE
from crdtshadow_cli.listing import add_limit, limited
from crdtshadow_cli.output import Cell, Output, Styled
from crdtshadow_cli.subjects import add_scope, add_store, open_store, scope_of
from crdtshadow_cli.wording import (
    Data,
    iso_time,
    key_data,
    say_list,
    say_time,
    say_value,
    say_writer,
    stamp_data,
    write_data,
)

if TYPE_CHECKING:
    from crdtshadow_local import HistoryLine

DESCRIPTION = """\
Tell what changed for readers, newest first: which field, from what to what, who wrote it and when,
and where writes competed.
"""

EPILOG = """\
examples:
  crdtshadow history --store fleet.db --limit 20
  crdtshadow history --store fleet.db --thing thermostat --path /desired/target
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("history", help="who changed what and when", description=DESCRIPTION, epilog=EPILOG)
    add_store(parser)
    add_scope(parser)
    parser.add_argument("--path", metavar="PATH", help="only this field, such as /desired/target")
    add_limit(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    path = None if args.path is None else check(args.path)
    with open_store(args) as store:
        key, thing = scope_of(store, args)
        found = store.history(key=key, thing=thing, path=path, newest_first=True)
        lines = limited(found, args.limit, out)
        out.result_with({"store": store.path}, "history", (_data(line) for line in lines))
        out.table(
            ("changed at", "shadow", "path", "from", "to", "written by", "at", "conflict"),
            (_row(line) for line in lines),
        )
    return DONE


def _row(line: HistoryLine) -> list[Cell]:
    entry = line.entry
    stamp = entry.stamp
    return [
        say_time(line.at_ms),
        str(line.key),
        entry.path,
        _say_shown(entry.before),
        _say_shown(entry.after),
        say_writer(stamp) if stamp else "",
        say_time(stamp.ms) if stamp else "",
        _say_conflict(entry),
    ]


def _say_shown(value: object) -> Cell:
    return Styled("nothing", "dim") if value is None else say_value(value)


def _say_conflict(entry: Entry) -> Cell:
    if not entry.conflict:
        return ""
    among = f"{entry.strategy} among {say_list(sorted({say_writer(write.stamp) for write in entry.writes}))}"
    return Styled(f"{among}, held", "yellow") if entry.held else among


def _data(line: HistoryLine) -> Data:
    entry = line.entry
    return {
        **key_data(line.key),
        "changed_at": iso_time(line.at_ms),
        "path": entry.path,
        "before": entry.before,
        "after": entry.after,
        "written": stamp_data(entry.stamp) if entry.stamp else None,
        "strategy": entry.strategy or None,
        "held": entry.held,
        "writes": [write_data(write) for write in entry.writes],
    }
