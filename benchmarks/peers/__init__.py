"""The peers, one module each, and which of them are installed here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from benchmarks.peer import Peer

OURS: Final = "crdtshadow"
RIVAL: Final = "pycrdt"
"""Whom the goals are set against: times are told as ratios to its own."""

MODULES: Final = ["crdtshadow", "pycrdt", "loro", "automerge", "y_py", "baselines"]
"""Of this package; each has one peer or two."""


def find_peers(modules: Sequence[str] = MODULES) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers in *modules* that are installed, in a fixed order, and what keeps the others out."""
    peers: list[Peer] = []
    missing: dict[str, str] = {}
    for name in modules:
        try:
            module = import_module(f"benchmarks.peers.{name}")
        except ImportError as error:
            missing[name] = str(error)
        else:
            peers.extend(peer() for peer in module.PEERS)
    return peers, missing


def get_peer(name: str) -> Peer:
    """Return the peer called *name*.

    Raises:
        KeyError: It is not installed, or does not exist.
    """
    peers, missing = find_peers()
    for peer in peers:
        if peer.name == name:
            return peer
    raise KeyError(f"no peer {name!r} here; there are {[peer.name for peer in peers]}, not {missing}")
