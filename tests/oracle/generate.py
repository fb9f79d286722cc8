"""Random scenarios from tiny alphabets, so that ties, clashes and half-seen pasts happen by themselves."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.oracle.scenarios import Scenario

REPLICAS: Final = ("cloud", "dev", "dev2", "gw")
WALLS: Final = st.integers(0, 5)
FIELDS: Final = st.sampled_from(
    [
        ("desired", "a"),
        ("desired", "a", "b"),
        ("desired", "a", "b", "c"),
        ("desired", "a", "x"),
        ("desired", "d"),
        ("reported", "d"),
    ]
)
REMOVABLE: Final = FIELDS | st.just(("desired",))
VALUES: Final = st.sampled_from([1, 1.0, True, "on", [1], [1.0], {}])
PRIORITY_RULES: Final = st.lists(
    st.fixed_dictionaries(
        {
            "prefix": st.sampled_from([["desired"], ["desired", "a"], ["desired", "a", "b"], ["reported"]]),
            "order": st.lists(st.sampled_from(REPLICAS), unique=True, max_size=3),
        }
    ),
    max_size=2,
)

_ENTRIES_MAX: Final = 12


@st.composite
def scenarios(draw: st.DrawFn, *, drift: bool = False) -> Scenario:
    """Generate scenarios of two or three replicas, without an `expect`.

    Args:
        draw: Given by Hypothesis.
        drift: Whether there is a drift bound, small enough to be exceeded.
    """
    names = draw(st.lists(st.sampled_from(REPLICAS), unique=True, min_size=2, max_size=3))
    logs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    ops: list[str] = []
    for name, entry in draw(st.lists(st.tuples(st.sampled_from(names), _entries()), min_size=2, max_size=_ENTRIES_MAX)):
        if "recv" not in entry:
            ops.append(f"{name}.{len(ops) + 1}")
            logs[name].append({"op": ops[-1], **entry})
        elif ops:
            received = dict.fromkeys(ops[index % len(ops)] for index in entry["recv"])
            logs[name].append({"recv": list(received), "wall": entry["wall"]})
    scenario: Scenario = {
        "id": "G",
        "name": "generated",
        "replicas": {name: {"log": log} for name, log in logs.items()},
    }
    if rules := draw(PRIORITY_RULES):
        scenario["priority_rules"] = rules
    if drift:
        scenario |= {"requires": ["drift_bound"], "drift_bound_ms": draw(st.integers(0, 3))}
    return scenario


def _entries() -> st.SearchStrategy[dict[str, Any]]:
    """Generate log entries in which `recv` names operations by number and writes have no name yet."""
    return st.one_of(
        st.fixed_dictionaries({"wall": WALLS, "set": FIELDS.map(list), "value": VALUES}),
        st.fixed_dictionaries({"wall": WALLS, "del": REMOVABLE.map(list)}),
        st.fixed_dictionaries(
            {"wall": WALLS, "recv": st.lists(st.integers(0, _ENTRIES_MAX - 1), unique=True, min_size=1, max_size=3)}
        ),
    )
