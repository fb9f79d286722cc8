"""``crdtshadow conflicts``: what competes, what shows, and what waits for a review."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from crdtshadow_walk import ShadowKey

from crdtshadow import Decision, resolve
from crdtshadow_cli.errors import DONE, LOOK
from crdtshadow_cli.listing import add_limit, limited
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_scope, add_store, open_store, scope_of
from crdtshadow_cli.wording import CONFLICT_COLUMNS, conflict_row, decision_data, key_data

if TYPE_CHECKING:
    from crdtshadow_local import Store

DESCRIPTION = """\
List the conflicts in a store: fields that were written by several who had not seen each other's
writes. A strategy has decided each, except those that are held for a review.
"""

EPILOG = """\
exit code with --check: 1 if there are any.

examples:
  crdtshadow conflicts --store fleet.db
  crdtshadow conflicts --store fleet.db --held --check --json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("conflicts", help="list conflicts", description=DESCRIPTION, epilog=EPILOG)
    add_store(parser)
    add_scope(parser)
    parser.add_argument("--held", action="store_true", help="only those that wait for a review")
    parser.add_argument("--check", action="store_true", help="exit with 1 if there are any")
    add_limit(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    with open_store(args) as store:
        key, thing = scope_of(store, args)
        found = _held(store, key, thing) if args.held else _all(store, key, thing)
        first = next(found, None)
        listed = limited(found if first is None else chain([first], found), args.limit, out)
        out.result_with(
            {"store": store.path}, "conflicts", ({**key_data(one), **decision_data(what)} for one, what in listed)
        )
        if first is None:
            out.line("no conflicts wait for a review" if args.held else "no conflicts")
        else:
            out.table(("shadow", *CONFLICT_COLUMNS), ([str(one), *conflict_row(what)] for one, what in listed))
    return LOOK if args.check and first is not None else DONE


def _held(store: Store, key: ShadowKey | None, thing: str | None) -> Iterator[tuple[ShadowKey, Decision]]:
    return iter(store.conflicts(key=key, thing=thing))


def _all(store: Store, key: ShadowKey | None, thing: str | None) -> Iterator[tuple[ShadowKey, Decision]]:
    for one in [key] if key else (shadow.key for shadow in store.shadows(thing=thing)):
        found = store.get(one)
        if found is not None:
            for decision in resolve(found.shadow, found.policy).decisions:
                yield one, decision
