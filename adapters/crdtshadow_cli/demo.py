"""``crdtshadow demo``: the six-step walk on a small fleet, told step by step, with a report to keep."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from crdtshadow_cli.errors import DONE, UsageError
from crdtshadow_cli.inputs import write_file
from crdtshadow_cli.output import Cell, Output, Styled
from crdtshadow_cli.wording import (
    Data,
    count,
    iso_time,
    say_list,
    say_value,
)

if TYPE_CHECKING:
    from crdtshadow_local import Store

    from crdtshadow import Write
    from crdtshadow_cli.demo_walk import Arrival, Published, Rival, Story, Tale

HTML: Final = "crdtshadow-demo.html"

DESCRIPTION = """\
Walk four days of a small fleet through an embedded store: ingest, decode, merge, resolve, store, publish.
A thermostat that was cut off for three days, a gateway whose clock runs ahead and a lamp after a factory
reset meet a console and an app that wrote meanwhile. The input is shipped with the package, and every run
says the same.
"""

EPILOG = f"""\
It writes a report with a picture of who wrote what when, and who had seen whom: one HTML file, {HTML}
in the current directory unless told otherwise.

examples:
  crdtshadow demo
  crdtshadow demo --html report.html --keep fleet.db
  crdtshadow explain /desired/target --store fleet.db --thing hall-thermostat
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "demo", help="see diverged shadows becoming one", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument("--html", metavar="FILE", default=HTML, help=f"where to write the report ({HTML})")
    parser.add_argument("--keep", metavar="STORE", help="keep the store in this new file, for the other commands")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the command."""
    from crdtshadow_cli.demo_data import live, read_fleet
    from crdtshadow_cli.demo_walk import tell
    from crdtshadow_cli.report import render

    with _store(args.keep) as store:
        tale = tell(store, read_fleet(), live())
    write_file(args.html, render(tale).encode())
    _say(tale, out)
    if args.keep:
        out.line(f"The store: {args.keep}; ask it: crdtshadow stats --store {args.keep}")
    out.line(f"The report, with a picture: {args.html}", style="bold")
    out.result({**_data(tale), "report": args.html})
    return DONE


@contextmanager
def _store(keep: str | None) -> Iterator[Store]:
    """Open a new store: the file *keep*, or one that is gone afterwards."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from crdtshadow_local import Store

    if keep is not None:
        if Path(keep).exists():
            raise UsageError(f"--keep {keep}: is there already; the demo needs a new store")
        with Store.open(keep) as store:
            yield store
        return
    with TemporaryDirectory(prefix="crdtshadow-demo-") as folder, Store.open(Path(folder, "fleet.db")) as store:
        yield store


def _say(tale: Tale, out: Output) -> None:
    from crdtshadow_cli.timeline import say_moment

    out.line("Four days of a small fleet, Monday 13 to Thursday 16 January 2025, times in UTC", style="bold")
    out.table(
        ["arrived", "shadow", "what happened"],
        [[say_moment(one.at_ms), one.message.key.thing, one.note] for one in tale.arrivals],
    )
    _say_arrivals(tale, out)
    _say_resolved(tale, out)
    _say_stored(tale, out)
    _say_published(tale, out)
    _say_answers(tale, out)
    _say_strategies(tale, out)
    _say_lost(tale, out)


def _step(number: int, name: str, promise: str, out: Output) -> None:
    out.line(f"{number}  {name}", style="bold")
    out.line(f"   {promise}")


def _say_arrivals(tale: Tale, out: Output) -> None:
    from crdtshadow_walk import DeltaMessage, Merged, Refused

    from crdtshadow_cli.timeline import say_moment

    deltas = [one for one in tale.arrivals if isinstance(one.message, DeltaMessage)]
    events = len(tale.arrivals) - len(deltas)
    _step(1, "ingest", "Lines as an AWS IoT rule and replicas send them, grouped by shadow.", out)
    out.line(
        f"   {count(len(tale.arrivals), 'line')} for {count(len(tale.stories), 'shadow')}:"
        f" {count(events, 'AWS event')} and {count(len(deltas), 'delta')}, each walked when it arrived"
    )
    out.line()
    _step(2, "decode", "A delta is canonical bytes, or it is refused whole; an event is what it changed.", out)
    for one in deltas:
        fields = sum(len(update.writes) for update in one.updates)
        out.line(
            f"   {say_moment(one.at_ms)}  {one.message.key.thing:<15}  {one.size:>3} bytes:"
            f" {count(len(one.updates), 'update')}, {count(fields, 'field')}, by {one.updates[0].stamp.replica}"
        )
    out.line()
    _step(3, "merge", "A join: any order, any number of times, same bytes. Whoever had not seen a write keeps it.", out)
    for one in tale.arrivals:
        place = f"   {say_moment(one.at_ms)}  {one.message.key.thing:<15}"
        if isinstance(one.outcome, Refused):
            out.line(f"{place}  refused: {one.outcome.reason}", style="red")
        elif isinstance(one.outcome, Merged):
            found = f", {count(one.conflicts, 'conflict')} here now" if one.conflicts else ""
            out.line(f"{place}  {count(len(one.outcome.changed), 'path')} changed{found}")
    again = sum(isinstance(outcome, Refused) for outcome in tale.again)
    out.line(
        f"   all of it once more: {len(tale.again) - again} say nothing new, {again} is refused again; nothing changes"
    )
    out.line()


def _say_resolved(tale: Tale, out: Output) -> None:
    from crdtshadow_cli.timeline import say_moment

    _step(4, "resolve", "A view under the policy; the state keeps every side, so a strategy can be changed.", out)
    rows: list[list[Cell]] = []
    for story in tale.stories:
        for rival in story.rivals:
            sides = [
                f"{say_value(write.value)} by {_writer(rival, write)}, {say_moment(write.stamp.ms)}"
                for write in rival.conflict.writes
            ]
            shown = say_value(rival.in_force.accepted[0].value)
            shows: Cell = Styled(f"{shown}, held", "yellow") if rival.in_force.held else shown
            rows.append([story.key.thing, rival.conflict.path, "\n".join(sides), shows, rival.in_force.reason])
    out.table(["shadow", "conflict", "sides", "shows", "why"], _split_rows(rows))


def _split_rows(rows: list[list[Cell]]) -> Iterator[list[Cell]]:
    """Yield *rows* with each line of a cell in a row of its own."""
    for row in rows:
        lines = [cell.text.split("\n") if isinstance(cell, Styled) else cell.split("\n") for cell in row]
        for at in range(max(len(texts) for texts in lines)):
            yield [
                (Styled(texts[at], cell.style) if isinstance(cell, Styled) else texts[at]) if at < len(texts) else ""
                for cell, texts in zip(row, lines, strict=True)
            ]


def _writer(rival: Rival, write: Write) -> str:
    """Return who wrote, with the epoch if one name wrote both sides."""
    from crdtshadow import replica_name

    name = replica_name(write.stamp.replica)
    alone = [replica_name(other.stamp.replica) for other in rival.conflict.writes].count(name) == 1
    return name if alone else write.stamp.replica


def _say_stored(tale: Tale, out: Output) -> None:
    stats = tale.stats
    _step(5, "store", "State, history, what waits for a review and what was refused: one transaction a change.", out)
    out.line(
        f"   SQLite: {count(stats.shadows, 'shadow')} of {stats.state_bytes} bytes together,"
        f" {count(stats.history, 'line')} of history, {stats.conflicts} held for review, {stats.refusals} refused"
    )
    out.line()


def _say_published(tale: Tale, out: Output) -> None:
    from crdtshadow_cli.demo_walk import CONNECTED_MS
    from crdtshadow_cli.timeline import say_moment

    _step(6, "publish", "Each gets what it lacks. Until now crdtshadow only listened.", out)
    for story in tale.stories:
        _say_out(f"{say_moment(CONNECTED_MS)}  {story.key.thing}", story.published, out)
    out.line()


def _say_out(who: str, published: Published, out: Output) -> None:
    if published.patch is not None and published.echo is not None:
        out.line(f"   {who} -> AWS: {json.dumps(published.patch, ensure_ascii=False)}")
        echo = type(published.echo).__name__.lower()
        out.line(
            f"     version {published.aws_version} comes back as an event: an {echo}, so nothing is stored or sent"
        )
    synced = published.synced
    if synced.delta_bytes:
        same = "and the store now hold the same" if synced.same else "differs from the store's"
        out.line(f"   {who} -> {synced.name}: {synced.delta_bytes} bytes; it {same} {synced.state_bytes} bytes")


def _say_answers(tale: Tale, out: Output) -> None:
    from crdtshadow import replica_name
    from crdtshadow_cli.timeline import say_moment

    out.line("Afterwards: whoever has seen all sides, and writes, ends a conflict", style="bold")
    for story in tale.stories:
        if story.answer:
            wrote = say_list([f"{write.path} = {say_value(write.value)}" for write in story.answer.writes])
            who = replica_name(story.answer.stamp.replica)
            left = f"{count(story.left, 'conflict')} stay decided" if story.left else "no conflict is left"
            out.line(f"   {say_moment(story.answer.stamp.ms)}  {story.key.thing}: {who} writes {wrote}; {left}")
            _say_out(f"{say_moment(story.answer.stamp.ms)}  {story.key.thing}", story.republished, out)
    out.line()


def _say_strategies(tale: Tale, out: Output) -> None:
    from crdtshadow.policy import STRATEGIES

    out.line("The four strategies side by side, and AWS alone", style="bold")
    rows: list[list[Cell]] = []
    for story in tale.stories:
        for rival in story.rivals:
            aws = say_value(rival.aws.value)
            cells: list[Cell] = [_shown(rival, strategy) for strategy in STRATEGIES]
            rows.append([story.key.thing, rival.conflict.path, *cells, Styled(aws, "red") if rival.overruled else aws])
    out.table(["shadow", "conflict", *STRATEGIES, "AWS: last arrival"], rows)


def _shown(rival: Rival, strategy: str) -> Cell:
    decision = rival.decisions[strategy]
    shown = say_value(decision.accepted[0].value)
    return f"{shown} (held)" if decision.held else shown


def _say_lost(tale: Tale, out: Output) -> None:
    from crdtshadow_cli.timeline import say_moment

    out.line("What AWS's own rule, whoever arrives last, would have lost to older writes", style="bold")
    for story in tale.stories:
        for rival in story.rivals:
            for write in rival.overruled:
                out.line(
                    f"   {story.key.thing}  {rival.conflict.path}: {say_value(write.value)} by {_writer(rival, write)},"
                    f" {say_moment(write.stamp.ms)}, to {say_value(rival.aws.value)} by {_writer(rival, rival.aws)},"
                    f" {say_moment(rival.aws.stamp.ms)}"
                )
    conflicts = sum(len(story.rivals) for story in tale.stories)
    out.line(f"   and it would have told nobody of any of the {count(conflicts, 'conflict')}")
    out.line()


def _data(tale: Tale) -> Data:
    return {
        "arrivals": [_arrival_data(arrival) for arrival in tale.arrivals],
        "shadows": [_story_data(story) for story in tale.stories],
    }


def _arrival_data(arrival: Arrival) -> Data:
    from crdtshadow_walk import Refused

    return {
        "arrived": iso_time(arrival.at_ms),
        "thing": arrival.message.key.thing,
        "note": arrival.note,
        "outcome": type(arrival.outcome).__name__.lower(),
        "changed": list(getattr(arrival.outcome, "changed", ())),
        **({"reason": arrival.outcome.reason} if isinstance(arrival.outcome, Refused) else {}),
    }


def _story_data(story: Story) -> Data:
    return {
        "thing": story.key.thing,
        "strategy": story.strategy,
        "conflicts": [_rival_data(rival) for rival in story.rivals],
        "published": story.published.patch,
        "same_bytes": story.published.synced.same and story.republished.synced.same,
        "answer": [_write_data(write) for write in story.answer.writes] if story.answer else [],
        "conflicts_left": story.left,
        "document": story.document,
    }


def _rival_data(rival: Rival) -> Data:
    return {
        "path": rival.conflict.path,
        "writes": [_write_data(write) for write in rival.conflict.writes],
        "held": rival.in_force.held,
        "shows": [_write_data(write) for write in rival.in_force.accepted],
        "reason": rival.in_force.reason,
        "strategies": {
            strategy: [_write_data(write) for write in decision.accepted]
            for strategy, decision in rival.decisions.items()
        },
        "aws": _write_data(rival.aws),
        "lost_by_aws": [_write_data(write) for write in rival.overruled],
    }


def _write_data(write: Write) -> Data:
    """Return a write for JSON; epochs of plain writers are left out, as each store has its own."""
    from crdtshadow import REMOVED, replica_name
    from crdtshadow_cli.timeline import PEOPLE

    name = replica_name(write.stamp.replica)
    said: Data = {"removed": True} if write.value is REMOVED else {"value": write.value}
    epoch: Data = {} if name in PEOPLE else {"replica": write.stamp.replica}
    return {"path": write.path, **said, "writer": name, **epoch, "at": iso_time(write.stamp.ms)}
