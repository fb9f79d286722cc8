"""Wire format 1 a second time, written from its description alone, for reading and for writing.

It shares no code with the library, checks hardly anything, and says content as plain JSON, so that it can be kept in
files and read by people::

    {
      "base": {"device#00000000": [ms, tick]}, "upto": {...}, "floor": {...},
      "rows": [{"path": "/desired/t", "stamp": [ms, tick, "device#00000000"], "value": 21}, ...]
    }

A row has a "value", or "removed": true, or "shade": the stamp that it remembers, null if it hides nothing.

The golden vectors are `tests/vectors/wire_v1.json`. To add one, append a case with a "name" and its "content" to the
file and run `python -m tests.core.wire`, which writes the missing "hex" by this second implementation. It never changes
what is there: bytes that others have stored must be readable for ever. A new format gets a file of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack

VECTORS = Path(__file__).parent.parent / "vectors" / "wire_v1.json"

Content = dict[str, Any]
"""Plain JSON, as above."""
_Stamp = tuple[int, int, str]

_OPENINGS = (b"/desired/", b"/reported/")


# Writing


def encode(content: Content) -> bytes:
    rows = sorted(content["rows"], key=lambda row: (row["path"].encode(), _by_age(row["stamp"])))
    used = {tuple(row["stamp"]) for row in rows} | {tuple(row["shade"]) for row in rows if row.get("shade")}
    for clock in ("base", "upto", "floor"):
        used |= {(ms, tick, replica) for replica, (ms, tick) in content[clock].items()}
    table: list[_Stamp] = sorted(used, key=_by_age)
    index = {stamp: at for at, stamp in enumerate(table)}
    replicas = sorted({replica for _, _, replica in table})
    shades = [at for at, row in enumerate(rows) if "shade" in row]
    alike = len({tuple(row["stamp"]) for row in rows}) == 1
    columns = [
        bytes([bool(content["base"]) + 2 * bool(content["floor"]) + 4 * bool(shades) + 8 * alike]),
        put_replicas(replicas),
        put_stamps(table, replicas),
        *[_put_bounds(content[clock], content["upto"], replicas, index) for clock in ("base", "floor")],
        uint(len(shades)) if shades else b"",
    ]
    for at in shades:
        shade = rows[at]["shade"]
        columns.append(uint(at) + uint(1 + index[tuple(shade)] if shade else 0))
    marks = [index[tuple(row["stamp"])] for row in rows]
    width = 1 if len(table) <= 256 else 2 if len(table) <= 65_536 else 4
    columns.append(uint(marks[0]) if alike else b"".join(mark.to_bytes(width, "big") for mark in marks))
    columns.append(put_paths([row["path"].encode() for row in rows]))
    return message(b"".join(columns), [_sorted(row.get("value")) for row in rows])


def message(columns: bytes, values: list[Any], *, version: Any = 1) -> bytes:
    packed: bytes = msgpack.packb([version, columns, values])
    return packed


def uint(number: int) -> bytes:
    """Return unsigned LEB128."""
    *high, last = _digits(number)
    return bytes([digit + 128 for digit in high] + [last])


def _digits(number: int) -> list[int]:
    return [number % 128, *(_digits(number // 128) if number >= 128 else [])]


def put_replicas(replicas: list[str]) -> bytes:
    parts = [replica.split("#") for replica in replicas]
    return uint(len(parts)) + b"".join(
        uint(len(name)) + name.encode("ascii") + bytes.fromhex(epoch) for name, epoch in parts
    )


def put_stamps(table: list[_Stamp], replicas: list[str]) -> bytes:
    before = [0, *(ms for ms, _, _ in table)]
    return uint(len(table)) + b"".join(
        uint(ms - before[at]) + uint(tick * len(replicas) + replicas.index(replica))
        for at, (ms, tick, replica) in enumerate(table)
    )


def _put_bounds(clock: Content, upto: Content, replicas: list[str], index: dict[_Stamp, int]) -> bytes:
    bounds = []
    for replica in replicas if clock else []:
        if replica not in clock:
            bounds.append(0)
        elif list(clock[replica]) == list(upto[replica]):
            bounds.append(1)
        else:
            ms, tick = clock[replica]
            bounds.append(2 + index[ms, tick, replica])
    return b"".join(map(uint, bounds))


def put_paths(paths: list[bytes]) -> bytes:
    coded = []
    for before, path in zip([b"", *paths], paths, strict=False):
        common = max(length for length in range(len(path) + 1) if before[:length] == path[:length])
        starts = [(common, 2 + common)]
        starts += [(len(opening), at) for at, opening in enumerate(_OPENINGS) if path.startswith(opening)]
        length, start = max(starts, key=lambda found: (found[0], found[1] >= 2))
        coded.append(uint(start) + uint(len(path) - length) + path[length:])
    return b"".join(coded)


def _by_age(stamp: Any) -> tuple[int, int, bytes]:
    ms, tick, replica = stamp
    return ms, tick, replica.encode()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


# Reading


def decode(data: bytes) -> Content:
    version, columns, values = msgpack.unpackb(data)
    assert version == 1
    left = list(columns)

    def take(length: int) -> bytes:
        taken, left[:length] = bytes(left[:length]), []
        return taken

    def number() -> int:
        byte: int = left.pop(0)
        return byte if byte < 128 else byte - 128 + 128 * number()

    def bounds() -> Content:
        clock = {}
        for replica in replicas:
            if bound := number():
                clock[replica] = upto[replica] if bound == 1 else list(table[bound - 2][:2])
        return clock

    flags = left.pop(0)
    replicas = [f"{take(number()).decode('ascii')}#{take(4).hex()}" for _ in range(number())]
    table: list[_Stamp] = []
    for _ in range(number()):
        ms = number() + (table[-1][0] if table else 0)
        tick, writer = divmod(number(), len(replicas))
        table.append((ms, tick, replicas[writer]))
    upto: Content = {replica: [ms, tick] for ms, tick, replica in table}
    base = bounds() if flags & 1 else {}
    floor = bounds() if flags & 2 else {}
    shades: dict[int, Any] = {}
    for _ in range(number() if flags & 4 else 0):
        place = number()
        remembered = number()
        shades[place] = list(table[remembered - 1]) if remembered else None
    width = 1 if len(table) <= 256 else 2 if len(table) <= 65_536 else 4
    alike = [number()] if flags & 8 else []
    marks = alike * len(values) or [int.from_bytes(take(width), "big") for _ in values]
    rows = []
    path = b""
    for at, value in enumerate(values):
        start = number()
        path = (_OPENINGS[start] if start < 2 else path[: start - 2]) + take(number())
        row: Content = {"path": path.decode(), "stamp": list(table[marks[at]])}
        if at in shades:
            row["shade"] = shades[at]
        elif value is None:
            row["removed"] = True
        else:
            row["value"] = value
        rows.append(row)
    assert not left
    return {"base": base, "upto": upto, "floor": floor, "rows": rows}


# The vectors


def load_vectors() -> list[Content]:
    cases: list[Content] = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    return cases


def complete_vectors() -> None:
    document = json.loads(VECTORS.read_text(encoding="utf-8"))
    for case in document["cases"]:
        case.setdefault("hex", encode(case["content"]).hex())
    VECTORS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    complete_vectors()
