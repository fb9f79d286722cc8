"""Z3 proves every obligation and refutes every refutation."""

from __future__ import annotations

import pytest

import tests.proof.clocks
import tests.proof.joins
import tests.proof.times  # noqa: F401  # importing these three states the claims
from tests.figures import report
from tests.proof.claims import OBLIGATIONS, REFUTATIONS, counter_example, is_empty


@pytest.mark.parametrize("name", OBLIGATIONS)
def test_obligation(name: str) -> None:
    formula = OBLIGATIONS[name]()
    assert not is_empty(formula)
    assert counter_example(formula) is None
    report("obligations proved", 1)


@pytest.mark.parametrize("name", REFUTATIONS)
def test_refutation(name: str) -> None:
    formula = REFUTATIONS[name]()
    assert counter_example(formula) is not None
    report("refutations that stand", 1)
