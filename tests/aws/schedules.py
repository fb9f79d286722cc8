"""All schedules of a few invocations that run at once, with up to so many faults.

Each invocation runs in a greenlet of its own and stops before every call of AWS. A schedule says who goes on next,
and whether that call fails; all schedules are tried, depth first, each from the very beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from greenlet import getcurrent, greenlet

from tests.aws.account import Account
from tests.aws.faults import AGAIN, LOST, THROTTLED, Faulty

READS = ("query", "batch_get_item", "get_thing_shadow")


class Choice(NamedTuple):
    """Who goes on, and how that call fares.

    Attributes:
        who: An invocation, by its place.
        call: What it calls.
        fault: What goes wrong, ``""`` for nothing.
    """

    who: int
    call: str
    fault: str


class Run(NamedTuple):
    """One schedule, run to its end.

    Attributes:
        account: As it is then.
        choices: The schedule.
        answers: What the invocations answered, or raised.
    """

    account: Account
    choices: tuple[Choice, ...]
    answers: tuple[Any, ...]


Between: TypeAlias = "Callable[[str, Any], Any]"
"""Stands before a client: gets its name and the client, returns what is called."""

Start: TypeAlias = "Callable[[Between], tuple[Account, Sequence[Callable[[], Any]]]]"
"""Makes an account anew, and the invocations that run at once in it."""


def explore(start: Start, *, faults_max: int) -> Iterator[Run]:
    """Yield every schedule of the invocations that *start* returns.

    Args:
        start: Makes the account, with the stops before its clients.
        faults_max: How many calls of a schedule may fail.
    """
    prefixes: list[list[int]] = [[]]
    while prefixes:
        prefix = prefixes.pop()
        taken, widths, run = _run(start, prefix, faults_max)
        yield run
        for at in range(len(prefix), len(taken)):
            prefixes += [[*taken[:at], other] for other in range(1, widths[at])]


def _run(start: Start, prefix: Sequence[int], faults_max: int) -> tuple[list[int], list[int], Run]:
    """Run one schedule: *prefix* tells the first choices, of all later ones the first is taken."""
    here = getcurrent()

    def ask(call: str) -> str:
        return "" if getcurrent() is here else str(here.switch(call))

    account, invocations = start(lambda name, client: Faulty(name, client, ask))
    answers: dict[int, Any] = {}
    pending: dict[int, tuple[greenlet, str]] = {}

    def go_on(who: int, lane: greenlet, said: str | None) -> None:
        try:
            called = lane.switch() if said is None else lane.switch(said)
        except Exception as error:  # noqa: BLE001 - an answer like any other; it is looked at when all have ended
            called = error
        if lane.dead:
            answers[who] = called
            pending.pop(who, None)
        else:
            pending[who] = (lane, called)

    for who, invocation in enumerate(invocations):
        go_on(who, greenlet(invocation), None)
    taken: list[int] = []
    widths: list[int] = []
    choices: list[Choice] = []
    while pending:
        spent = sum(bool(choice.fault) for choice in choices)
        options = [
            Choice(who, call, fault)
            for who, (_, call) in sorted(pending.items())
            for fault in ("", *(_faults_of(call) if spent < faults_max else ()))
        ]
        at = prefix[len(taken)] if len(taken) < len(prefix) else 0
        taken.append(at)
        widths.append(len(options))
        choice = options[at]
        choices.append(choice)
        go_on(choice.who, pending[choice.who][0], choice.fault)
    run = Run(account, tuple(choices), tuple([answers[who] for who in range(len(invocations))]))
    return taken, widths, run


def _faults_of(call: str) -> tuple[str, ...]:
    """Return the faults of *call* that differ in what follows: a read that fails was never made."""
    return (THROTTLED,) if call.partition(".")[2] in READS else (THROTTLED, LOST, AGAIN)
