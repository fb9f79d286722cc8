"""Running a target many times: what counts, keeps the crashers, and says how far it is; and our own loop.

A worker is a process of its own, so that what one target takes of memory is bounded and measured by itself. It writes
lines of JSON: how many executions are done, and each crasher once for each place in the code where it broke.

    python -m tests.fuzz.engine delta --executions 100000 --seed 1
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from tests.fuzz.mutate import Mutator
from tests.fuzz.targets import TARGETS

CRASHERS: Final = Path(__file__).parent / "crashers"
MEMORY_BYTES_MAX: Final = 1 << 30
SECONDS_MAX: Final = 10.0
"""What one execution may take, on a busy machine."""
_TELL_EVERY: Final = 2_000
_KEPT_MAX: Final = 500


class Recorder:
    """Runs a target, counts, and keeps what broke it.

    Args:
        name: Of the target.
        executions: How many are wanted.
        crashers: Where inputs that broke it are kept.
    """

    def __init__(self, name: str, *, executions: int, crashers: Path = CRASHERS) -> None:
        self._name = name
        self._run = TARGETS[name].run
        self._wanted = executions
        self._crashers = crashers
        self._places: set[str] = set()
        self.done = 0

    def run(self, data: bytes) -> None:
        """Run the target once; tell of a crash, but do not raise it."""
        start = time.perf_counter()
        try:
            self._run(data)
            assert time.perf_counter() - start < SECONDS_MAX, f"took more than {SECONDS_MAX} s"
        except Exception as error:  # noqa: BLE001  # that is what is looked for
            self._keep(data, error)
        self.done += 1
        if self.done % _TELL_EVERY == 0 or self.done == self._wanted:
            _tell({"done": self.done})

    @property
    def crashes(self) -> int:
        """How many places in the code broke."""
        return len(self._places)

    def _keep(self, data: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        if place not in self._places:
            self._places.add(place)
            path = self._crashers / f"{self._name}-{sha256(data).hexdigest()[:12]}"
            self._crashers.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            _tell({"crash": path.name, "error": f"{place}: {error}"[:300]})


def _tell(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def limit_memory() -> None:
    """Let this process have `MEMORY_BYTES_MAX` above what it has; more is a `MemoryError`, and a crash."""
    try:
        import resource
    except ImportError:  # a system that has no such limits
        return
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    resource.setrlimit(resource.RLIMIT_AS, (held + 2 * MEMORY_BYTES_MAX, resource.RLIM_INFINITY))


def run(name: str, *, executions: int, seed: int, crashers: Path = CRASHERS) -> Recorder:
    """Run the target called *name* on its seeds and on what becomes of them.

    Without coverage to go by, what is new in kind cannot be told: some of what was made last is changed further, so
    that changes add up, and most begin at a seed again.
    """
    target = TARGETS[name]
    seeds = target.seeds()
    recorder = Recorder(name, executions=executions, crashers=crashers)
    mutator = Mutator(seeds, kind=target.kind, seed=seed)
    dice = Random(seed)
    kept = list(seeds)
    for data in seeds[:executions]:
        recorder.run(data)
    while recorder.done < executions:
        data = mutator.change(dice.choice(kept)) if dice.random() < 0.3 else mutator.fresh()
        recorder.run(data)
        if dice.random() < 0.05:
            kept.append(data)
            if len(kept) > _KEPT_MAX:
                kept = kept[-_KEPT_MAX // 2 :]
    return recorder


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one target in this process, without coverage.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--executions", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    limit_memory()
    recorder = run(asked.target, executions=asked.executions, seed=asked.seed)
    sys.exit(bool(recorder.crashes))


if __name__ == "__main__":
    main()
