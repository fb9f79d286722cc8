"""Two revisions against each other, alternately in one run.

    python -m benchmarks.compare OLD NEW [--full] [--workload W1,...] [--json FILE]

OLD and NEW are git revisions; ``.`` is the working tree as it is. Each is unpacked into a temporary
directory, and measured by the workloads of *this* tree, in processes that take turns. The few lines
that use the library, ``peers/crdtshadow.py``, are each revision's own, since a public API may move;
this tree's, if it has none. Where an
interpreter's objects lie, and how its strings hash, makes a few per cent; so the run has several
sittings, each with fresh processes and another hash seed, the same for both. What is told is the
median of the paired ratios, NEW's time over OLD's, with a 95 % interval by bootstrap over sittings
and rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.peer import Peer
from benchmarks.peers import OURS, get_peer
from benchmarks.race import ROOT, Json, chosen, progress, with_sums
from benchmarks.ratios import Interval, bootstrap
from benchmarks.tables import ratio, seconds, size, table
from benchmarks.workloads import Workload, full, quick

SITTINGS: Final = 7
ROUNDS: Final = 5
"""In each sitting, after one that does not count."""

WORKING_TREE: Final = "."

# The package of the revision is imported before the benchmarks of this tree can bring in another.
_WORKER: Final = """
import sys
tree, root = sys.argv[1:]
sys.path[:0] = [tree, tree + "/adapters"]
import crdtshadow
if not crdtshadow.__file__.startswith(tree):
    sys.exit("another crdtshadow is in the way: " + crdtshadow.__file__)
sys.path[0] = root
from benchmarks.compare import serve
serve(tree)
"""


class CannotCompare(Exception):
    """A revision cannot be had, or cannot run the workloads."""


@contextmanager
def unpacked(revision: str) -> Iterator[Path]:
    """Hold the files of *revision* in a temporary directory; nothing in the repository changes.

    Raises:
        CannotCompare: git does not know it.
    """
    if revision == WORKING_TREE:
        yield ROOT
        return
    command = ["git", "archive", "--format=tar", revision]
    try:
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except OSError as error:
        raise CannotCompare(f"{revision}: git cannot be run: {error}") from None
    if archive.returncode:
        raise CannotCompare(f"{revision}: {archive.stderr.decode(errors='replace').strip()}")
    with TemporaryDirectory(prefix="crdtshadow-compare-") as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=archive.stdout, check=True)
        yield Path(directory)


class Worker:
    """A process that runs workloads with one revision of the library."""

    def __init__(self, revision: str, tree: Path, *, hash_seed: int) -> None:
        self._revision = revision
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(tree), str(ROOT)],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question: object) -> Any:
        """Return the answer of the process to *question*."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise CannotCompare(f"{self._revision} cannot run {question['workload']}; its own words are above")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def adapter_of(tree: Path) -> Peer:
    """Return the library of *tree* as a peer, by the adapter that lies there."""
    path = tree / "benchmarks" / "peers" / "crdtshadow.py"
    if not path.exists():
        return get_peer(OURS)
    spec = spec_from_file_location("adapter", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    peer: Peer = module.PEERS[0]()
    return peer


def serve(tree: str) -> None:
    """Answer questions, one a line, until there are no more; the other end of :class:`Worker`."""
    peer = adapter_of(Path(tree))
    prepared: dict[str, Any] = {}
    for line in sys.stdin:
        question = json.loads(line)
        workload = _find(question["workload"], is_full=question["is_full"])
        if workload.key not in prepared:
            prepared[workload.key] = workload.prepare(peer)
        if question["what"] == "bytes":
            answer = workload.sizes(peer, prepared[workload.key])
        else:
            inputs = workload.prepare(peer, turn=question["turn"]) if workload.fresh else prepared[workload.key]
            answer = with_sums(workload, workload.run(peer, inputs, turn=question["turn"]))
        print(json.dumps(answer), flush=True)


def _find(key: str, *, is_full: bool) -> Workload:
    return next(workload for workload in (full() if is_full else quick()) if workload.key == key)


def compare(
    revisions: tuple[str, str],
    keys: Sequence[str],
    *,
    is_full: bool,
    sittings: int = SITTINGS,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> dict[str, Json]:
    """Measure both *revisions*, and return by workload what each step took and how many bytes there were.

    Returns:
        ``{"steps": {step: ([[seconds, ...], ...], [...])}, "bytes": {name: (old, new)}}`` by workload,
        seconds by sitting.

    Raises:
        CannotCompare: One cannot be had, or cannot run a workload.
    """
    random = Random(seed)
    taken: dict[str, Json] = {key: {"steps": {}, "bytes": {}} for key in keys}
    with ExitStack() as trees:
        places = [trees.enter_context(unpacked(revision)) for revision in revisions]
        for sitting in range(sittings):
            with ExitStack() as processes:
                workers = []
                for revision, place in zip(revisions, places, strict=True):
                    worker = Worker(revision, place, hash_seed=sitting)
                    processes.callback(worker.close)
                    workers.append(worker)
                for turn in range(-1, rounds):
                    progress(
                        (sitting + (turn + 1) / (rounds + 1)) / sittings, f"sitting {sitting + 1}, round {turn + 1}"
                    )
                    for key in random.sample(keys, len(keys)):
                        answers = _ask_both(workers, random, workload=key, is_full=is_full, what="time", turn=turn + 1)
                        if turn >= 0:
                            _note(taken[key]["steps"], answers, sitting)
                if sitting == 0:
                    for key in keys:
                        old, new = _ask_both(workers, random, workload=key, is_full=is_full, what="bytes")
                        taken[key]["bytes"] = {name: (old[name], new[name]) for name in old}
    progress(1, "")
    return taken


def _ask_both(workers: Sequence[Worker], random: Random, **question: object) -> list[Any]:
    answers: list[Any] = [None, None]
    for which in random.sample((0, 1), 2):
        answers[which] = workers[which].ask(**question)
    return answers


def _note(steps: Json, answers: Sequence[dict[str, float]], sitting: int) -> None:
    for step in answers[0]:
        for which, answer in enumerate(answers):
            by_sitting = steps.setdefault(step, ([], []))[which]
            while len(by_sitting) <= sitting:
                by_sitting.append([])
            by_sitting[sitting].append(answer[step])


def ratio_of(taken: tuple[list[list[float]], list[list[float]]]) -> Interval:
    """Return the ratio of the new to the old, with its interval."""
    old, new = taken
    ratios = [[b / a for a, b in zip(before, after, strict=True)] for before, after in zip(old, new, strict=True)]
    return bootstrap(ratios)


def told(taken: dict[str, Json]) -> str:
    """Return what *taken* says, as tables."""
    rows = []
    for key, entry in taken.items():
        for step, both in entry["steps"].items():
            interval = ratio_of(both)
            verdict = "faster" if interval.high < 1 else "slower" if interval.low > 1 else "no difference shown"
            old, new = (seconds(median(chain.from_iterable(by_sitting))) for by_sitting in both)
            bounds = f"{ratio(interval.low)} to {ratio(interval.high)}"
            rows.append([key, step, old, new, ratio(interval.estimate), bounds, verdict])
    sizes = [
        [key, name, size(old), size(new), ratio(new / old) if old else "-", "", "" if old == new else "differs"]
        for key, entry in taken.items()
        for name, (old, new) in entry["bytes"].items()
    ]
    heads = ["", "what", "old", "new", "new / old", "95 % interval", ""]
    return f"{table(heads, rows, right=0)}\n\n{table(['', 'bytes', *heads[2:]], sizes, right=0)}"


def main(arguments: Sequence[str]) -> int:
    """Compare, and tell."""
    keys = [workload.key for workload in full()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description="Two revisions, alternately in one run."
    )
    parser.add_argument("old", help="a git revision, or . for the working tree")
    parser.add_argument("new", help="likewise")
    parser.add_argument("--full", action="store_true", help="at the sizes of the goals, not a tenth of them")
    parser.add_argument("--workload", type=chosen(keys), metavar="W1,...", default=keys, help="only these")
    parser.add_argument("--sittings", type=int, default=SITTINGS, help="pairs of fresh processes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="in each sitting")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    try:
        taken = compare(
            (options.old, options.new),
            options.workload,
            is_full=options.full,
            sittings=options.sittings,
            rounds=options.rounds,
            seed=options.seed,
        )
    except CannotCompare as error:
        print(error, file=sys.stderr)
        return 1
    print(told(taken))
    if options.json:
        options.json.write_text(json.dumps(taken) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
