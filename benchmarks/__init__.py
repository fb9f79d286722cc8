"""Benchmarks: how fast the merge is, how it grows, and how that compares with every peer.

    python -m benchmarks.peers              the workloads W1 to W7, side by side with the peers; writes RESULTS.md
    python -m benchmarks.growth             cost against fields held, fields changed, replicas, history
    python -m benchmarks.compare OLD NEW    two revisions, alternately in one run
    python -m benchmarks.hot W1             where our own time goes
    python -m pytest benchmarks/suites      the steps of the walk, one by one

A reading order: :mod:`~benchmarks.shadows` (the documents and changes),
:mod:`~benchmarks.peer` (what a peer must be able to do), :mod:`~benchmarks.workloads` (W1 to W7),
``peers/`` (one module a peer), :mod:`~benchmarks.race` (the interleaved run), :mod:`~benchmarks.ratios`
(the statistics), :mod:`~benchmarks.goals`, and :mod:`~benchmarks.report` (what becomes of it all).

Absolute times say more about a machine, and its moment, than about a program: only ratios taken in
one run mean anything, and nothing but bytes and counts is ever held against a limit
(``tests/benchmarks``).
"""
