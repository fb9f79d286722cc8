"""Exit codes, and the errors of the command line itself.

CrdtShadowError
├── LocalError
│   ├── UsageError     usage            arguments that do not fit together
│   ├── InputError     bad_input        a file, or what it holds, cannot be used
│   └── NotInstalled   not_installed    an optional part of this distribution is missing
└── AdapterError
    └── OutputError    output_failed    a result cannot be written
"""

from __future__ import annotations

from typing import Final

from crdtshadow import AdapterError, CrdtShadowError, LocalError

DONE: Final = 0
LOOK: Final = 1
"""Done, and there is something to look at: refused lines, or conflicts where ``--check`` asks."""
USAGE: Final = 2
BAD_INPUT: Final = 3
WORLD_FAILED: Final = 4
NOT_INSTALLED: Final = 5
BUG: Final = 70
"""As in BSD's ``sysexits.h``."""
INTERRUPTED: Final = 130
OUTPUT_CLOSED: Final = 141
"""128 plus the signal, as a shell would say it."""

EXIT_CODES: Final = f"""\
exit codes:
  {DONE}    done
  {LOOK}    done, but look: lines were refused, replicas disagree, or --check found conflicts
  {USAGE}    wrong usage
  {BAD_INPUT}    bad input: nothing was changed
  {WORLD_FAILED}    the store or the output failed
  {NOT_INSTALLED}    an optional part is not installed
  {BUG}   a bug in crdtshadow; CRDTSHADOW_TRACEBACK=1 shows where
  {INTERRUPTED}  interrupted
  {OUTPUT_CLOSED}  whoever read the output went away
"""


class UsageError(LocalError):
    """Arguments that do not fit together."""

    code = "usage"


class InputError(LocalError):
    """A file, or what it holds, cannot be used."""

    code = "bad_input"


class NotInstalled(LocalError):
    """An optional part of this distribution is missing."""

    code = "not_installed"


class OutputError(AdapterError):
    """A result cannot be written."""

    code = "output_failed"


def exit_code(error: CrdtShadowError) -> int:
    """Return the exit code that tells of *error*.

    >>> exit_code(InputError("events.jsonl: no such file"))
    3
    """
    match error:
        case UsageError():
            return USAGE
        case NotInstalled():
            return NOT_INSTALLED
        case AdapterError():
            return WORLD_FAILED
    return BAD_INPUT
