"""What helps to test programs that use this library, and data types of one's own.

* :class:`FakeClock`: a wall clock that moves when told.
* :class:`LossyNetwork`: replicas on a network that loses, doubles, reorders and partitions, all from
  one seed.
* :mod:`~crdtshadow.testing.laws`: the laws of joins, deltas and encodings as functions.
* :mod:`~crdtshadow.testing.strategies`: Hypothesis strategies for values, paths, updates and whole
  histories of diverging maps (needs hypothesis: ``pip install "crdtshadow[testing]"``).
"""

from __future__ import annotations

from crdtshadow.testing.clock import FakeClock
from crdtshadow.testing.laws import check_codec, check_delta, check_join
from crdtshadow.testing.network import LossyNetwork

__all__ = ["FakeClock", "LossyNetwork", "check_codec", "check_delta", "check_join"]
