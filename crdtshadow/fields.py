"""Mapping access: a section of a shadow, or a map in it, as a mutable mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping

from crdtshadow.paths import escape, parse
from crdtshadow.shadow import Changes, assign_changes
from crdtshadow.sibling import REMOVED


class Fields(MutableMapping[str, object]):
    """A live mapping onto one place of a shadow: reads see the view, writes are updates of their own.

    Maps inside come as such mappings too, so that ``device.desired["limits"]["max"] = 80`` writes
    one field. Assigning a map makes the place equal to it: members that it lacks are removed.
    """

    __slots__ = ("_path", "_read", "_write")

    def __init__(
        self, path: str, *, read: Callable[[], Mapping[str, object]], write: Callable[[Changes], object]
    ) -> None:
        self._path = path
        self._read = read
        self._write = write

    def _here(self) -> Mapping[str, object]:
        here: object = self._read()
        for key in parse(self._path):
            here = here.get(key) if isinstance(here, Mapping) else None
        return here if isinstance(here, Mapping) else {}

    def __getitem__(self, key: str) -> object:
        value = self._here()[key]
        if isinstance(value, Mapping):
            return Fields(f"{self._path}/{escape(key)}", read=self._read, write=self._write)
        return value

    def __setitem__(self, key: str, value: object) -> None:
        plain = to_plain(value)
        held = self._here().get(key) if isinstance(plain, dict) else None
        self._write(assign_changes(held, plain, f"{self._path}/{escape(key)}"))

    def __delitem__(self, key: str) -> None:
        if key not in self._here():
            raise KeyError(key)
        self._write({f"{self._path}/{escape(key)}": REMOVED})

    def __iter__(self) -> Iterator[str]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())

    def __repr__(self) -> str:
        return repr(to_plain(self))


def to_plain(value: object) -> object:
    """Return *value* with every mapping in it, at any depth, as a fresh dict."""
    if isinstance(value, Mapping):
        return {key: to_plain(member) for key, member in value.items()}
    return value
