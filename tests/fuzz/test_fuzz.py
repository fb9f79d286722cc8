"""A short run of every target, the crashers of all earlier runs, and proof that the fuzzer finds what is there."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from crdtshadow import REMOVED, DecodeError, Delta, Ledger, Shadow, Sibling, Stamp, VectorClock
from crdtshadow.clock import EMPTY_CLOCK, pack_time
from crdtshadow.limits import DELTA_BYTES_MAX, PATH_BYTES_MAX
from tests.figures import report
from tests.fuzz import corpus, engine
from tests.fuzz.mutate import BYTES_MAX, Mutator
from tests.fuzz.targets import TARGETS

SHORT_EXECUTIONS = 1_500
MEMORY_BYTES_MAX = 300 * 1024 * 1024
"""What the worst delta of 128 KiB that we could think of may take: paths that share nearly all of their bytes."""

CRASHERS = sorted(engine.CRASHERS.glob("*-*"))


@pytest.mark.parametrize("crasher", CRASHERS, ids=lambda path: path.name)
def test_no_crasher_crashes_again(crasher: Path) -> None:
    TARGETS[crasher.name.partition("-")[0]].run(crasher.read_bytes())
    report("crashers replayed", 1)


@pytest.mark.parametrize("name", TARGETS)
def test_real_input_does_no_harm(name: str) -> None:
    target = TARGETS[name]
    assert len(set(target.seeds())) == len(target.seeds()) >= 4
    for data in target.seeds():
        target.run(data)


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_does_no_harm(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = engine.run(name, executions=SHORT_EXECUTIONS, seed=1, crashers=tmp_path)
    told = [line for line in capsys.readouterr().out.splitlines() if "crash" in line]
    assert not told, told
    assert not list(tmp_path.iterdir())
    report("fuzz executions", recorder.done)


@pytest.mark.parametrize("name", TARGETS)
def test_no_prefix_and_no_surplus_does_harm(name: str) -> None:
    target = TARGETS[name]
    data = max(target.seeds(), key=len)[:400]
    for at in range(len(data)):
        target.run(data[:at])
    target.run(data + b"\0")
    target.run(data + data)


def test_the_same_seed_makes_the_same_inputs() -> None:
    def some(seed: int) -> list[bytes]:
        mutator = Mutator(corpus.deltas(), kind="delta", seed=seed)
        return [mutator.fresh() for _ in range(50)]

    assert some(3) == some(3) != some(4)
    assert all(len(data) <= BYTES_MAX for data in some(3))


def trusting(decode: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Return a target that thinks that *decode* never fails but by its own error."""

    def run(data: bytes) -> None:
        try:
            decode(data)
        except DecodeError:
            return

    return run


def no_duplicates(data: bytes) -> None:
    delta = Delta.decode(data)
    assert len({stamp.time for stamp in delta.stamps()}) == len(delta), "two writes at one time"


def short_clocks(data: bytes) -> None:
    assert len(Ledger.decode(data).versions) < 2, "two versions"


@pytest.mark.parametrize(
    ("name", "decode"),
    [("delta", no_duplicates), ("ledger", short_clocks), ("policy", lambda data: data.decode("ascii"))],
)
def test_a_wrong_decoder_is_found(
    name: str, decode: Callable[[bytes], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TARGETS, name, TARGETS[name]._replace(run=trusting(decode)))
    recorder = engine.run(name, executions=500, seed=1, crashers=tmp_path)
    kept = list(tmp_path.iterdir())
    assert recorder.crashes == len(kept) >= 1
    assert kept[0].name.startswith(f"{name}-")


def test_the_command_runs_all_targets() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--executions", "200", "--engine", "own", "--target", "policy"]
    outcome = subprocess.run(command, cwd=engine.CRASHERS.parents[2], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert "200 executions" in outcome.stderr and "0 crashers" in outcome.stderr


def alike(at: int) -> str:
    """Return paths that differ only at the end."""
    return "/desired/" + "x" * (PATH_BYTES_MAX - 20) + f"{at:06x}"


def ever_deeper(at: int) -> str:
    """Return paths each of which brings thirty new ones above it."""
    return "/desired/" + "x" * (PATH_BYTES_MAX - 80) + f"/{at:06x}" + "/a" * 30


def blind(at: int) -> str:
    return f"/desired/{Random(at).randbytes(6).hex()}"


@pytest.mark.parametrize("path", [alike, ever_deeper, blind])
def test_a_small_delta_takes_bounded_memory(path: Callable[[int], str]) -> None:
    stamp = Stamp(pack_time(1), "device#00000000")
    upto = VectorClock({stamp.replica: stamp.time})

    def delta(rows: int) -> bytes:
        removals = {path(at): (Sibling(stamp, REMOVED),) for at in range(rows)}
        return Delta(EMPTY_CLOCK, upto, rows=removals).encode()

    per_row = (len(delta(400)) - len(delta(200))) / 200
    data = delta(int((DELTA_BYTES_MAX - 2_000) / per_row / 4))
    assert DELTA_BYTES_MAX / 5 < len(data) <= DELTA_BYTES_MAX / 3
    tracemalloc.start()
    try:
        Shadow().merge(Delta.decode(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak * 4 < MEMORY_BYTES_MAX
