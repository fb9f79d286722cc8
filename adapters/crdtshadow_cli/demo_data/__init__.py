"""The input of ``crdtshadow demo``: four days of a small fleet, as a file that ``crdtshadow ingest`` takes too.

``fleet.jsonl`` is what :mod:`~crdtshadow_cli.demo_data.fleet` makes: its replicas write the deltas, and
AWS's document rules the events. After a change there, or of the wire format, write it anew::

    python -m crdtshadow_cli.demo_data
"""

from __future__ import annotations

from importlib.resources import files

from crdtshadow_cli.demo_data.fleet import GATEWAY, LAMP, PUMP, THERMOSTAT, Fleet, at, live

__all__ = ["FILE", "GATEWAY", "LAMP", "PUMP", "THERMOSTAT", "Fleet", "at", "live", "read_fleet"]

FILE = "fleet.jsonl"


def read_fleet() -> list[bytes]:
    """Return the lines of the file that is shipped."""
    return (files(__name__) / FILE).read_bytes().splitlines()
