"""The peers, side by side.

    python -m benchmarks.peers [--quick] [--only PEER,...] [--workload W1,...] [--goals] [--json FILE]

A full run writes ``RESULTS.md``; one that is quick, or of some workloads or peers only, is told on the terminal.
For a look of seconds while working on the library:

    python -m benchmarks.peers --quick --only crdtshadow,pycrdt --workload W1,W2 --goals
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.fresh import measure_imports, measure_memory
from benchmarks.hot import SLOW, calls_table, find_hot_spots, spots_table
from benchmarks.peer import Peer
from benchmarks.peers import MODULES, OURS, RIVAL, find_peers
from benchmarks.probes import probe
from benchmarks.race import QUICK_ROUNDS, ROUNDS, Json, chosen, environment, progress, race
from benchmarks.report import DATA, PEERS_FILE, bench_json, goals_report, missed, peers_report, write_results
from benchmarks.workloads import Workload, full, quick


def main(arguments: Sequence[str]) -> None:
    """Run, and tell."""
    keys = [workload.key for workload in full()]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="The peers, side by side.")
    parser.add_argument("--quick", action="store_true", help="at a tenth of the sizes, in less than a minute")
    parser.add_argument("--workload", type=chosen(keys), default=keys, metavar="W1,...", help="only these")
    parser.add_argument("--only", type=chosen(MODULES), default=MODULES, metavar="PEER,...", help="only these peers")
    parser.add_argument("--goals", action="store_true", help="tell the goals, and what our steps take, and no more")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled order")
    options = parser.parse_args(arguments)

    peers, missing = find_peers(options.only)
    for name, why in missing.items():
        print(f"{name} takes no part: {why}", file=sys.stderr)
    if RIVAL not in {peer.name for peer in peers}:
        print(f"without {RIVAL} there are no ratios, and no goals; make bench installs it", file=sys.stderr)
    is_whole = not (options.quick or missing) and options.workload == keys and options.only == MODULES
    workloads = [each for each in (quick() if options.quick else full()) if each.key in options.workload]
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    told: Json = {
        "environment": environment(peers),
        "rounds": {workload.key: rounds[workload.key] for workload in workloads},
        "seed": options.seed,
        "missing": missing,
        "best": {peer.name: peer.best for peer in peers},
        "refused": {peer.name: peer.refused for peer in peers},
        "diverges": {peer.name: peer.diverges for peer in peers if peer.diverges},
        "probes": {} if options.goals else {peer.name: probe(peer) for peer in peers},
        "workloads": race(workloads, peers, rounds=rounds, seed=options.seed, say=progress),
    }
    if is_whole and not options.goals:
        told.update(_measure_costs(told, workloads, peers))
    print(goals_report(told) if options.goals else peers_report(told))
    if options.json:
        options.json.write_text(bench_json(told), encoding="utf-8")
    if is_whole and not options.goals:
        DATA.mkdir(exist_ok=True)
        PEERS_FILE.write_text(bench_json(told), encoding="utf-8")
        print(f"written: {write_results()}")
    else:
        print("not a full run, so RESULTS.md stays as it is")


def _measure_costs(told: Json, workloads: Sequence[Workload], peers: Sequence[Peer]) -> Json:
    progress(0, "memory, in fresh processes")
    memory = {
        workload.key: {peer.name: measure_memory(workload, peer, is_quick=False) for peer in peers}
        for workload in workloads
    }
    progress(0, "imports, in fresh processes")
    imports = measure_imports()
    by_key = {workload.key: workload for workload in workloads}
    hot = []
    for key, step in missed(told):
        progress(0, f"profile of {key}, {step}")
        spots = find_hot_spots(by_key[key], step, rounds=1 if key in SLOW else 3)
        hot.append({"workload": key, "step": step, "table": spots_table(spots)})
    progress(1, "")
    sides = [peer for peer in peers if peer.name in (OURS, RIVAL)]
    calls = {key: calls_table(by_key[key], sides) for key in dict.fromkeys(spot["workload"] for spot in hot)}
    return {"memory": memory, "imports": imports, "hot": hot, "calls": calls}


if __name__ == "__main__":
    main(sys.argv[1:])
