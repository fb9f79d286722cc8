"""``crdtshadow resolve``: settle a conflict by a write that has seen all of its sides."""

from __future__ import annotations

import argparse

from crdtshadow_walk import Held, resolve_conflict

from crdtshadow import Conflict, UnknownConflict
from crdtshadow import resolve as view_of
from crdtshadow.paths import check
from crdtshadow_cli.errors import DONE, InputError
from crdtshadow_cli.inputs import parse_json
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_shadow, add_store, held, key_of, open_store
from crdtshadow_cli.wording import count, field_data, find_write, key_data, say_list, say_value

DESCRIPTION = """\
Settle a conflict: write a value, or choose one of the competing writes. Whoever merges that write
sees it replace all sides.
"""

EPILOG = """\
examples:
  crdtshadow resolve /desired/target --store fleet.db --thing thermostat --value 21
  crdtshadow resolve /desired/mode --store fleet.db --thing thermostat --choose cloud
  crdtshadow resolve /desired/mode --store fleet.db --thing thermostat --value null
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("resolve", help="settle a conflict", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("path", metavar="PATH", help="where the conflict is, as conflicts lists it")
    add_store(parser)
    add_shadow(parser)
    decision = parser.add_mutually_exclusive_group(required=True)
    decision.add_argument("--value", metavar="JSON", help="what it shall be; null removes it")
    decision.add_argument(
        "--choose", metavar="WRITE", help="the write that shall win: its writer, or its stamp as explain --json has it"
    )
    parser.add_argument("--by", metavar="NAME", help="the replica name to write under")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    from crdtshadow_local import wall_clock_ms

    check(args.path)
    value = None if args.value is None else _parse_value(args.value)
    by = {} if args.by is None else {"by": args.by}
    with open_store(args) as store:
        found = held(store, key_of(args))
        conflict = _conflict_at(found, args.path)
        choose = None if args.choose is None else find_write(conflict, args.choose)
        settled = resolve_conflict(store, found.key, args.path, value=value, choose=choose, now=wall_clock_ms, **by)
    view = settled.view
    paths = sorted(path for path in view.fields if path == conflict.path or path.startswith(f"{conflict.path}/"))
    out.result(
        {
            **key_data(found.key),
            "path": conflict.path,
            "fields": [field_data(view, path) for path in paths],
            "conflicts_left": len(view.decisions),
        }
    )
    shown = say_list([f"{path} is {say_value(view.fields[path])}" for path in paths]) or f"{conflict.path} is gone"
    out.line(f"{found.key}: {shown}; {count(len(view.decisions), 'conflict')} left")
    return DONE


def _parse_value(text: str) -> object:
    try:
        return parse_json(text, "--value")
    except InputError as error:
        raise InputError(f"{error} (a text needs quotes of its own: '\"eco\"')") from None


def _conflict_at(found: Held, path: str) -> Conflict:
    decisions = view_of(found.shadow, found.policy).decisions
    for decision in decisions:
        if path in decision.conflict.paths:
            return decision.conflict
    known = [decision.conflict.path for decision in decisions]
    others = f"; there is one at {say_list(known[:10])}" if known else ""
    raise UnknownConflict(f"{path}: there is no conflict here in {found.key}{others}")
