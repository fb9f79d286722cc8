"""``crdtshadow export``: a shadow out of a store, as an AWS document or as a state that merges."""

from __future__ import annotations

import argparse
import base64

from crdtshadow import resolve
from crdtshadow_cli.documents import document_bytes, document_of
from crdtshadow_cli.errors import DONE, UsageError
from crdtshadow_cli.inputs import STDIN, is_same_file, read_policy, write_file
from crdtshadow_cli.output import Output
from crdtshadow_cli.subjects import add_policy, add_shadow, add_store, held, key_of, open_store
from crdtshadow_cli.wording import clock_data, key_data

DESCRIPTION = """\
Write a shadow as the document that AWS IoT would answer (what readers see under the policy), or as its
state (all there is to merge, nothing decided).
"""

EPILOG = """\
examples:
  crdtshadow export --store fleet.db --thing thermostat
  crdtshadow export --store fleet.db --thing thermostat --as state -o thermostat.state
  crdtshadow export --store fleet.db --thing thermostat --as state   (base64, a delta for ingest)
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export", help="write a shadow as AWS document or state", description=DESCRIPTION, epilog=EPILOG
    )
    add_store(parser)
    add_shadow(parser)
    parser.add_argument(
        "--as", dest="form", choices=("document", "state"), default="document", help="which form (default: document)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write to a file, a state as its bytes; - for standard output"
    )
    add_policy(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    if args.output == STDIN and out.json:
        raise UsageError("-o - writes the bare bytes where --json writes a result; leave one of them out")
    if args.form == "state" and args.policy:
        raise UsageError("--policy decides what a document shows; a state holds all sides")
    if args.output not in (None, STDIN) and is_same_file(args.output, args.store):
        raise UsageError(f"{args.output}: is the store itself, and would be overwritten")
    policy = read_policy(args.policy) if args.policy else None
    with open_store(args) as store:
        found = held(store, key_of(args))
    if args.form == "document":
        document = document_of(resolve(found.shadow, policy or found.policy), version=found.record.revision)
        _write(args.output, document_bytes(document), out)
        if args.output is None:
            out.document(document)
        return DONE
    state = found.shadow.encode()
    _write(args.output, state, out)
    if args.output is None:
        armoured = base64.b64encode(state).decode()
        out.result({**key_data(found.key), "state": armoured, "clock": clock_data(found.shadow.clock)})
        out.line(armoured)
    return DONE


def _write(name: str | None, data: bytes, out: Output) -> None:
    if name == STDIN:
        out.raw(data)
    elif name is not None:
        write_file(name, data)
        out.result({"file": name, "bytes": len(data)})
