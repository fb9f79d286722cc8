"""Shadows: maps of what is desired and what is reported, and AWS's update rules as changes to them.

The rules of patches are those of :mod:`crdtshadow.document`, said as writes: what a patch leaves
alone is not written, so that somebody else's concurrent write to it is no conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from crdtshadow.errors import InvalidPath, InvalidValue
from crdtshadow.lwwmap import LWWMap
from crdtshadow.paths import check as check_path
from crdtshadow.paths import escape
from crdtshadow.sibling import REMOVED, Removed, Rows, is_value
from crdtshadow.values import Value, same
from crdtshadow.values import check as check_value

SECTIONS: Final = ("desired", "reported")
_SECTION_PATHS: Final = ("/desired", "/reported")

Changes: TypeAlias = "dict[str, Value | Removed]"
"""What one update writes, by path."""


class Shadow(LWWMap):
    """The state of a device: a map whose paths begin with ``/desired`` or ``/reported``.

    A section as a whole can only be removed; its fields hold the values.
    """

    __slots__ = ()

    def _check_rows(self, rows: Rows) -> None:
        for path, siblings in rows.items():
            if path in _SECTION_PATHS:
                if any(is_value(one.value) for one in siblings):
                    raise InvalidPath(f"{path}: a section holds fields, not a value of its own")
            elif not path.startswith(("/desired/", "/reported/")):
                raise InvalidPath(f"{path!r}: a shadow has the sections /desired and /reported")


def patch_changes(document: Mapping[str, object], patch: object) -> Changes:
    """Return what AWS's update rules make of *patch*, applied to what its writer sees.

    Args:
        document: What the writer sees: ``{"desired": {...}, "reported": {...}}``.
        patch: The same shape, ``None`` where something shall go; ``None`` itself clears both.

    Returns:
        Values and removals by path; fields that the patch does not touch are not among them.

    Raises:
        InvalidValue, InvalidPath: Not of that shape, or nested too deeply.

    Source: AWS IoT Core Developer Guide, "Device Shadow service documents".

    >>> patch_changes({"desired": {"led": 1}}, {"desired": {"led": None, "t": 21}})
    {'/desired/led': REMOVED, '/desired/t': 21}
    """
    sections = dict.fromkeys(SECTIONS) if patch is None else patch
    if not isinstance(sections, Mapping):
        raise InvalidValue(f"an update is an object with desired and reported, not {type(patch).__name__}")
    changes: Changes = {}
    for name, part in sections.items():
        if name not in SECTIONS:
            raise InvalidValue(f"{name!r}: an update has the sections desired and reported")
        held = document.get(name)
        if part is None:
            if held is not None:
                changes["/" + name] = REMOVED
        elif isinstance(part, Mapping):
            _patch(held if isinstance(held, Mapping) else {}, part, "/" + name, changes)
        else:
            raise InvalidValue(f"/{name}: a section is an object, not {type(part).__name__}")
    return changes


def _patch(held: Mapping[str, object], patch: Mapping[str, object], above: str, changes: Changes) -> bool:
    """Add to *changes* what *patch* does to the map *held*; tell whether the map keeps a member."""
    members = set(held)
    for key, value in patch.items():
        if not isinstance(key, str):
            raise InvalidValue(f"{above}: key {key!r} is not a string")
        path = above + "/" + escape(key)  # an Enum formats as its name, but adds as its text
        old = held.get(key)
        if value is None:
            if key in held:
                changes[path] = REMOVED
                members.discard(key)
        elif not isinstance(value, Mapping):
            changes[path] = value  # type: ignore[assignment]  # checked where it is written
            members.add(key)
        elif isinstance(old, Mapping):
            if not _patch(old, value, check_path(path), changes) and old:
                changes[path] = {}
        elif not value:
            changes[path] = {}
            members.add(key)
        elif _patch({}, value, check_path(path), changes):
            members.add(key)
    return bool(members)


def assign_changes(held: object, value: object, path: str) -> Changes:
    """Return what makes the subtree at *path* equal to *value*.

    Args:
        held: What the writer sees at *path*, ``None`` if nothing.
        value: A value, or an object, whose members then replace those of *held*.
        path: Where.

    >>> assign_changes({"low": 1, "high": 9}, {"high": 9}, "/desired/limits")
    {'/desired/limits/low': REMOVED}
    """
    if value is None:
        return {path: REMOVED}
    if not isinstance(value, Mapping):
        return {path: value}  # type: ignore[dict-item]  # checked where it is written
    changes: Changes = {}
    if not isinstance(held, Mapping):
        if value and _patch({}, value, path, changes):
            return changes
        return {path: {}}
    if not _patch(held, _difference(held, value), path, changes) and held:
        changes[path] = {}
    return changes


def _difference(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    patch: dict[str, object] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if value or before:
                patch[key] = _difference(before, value)
        elif isinstance(before, Mapping) or isinstance(value, Mapping) or not _is_same(before, value):
            patch[key] = value
    return patch


def _is_same(old: object, new: object) -> bool:
    try:
        return same(old, check_value(new, ""))  # type: ignore[arg-type]  # what is held is a value, or nothing
    except InvalidValue:
        return False  # and refused where it is written
