"""Model check: everything that three replicas can do to each other with a few writes, without exception.

What it proves: in every world of three replicas and so many writes at two keys, one below the other, in every order of
writing and of arrival, with every message lost, doubled, late or overtaken, through whole states, deltas for a peer and
the deltas that writes return, and with replicas that lose everything and begin again, what ships (`Replica` and the
wire format) does what a set-theoretic definition says (`tests.oracle.denotation`):

* each replica holds exactly the writes it has seen and that none of those replaces, shows what they mean, and knows
  what it has seen;
* whoever has seen the same and forgotten the same holds the same bytes;
* a message brings what it says, once; what continues from something unseen is refused, and changes nothing;
* a new stamp is later than all that was seen; time goes on through a restart from what was saved;
* a removal is forgotten only when everybody it was waited for has seen it, and who missed it is refused, nobody else.

What it cannot: more writes than were asked for, more replicas, more keys; several fields in one update; sets that were
written as of an older clock. The simulation does those, at random.

How it stays small: a world is three local states and the messages that were ever sent. A local state is a replica with
all that bears on what it does next; equal ones are held once, and what a message does to one is done once, by the
shipped code, and judged once. So millions of worlds share some hundred thousand merges.

* `model`: local states and what can happen to one, each step judged by the oracle.
* `explore`: all worlds that can be reached, breadth first, and the shortest way to one that breaks.
* `python -m tests.modelcheck --writes 4` explores with progress (`make deep` does).
"""
