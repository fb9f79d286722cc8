"""How values, writes and conflicts are said to people; and, from the walk, in JSON."""

from __future__ import annotations

import json
from typing import Final

from crdtshadow_walk import Data as Data
from crdtshadow_walk import clock_data as clock_data
from crdtshadow_walk import decision_data as decision_data
from crdtshadow_walk import field_data as field_data
from crdtshadow_walk import find_write as find_write
from crdtshadow_walk import iso_time as iso_time
from crdtshadow_walk import key_data as key_data
from crdtshadow_walk import say_list as say_list
from crdtshadow_walk import say_stamp as say_stamp
from crdtshadow_walk import say_time as say_time
from crdtshadow_walk import stamp_data as stamp_data
from crdtshadow_walk import verdict_data as verdict_data
from crdtshadow_walk import write_data as write_data

from crdtshadow import REMOVED, Decision, Stamp, View, Write
from crdtshadow.clock import replica_name
from crdtshadow_cli.output import Cell, Styled

VALUE_CHARS_MAX: Final = 200
"""A value in a table; JSON has the whole."""


def say_value(value: object) -> str:
    """Return a value or a removal as one line, long ones cut off.

    >>> say_value({"a": [1, 2.0, "é"]}), say_value(REMOVED)
    ('{"a": [1, 2.0, "é"]}', 'removed')
    """
    if value is REMOVED:
        return "removed"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"


def value_cell(value: object) -> Cell:
    """Return the cell of a value or a removal."""
    return Styled("removed", "italic") if value is REMOVED else say_value(value)


def say_writer(stamp: Stamp) -> str:
    """Return who wrote, by name.

    >>> say_writer(Stamp(0, "device#0badcafe"))
    'device'
    """
    return replica_name(stamp.replica)


def count(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "line"), count(1_200, "line")
    ('1 line', '1,200 lines')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def say_outcome(decision: Decision) -> str:
    """Return what a reader sees of a decided conflict."""
    if not decision.accepted:
        return "nothing"
    if len(decision.conflict.paths) == 1:
        return say_value(decision.accepted[0].value)
    return ", ".join(f"{write.path}: {say_value(write.value)}" for write in sorted(decision.accepted, key=_by_path))


FIELD_COLUMNS: Final = ("path", "value", "written by", "at", "")


def field_rows(view: View) -> list[list[Cell]]:
    """Return a table's rows of all fields that show: those of ``FIELD_COLUMNS``."""
    contested = {path: decision for decision in view.decisions for path in decision.conflict.paths}
    return [
        [path, say_value(view.fields[path]), say_writer(stamp), say_time(stamp.ms), _remark(contested.get(path))]
        for path, stamp in sorted(view.stamps.items())
    ]


CONFLICT_COLUMNS: Final = ("path", "competing", "shows", "because")


def conflict_row(decision: Decision) -> list[Cell]:
    """Return a table's row of a conflict and what was made of it: those of ``CONFLICT_COLUMNS``."""
    single = len(decision.conflict.paths) == 1
    competing = [
        f"{say_writer(write.stamp)}: {'' if single else write.path + ' '}{say_value(write.value)}"
        for write in decision.conflict.writes
    ]
    shows = say_outcome(decision)
    return [
        decision.conflict.path,
        "; ".join(competing),
        Styled(f"{shows} (held)", "yellow") if decision.held else shows,
        f"{decision.strategy}: {decision.reason}",
    ]


def _remark(decision: Decision | None) -> Cell:
    if decision is None:
        return ""
    if decision.held:
        return Styled("held for review", "yellow")
    return Styled(f"in conflict, {decision.strategy}", "dim")


def _by_path(write: Write) -> tuple[str, Stamp]:
    return write.path, write.stamp
