"""A seeded simulation of replicas in a bad world; after every event the one that acted is judged by an oracle.

What it proves: on a great many random histories, what ships (`Replica`, `Session`, the codec, and `LocalReplica` on a
SQLite file) keeps its promises through partitions, losses, duplicates, reordering, skewed and stepping clocks, crashes
and restarts from persisted bytes, restored backups, copied states, forgotten removals, late returners and retired
replicas. After each event, at the replica that acted:

* its clock names exactly the updates that the oracle says it has seen, so nothing acknowledged is lost;
* its rows are exactly the writes that none of those replaced, type exact, without the removals below its floor;
* its conflicts and its view are what those writes mean, and whoever wrote reads what was written;
* a new stamp is later than all observed, and the hybrid clock is the textbook's to the tick;
* whoever has seen the same and forgotten the same has the same bytes, and the bytes come back as they were;
* a refusal has its reason, and what was forgotten had been seen by everybody it was waited for;
* at the end of each episode, once the network is mended, all hold the same bytes and everything.

One seed makes one episode. `python -m tests.simulation --events N` runs as many as have N events; a failure names its
seed, and `python -m tests.simulation SEED --tell` replays it.

What it cannot: say that it met every history (`tests.modelcheck` exhausts small ones); tear single pages of a file (a
crash loses what SQLite had not committed, and nothing else); judge the newest view of states where `{}` was written
over a value, or of writes made by somebody who had missed removals that were forgotten (their rows and conflicts are
judged all the same); promise anything but detection where one identity is used twice.

:mod:`~tests.simulation.meaning` is the oracle, :mod:`~tests.simulation.hosts` what keeps a replica through crashes,
:mod:`~tests.simulation.disk` the same on SQLite, :mod:`~tests.simulation.judge` the comparison,
:mod:`~tests.simulation.world` the events, :mod:`~tests.simulation.episodes` seeds and reports.
"""
