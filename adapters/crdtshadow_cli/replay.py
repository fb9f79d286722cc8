"""``crdtshadow replay``: run scenarios of concurrent writes and tell what each strategy makes of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from crdtshadow import REMOVED, CrdtShadowError, Policy, Shadow, Stamp, View, Write, find_conflicts, resolve
from crdtshadow.paths import build, nest, parse
from crdtshadow.policy import FIELD_LEVEL_MERGE, MANUAL_REVIEW, PRIORITY_BASED
from crdtshadow_cli.errors import BAD_INPUT, DONE, LOOK
from crdtshadow_cli.output import Output
from crdtshadow_cli.rehearsal import Agreement, Rehearsal, run_logs, same_everywhere
from crdtshadow_cli.scenario import FORMAT, Scenario, read_scenarios
from crdtshadow_cli.wording import Data, count, say_value

DESCRIPTION = f"""\
Run scenarios of the format {FORMAT}: what several replicas write while they are apart,
each by its own clock. Every operation is then brought to everybody in every order (a fixed sample of
orders where there are many operations), doubled, as deltas and as full states, and the outcome is told
under field_level_merge, priority_based and manual_review.
"""

EPILOG = """\
examples:
  crdtshadow replay scenarios.json
  crdtshadow replay scenarios.json --id M034 --id M040
  crdtshadow replay scenarios.json --json

With --json: a list of {id, agreed, lww, priority, manual, rejected_ops}, in the vocabulary of the file; of a
scenario that cannot be run, {id, refused}, which says why.

exit code 1 if replicas or orders disagree, a scenario does not come out as its `expect` says, or some
cannot be run; 3 if none can.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "replay", help="run scenarios of concurrent writes", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("file", metavar="FILE", help="a JSON file of scenarios, - for standard input")
    parser.add_argument("--id", metavar="ID", action="append", default=[], dest="ids", help="only this one; repeatable")
    parser.set_defaults(run=run)


PARTS: Final = ("lww", "priority", "manual", "rejected_ops")
"""What a scenario may expect."""


class Outcome(NamedTuple):
    """What came of a scenario, in the vocabulary of its file.

    Attributes:
        scenario: Which.
        agreement: Of replicas and orders.
        data: What ``--json`` prints.
        differs: Members of ``expect`` that came out otherwise.
    """

    scenario: Scenario
    agreement: Agreement
    data: Data
    differs: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether all agreed, and nothing came out otherwise."""
        return self.agreement.agreed and not self.differs


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    file = read_scenarios(args.file, ids=args.ids)
    outcomes: list[Outcome] = []
    refused = dict(file.refused)
    for scenario in file.scenarios:
        try:
            outcome = replay(scenario, file.default_ranks)
        except CrdtShadowError as error:
            refused[scenario.id] = str(error)
            continue
        outcomes.append(outcome)
        _say(outcome, out)
        if not outcome.as_expected:
            out.note(f"{scenario.id}: {_complaint(outcome)}")
    for reason in refused.values():
        out.note(f"{args.file}: refused: {reason}")
    if refused and not outcomes:
        return BAD_INPUT
    _sum_up(outcomes, len(refused), out)
    out.result([*(one.data for one in outcomes), *({"id": name, "refused": why} for name, why in refused.items())])
    return DONE if not refused and all(outcome.as_expected for outcome in outcomes) else LOOK


def replay(scenario: Scenario, default_ranks: Mapping[str, float]) -> Outcome:
    """Return what becomes of *scenario*.

    Args:
        scenario: What to run.
        default_ranks: How much a replica counts where the scenario has no rule, by exact name.

    Raises:
        InputError: It cannot be run.
    """
    rehearsal = run_logs(scenario)
    agreement = same_everywhere(scenario, rehearsal)
    shown = show(scenario, rehearsal, default_ranks)
    data = {"id": scenario.id, "agreed": agreement.agreed, **shown}
    return Outcome(scenario, agreement, data, _differences(scenario, shown))


def show(scenario: Scenario, rehearsal: Rehearsal, default_ranks: Mapping[str, float]) -> Data:
    """Return what those who agree show under each strategy, and who refused what."""
    shadow = Shadow.decode(next(iter(rehearsal.states.values()))) if rehearsal.states else Shadow()
    return {
        "lww": _shown(resolve(shadow, Policy.from_json({"strategy": FIELD_LEVEL_MERGE}))),
        "priority": _shown(resolve(shadow, priority_policy(scenario, default_ranks))),
        "manual": _reviewed(shadow, rehearsal),
        "rejected_ops": {name: list(ops) for name, ops in rehearsal.rejected.items()},
    }


_NOBODY: Final = "#"
"""No replica's name."""


def priority_policy(scenario: Scenario, default_ranks: Mapping[str, float]) -> Policy:
    """Return the policy that ranks replicas as the scenario's rules, or else the default ranks, say.

    Who is not named in a rule that fits, or has no default rank, comes after all who do.
    """
    names = scenario.identities()
    known = sorted({default_ranks[name] for name in names if name in default_ranks})
    ranks = {
        identity: known.index(default_ranks[name]) + 1 for name, identity in names.items() if name in default_ranks
    }
    return Policy.from_json(
        {
            "strategy": PRIORITY_BASED,
            "ranks": {**ranks, "*": 0},
            "priorities": [
                # Who is not here keeps its place: ranks from two rules compare by their positions.
                {"path": f"{rule.prefix}/**", "order": [*(names.get(name, _NOBODY) for name in rule.order), "*"]}
                for rule in scenario.priority_rules
            ],
        }
    )


def _shown(view: View) -> dict[str, object]:
    return without_empty_maps(view.document)


def _reviewed(shadow: Shadow, rehearsal: Rehearsal) -> dict[str, object]:
    names = {operation.stamp: operation.name for operation in rehearsal.operations.values() if operation.stamp}
    conflicts = find_conflicts(shadow)
    disputed = {(write.path, write.stamp) for conflict in conflicts for write in conflict.writes}
    view = resolve(shadow, Policy.from_json({"strategy": MANUAL_REVIEW}))
    settled = {path: value for path, value in view.fields.items() if (path, view.stamps[path]) not in disputed}
    listed = [
        {
            "path": list(parse(conflict.path)),
            "siblings": sorted([_sibling(write, names) for write in conflict.writes], key=_by_op),
        }
        for conflict in conflicts
    ]
    return {"conflicts": sorted(listed, key=_by_path), "settled": without_empty_maps(nest(settled))}


def _sibling(write: Write, names: Mapping[Stamp, str]) -> dict[str, object]:
    said: dict[str, object] = {"deleted": True} if write.value is REMOVED else {"value": write.value}
    return {"op": names[write.stamp], **said}


def _by_op(sibling: Any) -> str:
    return str(sibling["op"])


def _by_path(conflict: Any) -> list[str]:
    return list(conflict["path"])


def without_empty_maps(document: Mapping[str, object]) -> dict[str, object]:
    """Return *document* without the maps that hold nothing; arrays are left as they are.

    >>> without_empty_maps({"desired": {"a": {}, "b": [{}]}, "reported": {"c": {"d": {}}}})
    {'desired': {'b': [{}]}}
    """
    pruned = {
        key: without_empty_maps(value) if isinstance(value, Mapping) else value for key, value in document.items()
    }
    return {key: value for key, value in pruned.items() if value != {}}


def _differences(scenario: Scenario, data: Data) -> tuple[str, ...]:
    if scenario.expect is None:
        return ()
    expected: Data = {"rejected_ops": {}, **scenario.expect}
    return tuple([part for part in PARTS if part in expected and not agree(expected[part], data[part])])


def agree(expected: object, found: object) -> bool:
    """Tell whether two parts say the same: type exact, whatever the order of conflicts and siblings."""
    return json.dumps(_normal(expected), sort_keys=True) == json.dumps(_normal(found), sort_keys=True)


def _normal(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    if isinstance(part.get("conflicts"), list) and "settled" in part:
        return {"conflicts": sorted(map(_normal_conflict, part["conflicts"])), "settled": _normal(part["settled"])}
    return _without_negative_zero(without_empty_maps(part))


def _normal_conflict(conflict: object) -> str:
    if isinstance(conflict, Mapping) and isinstance(conflict.get("siblings"), list):
        siblings = sorted(json.dumps(_without_negative_zero(one), sort_keys=True) for one in conflict["siblings"])
        conflict = {**conflict, "siblings": siblings}
    return json.dumps(conflict, sort_keys=True)


def _without_negative_zero(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_negative_zero(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_negative_zero(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value


def _complaint(outcome: Outcome) -> str:
    said = [] if outcome.agreement.agreed else ["replicas or orders of arrival disagree"]
    said += [f"{part} is not as expected" for part in outcome.differs]
    return ", ".join(said)


def _say(outcome: Outcome, out: Output) -> None:
    scenario, data = outcome.scenario, outcome.data
    out.line(f"{scenario.id}  {scenario.name}".rstrip(), style="bold")
    for part in PARTS:
        _say_part(part, data[part], out)
        if part in outcome.differs and scenario.expect is not None:
            expected = scenario.expect.get(part, {})
            out.line("    expected:", style="red")
            _say_part(part, expected, out)
    tried = count(outcome.agreement.orders, "order")
    which = "every order" if outcome.agreement.every else "a sample of orders"
    if outcome.agreement.agreed:
        out.line(f"  agreed    in {which} ({tried}), by deltas, live deltas and full states")
    else:
        out.line(f"  disagreed in {which} ({tried})", style="red")
    out.line()


def _say_part(part: str, said: Any, out: Output) -> None:
    """Print one part, as it was found or as it is expected, which may be anything."""
    if part == "manual" and isinstance(said, Mapping) and isinstance(said.get("conflicts"), list):
        out.line(f"  settled   {say_value(said.get('settled'))}")
        for conflict in said["conflicts"]:
            out.line(f"  conflict  {_say_conflict(conflict)}", style="yellow")
    elif part != "rejected_ops":
        out.line(f"  {part:<9} {say_value(said)}")
    elif said:
        out.line(f"  refused   {say_value(said)}", style="yellow")


def _say_conflict(conflict: Any) -> str:
    try:
        siblings = [f"{one['op']}: {say_value(one.get('value', REMOVED))}" for one in conflict["siblings"]]
        return f"{build(*conflict['path'])}  {', '.join(siblings)}"
    except (KeyError, TypeError, AttributeError):
        return say_value(conflict)


def _sum_up(outcomes: list[Outcome], refused: int, out: Output) -> None:
    agreed = sum(outcome.agreement.agreed for outcome in outcomes)
    told = [outcome for outcome in outcomes if outcome.scenario.expect is not None]
    fine = sum(not outcome.differs for outcome in told)
    expected = f", {fine} of {len(told)} as expected" if told else ""
    unfit = f", {refused} refused" if refused else ""
    out.line(f"{count(len(outcomes) + refused, 'scenario')}: {agreed} agreed{expected}{unfit}", style="bold")
