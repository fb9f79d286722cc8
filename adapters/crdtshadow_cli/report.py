"""The demo's report: one HTML file that needs no network, no script, and no other file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Final

from crdtshadow_walk import Refused

from crdtshadow import REMOVED, Decision, Write, replica_name, split_replica
from crdtshadow.policy import STRATEGIES
from crdtshadow_cli.demo_walk import Arrival, Rival, Story, Tale
from crdtshadow_cli.timeline import LATE_MS, arrange, draw, letters, say_moment
from crdtshadow_cli.wording import count, say_value

STORIES: Final = {
    "hall-thermostat": "The router fails on Monday. Until Thursday people turn the thermostat's knob, and change the"
    " same settings from the console and the app. Neither side hears of the other.",
    "porch-lamp": "A factory reset wipes the lamp's memory. It begins anew under a new epoch, so nobody mistakes it for"
    " what it was before; then it hears its settings, and says so.",
    "cellar-pump": "The gateway's clock runs ahead. Its writing is refused with the right time, and comes again with"
    " new stamps, in conflict with what a tenant wanted meanwhile. The policy here is manual_review: a person decides.",
}

MEANINGS: Final = {
    "field_level_merge": "each field by its own newest write",
    "last_writer_wins": "the newest writer, for all it wrote",
    "priority_based": "cloud over app over gateway over device",
    "manual_review": "held, the newest shown meanwhile",
}


def render(tale: Tale) -> str:
    """Return the report on *tale*, a whole HTML document."""
    rivals = [rival for story in tale.stories for rival in story.rivals]
    overruled = sum(len(rival.overruled) for rival in rivals)
    refused = sum(isinstance(arrival.outcome, Refused) for arrival in tale.arrivals)
    tiles = [
        (len(tale.arrivals), "lines arrived", f"{refused} of them refused, and sent again"),
        (len(tale.stories), "shadows", "each the same bytes on the device and in the store"),
        (len(rivals), "conflicts found", "all sides kept until somebody who saw them writes"),
        (overruled, "newer writes", "that AWS alone would have lost to older ones"),
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            "<title>crdtshadow: four days of a small fleet</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<header><h1>Four days of a small fleet</h1>",
            "<p>Three device shadows, written by devices, a console and an app that could not hear each other, and made"
            " one by crdtshadow. Monday 13 to Thursday 16 January 2025, times in UTC.</p></header>",
            '<section class="tiles">',
            *(
                f"<div><b>{number}</b><span>{title}</span><small>{detail}</small></div>"
                for number, title, detail in tiles
            ),
            "</section>",
            _LEGEND,
            *(part for at, story in enumerate(tale.stories) for part in _story(story, f"story{at}")),
            *_lost(tale),
            *_lines(tale.arrivals),
            "<footer>Written by <code>crdtshadow demo</code>. It needs no network and no other file.</footer>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _story(story: Story, name: str) -> Iterable[str]:
    thing = story.key.thing
    yield f'<section><h2 id="{thing}">{thing}</h2><p>{STORIES[thing]}</p>'
    title = f"Who wrote what when, and who had seen whom: {thing}"
    yield f'<div class="scroll" tabindex="0">{draw(arrange(story), title=title, name=name)}</div>'
    yield '<h3>What each strategy shows</h3><div class="scroll" tabindex="0"><table>'
    yield "<thead><tr><th>conflict</th><th>the writes, none of which had seen the other</th>"
    for strategy in STRATEGIES:
        chosen = ' class="chosen"' if strategy == story.strategy else ""
        note = "in force here" if chosen else MEANINGS[strategy]
        yield f"<th{chosen}>{strategy}<small>{note}</small></th>"
    yield "<th>AWS alone<small>whoever arrives last</small></th></tr></thead><tbody>"
    for rival in story.rivals:
        yield _row(rival, story)
    yield "</tbody></table></div>"
    yield _after(story)
    document = escape(json.dumps(story.document, indent=2, ensure_ascii=False))
    yield f"<details><summary>The shadow in the end</summary><pre>{document}</pre></details></section>"


def _row(rival: Rival, story: Story) -> str:
    badge = letters(story)[rival.conflict.path]
    writes = "".join(
        f"<li><b>{_value(write)}</b> {_writer(write, rival)}, {say_moment(write.stamp.ms)}{_delay(write, story)}</li>"
        for write in rival.conflict.writes
    )
    cells = "".join(_cell(rival.decisions[strategy], rival, strategy == story.strategy) for strategy in STRATEGIES)
    if rival.overruled:
        newer = ", ".join(f"{_value(write)} by {_writer(write, rival)}" for write in rival.overruled)
        aws = f'<td class="lost"><b>{_value(rival.aws)}</b><small>loses the newer {newer}</small></td>'
    else:
        aws = f"<td><b>{_value(rival.aws)}</b><small>{_writer(rival.aws, rival)}</small></td>"
    path = escape(rival.conflict.path)
    return f'<tr><th><i class="badge">{badge}</i> <code>{path}</code></th><td><ul>{writes}</ul></td>{cells}{aws}</tr>'


def _cell(decision: Decision, rival: Rival, chosen: bool) -> str:
    (shown,) = decision.accepted
    by = _writer(shown, rival)
    kind = "held" if decision.held else ""
    said = f"held; {by} meanwhile" if decision.held else by
    return (
        f'<td class="{" ".join(filter(None, [kind, "chosen" if chosen else ""]))}">'
        f"<b>{_value(shown)}</b><small>{said}</small></td>"
    )


def _value(write: Write) -> str:
    return "removed" if write.value is REMOVED else escape(say_value(write.value))


def _writer(write: Write, rival: Rival) -> str:
    """Return who wrote, with the epoch if one name wrote both sides."""
    name, epoch = split_replica(write.stamp.replica)
    alike = [other for other in rival.conflict.writes if split_replica(other.stamp.replica)[0] == name]
    return f"{name}{f' {epoch:08x}' if len(alike) > 1 else ''}"


def _delay(write: Write, story: Story) -> str:
    late = next((one for one in story.updates if one.stamp == write.stamp), None)
    if late is None or late.arrived_ms - write.stamp.ms < LATE_MS:
        return ""
    return f", arrived {say_moment(late.arrived_ms)}"


def _after(story: Story) -> str:
    out = story.published
    sent = escape(json.dumps(out.patch, ensure_ascii=False))
    said = [
        f"On Thursday at 08:45 the AWS document got what it lacked, <code>{sent}</code>; the event of its version"
        f" {out.aws_version} came back and changed nothing: an echo dies at merge."
    ]
    holds = "then held the very" if out.synced.same else "did not hold the"
    said.append(
        f"The {escape(out.synced.name)} got a delta of {out.synced.delta_bytes} bytes, and {holds}"
        f" {out.synced.state_bytes} bytes of the store."
    )
    if story.answer:
        who = replica_name(story.answer.stamp.replica)
        wrote = ", ".join(f"<code>{escape(write.path)}</code> = {_value(write)}" for write in story.answer.writes)
        left = "no conflict is left" if not story.left else f"{count(story.left, 'conflict')} stay decided, on record"
        said.append(
            f"Having seen all sides, {escape(who)} wrote {wrote} at {say_moment(story.answer.stamp.ms)}: {left}."
        )
    return f"<p>{' '.join(said)}</p>"


def _lost(tale: Tale) -> Iterable[str]:
    yield "<section><h2>What AWS alone would have lost</h2>"
    yield (
        "<p>AWS IoT keeps one copy of each shadow, and whoever arrives last wins. Had everybody written there directly,"
        " in the order of these arrivals, then newer writes would be gone, with nobody told:</p><ul>"
    )
    for story in tale.stories:
        for rival in story.rivals:
            for write in rival.overruled:
                yield (
                    f"<li>{story.key.thing} <code>{escape(rival.conflict.path)}</code>: {_value(write)} by"
                    f" {_writer(write, rival)} ({say_moment(write.stamp.ms)}), to {_value(rival.aws)} by"
                    f" {_writer(rival.aws, rival)}, which is older ({say_moment(rival.aws.stamp.ms)})</li>"
                )
    yield "</ul><p>The other conflicts would have ended too, and nobody would have heard of them.</p></section>"


def _lines(arrivals: Iterable[Arrival]) -> Iterable[str]:
    yield '<section><h2>The input, line by line</h2><div class="scroll" tabindex="0"><table class="input">'
    yield "<thead><tr><th>arrived</th><th>shadow</th><th>what happened</th><th>as</th><th>outcome</th></tr></thead>"
    yield "<tbody>"
    for arrival in arrivals:
        yield (
            f"<tr><td>{say_moment(arrival.at_ms)}</td><td>{arrival.message.key.thing}</td><td>{escape(arrival.note)}</td>"
            f"<td>{say_form(arrival)}</td><td>{escape(say_became(arrival))}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def say_form(arrival: Arrival) -> str:
    """Return how a line came: as an event or as a delta."""
    event = getattr(arrival.message, "event", None)
    return f"AWS event, version {event['current']['version']}" if event else f"delta, {arrival.size} bytes"


def say_became(arrival: Arrival) -> str:
    """Return what became of a line."""
    if isinstance(arrival.outcome, Refused):
        return f"refused: {arrival.outcome.reason}"
    changed = getattr(arrival.outcome, "changed", ())
    return f"merged, {count(len(changed), 'path')} changed"


_LEGEND: Final = """\
<aside class="legend">
<span><svg width="16" height="16" viewBox="0 0 16 16"><circle class="dot" cx="8" cy="8" r="6"/></svg> an update</span>
<span><svg width="30" height="16" viewBox="0 0 30 16"><path class="seen" d="M1 4 H20 V11"/>\
<path class="head seen" d="M16.500 9 20 15 23.500 9z"/></svg> had seen</span>
<span><i class="badge shows">A</i> in conflict, shows</span>
<span><i class="badge">A</i> in conflict, gave way</span>
<span><svg width="8" height="18" viewBox="0 0 8 18"><line class="lane silent" x1="4" x2="4" y1="0" y2="18"/></svg>\
 cut off</span>
<span><svg width="16" height="16" viewBox="0 0 16 16"><path class="arrival" d="M2 8l6 -6 6 6 -6 6z"/></svg>\
 arrives late</span>
<span><svg width="16" height="16" viewBox="0 0 16 16"><path class="refused" d="M3 3l10 10m0 -10l-10 10"/></svg>\
 refused</span>
</aside>"""

STYLE: Final = """
:root{--paper:#fdfcfa;--card:#fff;--ink:#1d2430;--soft:#5d6778;--line:#dfe2e8;--dot:#33415c;--seen:#2f6fde;
--clash:#b84f08;--bad:#c0263a;--bad-soft:#fdecee;--good:#1c7c54;--good-soft:#e9f6ef}
@media (prefers-color-scheme:dark){:root{--paper:#12161d;--card:#191f28;--ink:#e7eaf0;--soft:#9aa5b5;--line:#2e3744;
--dot:#b9c6dd;--seen:#74a4ff;--clash:#ffa45c;--bad:#ff8391;--bad-soft:#3a2027;--good:#63d19f;
--good-soft:#17322a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2.5rem 1.25rem 4rem;max-width:76rem;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:2rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.35rem;margin:0 0 .4rem}h3{font-size:1rem;margin:1.6rem 0 .5rem}
header p,section>p{max-width:48rem;margin:.3rem 0 1rem}
code,pre{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
section{margin:2.75rem 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.9rem;margin-top:1.75rem}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:.9rem 1.1rem}
.tiles b{font-size:1.9rem;line-height:1.1;margin-right:.45rem}.tiles span{font-weight:600}
.tiles small,td small,th small{display:block;color:var(--soft);font-size:.8rem;font-weight:400;line-height:1.35}
.legend{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;margin-top:1.75rem;color:var(--soft);font-size:.875rem}
.legend span{display:inline-flex;align-items:center;gap:.45rem}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:.7rem}
.scroll>svg{display:block;margin:1.1rem 1.25rem}.scroll+p{margin-top:1rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.6rem .8rem;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}thead th{font-size:.85rem}tbody th{font-weight:400;white-space:nowrap}
table.input td:not(:nth-child(3),:last-child){white-space:nowrap}
td ul{list-style:none;margin:0;padding:0;min-width:15rem}
th.chosen,td.chosen{background:var(--good-soft)}th.chosen small{color:var(--good)}
th:last-child,td:last-child{min-width:8.5rem}
td.held b{font-style:italic;font-weight:500}td.lost{background:var(--bad-soft)}td.lost b,td.lost small{color:var(--bad)}
details{margin-top:.6rem}summary{cursor:pointer;color:var(--soft)}
pre{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:.9rem 1.1rem;overflow-x:auto}
footer{margin-top:3rem;color:var(--soft);font-size:.875rem}
i.badge{display:inline-block;width:1.2rem;height:1.2rem;line-height:1.1rem;text-align:center;border-radius:.3rem;
font:700 .72rem/1.1rem system-ui,sans-serif;border:1px solid var(--clash);color:var(--clash)}
i.badge.shows{background:var(--clash);color:var(--card)}
.timeline text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--ink)}
.timeline text.lane{font-weight:700;font-size:14px}.timeline text.detail,.timeline text.time{fill:var(--soft)}
.timeline text.time{text-anchor:end;font-variant-numeric:tabular-nums}
.timeline text.day{font-weight:700;text-anchor:end}.timeline text.gone{fill:var(--soft)}
.timeline text.refused{fill:var(--bad)}.timeline text.arrival{fill:var(--soft);font-style:italic}
.timeline text.badge{font-weight:700;font-size:10.5px;text-anchor:middle;fill:var(--clash)}
.timeline text.badge.shows{fill:var(--card)}.timeline text.published{fill:var(--good);font-weight:600}
rect.badge{fill:none;stroke:var(--clash)}rect.badge.shows{fill:var(--clash)}
rect.paper{fill:var(--card)}rect.published{fill:var(--good-soft)}
line.day{stroke:var(--line)}line.lane{stroke:var(--dot);stroke-width:1.5;opacity:.45}
line.silent{stroke:var(--bad);stroke-dasharray:3 5;opacity:1}
.dot{fill:var(--dot)}.arrival{fill:var(--card);stroke:var(--dot);stroke-width:1.5}
text.arrival,text.refused{stroke:none}path.refused{stroke:var(--bad);stroke-width:2.5;fill:none;stroke-linecap:round}
path.seen,path.again{fill:none;stroke:var(--seen);stroke-width:1.5}path.again{stroke:var(--bad);stroke-dasharray:4 4}
path.head{stroke:none;fill:var(--seen)}path.head.again{fill:var(--bad)}
@media print{body{max-width:none}.scroll{overflow:visible}}
"""
