"""Random scenarios come out of the library as out of the oracle, which shares no code with it.

What it proves: logs, clocks, receptions with their pasts, refusals and the three views follow the format's words, and
everybody holds the same bytes in the end. Where the format leaves a choice that the library made otherwise than the
oracle, it is said here: :func:`rank_of` and :func:`lww_of`.
"""

from __future__ import annotations

from typing import Any

import pytest
from crdtshadow_cli import rehearsal as rehearsing
from crdtshadow_cli.rehearsal import Rehearsal, run_logs, same_everywhere
from crdtshadow_cli.replay import agree, show
from crdtshadow_cli.scenario import parse_scenario
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.test_denotation import lww_view_of_live_maps
from tests.oracle import denotation, scenarios
from tests.oracle.denotation import Write
from tests.oracle.generate import scenarios as generated
from tests.oracle.scenarios import DEFAULT_RANKS, Rank, Run, Scenario


def writes_shown(ran: Run) -> list[Write]:
    """Return the writes whose view is asked for, if the format can say which."""
    shares = {ran.held[replica] for replica in ran.rejected} or set(ran.held.values())
    assume(len(shares) == 1)
    return [ran.writes[op] for op in shares.pop()]


def rank_of(scenario: Scenario) -> Rank:
    """Return ranks as the library's policy compares them: who falls under a rule before who does not."""

    def rank(write: Write) -> float:
        for rule in scenario.get("priority_rules", ()):
            if list(write.path[: len(rule["prefix"])]) == rule["prefix"]:
                order = rule["order"]
                return 1_000.0 - (order.index(write.replica) if write.replica in order else len(order))
        return DEFAULT_RANKS[write.replica]

    return rank


def lww_of(writes: list[Write]) -> dict[str, Any]:
    """Return what the newest writes show, if a set below hides a scalar only while it is live (open choice O3)."""
    return denotation.document(lww_view_of_live_maps(writes))


def write_something(rehearsal: Rehearsal) -> bool:
    """Tell whether every operation wrote: an empty map over a map, which is no write here, is one in the oracle."""
    return all(operation.stamp for operation in rehearsal.operations.values())


@pytest.mark.parametrize("drift", [False, True], ids=["unbounded", "bounded"])
@given(data=st.data())
def test_a_random_scenario_comes_out_as_the_oracle_says(drift: bool, data: st.DataObject) -> None:
    body = data.draw(generated(drift=drift))
    ran = scenarios.run(body)
    writes = writes_shown(ran)
    scenario = parse_scenario(body, "G")
    rehearsal = run_logs(scenario)
    assume(write_something(rehearsal))
    expected = {**scenarios.expectation(writes, rank_of(body)), "rejected_ops": ran.rejected}
    if all(write.kind == "del" or write.value != {} for write in writes):
        expected["lww"] = lww_of(writes)
    else:
        del expected["lww"]
    shown = show(scenario, rehearsal, DEFAULT_RANKS)
    for part, outcome in expected.items():
        assert agree(outcome, shown[part]), part


@given(body=generated(drift=True) | generated())
def test_a_random_scenario_comes_out_the_same_for_all(body: Scenario) -> None:
    scenario = parse_scenario(body, "G")
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr(rehearsing, "ORDERS_OF_MAX", 4)
        fewer.setattr(rehearsing, "ORDERS_SAMPLED", 4)
        fewer.setattr(rehearsing, "PAIRINGS", 4)
        assert same_everywhere(scenario, run_logs(scenario)).agreed
