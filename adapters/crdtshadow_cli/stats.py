"""``crdtshadow stats``: how much a store holds, and whether it can all be read."""

from __future__ import annotations

import argparse

from crdtshadow_cli.errors import DONE
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_store, open_store

DESCRIPTION = """\
Count what a store holds.
"""

EPILOG = """\
examples:
  crdtshadow stats --store fleet.db
  crdtshadow stats --store fleet.db --check --json
"""

_NAMES = {
    "shadows": "shadows",
    "replicas": "replicas that write here",
    "peers": "peers known",
    "history": "lines of history",
    "conflicts": "conflicts held for review",
    "parked": "deltas that wait for what they continue from",
    "refusals": "messages refused, in quarantine",
    "state_bytes": "bytes of states",
    "file_bytes": "bytes of the file",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("stats", help="count what a store holds", description=DESCRIPTION, epilog=EPILOG)
    add_store(parser)
    parser.add_argument(
        "--check", action="store_true", help="also read the whole file, and fail if any of it is damaged"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    with open_store(args) as store:
        if args.check:
            store.check()
        counted = store.stats()._asdict()
    out.result({"store": args.store, **counted, **({"checked": True} if args.check else {})})
    out.table(
        ("of", "there are"), [[_NAMES[name], f"{number:,}"] for name, number in counted.items()], title=args.store
    )
    return DONE
