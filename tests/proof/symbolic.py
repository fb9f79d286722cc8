"""Running shipped code on what is not known: unknown numbers, unknown answers, every path.

An `Unknown` number takes part in arithmetic and comparisons; what a comparison answers is a `Doubt`. Where the code
asks for the truth of a doubt, in an `if`, in `min`, in a comparison of tuples, the run divides: `explore` takes one
answer, and the other one in another run, until every path that can be is taken. Numbers are bit vectors, far wider than
anything that the code allows, so nothing wraps around.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, Final, NamedTuple

import z3

BITS: Final = 96
_PATHS_MAX: Final = 5_000


class Path(NamedTuple):
    """One way through a function.

    Attributes:
        condition: When it is taken.
        outcome: What is returned, or the exception raised.
    """

    condition: z3.BoolRef
    outcome: Any


class _Run:
    """The answers given so far, and those to give first."""

    def __init__(self, given: list[bool], assumed: z3.BoolRef) -> None:
        self.given = given
        self.taken: list[bool] = []
        self.solver = z3.Solver()
        self.solver.add(assumed)
        self.conditions: list[z3.BoolRef] = []
        self.open: list[list[bool]] = []

    def decide(self, term: z3.BoolRef) -> bool:
        if len(self.taken) < len(self.given):
            answer = self.given[len(self.taken)]
        else:
            answer = self.solver.check(term) == z3.sat
            if answer and self.solver.check(z3.Not(term)) == z3.sat:
                self.open.append([*self.taken, False])
        condition = term if answer else z3.Not(term)
        self.taken.append(answer)
        self.conditions.append(condition)
        self.solver.add(condition)
        return answer


_running: list[_Run] = []


class Doubt:
    """An answer that is not known; asking for its truth divides the run."""

    def __init__(self, term: z3.BoolRef) -> None:
        self.term = term

    def __bool__(self) -> bool:
        return _running[-1].decide(self.term)


class Unknown:
    """A number that is not known."""

    def __init__(self, term: Any) -> None:
        self.term = term

    __hash__ = None  # type: ignore[assignment]  # a place in a dict would have to be known

    def __eq__(self, other: object) -> Doubt:  # type: ignore[override]  # truth is asked for later
        return Doubt(self.term == term_of(other))

    def __ne__(self, other: object) -> Doubt:  # type: ignore[override]  # as above
        return Doubt(self.term != term_of(other))

    def __lt__(self, other: object) -> Doubt:
        return Doubt(self.term < term_of(other))

    def __le__(self, other: object) -> Doubt:
        return Doubt(self.term <= term_of(other))

    def __gt__(self, other: object) -> Doubt:
        return Doubt(self.term > term_of(other))

    def __ge__(self, other: object) -> Doubt:
        return Doubt(self.term >= term_of(other))

    def __add__(self, other: object) -> Unknown:
        return Unknown(self.term + term_of(other))

    def __sub__(self, other: object) -> Unknown:
        return Unknown(self.term - term_of(other))

    def __lshift__(self, other: object) -> Unknown:
        return Unknown(self.term << term_of(other))

    def __rshift__(self, other: object) -> Unknown:
        return Unknown(self.term >> term_of(other))

    def __and__(self, other: object) -> Unknown:
        return Unknown(self.term & term_of(other))

    def __or__(self, other: object) -> Unknown:
        return Unknown(self.term | term_of(other))


def number(name: str) -> Unknown:
    return Unknown(z3.BitVec(name, BITS))


def term_of(value: Any) -> Any:
    """Return *value* as Z3 has it."""
    if isinstance(value, Unknown | Doubt):
        return value.term
    return z3.BoolVal(value) if isinstance(value, bool) else z3.BitVecVal(value, BITS)


def explore(function: Callable[[], Any], *, assume: z3.BoolRef | None = None) -> list[Path]:
    """Return every way through *function*, as far as *assume* allows it."""
    assumed = z3.BoolVal(True) if assume is None else assume
    paths: list[Path] = []
    pending: list[list[bool]] = [[]]
    while pending:
        run = _Run(pending.pop(), assumed)
        _running.append(run)
        try:
            outcome = function()
        except Exception as error:  # noqa: BLE001  # an outcome like any other
            outcome = error
        finally:
            _running.pop()
        if isinstance(outcome, Exception) and not type(outcome).__module__.startswith("crdtshadow"):
            raise outcome
        paths.append(Path(z3.And(*run.conditions), outcome))
        pending += run.open
        if len(paths) > _PATHS_MAX:
            raise RuntimeError(f"more than {_PATHS_MAX} paths")
    return paths


def result(function: Callable[[], Any], *, assume: z3.BoolRef | None = None) -> Any:
    """Return what *function* returns as one term, put together from all ways through it."""
    *others, last = explore(function, assume=assume)
    return reduce(
        lambda otherwise, path: z3.If(path.condition, term_of(path.outcome), otherwise),
        others,
        term_of(last.outcome),
    )


def holds(function: Callable[[], Any], *, assume: z3.BoolRef | None = None) -> z3.BoolRef:
    """Return when *function* returns something true."""
    return result(lambda: bool(function()), assume=assume)
