"""What becomes of a run: tables for the terminal, and RESULTS.md with its charts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.goals import GOALS, IMPORT_MS_MAX, TimesAsFast, times_as_fast
from benchmarks.peers import OURS, RIVAL
from benchmarks.plots import COLORS, Bar, Dot, Group, Line, bars, dots, lines
from benchmarks.race import Json
from benchmarks.tables import ratio, seconds, size, table

HERE: Final = Path(__file__).parent
RESULTS_FILE: Final = HERE / "RESULTS.md"
DATA: Final = HERE / "results"
"""The figures of the last full run, and the charts made of them."""

PEERS_FILE: Final = DATA / "peers.json"
GROWTH_FILE: Final = DATA / "growth.json"
REMARKS_FILE: Final = DATA / "remarks.md"
"""Written by hand: what it would take to reach the goals that were missed."""

_COMMAND: Final = "make bench-full"

_CAVEATS: Final = f"""\
- **One machine, one run.** Absolute times moved by 1.8x between runs of the same code; only ratios within the run mean
  anything. A ratio is the median of the rounds' own, with its quartiles; in a round, all take turns in shuffled order.
- **Python is part of it.** Each peer pays for its bindings, as it does in use; {RIVAL}, loro, automerge and y-py are
  Rust inside, crdtshadow is pure Python. In another language the order could be another.
- **Not the same promises.** The peers also merge text and sequences, which crdtshadow does not. Through their bindings
  a reader sees one winner, where crdtshadow keeps all concurrent writes and decides by a policy. More is told below,
  under what they do not do.
- **Small replicas are timed many at a time**, each step for all of them before the next.
- **Loading is not timed** but in W3 and W4, whose steps say so; W1, W2, W5 and W7 begin with replicas in memory.
- **Identities have 32 bits** with every peer, and ours a name besides. Fewer bits, fewer bytes.
- **In W6 all shadows are of one shape**, as those of a fleet are: who caches shapes gains by it. No bytes come twice.
- **A read is a fresh nested dict of the whole document**, whether or not anything changed.
- **Garbage collection is on**, after all that was prepared has been frozen out of its way.
- **Growth** is measured on many copies of small replicas and on one large one, whose memory is colder; so exponents
  come out a little high, for everybody.
- **Memory** is resident memory in a fresh process, which comes in pages.
"""

_LEFT_OUT: Final = """\
- Libraries for other languages (Yjs and Automerge in JavaScript, diamond-types, cr-sqlite): a process boundary, or
  another language's speed, would be measured.
- automerge 0.x of PyPI: another library under the same name.
- Sync services and databases (AWS IoT's own shadow service, Ditto, CouchDB): networks would be measured.
- Text and lists of collaborative editing, for which the peers are made: a shadow has none.
- More than one thread or process.
- A cold start in AWS Lambda.
"""


def peers_report(told: Json) -> str:
    """Return the tables of a run of the peers, for the terminal."""
    parts = []
    for key, entry in told["workloads"].items():
        parts += [f"{key}: {entry['title']}", "", *_workload(entry), ""]
    parts += ["Goals", "", goals_table(told), ""]
    return "\n".join(parts)


def goals_report(told: Json) -> str:
    """Return the goals, and beside them what each step took of us and of the rival: for a quick look."""
    rows = []
    for key, entry in told["workloads"].items():
        sides = [entry["peers"].get(name) for name in (OURS, RIVAL)]
        for step in entry["steps"]:
            took = [seconds(median(side["seconds"][step])) if side else "-" for side in sides]
            rows.append([key, step, *took, _spread(entry, OURS, step)])
    steps = table(["", "step", OURS, RIVAL, f"{RIVAL}'s over ours"], rows, right=0)
    return f"{steps}\n\n{goals_table(told)}\n"


def goals_table(told: Json) -> str:
    """Return the goals with what was reached."""
    rows = []
    for goal in GOALS:
        reached = goal.reached(told["workloads"])
        if reached is not None:
            rows.append([goal.workload, goal.step, goal.told, reached.told, "yes" if reached.met else "**no**"])
    imports = told.get("imports")
    if imports:
        ms = imports[OURS]["ms"]
        met = "yes" if ms <= IMPORT_MS_MAX else "**no**"
        rows.append(["core", "import", f"at most {IMPORT_MS_MAX} ms", f"{ms:.3g} ms", met])
    return table(["", "what", "goal", "reached", "met"], rows, right=0)


def missed(told: Json) -> list[tuple[str, str]]:
    """Return workload and step of each goal of time that was missed."""
    steps = {key: entry["steps"] for key, entry in told["workloads"].items()}
    return [
        (goal.workload, goal.step)
        for goal in GOALS
        if goal.step in steps.get(goal.workload, ())
        and (reached := goal.reached(told["workloads"])) is not None
        and not reached.met
    ]


def _workload(entry: Json) -> Iterator[str]:
    """Yield the lines on one workload: ratios, then times and bytes, then who got it wrong."""
    steps = entry["steps"]
    if RIVAL in entry["peers"]:
        rows = [[name, *[_spread(entry, name, step) for step in steps]] for name in entry["peers"]]
        yield table([f"{RIVAL}'s time over its own", *steps], rows)
        yield ""
    sizes = list(next(iter(entry["peers"].values()))["bytes"])
    rows = [
        [
            name,
            *[seconds(median(result["seconds"][step])) for step in steps],
            *[size(result["bytes"][name_]) for name_ in sizes],
        ]
        for name, result in entry["peers"].items()
    ]
    yield table(["median", *steps, *[f"bytes: {each}" for each in sizes]], rows)
    for name, result in entry["peers"].items():
        if result["wrong"]:
            yield f"\n{name} gets it wrong: {result['wrong']}"


def _spread(entry: Json, name: str, step: str) -> str:
    spread = times_as_fast(entry, name, step) if name in entry["peers"] else None
    return f"{ratio(spread.median)} ({ratio(spread.low)}-{ratio(spread.high)})" if spread else "-"


def growth_table(told: Json) -> str:
    """Return the curves in figures."""
    parts = []
    for axis in told["axes"].values():
        rows = []
        for name, operations in axis["costs"].items():
            for operation, costs in operations.items():
                fitted = axis["exponents"][name][operation]
                rows.append([name, operation, *map(seconds, costs), f"{ratio(costs[-1] / costs[0])}x", f"{fitted:.2f}"])
        heads = ["", "operation", *[f"{each:,}" for each in axis["sizes"]], "last to first", "exponent"]
        parts += [f"{axis['title'][0].upper()}{axis['title'][1:]}", "", table(heads, rows), ""]
    return "\n".join(parts)


def write_results() -> Path:
    """Write RESULTS.md and its charts anew from the figures of the last full runs; return where it is."""
    DATA.mkdir(exist_ok=True)
    told = json.loads(PEERS_FILE.read_text(encoding="utf-8")) if PEERS_FILE.exists() else None
    grown = json.loads(GROWTH_FILE.read_text(encoding="utf-8")) if GROWTH_FILE.exists() else None
    parts = [
        "# Results",
        "",
        f"Made by `{_COMMAND}`; this file is not written by hand. How to read it comes first.",
        "",
    ]
    parts += ["## Caveats", "", _CAVEATS]
    if told:
        parts += _peers_part(told)
    if grown:
        parts += _growth_part(grown)
    if told:
        parts += _costs_part(told)
    parts += ["## What is left out", "", _LEFT_OUT]
    RESULTS_FILE.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    return RESULTS_FILE


def _where(environment: Json) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    revision = f", revision {environment['revision']}" if environment["revision"] else ""
    return f"{environment['at']}{revision}; {environment['python']}; {environment['machine']}; {versions}."


def _peers_part(told: Json) -> Iterator[str]:
    yield from ("## The run", "", _where(told["environment"]))
    rounds = ", ".join(f"{key} {count}" for key, count in told["rounds"].items())
    yield from (f"Rounds: {rounds}; order shuffled by seed {told['seed']}.", "")
    for name, why in told["missing"].items():
        yield f"- {name} took no part: {why}"
    yield from ("## Goals", "", f"Times as {RIVAL}'s over ours.", "", goals_table(told), "")
    (DATA / "times.svg").write_text(_times_chart(told), encoding="utf-8")
    (DATA / "bytes.svg").write_text(_bytes_chart(told), encoding="utf-8")
    yield from ("## Times", "", f"![How many times as fast as {RIVAL}](results/times.svg)", "")
    for key, entry in told["workloads"].items():
        yield from (f"### {key}", "", f"{entry['title'][0].upper()}{entry['title'][1:]}.", "")
        yield from (*_workload(entry), "")
        memory = told["memory"].get(key, {})
        measured = {name: taken for name, taken in memory.items() if taken}
        if measured:
            names = list(next(iter(measured.values())))
            rows = [[name, *[size(taken[each]) for each in names]] for name, taken in measured.items()]
            yield from (table(["memory, in a fresh process", *names], rows), "")
    yield from ("## Bytes", "", f"![Bytes, as a share of {RIVAL}'s](results/bytes.svg)", "")
    yield from ("## What they do not do", "")
    scenarios = list(next(iter(told["probes"].values())))
    rows = [[name, *[probed[each] for each in scenarios]] for name, probed in told["probes"].items()]
    yield from (table(["", *scenarios], rows, right=0), "")
    for name, refused in told["refused"].items():
        for why in dict.fromkeys(refused.values()):
            keys = ", ".join(key for key in refused if refused[key] == why)
            yield f"- {name} takes no part in {keys}: {why}"
    for name, why in told["diverges"].items():
        yield f"- {name} does not converge: {why}"
    yield from ("", "How each is used:", "")
    for name, used in told["best"].items():
        yield from (f"- {name}: {each}" for each in used)
    yield ""


def _times_chart(told: Json) -> str:
    groups = []
    for goal in GOALS:
        entry = told["workloads"].get(goal.workload)
        if isinstance(goal, TimesAsFast) and entry and RIVAL in entry["peers"]:
            rated = {name: times_as_fast(entry, name, goal.step) for name in entry["peers"] if name != RIVAL}
            shown = [
                Bar(_label(entry, name), rate.median, rate.low, rate.high, _color(told, name))
                for name, rate in rated.items()
                if rate
            ]
            groups.append(Group(f"{goal.workload}, {goal.step}", shown, goal.times))
    return bars(
        f"How many times as fast as {RIVAL}",
        groups,
        axis="more is better; the whisker spans the quartiles of the rounds; the goal is ours",
    )


def _bytes_chart(told: Json) -> str:
    rows = []
    for key, entry in told["workloads"].items():
        theirs = entry["peers"].get(RIVAL, {}).get("bytes", {})
        # What is left of removed keys may be nothing, which a logarithm cannot show.
        for each in theirs if key != "W7" else ():
            shares = {name: result["bytes"][each] / theirs[each] for name, result in entry["peers"].items()}
            shown = [Dot(name, share, _color(told, name)) for name, share in shares.items() if share > 0]
            rows.append((f"{key}, {each}", shown))
    return dots(f"Bytes, as a share of {RIVAL}'s", rows, axis="less is better")


def _label(entry: Json, name: str) -> str:
    return f"{name} (wrong)" if entry["peers"][name]["wrong"] else name


def _color(told: Json, name: str) -> str:
    names = list(told["best"])
    return COLORS[names.index(name) % len(COLORS)]


def _growth_part(grown: Json) -> Iterator[str]:
    yield from ("## Growth", "", _where(grown["environment"]), "")
    yield from ("The exponent is that of the power law that fits best: 0 is flat, 1 is in proportion.", "")
    held = grown["axes"]["held"]
    costs, fitted = (held[each][OURS]["merge a delta"] for each in ("costs", "exponents"))
    yield f"What is promised to be flat: merging a delta into {held['sizes'][-1]:,} fields takes"
    yield f"{ratio(costs[-1] / costs[0])}x the time of merging it into {held['sizes'][0]:,}, exponent {fitted:.2f}."
    yield from ("In calls made and bytes allocated it is flat, and held so by `tests/benchmarks/test_gate.py`.", "")
    for key, axis in grown["axes"].items():
        series = [
            Line(
                operation if name == OURS else f"{operation}, {name}",
                [(at, cost * 1e6) for at, cost in zip(axis["sizes"], costs, strict=True)],
                COLORS[place % len(COLORS)],
                is_dashed=name != OURS,
            )
            for name, operations in axis["costs"].items()
            for place, (operation, costs) in enumerate(operations.items())
            if name == OURS or operation == "merge a delta"
        ]
        chart = lines(f"Cost against {axis['title']}", series, x_axis=axis["title"], y_axis="µs")
        (DATA / f"growth-{key}.svg").write_text(chart, encoding="utf-8")
        yield f"![Cost against {axis['title']}](results/growth-{key}.svg)"
    yield from ("", growth_table(grown))


def _costs_part(told: Json) -> Iterator[str]:
    if told.get("imports"):
        rows = [
            [module, f"{cost['ms']:.3g} ms", f"{cost['kilobytes']:,.0f} KiB"]
            for module, cost in told["imports"].items()
        ]
        how = "Each in fresh processes without site packages' start-up hooks: processor time, median."
        yield from ("## Imports", "", how, "")
        yield from (table(["module", "time", "memory"], rows), "")
    if told.get("hot"):
        yield from ("## Where our time goes, where a goal was missed", "")
        if REMARKS_FILE.exists():
            yield from (REMARKS_FILE.read_text(encoding="utf-8"), "")
        yield "First the calls that the workload makes, by the clock. Then which functions our time goes to:"
        yield from ("cProfile's shares tell where to look, not what would be won.", "")
        for key, calls in told["calls"].items():
            yield from (f"### {key}", "", calls, "")
            for spot in told["hot"]:
                if spot["workload"] == key:
                    yield from (f"{key}, {spot['step']}:", "", spot["table"], "")


def bench_json(told: Json) -> str:
    """Return *told* as JSON text that changes little from one run to the next where nothing changed."""
    return json.dumps(_rounded(told), indent=None, separators=(",", ":"), ensure_ascii=False) + "\n"


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(member) for key, member in value.items()}
    return (
        [_rounded(member) for member in value] if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
