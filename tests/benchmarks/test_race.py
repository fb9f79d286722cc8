"""The run itself: every workload does what it says, and a wrong result does not pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.compare import CannotCompare, adapter_of, compare, told, unpacked
from benchmarks.goals import GOALS
from benchmarks.hot import find_hot_spots
from benchmarks.peer import Peer, Replica
from benchmarks.peers import OURS, RIVAL, crdtshadow, find_peers
from benchmarks.peers.baselines import DictUpdate, NewestRow
from benchmarks.peers.crdtshadow import CrdtShadow
from benchmarks.probes import probe
from benchmarks.race import race
from benchmarks.shadows import Document, flat, large, small
from benchmarks.workloads import (
    Churn,
    Crowd,
    Fleet,
    Large,
    Long,
    Small,
    Wide,
    Workload,
    WrongResult,
    full,
    quick,
)

TINY: Sequence[Workload] = (
    Small(copies=2),
    Large(copies=1),
    Wide(fields=300),
    Long(updates=50),
    Crowd(),
    Fleet(shadows=10),
    Churn(keys=100, batch=10),
)
BASELINES = (DictUpdate(), NewestRow())


class Stand(NewestRow):
    """Takes the rival's place, which need not be installed."""

    name = RIVAL


class Truthful(NewestRow):
    """Reads 1 where true was written."""

    name = "truthful"

    def read(self, replica: Replica) -> Document:
        read = super().read(replica)
        read["reported"]["power"] = int(read["reported"]["power"])
        return read


class Forgetful(NewestRow):
    """Loses a field when it reads."""

    name = "forgetful"

    def read(self, replica: Replica) -> Document:
        read = super().read(replica)
        read["reported"].popitem()
        return read


def quiet(_done: float, _what: str) -> None:
    pass


@pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.key)
@pytest.mark.parametrize("peer", [CrdtShadow(), *BASELINES], ids=lambda peer: peer.name)
def test_every_step_is_timed_and_every_result_right(workload: Workload, peer: Peer) -> None:
    laps = workload.run(peer, workload.prepare(peer))
    assert tuple(laps.seconds) == workload.steps
    assert bool(laps.wrong) <= bool(peer.diverges)


@pytest.mark.parametrize("workload", TINY, ids=lambda workload: workload.key)
def test_a_wrong_result_does_not_pass(workload: Workload) -> None:
    with pytest.raises(WrongResult, match="forgetful"):
        workload.run(Forgetful(), workload.prepare(Forgetful()))


def test_true_is_not_one() -> None:
    with pytest.raises(WrongResult, match="/reported/power is 1, not True"):
        TINY[0].run(Truthful(), TINY[0].prepare(Truthful()))


def test_a_peer_that_diverges_is_told_so() -> None:
    laps = TINY[0].run(DictUpdate(), TINY[0].prepare(DictUpdate()))
    assert laps.wrong == "the cloud: /desired/target is 19.5, not 22.5"


@pytest.mark.parametrize("divergence", [small(), large(), flat(1_000)])
def test_contested_fields_stand_first_on_both_sides(divergence: tuple[Document, Document, Document]) -> None:
    _, by_device, by_cloud = map(leaves, divergence)
    both = [path for path in by_device if path in by_cloud]
    assert both
    assert by_device[: len(both)] == by_cloud[: len(both)] == both


def leaves(document: Document, above: str = "") -> list[str]:
    paths = []
    for key, value in document.items():
        paths += leaves(value, f"{above}/{key}") if isinstance(value, dict) else [f"{above}/{key}"]
    return paths


def test_what_this_library_does_with_the_probes() -> None:
    assert list(probe(CrdtShadow()).values()) == ["both sides kept", "the later write is kept", "it wins", "exact"]


def test_peers_that_are_not_installed_are_named() -> None:
    peers, missing = find_peers()
    assert OURS in [peer.name for peer in peers]
    assert missing.keys() <= {"pycrdt", "loro", "automerge", "y_py"}


def test_every_goal_is_about_something_that_is_measured() -> None:
    rounds = {workload.key: 1 for workload in TINY}
    results = race(TINY, [CrdtShadow(), Stand()], rounds=rounds, seed=1, say=quiet)
    assert [goal for goal in GOALS if goal.reached(results) is None] == []
    assert [workload.key for workload in quick()] == [workload.key for workload in full()]


def test_results_are_written_with_caveats_first(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    peers: list[Peer] = [CrdtShadow(), Stand(), DictUpdate()]
    rounds = {workload.key: 1 for workload in TINY}
    run = {
        "environment": {"at": "today", "revision": "", "python": "3", "machine": "one", "versions": {}},
        "rounds": rounds,
        "seed": 0,
        "missing": {},
        "best": {peer.name: peer.best for peer in peers},
        "refused": {peer.name: peer.refused for peer in peers},
        "diverges": {peer.name: peer.diverges for peer in peers if peer.diverges},
        "probes": {peer.name: probe(peer) for peer in peers},
        "workloads": race(TINY, peers, rounds=rounds, seed=0, say=quiet),
        "memory": {},
    }
    monkeypatch.setattr(report, "DATA", tmp_path)
    monkeypatch.setattr(report, "RESULTS_FILE", tmp_path / "RESULTS.md")
    monkeypatch.setattr(report, "PEERS_FILE", tmp_path / "peers.json")
    monkeypatch.setattr(report, "GROWTH_FILE", tmp_path / "growth.json")
    report.PEERS_FILE.write_text(report.bench_json(run), encoding="utf-8")
    text = report.write_results().read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:3] == ["## Caveats", "## The run", "## Goals"]
    assert all(f"### {workload.key}" in text for workload in TINY)
    assert {path.name for path in tmp_path.glob("*.svg")} == {"times.svg", "bytes.svg"}


def test_hot_spots_are_ours() -> None:
    spots = find_hot_spots(TINY[0], "sync", rounds=1)
    assert sum(spot.share for spot in spots) <= 1
    assert any("crdtshadow/" in spot.where for spot in spots)


def test_a_tree_compared_with_itself_has_equal_bytes() -> None:
    taken = compare((".", "."), ["W1"], is_full=False, sittings=1, rounds=2)
    assert set(taken["W1"]["steps"]) == {*Small.steps, *Small.sums}
    assert all(old == new for old, new in taken["W1"]["bytes"].values())
    assert "W1" in told(taken)


def test_a_revision_is_used_by_the_adapter_it_came_with(tmp_path: Path) -> None:
    assert adapter_of(tmp_path).name == OURS
    own = tmp_path / "benchmarks" / "peers" / "crdtshadow.py"
    own.parent.mkdir(parents=True)
    source = Path(crdtshadow.__file__).read_text(encoding="utf-8")
    own.write_text(source.replace('name = "crdtshadow"', 'name = "own"'), encoding="utf-8")
    assert adapter_of(tmp_path).name == "own"


def test_a_revision_that_is_not_there_is_told_so() -> None:
    with pytest.raises(CannotCompare, match="no-such-revision"), unpacked("no-such-revision"):
        pass
