"""The rate of ``crdtshadow ingest``, as a ratio to merely parsing the same file with ``json.loads``.

    python -m benchmarks.ingest [--events 100000] [--things 1000] [--rounds 3]

Makes a file of the events that AWS IoT Core publishes when the things of a fleet update their shadows
in turn, then lets fresh processes parse it and ingest it into a new store, taking turns. What counts
is the processor time of a whole process, interpreter start and all, since that depends least on what
else the machine does; seconds by the clock are told beside it. A tenth of the file is ingested too:
memory must not grow with the file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from benchmarks.race import ROOT
from benchmarks.shadows import THERMOSTAT
from crdtshadow.document import ShadowDocument, apply_update, check_request

START_S: Final = 1_700_000_000
EVENTS_PER_SECOND: Final = 50

_PARSE: Final = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"
_INGEST: Final = "import sys; from crdtshadow_cli.main import main; sys.exit(main(sys.argv[1:]))"


class Run(NamedTuple):
    """What a process took."""

    cpu_s: float
    clock_s: float
    peak_bytes: int


def write_events(path: Path, *, events: int, things: int, seed: int) -> None:
    """Write *events* lines to *path*: each thing sets itself up, then updates a field or two at a time."""
    random = Random(seed)
    documents: dict[str, ShadowDocument] = {}
    with path.open("w", encoding="utf-8") as file:
        for at in range(events):
            thing = f"thing{at % things:05}"
            request = check_request({"state": _patch(random) if thing in documents else THERMOSTAT})
            update = apply_update(documents.get(thing), request, now_s=START_S + at // EVENTS_PER_SECOND)
            documents[thing] = update.document
            file.write(json.dumps({**update.documents, "thingName": thing}) + "\n")


def _patch(random: Random) -> dict[str, object]:
    if random.random() < 0.2:
        return {"desired": {"target": random.randrange(15, 28), "limits": {"max": random.randrange(20, 30)}}}
    return {"reported": {"temperature": random.randrange(150, 300) / 10, "uptime": random.randrange(1 << 24)}}


def run(code: str, *arguments: str) -> Run:
    """Run Python *code* in a fresh process that says nothing, and return what it took.

    Raises:
        ChildProcessError: It failed.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    began = time.perf_counter()
    command = [sys.executable, "-c", code, *arguments]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, environment, file_actions=quiet), 0)
    took = time.perf_counter() - began
    if status:
        raise ChildProcessError(f"{command}: ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Run(used.ru_utime + used.ru_stime, took, used.ru_maxrss * scale)


def main(arguments: Sequence[str]) -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000, help="lines of the file (100000)")
    parser.add_argument("--things", type=int, default=1_000, help="that they are about, in turn (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many is told (3)")
    options = parser.parse_args(arguments)
    parsed, ingested = [], []
    with TemporaryDirectory() as folder:
        whole, tenth = Path(folder, "events.jsonl"), Path(folder, "tenth.jsonl")
        write_events(whole, events=options.events, things=options.things, seed=0)
        with whole.open("rb") as file:
            tenth.write_bytes(b"".join(file.readline() for _ in range(options.events // 10)))
        small = run(_INGEST, "ingest", str(tenth), "--store", str(Path(folder, "tenth.db")))
        for at in range(options.rounds):
            parsed.append(run(_PARSE, str(whole)))
            ingested.append(run(_INGEST, "ingest", str(whole), "--store", str(Path(folder, f"{at}.db"))))
        megabytes = whole.stat().st_size / 1e6
    parsing, ingesting = (median(each.cpu_s for each in runs) for runs in (parsed, ingested))
    ratios = [took.cpu_s / base.cpu_s for took, base in zip(ingested, parsed, strict=True)]
    print(
        f"{options.events:,} events of {options.things:,} things, {megabytes:.0f} MB; median of {options.rounds} rounds"
    )
    print(f"json.loads        {parsing:6.2f} s of processor time, {options.events / parsing:9,.0f} events/s")
    print(f"crdtshadow ingest {ingesting:6.2f} s of processor time, {options.events / ingesting:9,.0f} events/s")
    print(f"by the clock      {median(each.clock_s for each in ingested):6.2f} s, disk and other programs included")
    print(f"ratio             {median(ratios):6.2f} (of single rounds: {min(ratios):.2f} to {max(ratios):.2f})")
    peak = max(each.peak_bytes for each in ingested)
    print(f"memory, at most   {peak / 1e6:6.0f} MB; {small.peak_bytes / 1e6:.0f} MB for a tenth of the file")


if __name__ == "__main__":
    main(sys.argv[1:])
