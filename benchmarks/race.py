"""The interleaved run: all workloads and all peers in turn, again and again, in shuffled order.

What slows the machine for a while then slows all of them. Times of one round belong together, and
only their ratios are told as results.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from time import strftime
from typing import Any, Final, TypeAlias

from benchmarks.peer import Peer
from benchmarks.workloads import Laps, Workload

ROOT: Final = Path(__file__).parent.parent
ROUNDS: Final = {"W1": 60, "W2": 40, "W3": 5, "W4": 3, "W5": 30, "W6": 20, "W7": 7}
"""20 rounds of W6, of 500 shadows each, make its 10,000."""

QUICK_ROUNDS: Final = {"W1": 15, "W2": 11, "W3": 3, "W4": 5, "W5": 7, "W6": 7, "W7": 5}

Json: TypeAlias = "dict[str, Any]"
Say: TypeAlias = Callable[[float, str], None]
"""Is told how much is done, from 0 to 1, and what comes next."""


def takes_part(peer: Peer, workload: Workload) -> bool:
    """Tell whether *peer* can do *workload*."""
    return workload.key not in peer.refused


def race(
    workloads: Sequence[Workload], peers: Sequence[Peer], *, rounds: Mapping[str, int], seed: int, say: Say
) -> dict[str, Json]:
    """Run everything, and return by workload and peer what it took.

    Returns:
        By workload: ``title``, ``steps`` (those that are sums too), and ``peers``: by name, ``seconds`` (a list by
        step, one entry a round, the same rounds for everybody), ``bytes`` by name, ``wrong``.
    """
    random = Random(seed)
    results: dict[str, Json] = {}
    inputs = {}
    schedule = list(_schedule(workloads, rounds))
    runs = sum(takes_part(peer, workload) for workload in workloads for peer in peers)
    runs += sum(takes_part(peer, workload) for workload, _ in schedule for peer in peers)
    done = 0
    for workload in workloads:
        entry: Json = {"title": workload.title, "steps": [*workload.steps, *workload.sums], "peers": {}}
        results[workload.key] = entry
        for peer in peers:
            if takes_part(peer, workload):
                say(done / runs, f"{workload.key} is prepared for {peer.name}")
                done += 1
                prepared = workload.prepare(peer)
                inputs[workload.key, peer.name] = prepared
                entry["peers"][peer.name] = {
                    "seconds": {step: [] for step in entry["steps"]},
                    "bytes": workload.sizes(peer, prepared),
                    "wrong": "",
                }
    for workload, turn in schedule:
        runners = [peer for peer in peers if takes_part(peer, workload)]
        random.shuffle(runners)
        for peer in runners:
            say(done / runs, f"{workload.key}, {peer.name}")
            done += 1
            fresh = workload.prepare(peer, turn=turn) if workload.fresh else inputs[workload.key, peer.name]
            laps = workload.run(peer, fresh, turn=turn)
            result = results[workload.key]["peers"][peer.name]
            for step, seconds in with_sums(workload, laps).items():
                result["seconds"][step].append(seconds)
            result["wrong"] = result["wrong"] or laps.wrong
    say(1, "")
    return results


def with_sums(workload: Workload, laps: Laps) -> dict[str, float]:
    """Return the seconds of each step of a run, those that are sums of others too."""
    sums = {name: sum(laps.seconds[step] for step in steps) for name, steps in workload.sums.items()}
    return {**laps.seconds, **sums}


def _schedule(workloads: Sequence[Workload], rounds: Mapping[str, int]) -> Iterator[tuple[Workload, int]]:
    """Yield the rounds of all *workloads*, those of each spread evenly over the run."""
    turns = [
        ((turn + 0.5) / rounds[workload.key], at, turn)
        for at, workload in enumerate(workloads)
        for turn in range(rounds[workload.key])
    ]
    for _, at, turn in sorted(turns):
        yield workloads[at], turn


def chosen(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return what reads some of *names*, given with commas between them."""

    def read(text: str) -> list[str]:
        given = text.split(",")
        for name in given:
            if name not in names:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(names)}")
        return [name for name in names if name in given]

    return read


def environment(peers: Sequence[Peer]) -> Json:
    """Return where and with what a run took place."""
    return {
        "at": strftime("%Y-%m-%d %H:%M %Z"),
        "revision": revision(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} cores",
        "versions": {peer.name: peer.version for peer in peers if peer.version},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "an unknown processor"


def revision() -> str:
    """Return the short revision that is checked out, and whether files differ from it; empty if git does not say."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()


def progress(done: float, what: str) -> None:
    """Show on the terminal how far a run is; one line that is written over, or a line every so often."""
    if sys.stderr.isatty():
        line = f"[{done:4.0%}] {what}"
        sys.stderr.write(f"\r{line:<78.78}" if what else f"\r{'':78}\r")
    elif what and int(done * 10) != _told_last[0]:
        _told_last[0] = int(done * 10)
        sys.stderr.write(f"[{done:4.0%}] {what}\n")
    sys.stderr.flush()


_told_last = [-1]
"""The tenth that was told last, where lines cannot be written over."""
