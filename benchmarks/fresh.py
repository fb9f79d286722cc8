"""Memory and import time, each taken in a fresh process of its own."""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from benchmarks.peer import Peer
from benchmarks.peers import get_peer
from benchmarks.race import ROOT, Json, takes_part
from benchmarks.workloads import Exchange, Inputs, Large, Small, Wide, Workload, full, quick

HELD: Final[dict[str, Workload]] = {"W1": Small(copies=1_000), "W2": Large(copies=100)}
"""So many replicas are held at once, to tell what one takes."""

PEAKED: Final = ("W3", "W4", "W5", "W7")
"""Workloads large enough for the peak of a run to say something."""

MODULES: Final = (
    "msgpack",
    "crdtshadow",
    "crdtshadow_walk",
    "crdtshadow_local",
    "asyncio",
    "pycrdt",
    "loro",
    "automerge",
    "y_py",
)
_IMPORTS_ROUNDS: Final = 11
_PYTHON: Final = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "PYTHONHASHSEED": "0"}
_STATUS: Final = Path("/proc/self/status")


def measure_memory(workload: Workload, peer: Peer, *, is_quick: bool) -> dict[str, float]:
    """Return what *workload* takes of memory with *peer*, in bytes: a loaded replica, and the peak of a run."""
    if not takes_part(peer, workload) or workload.key not in {*HELD, *PEAKED}:
        return {}
    workload = HELD.get(workload.key, workload)
    command = [sys.executable, "-m", "benchmarks.fresh", peer.name, workload.key, *(["--quick"] if is_quick else [])]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **_PYTHON},
        input=pickle.dumps(workload.prepare(peer)),
        capture_output=True,
        check=True,
    )
    measured: dict[str, float] = pickle.loads(done.stdout)
    return measured


def measure_imports() -> Json:
    """Return by module the milliseconds of processor time and kilobytes that importing it takes.

    Beyond those of a bare interpreter, whose files the operating system has at hand.
    """
    random = Random(0)
    taken: dict[str, list[tuple[float, float]]] = {}
    missing: set[str] = set()
    for _ in range(_IMPORTS_ROUNDS + 1):
        modules = [module for module in MODULES if module not in missing]
        random.shuffle(modules)
        for module in modules:
            once = _import_once(module)
            if once is None:
                missing.add(module)
            else:
                taken.setdefault(module, []).append(once)
    # The first round may have had to compile.
    return {
        module: {
            "ms": median(ms for ms, _ in taken[module][1:]),
            "kilobytes": median(kilobytes for _, kilobytes in taken[module][1:]),
        }
        for module in MODULES
        if module not in missing
    }


_IMPORT_ONCE: Final = """
import sys, time
sys.path[:0] = {path!r}

def held_bytes():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * {page_bytes}
    except OSError:
        return 0

before = held_bytes()
start = time.process_time()
import {module}
took = time.process_time() - start
print(took * 1e3, (held_bytes() - before) / 1024)
"""


def _import_once(module: str) -> tuple[float, float] | None:
    path = [entry for entry in sys.path if entry]
    code = _IMPORT_ONCE.format(module=module, path=path, page_bytes=resource.getpagesize())
    # Neither site packages nor start-up hooks: what is measured is the module alone.
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    ms, kilobytes = done.stdout.split()
    return float(ms), float(kilobytes)


def _rss_bytes() -> float:
    """Return what this process holds now."""
    return _status_bytes("VmRSS") if _STATUS.exists() else _peak_bytes()


def _peak_bytes() -> float:
    """Return the most that this process ever held."""
    # getrusage's peak would be that of the process which started this one, if it was larger.
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    scale = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale)


def _status_bytes(field: str) -> float:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{field}:"))) * 1024


def _measure(workload: Workload, peer: Peer, inputs: Inputs) -> dict[str, float]:
    # Once beforehand, so that a library's own code, paged in on first use, is not counted.
    warm = Small(copies=1)
    warm.run(peer, warm.prepare(peer))
    begun = _rss_bytes()
    measured: dict[str, float] = {}
    if isinstance(workload, Exchange | Wide):
        held = workload.hold(peer, inputs)
        measured["a replica, read"] = (_rss_bytes() - begun) / len(held)
        del held
    if workload.key in PEAKED:
        workload.run(peer, inputs)
        measured["peak of a run"] = _peak_bytes() - begun
    return measured


def main(arguments: Sequence[str]) -> None:
    """Measure one peer at one workload, whose inputs come in; the answer goes out pickled."""
    name, key, *options = arguments
    workload = HELD.get(key) or next(each for each in (quick() if options else full()) if each.key == key)
    measured = _measure(workload, get_peer(name), pickle.load(sys.stdin.buffer))
    sys.stdout.buffer.write(pickle.dumps(measured))


if __name__ == "__main__":
    main(sys.argv[1:])
