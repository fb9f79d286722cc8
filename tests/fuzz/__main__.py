"""`python -m tests.fuzz --executions N`: run all targets, and say how far they are and what broke."""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import SystemRandom
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.figures import report
from tests.fuzz.engine import CRASHERS
from tests.fuzz.targets import TARGETS


class Outcome(NamedTuple):
    """What became of a target.

    Attributes:
        done: Executions.
        broken: Why it is not well, one line each.
    """

    done: int
    broken: list[str]


def shares(executions: int, names: list[str]) -> dict[str, int]:
    """Return how many executions each target gets; together at least *executions*."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: -(-executions * TARGETS[name].share // whole) for name in names}


def run_target(name: str, executions: int, *, engine: str, seed: int, progress: Progress, task: TaskID) -> Outcome:
    module = "tests.fuzz.instrumented" if engine == "atheris" else "tests.fuzz.engine"
    command = [sys.executable, "-m", module, name, "--executions", str(executions), "--seed", str(seed)]
    done = 0
    broken: list[str] = []
    noise: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        listener = threading.Thread(target=lambda: noise.extend(process.stderr or ()), daemon=True)
        listener.start()
        for line in process.stdout:
            told = json.loads(line) if line.startswith("{") else {}
            if "done" in told:
                done = told["done"]
                progress.update(task, completed=done)
            elif "crash" in told:
                broken.append(f"{name}: {told['error']} (tests/fuzz/crashers/{told['crash']})")
                progress.console.print(f"[red]{broken[-1]}", highlight=False)
        listener.join(timeout=5)
    if done < executions and not broken:
        broken.append(f"{name}: ended with {process.returncode} after {done} executions: {''.join(noise[-3:]).strip()}")
    return Outcome(done, broken)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Feed hostile bytes to every decoder.")
    parser.add_argument("--executions", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only these")
    parser.add_argument("--engine", choices=("auto", "atheris", "own"), default="auto", help="what guides the search")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 1 << 31), help="of the dice")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    asked = parser.parse_args()
    engine = asked.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") else "own"
    names = asked.target or list(TARGETS)
    console = Console(stderr=True)
    console.print(f"fuzzing {len(names)} decoders with {_ENGINES[engine]}, seed {asked.seed}", highlight=False)
    start = time.monotonic()
    columns = TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(asked.jobs) as pool:
        running = [
            pool.submit(
                run_target,
                name,
                executions,
                engine=engine,
                seed=asked.seed,
                progress=progress,
                task=progress.add_task(name, total=executions),
            )
            for name, executions in shares(asked.executions, names).items()
        ]
        outcomes = [one.result() for one in running]
    done = sum(outcome.done for outcome in outcomes)
    report("fuzz executions", done)
    broken = [line for outcome in outcomes for line in outcome.broken]
    seconds = time.monotonic() - start
    console.print(f"{done:,} executions in {seconds:.0f} s, {len(broken)} crashers", highlight=False)
    for line in broken:
        console.print(line, highlight=False)
    if broken:
        console.print(f"kept in {CRASHERS.name}/; fix what they broke, and leave them there", highlight=False)
    return bool(broken)


_ENGINES = {"atheris": "atheris, guided by coverage", "own": "our own mutations, without coverage"}

if __name__ == "__main__":
    sys.exit(main())
