"""Obligations, which must hold without exception, and refutations, which must not; collected from the modules here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import z3

Claim: TypeAlias = "Callable[[], z3.BoolRef]"

OBLIGATIONS: Final[dict[str, Claim]] = {}
REFUTATIONS: Final[dict[str, Claim]] = {}


def obligation(claim: Claim) -> Claim:
    """Register *claim*, which returns a formula that holds for all values of what is unknown in it."""
    return _register(claim, OBLIGATIONS)


def refutation(claim: Claim) -> Claim:
    """Register *claim*, whose formula fails for some values."""
    return _register(claim, REFUTATIONS)


def _register(claim: Claim, claims: dict[str, Claim]) -> Claim:
    name = claim.__name__
    assert name not in OBLIGATIONS and name not in REFUTATIONS and claim.__doc__
    claims[name] = claim
    return claim


def is_empty(formula: z3.BoolRef) -> bool:
    """Tell whether *formula* says something of nothing: an implication whose condition is never true."""
    if not z3.is_implies(formula):
        return False
    solver = z3.Solver()
    solver.add(formula.arg(0))
    return bool(solver.check() == z3.unsat)


def counter_example(formula: z3.BoolRef) -> z3.ModelRef | None:
    """Return values for which *formula* fails, ``None`` if there are none."""
    solver = z3.Solver()
    solver.set("timeout", 60_000)
    solver.add(z3.Not(formula))
    answer = solver.check()
    assert answer != z3.unknown, f"Z3 gives up: {solver.reason_unknown()}"
    return solver.model() if answer == z3.sat else None
