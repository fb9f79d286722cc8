"""Mapping access to a durable replica: each assignment is an update, on disk when it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping

from crdtshadow.paths import escape, parse


class LocalFields(MutableMapping[str, object]):
    """A live mapping onto one place of a shadow; maps inside come as such mappings too."""

    __slots__ = ("_path", "_read", "_remove", "_write")

    def __init__(
        self,
        path: str,
        *,
        read: Callable[[], Mapping[str, object]],
        write: Callable[[str, object], object],
        remove: Callable[[str], object],
    ) -> None:
        self._path = path
        self._read = read
        self._write = write
        self._remove = remove

    def _here(self) -> Mapping[str, object]:
        here: object = self._read()
        for key in parse(self._path):
            here = here.get(key) if isinstance(here, Mapping) else None
        return here if isinstance(here, Mapping) else {}

    def __getitem__(self, key: str) -> object:
        value = self._here()[key]
        if isinstance(value, Mapping):
            return LocalFields(f"{self._path}/{escape(key)}", read=self._read, write=self._write, remove=self._remove)
        return value

    def __setitem__(self, key: str, value: object) -> None:
        self._write(f"{self._path}/{escape(key)}", value)

    def __delitem__(self, key: str) -> None:
        if key not in self._here():
            raise KeyError(key)
        self._remove(f"{self._path}/{escape(key)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())

    def __repr__(self) -> str:
        return repr(self._here())
