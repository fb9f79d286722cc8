"""What a shadow means, said over sets of writes: the independent oracle of the tests.

Nothing here imports the library, keeps a merged state, or knows how the library keeps one. A shadow is the set of the
writes that a replica has seen, each with the writes its author had seen before; every view is computed from that set
anew, quadratically, by the words of its definition.

Reading order: `denotation` (what writes mean), `hlc` (their timestamps), `scenarios` (logs of replicas into writes),
`generate` (random scenarios).
"""
