"""Paths: JSON pointers (RFC 6901) as plain strings, and nested documents as flat maps of them.

A path names a field: ``/desired/limits/max``. ``~`` and ``/`` inside a key are written ``~0`` and
``~1``. The root itself, the empty pointer, is no field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from crdtshadow.errors import InvalidPath
from crdtshadow.limits import PATH_BYTES_MAX, PATH_DEPTH_MAX


def escape(segment: str) -> str:
    """Return *segment* as it stands in a pointer.

    >>> escape("a/b~c")
    'a~1b~0c'
    """
    if "~" in segment or "/" in segment:
        return segment.replace("~", "~0").replace("/", "~1")
    return segment


def unescape(segment: str) -> str:
    """Return the key that *segment* of a pointer names.

    >>> unescape("a~1b~0c")
    'a/b~c'
    """
    if "~" in segment:
        return segment.replace("~1", "/").replace("~0", "~")
    return segment


def build(*segments: str) -> str:
    """Return the pointer made of *segments*.

    >>> build("desired", "a/b")
    '/desired/a~1b'
    """
    return "".join(["/" + escape(segment) for segment in segments])


def parse(path: str) -> tuple[str, ...]:
    """Return the keys that *path* walks through.

    >>> parse("/desired/a~1b")
    ('desired', 'a/b')
    """
    return tuple([unescape(segment) for segment in path.split("/")[1:]])


def check(path: object) -> str:
    """Return *path* if it is a pointer to a field.

    Raises:
        InvalidPath: Not a string, no leading slash, a bad escape, too long or too deep.

    >>> check("/desired/t")
    '/desired/t'
    """
    if not isinstance(path, str):
        raise InvalidPath(f"{path!r}: a path is a string such as /desired/temperature")
    if not path.startswith("/"):
        raise InvalidPath(f"{path!r}: a path starts with a slash, such as /desired/temperature")
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise InvalidPath(f"{path!r}: a lone surrogate is not Unicode") from None
    if len(encoded) > PATH_BYTES_MAX:
        raise InvalidPath(f"{path[:40]!r}…: longer than {PATH_BYTES_MAX} bytes")
    if path.count("/") > PATH_DEPTH_MAX:
        raise InvalidPath(f"{path[:40]!r}…: deeper than {PATH_DEPTH_MAX} segments")
    if "~" in path and path.count("~") != path.count("~0") + path.count("~1"):
        raise InvalidPath(f"{path!r}: ~ must be followed by 0 or 1")
    return path


def ancestors(path: str) -> Iterator[str]:
    """Yield the paths above *path*, nearest first, without the root.

    >>> list(ancestors("/desired/a/b"))
    ['/desired/a', '/desired']
    """
    cut = path.rfind("/")
    while cut > 0:
        path = path[:cut]
        yield path
        cut = path.rfind("/")


def is_below(path: str, above: str) -> bool:
    """Tell whether *path* lies strictly below *above*.

    >>> is_below("/a/b", "/a"), is_below("/ab", "/a")
    (True, False)
    """
    return path.startswith(above + "/")


def flatten(nested: Mapping[str, object], under: str = "") -> dict[str, object]:
    """Return the leaves of *nested* by pointer; an empty object is a leaf, so is ``None``.

    Raises:
        InvalidPath: A key that is not a string, or a path beyond the limits.

    >>> flatten({"desired": {"a": 1, "b": {}}})
    {'/desired/a': 1, '/desired/b': {}}
    """
    flat: dict[str, object] = {}
    pending: list[tuple[str, Mapping[str, object]]] = [(under, nested)]
    while pending:
        above, members = pending.pop()
        for key, value in members.items():
            if not isinstance(key, str):
                raise InvalidPath(f"{above or '/'}: key {key!r} is not a string")
            path = above + "/" + escape(key)  # an Enum formats as its name, but adds as its text
            if isinstance(value, Mapping) and value:
                if path.count("/") > PATH_DEPTH_MAX:
                    raise InvalidPath(f"{path[:40]!r}…: deeper than {PATH_DEPTH_MAX} segments")
                pending.append((path, value))
            else:
                flat[check(path)] = value
    return flat


def nest(flat: Mapping[str, object]) -> dict[str, object]:
    """Return the nested document of *flat*; a leaf gives way to what lies below it.

    >>> nest({"/a/b": 1, "/a": {}})
    {'a': {'b': 1}}
    """
    root: dict[str, object] = {}
    containers: dict[str, dict[str, object]] = {"": root}
    for path, value in flat.items():
        cut = path.rfind("/")
        above = containers.get(path[:cut])
        if above is None:
            above = _container(containers, path[:cut])
        key = unescape(path[cut + 1 :])
        if path not in containers:
            above[key] = value
    return root


def _container(containers: dict[str, dict[str, object]], path: str) -> dict[str, object]:
    cut = path.rfind("/")
    above = containers.get(path[:cut])
    if above is None:
        above = _container(containers, path[:cut])
    made = containers[path] = {}
    above[unescape(path[cut + 1 :])] = made
    return made


def compile_glob(pattern: str) -> Callable[[str], bool]:
    """Return a test for paths: ``*`` stands for one segment, ``**`` for any number of them.

    Raises:
        InvalidPath: The pattern is not shaped like a pointer.

    >>> compile_glob("/desired/**")("/desired/a/b")
    True
    >>> compile_glob("/*/limits/*")("/desired/limits")
    False
    """
    wanted = parse(check(pattern))
    if "*" not in pattern:
        return pattern.__eq__
    return lambda path: _matches(wanted, parse(path))


def _matches(wanted: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    reachable = {0}
    for segment in segments:
        reachable = {
            step
            for at in _skip_empty(wanted, reachable)
            if at < len(wanted)
            for step in ((at,) if wanted[at] == "**" else (at + 1,) if match_name(wanted[at], segment) else ())
        }
    return len(wanted) in _skip_empty(wanted, reachable)


def _skip_empty(wanted: tuple[str, ...], reachable: set[int]) -> set[int]:
    closed = set(reachable)
    for at in sorted(reachable):
        while at < len(wanted) and wanted[at] == "**":
            at += 1
            closed.add(at)
    return closed


def match_name(pattern: str, name: str) -> bool:
    """Tell whether *name* fits *pattern*, where ``*`` stands for any characters.

    >>> match_name("app-*", "app-7"), match_name("cloud", "clouds")
    (True, False)
    """
    if "*" not in pattern:
        return pattern == name
    first, *rest = pattern.split("*")
    last = rest.pop()
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in rest:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
