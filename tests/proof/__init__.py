"""Proof: laws of the clock, the order, the join, deltas and the floor, by Z3, for all values and all sets.

What it proves: the formulas in these modules, without exception, for every time of 64 bits, every wall clock, every set
of writes. The formulas are taken from the shipped code: `symbolic` runs its functions on unknown numbers and unknown
answers, along every path, and puts together what they return. What is modelled by hand besides, the sets of writes, is
compared with the shipped code on all small cases (`test_shipped_code`).

What it cannot: that the formulas say what people want, that code around these functions uses them rightly, or anything
of codec, paths below each other and views. Vector clocks are proven for two replicas; more of them add nothing, since
each operation treats every replica alone. Of histories it takes two facts for granted, which are tested elsewhere: what
was replaced was, at last, by something live; and who has seen a write has seen what that write had seen.

Some statements must stay refuted: each would make a law above vain, or is a mistake that somebody made. Z3 has to find
the counter-example again.
"""
