"""``crdtshadow explain``: which writes compete at a path, who had seen what, what wins, and why."""

from __future__ import annotations

import argparse

from crdtshadow import Write
from crdtshadow_cli.errors import DONE
from crdtshadow_cli.explanation import Contest, Explanation, explain, unseen_by
from crdtshadow_cli.output import Output, Styled
from crdtshadow_cli.subjects import Subject, add_subject, subject_of
from crdtshadow_cli.wording import (
    Data,
    clock_data,
    count,
    decision_data,
    say_list,
    say_outcome,
    say_stamp,
    say_time,
    say_value,
    say_writer,
    value_cell,
    verdict_data,
    write_data,
)

DESCRIPTION = """\
Tell why a path shows what it shows: which writes compete, who had not seen whose, which strategy
chose what and why, and what each of the four strategies would have chosen.
"""

EPILOG = """\
examples:
  crdtshadow explain /desired/target --store fleet.db --thing thermostat
  crdtshadow explain /desired --store fleet.db --thing thermostat --shadow config --json
  crdtshadow explain /desired/target --state merged.state --policy policy.json
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain", help="why a path shows what it shows", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("path", metavar="PATH", help="a field or a part, such as /desired/target")
    add_subject(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    subject = subject_of(args)
    found = explain(subject.state, subject.policy, args.path)
    out.result(_data(subject, found))
    out.line(f"{found.path} of {subject.name}", style="bold")
    for contest in found.contests:
        _print_contest(contest, out)
    if found.settled:
        _print_settled(found, out)
    if found.gone:
        out.line(f"{say_writer(found.gone.stamp)} removed {found.gone.path} at {say_time(found.gone.stamp.ms)}.")
    out.line()
    out.table(
        ("writer", "up to"),
        [[stamp.replica, say_time(stamp.ms)] for stamp in subject.state.clock.stamps()],
        title="what this state has seen",
    )
    return DONE


def _print_contest(contest: Contest, out: Output) -> None:
    decision = contest.decision
    writes = decision.conflict.writes
    out.line()
    out.table(
        ("path", "value", "written by", "at", "had not seen", ""),
        [
            [
                write.path,
                value_cell(write.value),
                write.stamp.replica,
                say_time(write.stamp.ms),
                say_list([other.stamp.replica for other in unseen_by(write, contest)]),
                Styled("shows", "green") if write in decision.accepted else "",
            ]
            for write in writes
        ],
        title=f"{count(len(writes), 'write')} compete at {decision.conflict.path}",
    )
    held = ", and it waits for a review" if decision.held else ""
    out.line(f"{decision.strategy} shows {say_outcome(decision)}: {decision.reason}{held}.")
    out.line()
    out.table(
        ("strategy", "would show", "because"),
        [
            [
                Styled(other.strategy, "bold" if other.strategy == decision.strategy else ""),
                say_outcome(other) + (" (provisional)" if other.held else ""),
                other.reason,
            ]
            for other in contest.strategies
        ],
        title="the four strategies, with this policy's ranks",
    )


def _print_settled(found: Explanation, out: Output) -> None:
    out.line()
    out.table(
        ("path", "value", "written by", "at"),
        [
            [write.path, say_value(write.value), write.stamp.replica, say_time(write.stamp.ms)]
            for write in found.settled
        ],
        title="nothing competes here",
    )


def _data(subject: Subject, found: Explanation) -> Data:
    return {
        **subject.names,
        "path": found.path,
        "conflicts": [_contest_data(contest) for contest in found.contests],
        "settled": [write_data(write) for write in found.settled],
        "removal": write_data(found.gone) if found.gone else None,
        "seen": clock_data(subject.state.clock),
    }


def _contest_data(contest: Contest) -> Data:
    def data(write: Write) -> Data:
        unseen = [say_stamp(other.stamp) for other in unseen_by(write, contest)]
        return {**write_data(write), "had_not_seen": unseen}

    writes = [data(write) for write in contest.decision.conflict.writes]
    strategies = {decision.strategy: verdict_data(decision) for decision in contest.strategies}
    return {**decision_data(contest.decision), "writes": writes, "strategies": strategies}
