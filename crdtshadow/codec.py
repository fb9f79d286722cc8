"""Wire format v1: canonical bytes of deltas and states.

A state is the delta from the empty clock. Equal content has equal bytes, whatever the order in
which it came together; bytes that are not the canonical encoding of their content are refused.

One msgpack array of five, each in msgpack's shortest form:

    =  ======  =====================================================================
    #  type    content
    =  ======  =====================================================================
    0  int     version, 1
    1  bin     head: replicas, stamps, base, floor, shades
    2  bin     paths, one entry a row
    3  bin     marks, one fixed-width integer a row
    4  array   values, one a row; nil stands for a removal and for a shade
    =  ======  =====================================================================

``uint`` is an unsigned LEB128 integer in its shortest form. The head holds, in this order:

    =========  =========================================================  ==================
    part       bytes                                                      invariant
    =========  =========================================================  ==================
    replicas   uint count; each uint length, name in ASCII, 4 epoch       sorted by id
               bytes, most significant first
    stamps     uint count; each uint milliseconds since the stamp         sorted by time, then
               before (the first: since 1970), uint tick, uint replica    replica; each used
    base       uint 0: the empty clock. uint 1: a bound a replica         at most ``upto``
    floor      uint 0: the empty clock. uint 1: a bound a replica         at most ``base`` if
                                                                          that is not empty
    shades     uint count; each uint row, uint 0 (hides nothing) or       sorted by row
               1 + stamp
    =========  =========================================================  ==================

``upto``, the vector clock, takes no bytes of its own: a replica's entry is its last stamp in the
table. A bound is a uint: 0, not in that clock; 1, the same as in ``upto``; 2 + stamp otherwise.

Rows are sorted by path (its UTF-8 bytes), then stamp; a path with several siblings has several
rows. A path is front-coded: uint bytes shared with the path before, uint bytes that follow, those
bytes. A mark is the row's stamp, in 1 byte if the table has at most 256 stamps, in 2 (most
significant first) if at most 65,536, else in 4.

Everything is bounded (:mod:`crdtshadow.limits`) before it is built. :func:`unpack` raises
:class:`DecodeError` and nothing else.
"""

from __future__ import annotations

from typing import Final, NamedTuple, NoReturn, TypeAlias

import msgpack

from crdtshadow.clock import EMPTY_CLOCK, TICK_BITS, Stamp, VectorClock, pack_time, replica_id, split_replica
from crdtshadow.errors import CrdtShadowError, DecodeError
from crdtshadow.limits import (
    CLOCK_MS_MAX,
    FIELDS_MAX,
    NAME_CHARS_MAX,
    PATH_BYTES_MAX,
    REPLICAS_MAX,
    SIBLINGS_MAX,
)
from crdtshadow.paths import check as check_path
from crdtshadow.sibling import REMOVED, Outcome, Rows, Shade, Sibling, Siblings, is_value
from crdtshadow.values import check as check_value
from crdtshadow.values import ordered

WIRE_VERSION: Final = 1

_STAMPS_MAX: Final = FIELDS_MAX + REPLICAS_MAX
_ABSENT: Final = 0
_SAME: Final = 1
_INDEXED: Final = 2

Row: TypeAlias = "tuple[str, Sibling]"


class Content(NamedTuple):
    """What a delta says.

    Attributes:
        base: What the receiver must have seen; empty for a whole state.
        upto: What the sender had seen.
        floor: The clock below which the sender forgot removals.
        rows: Siblings by path.
    """

    base: VectorClock
    upto: VectorClock
    floor: VectorClock
    rows: Rows


def pack(content: Content) -> bytes:
    """Return the canonical bytes of *content*.

    >>> unpack(pack(Content(EMPTY_CLOCK, EMPTY_CLOCK, EMPTY_CLOCK, {})), bytes_max=99).rows
    {}
    """
    rows: list[Row] = [(path, one) for path in sorted(content.rows) for one in content.rows[path]]
    used = {one.stamp for _, one in rows}
    used.update(one.value.as_of for _, one in rows if type(one.value) is Shade and one.value.as_of is not None)
    for clock in (content.base, content.upto, content.floor):
        used.update(clock.stamps())
    table = sorted(used)
    index = {stamp: at for at, stamp in enumerate(table)}

    head = bytearray()
    replicas = sorted({stamp.replica for stamp in table})
    _put(head, len(replicas))
    for replica in replicas:
        name, epoch = split_replica(replica)
        _put(head, len(name))
        head += name.encode() + epoch.to_bytes(4, "big")
    place = {replica: at for at, replica in enumerate(replicas)}
    _put(head, len(table))
    before = 0
    for stamp in table:
        _put(head, stamp.ms - before)
        _put(head, stamp.tick)
        _put(head, place[stamp.replica])
        before = stamp.ms
    for clock in (content.base, content.floor):
        _put_bounds(head, clock, content.upto, replicas, index)
    shades = [(at, one.value) for at, (_, one) in enumerate(rows) if type(one.value) is Shade]
    _put(head, len(shades))
    for at, shade in shades:
        _put(head, at)
        _put(head, 0 if shade.as_of is None else 1 + index[shade.as_of])

    width = _mark_width(len(table))
    marks = b"".join([index[one.stamp].to_bytes(width, "big") for _, one in rows])
    outcomes = [ordered(one.value) if is_value(one.value) else None for _, one in rows]  # type: ignore[arg-type]  # a value
    packed: bytes = msgpack.packb([WIRE_VERSION, bytes(head), _front_code([path for path, _ in rows]), marks, outcomes])
    return packed


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_bounds(
    out: bytearray, clock: VectorClock, upto: VectorClock, replicas: list[str], index: dict[Stamp, int]
) -> None:
    if not clock:
        out.append(0)
        return
    out.append(1)
    for replica in replicas:
        time = clock.get(replica)
        if time < 0:
            out.append(_ABSENT)
        elif time == upto.get(replica):
            out.append(_SAME)
        else:
            _put(out, _INDEXED + index[Stamp(time, replica)])


def _front_code(paths: list[str]) -> bytes:
    out = bytearray()
    before = b""
    for path in paths:
        encoded = path.encode()
        shared = 0
        for ours, theirs in zip(encoded, before, strict=False):
            if ours != theirs:
                break
            shared += 1
        _put(out, shared)
        _put(out, len(encoded) - shared)
        out += encoded[shared:]
        before = encoded
    return bytes(out)


def _mark_width(stamps: int) -> int:
    return 1 if stamps <= 1 << 8 else 2 if stamps <= 1 << 16 else 4


def unpack(data: bytes, *, bytes_max: int) -> Content:
    """Return the content of *data*; the inverse of :func:`pack`.

    Args:
        data: Untrusted bytes.
        bytes_max: More than this is refused unread.

    Raises:
        DecodeError: Not the canonical encoding of anything, or beyond a limit.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise DecodeError(f"{type(data).__name__} given, bytes needed")
    data = bytes(data)
    if len(data) > bytes_max:
        raise DecodeError(f"{len(data)} bytes, at most {bytes_max} are allowed")
    try:
        content = _unpack(data)
        again = pack(content)
    except DecodeError:
        raise
    except (CrdtShadowError, ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise DecodeError(f"not wire format {WIRE_VERSION}: {_one_line(error)}") from None
    if again != data:
        raise DecodeError("not in canonical form: encoded again it differs")
    return content


def _one_line(error: Exception) -> str:
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return text if text.isprintable() else ascii(text)


def _unpack(data: bytes) -> Content:
    message = msgpack.unpackb(
        data, raw=False, strict_map_key=True, object_pairs_hook=_unique, ext_hook=_refuse_ext, timestamp=0
    )
    match message:
        case [version, *_] if type(version) is int and version != WIRE_VERSION:
            raise DecodeError(f"wire version {version}, this library reads {WIRE_VERSION}")
        case [1, bytes(head), bytes(coded), bytes(marks), list(outcomes)]:
            return _build(_Reader(head, "head"), _Reader(coded, "paths"), marks, outcomes)
        case _:
            raise DecodeError("not a message of five parts")


def _unique(pairs: list[tuple[object, object]]) -> dict[object, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DecodeError("an object with a duplicate key")
    return members


def _refuse_ext(code: int, _data: bytes) -> NoReturn:
    raise DecodeError(f"msgpack extension type {code}")


class _Reader:
    """A cursor over one part, which must be read to its end."""

    __slots__ = ("_at", "_data", "_part")

    def __init__(self, data: bytes, part: str) -> None:
        self._data = data
        self._part = part
        self._at = 0

    def uint(self, end: int, what: str) -> int:
        """Return the next uint, which must be less than *end*."""
        number = shift = 0
        while True:
            if self._at >= len(self._data):
                raise DecodeError(f"{self._part}: cut off in {what}")
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise DecodeError(f"{self._part}: {what} is beyond 64 bits")
        if number >= end:
            raise DecodeError(f"{self._part}: {what} is {number}, less than {end} needed")
        return number

    def take(self, length: int, what: str) -> bytes:
        """Return the next *length* bytes."""
        taken = self._data[self._at : self._at + length]
        if len(taken) != length:
            raise DecodeError(f"{self._part}: cut off in {what}")
        self._at += length
        return taken

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise DecodeError(f"{self._part}: {len(self._data) - self._at} bytes too many")


def _build(head: _Reader, coded: _Reader, marks: bytes, outcomes: list[object]) -> Content:
    replicas = [_replica(head) for _ in range(head.uint(REPLICAS_MAX + 1, "the number of replicas"))]
    table = _stamps(head, replicas)
    upto = VectorClock({stamp.replica: stamp.time for stamp in table})
    base = _bounds(head, "base", replicas, table, upto)
    floor = _bounds(head, "floor", replicas, table, upto)
    if base and not floor <= base:
        raise DecodeError("head: a base that does not cover the floor; such a delta must be a whole state")

    count = len(outcomes)
    if count > FIELDS_MAX:
        raise DecodeError(f"{count} rows, at most {FIELDS_MAX} are allowed")
    width = _mark_width(len(table))
    if len(marks) != count * width:
        raise DecodeError(f"marks: {len(marks)} bytes for {count} rows of {width}")
    shades = {}
    for _ in range(head.uint(count + 1, "the number of shades")):
        row = head.uint(count, "a shade's row")
        at = head.uint(len(table) + 1, "a shade's stamp")
        shades[row] = Shade(table[at - 1] if at else None)
    head.end()

    rows: dict[str, Siblings] = {}
    before = b""
    for row, outcome in enumerate(outcomes):
        shared = coded.uint(len(before) + 1, "a path's shared bytes")
        before = before[:shared] + coded.take(coded.uint(PATH_BYTES_MAX + 1, "a path's bytes"), "a path")
        at = int.from_bytes(marks[row * width : (row + 1) * width], "big")
        if at >= len(table):
            raise DecodeError(f"marks: row {row} has stamp {at} of {len(table)}")
        path = check_path(before.decode())
        siblings = rows.get(path, ())
        if len(siblings) >= SIBLINGS_MAX:
            raise DecodeError(f"{path}: more than {SIBLINGS_MAX} siblings")
        if siblings and siblings[-1].stamp >= table[at]:
            raise DecodeError(f"{path}: siblings out of order")
        rows[path] = (*siblings, Sibling(table[at], _outcome(outcome, shades.get(row), path)))
    coded.end()
    return Content(base, upto, floor, rows)


def _replica(head: _Reader) -> str:
    name = head.take(head.uint(NAME_CHARS_MAX + 1, "the length of a replica's name"), "a replica's name")
    return replica_id(name.decode("ascii"), int.from_bytes(head.take(4, "a replica's epoch"), "big"))


def _stamps(head: _Reader, replicas: list[str]) -> list[Stamp]:
    table: list[Stamp] = []
    ms = 0
    for _ in range(head.uint(_STAMPS_MAX + 1, "the number of stamps")):
        ms += head.uint(CLOCK_MS_MAX + 1, "a stamp's milliseconds")
        if ms > CLOCK_MS_MAX:
            raise DecodeError("head: a stamp beyond 48 bits of milliseconds")
        tick = head.uint(1 << TICK_BITS, "a stamp's tick")
        table.append(Stamp(pack_time(ms, tick), replicas[head.uint(len(replicas), "a stamp's replica")]))
    return table


def _bounds(head: _Reader, what: str, replicas: list[str], table: list[Stamp], upto: VectorClock) -> VectorClock:
    if not head.uint(2, what):
        return EMPTY_CLOCK
    times: dict[str, int] = {}
    for replica in replicas:
        bound = head.uint(_INDEXED + len(table), what)
        if bound == _SAME:
            times[replica] = upto.get(replica)
        elif bound >= _INDEXED:
            stamp = table[bound - _INDEXED]
            if stamp.replica != replica:
                raise DecodeError(f"head: the {what} of {replica} names a stamp of {stamp.replica}")
            times[replica] = stamp.time
    return VectorClock(times)


def _outcome(outcome: object, shade: Shade | None, path: str) -> Outcome:
    if shade is not None:
        if outcome is not None:
            raise DecodeError(f"{path}: a shade with a value")
        return shade
    return REMOVED if outcome is None else check_value(outcome, path)
