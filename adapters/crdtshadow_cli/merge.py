"""``crdtshadow merge``: join state files and AWS documents, without a store."""

from __future__ import annotations

import argparse
import base64

from crdtshadow import Policy, Shadow, View, resolve
from crdtshadow_cli.documents import document_bytes, document_of
from crdtshadow_cli.errors import DONE, LOOK, UsageError
from crdtshadow_cli.inputs import STDIN, read_policy, write_file
from crdtshadow_cli.output import Output
from crdtshadow_cli.states import join_all, read_delta
from crdtshadow_cli.subjects import add_policy
from crdtshadow_cli.wording import (
    CONFLICT_COLUMNS,
    FIELD_COLUMNS,
    clock_data,
    conflict_row,
    decision_data,
    field_data,
    field_rows,
    say_stamp,
)

DESCRIPTION = """\
Merge files that hold one shadow each, in any order: states or deltas (bytes, or their base64), and AWS
documents (JSON, as `aws iot-data get-thing-shadow` writes them).

An AWS document has no clocks. It is read as the writing of one plain writer named after the file,
every field at the time in its metadata (or the document's timestamp, or else 1970). So what two
documents say differently competes, and what one of them lacks was not removed there.
"""

EPILOG = """\
exit code with --check: 1 if there are conflicts.

examples:
  crdtshadow merge device.json cloud.json
  crdtshadow merge device.state cloud.state -o merged.state
  crdtshadow merge device.state console.json -o merged.json --policy cloud-wins.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "merge", help="merge state files and AWS documents", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("first", metavar="A", help="a state, a delta, or an AWS document; - for standard input")
    parser.add_argument("others", metavar="B", nargs="+", help="more of them")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write the merged state there, or the AWS document if OUT ends in .json"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 if there are conflicts")
    add_policy(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    names = [args.first, *args.others]
    if names.count(STDIN) > 1:
        raise UsageError("- stands for standard input, which can be read once only")
    policy = read_policy(args.policy) if args.policy else Policy()
    if args.output == STDIN and out.json:
        raise UsageError("-o - writes bytes where --json writes JSON")
    joined = join_all([(name, read_delta(name)) for name in names])
    view = resolve(joined.state, policy)
    for stamp in joined.clones:
        out.note(f"crdtshadow merge: two outcomes of {say_stamp(stamp)}: two programs use one identity")
    if args.output == STDIN:
        out.raw(joined.state.encode())
    else:
        _print(args, joined.state, view, out)
    return LOOK if args.check and view.decisions else DONE


def _print(args: argparse.Namespace, state: Shadow, view: View, out: Output) -> None:
    document, data = document_of(view), state.encode()
    if args.output is not None and args.output.endswith(".json"):
        written = "the AWS document"
        write_file(args.output, document_bytes(document))
    elif args.output is not None:
        written = f"a state of {len(data):,} bytes"
        write_file(args.output, data)
    out.result(
        {
            "document": document,
            "fields": [field_data(view, path) for path in sorted(view.fields)],
            "conflicts": [decision_data(decision) for decision in view.decisions],
            "state": base64.b64encode(data).decode(),
            "clock": clock_data(state.clock),
        }
    )
    out.table(FIELD_COLUMNS, field_rows(view))
    if view.decisions:
        out.table(CONFLICT_COLUMNS, [conflict_row(decision) for decision in view.decisions], title="conflicts")
    if args.output is not None:
        out.line(f"{args.output}: {written}")
