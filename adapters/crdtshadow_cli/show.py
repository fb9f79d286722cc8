"""``crdtshadow show``: the shadows in a store, or one of them field by field."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from crdtshadow_walk import ShadowKey

from crdtshadow import resolve
from crdtshadow_cli.documents import document_of
from crdtshadow_cli.errors import DONE, UsageError
from crdtshadow_cli.inputs import read_policy
from crdtshadow_cli.listing import add_limit, limited
from crdtshadow_cli.output import Output, Styled
from crdtshadow_cli.subjects import add_policy, add_shadow, add_store, held, key_of, open_store
from crdtshadow_cli.wording import (
    FIELD_COLUMNS,
    Data,
    count,
    decision_data,
    field_data,
    field_rows,
    iso_time,
    key_data,
    say_time,
)

if TYPE_CHECKING:
    from crdtshadow_local import Store, StoredShadow

DESCRIPTION = """\
List the shadows in a store, or show one: every field with its value, who wrote it and when.
"""

EPILOG = """\
examples:
  crdtshadow show --store fleet.db
  crdtshadow show --store fleet.db --thing thermostat
  crdtshadow show --store fleet.db --thing thermostat --policy cloud-wins.json --json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("show", help="list shadows, or show one", description=DESCRIPTION, epilog=EPILOG)
    add_store(parser)
    add_shadow(parser, required=False)
    add_policy(parser)
    add_limit(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    if args.thing is None and (args.shadow or args.policy):
        raise UsageError("--shadow and --policy need --thing")
    with open_store(args) as store:
        if args.thing is None:
            _show_all(store, args.limit, out)
        else:
            _show_one(store, args, out)
    return DONE


def _show_all(store: Store, limit: int | None, out: Output) -> None:
    waiting = Counter(pending.key for pending in store.conflicts())
    shadows = limited((one for one in store.shadows() if one.revision), limit, out)
    out.result_with({"store": store.path}, "shadows", (_shadow_data(one, waiting) for one in shadows))
    out.table(
        ("thing", "shadow", "last change", "changes", "bytes", "held for review"),
        (
            [
                one.key.thing,
                one.key.shadow or Styled("classic", "dim"),
                say_time(one.updated_ms),
                f"{one.revision:,}",
                f"{one.state_bytes:,}",
                Styled(f"{waiting[one.key]:,}", "yellow") if waiting[one.key] else "",
            ]
            for one in shadows
        ),
    )


def _shadow_data(one: StoredShadow, waiting: Counter[ShadowKey]) -> Data:
    return {
        **key_data(one.key),
        "changed_at": iso_time(one.updated_ms),
        "changes": one.revision,
        "state_bytes": one.state_bytes,
        "conflicts_held": waiting[one.key],
    }


def _show_one(store: Store, args: argparse.Namespace, out: Output) -> None:
    found = held(store, key_of(args))
    policy = read_policy(args.policy) if args.policy else found.policy
    view = resolve(found.shadow, policy)
    out.result(
        {
            **key_data(found.key),
            "changes": found.record.revision,
            "aws_version": found.ledger.aws_version or None,
            "document": document_of(view, version=found.record.revision),
            "fields": [field_data(view, path) for path in sorted(view.fields)],
            "conflicts": [decision_data(decision) for decision in view.decisions],
            "policy": policy.to_json(),
        }
    )
    out.table(FIELD_COLUMNS, field_rows(view), title=str(found.key))
    if view.decisions:
        out.line(f"{count(len(view.decisions), 'conflict')}; crdtshadow explain PATH tells why, conflicts lists them")
