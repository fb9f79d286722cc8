"""The entry point: arguments in, an exit code out; every error becomes one line on standard error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from typing import Any, Final, NoReturn

from crdtshadow import CrdtShadowError
from crdtshadow_cli.errors import (
    BUG,
    DONE,
    EXIT_CODES,
    INTERRUPTED,
    OUTPUT_CLOSED,
    WORLD_FAILED,
    UsageError,
    exit_code,
)
from crdtshadow_cli.output import Output, one_line

COMMANDS: Final = (
    "demo",
    "ingest",
    "show",
    "history",
    "conflicts",
    "explain",
    "resolve",
    "export",
    "stats",
    "policy",
    "merge",
    "replay",
)
"""Modules of this package, in the order in which ``--help`` lists them. Each has
``add_parser(commands)``, which sets ``run``, and ``run(args, out) -> exit code``; all that is slow to
import is imported inside."""

DESCRIPTION: Final = """\
Device shadows that merge: take in what devices, apps and the AWS console wrote while they were cut
off from each other, see what conflicts and why, and decide.
"""

EPILOG: Final = f"""\
examples:
  crdtshadow demo
  crdtshadow ingest events.jsonl --store fleet.db
  crdtshadow conflicts --store fleet.db
  crdtshadow explain /desired/target --store fleet.db --thing thermostat

{EXIT_CODES}"""


class Parser(argparse.ArgumentParser):
    """Parses arguments; every command has ``--json``, and a mistake is one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document and nothing else"
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: With the command's name.
        """
        raise UsageError(f"{message} (see {self.prog} --help)")


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog="crdtshadow", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for name in COMMANDS:
        import_module(f"crdtshadow_cli.{name}").add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* and return its exit code.

    Args:
        argv: The arguments, those of the process by default.
    """
    _escape_what_cannot_be_encoded()
    command = "crdtshadow"
    try:
        args = build_parser().parse_args(argv)
        out = Output(sys.stdout, sys.stderr, json=getattr(args, "json", False))
        command = f"crdtshadow {args.command}"
        code = _run(args, out)
        out.flush()
        return code
    except SystemExit as leaving:  # argparse does, after --help
        with suppress(OSError):
            sys.stdout.flush()
        return int(leaving.code or 0)
    except KeyboardInterrupt:
        return _fail(command, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        _give_up_output()
        return OUTPUT_CLOSED
    except CrdtShadowError as error:
        return _fail(command, str(error), exit_code(error))
    except OSError as error:
        return _fail(command, f"{error.filename or 'output'}: {error.strerror or error}", WORLD_FAILED)
    except Exception as error:
        if os.environ.get("CRDTSHADOW_TRACEBACK"):
            raise
        return _fail(command, f"a bug in crdtshadow: {type(error).__name__}: {error}", BUG)


def _run(args: argparse.Namespace, out: Output) -> int:
    if args.version:
        installed = version("crdtshadow")
        out.line(f"crdtshadow {installed}")
        out.result({"version": installed})
        return DONE
    if args.command is None:
        raise UsageError("which command? (see crdtshadow --help)")
    code: int = args.run(args, out)
    return code


def _fail(command: str, message: str, code: int) -> int:
    """Say *message* on standard error and return *code*."""
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_output()
    with suppress(OSError):
        print(one_line(f"{command}: {message}"), file=sys.stderr, flush=True)
    return code


def _give_up_output() -> None:
    """Let what is still buffered for standard output go nowhere, so that leaving does not fail on it."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _escape_what_cannot_be_encoded() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
