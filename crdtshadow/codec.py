"""Wire format v1: canonical bytes of deltas and states.

A state is the delta from the empty clock. Equal content has equal bytes, whatever the order in
which it came together; bytes that are not the canonical encoding of their content are refused.

One msgpack array of three, each in msgpack's shortest form:

    =  ======  =====================================================================
    #  type    content
    =  ======  =====================================================================
    0  int     version, 1
    1  bin     columns, below
    2  array   values, one a row; nil stands for a removal and for a shade
    =  ======  =====================================================================

``uint`` is an unsigned LEB128 integer in its shortest form. The columns follow each other:

    =========  =========================================================  ==================
    column     bytes                                                      invariant
    =========  =========================================================  ==================
    flags      1 byte: 1 there is a base, 2 a floor, 4 there are          all other bits 0
               shades, 8 all rows have one stamp
    replicas   uint count; each uint length, name in ASCII, 4 epoch       sorted by id
               bytes, most significant first
    stamps     uint count; each uint milliseconds since the stamp         sorted by time, then
               before (the first: since 1970), uint tick x replicas +     replica; each used
               replica
    base       a bound a replica, if flagged                              at most ``upto``
    floor      a bound a replica, if flagged                              at most ``base`` if
                                                                          there is one
    shades     if flagged: uint count; each uint row, uint 0 (hides       sorted by row
               nothing) or 1 + stamp
    marks      the stamp of each row: one uint if all have the same,
               else 1 byte a row if there are at most 256 stamps, 2
               bytes (most significant first) if at most 65,536, else 4
    paths      each uint start, uint bytes that follow, those bytes       sorted, see below
    =========  =========================================================  ==================

``upto``, the vector clock, takes no bytes of its own: a replica's entry is its last stamp in the
table. A bound is a uint: 0, not in that clock; 1, the same as in ``upto``; 2 + stamp otherwise.

Rows are sorted by path (its UTF-8 bytes), then stamp; a path with several siblings has several
rows. The start of a path is coded: 0 stands for ``/desired/``, 1 for ``/reported/``, 2 + n for the
first n bytes of the path before. Whichever is the longest is used, the path before among equals.

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

_STAMPS_MAX: Final = 2 * FIELDS_MAX + 3 * REPLICAS_MAX
"""A row may bring its own and its shade's, each clock one a replica."""
_ABSENT: Final = 0
_SAME: Final = 1
_INDEXED: Final = 2
_OPENINGS: Final = (b"/desired/", b"/reported/")
_CONTINUED: Final = len(_OPENINGS)
_BASE: Final = 1
_FLOOR: Final = 2
_SHADES: Final = 4
_ALIKE: Final = 8

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

    replicas = sorted({stamp.replica for stamp in table})
    shades = [(at, one.value) for at, (_, one) in enumerate(rows) if type(one.value) is Shade]
    alike = len({one.stamp for _, one in rows}) == 1
    out = bytearray([bool(content.base) | bool(content.floor) << 1 | bool(shades) << 2 | alike << 3])
    _put_replicas(out, replicas)
    _put_stamps(out, table, replicas)
    for clock in (content.base, content.floor):
        if clock:
            _put_bounds(out, clock, content.upto, replicas, index)
    if shades:
        _put(out, len(shades))
    for at, shade in shades:
        _put(out, at)
        _put(out, 0 if shade.as_of is None else 1 + index[shade.as_of])
    if alike:
        _put(out, index[rows[0][1].stamp])
    else:
        width = _mark_width(len(table))
        out += b"".join([index[one.stamp].to_bytes(width, "big") for _, one in rows])
    _put_paths(out, [path for path, _ in rows])
    outcomes = [ordered(one.value) if is_value(one.value) else None for _, one in rows]  # type: ignore[arg-type]  # a value
    packed: bytes = msgpack.packb([WIRE_VERSION, bytes(out), outcomes])
    return packed


def _put_replicas(out: bytearray, replicas: list[str]) -> None:
    _put(out, len(replicas))
    for replica in replicas:
        name, epoch = split_replica(replica)
        _put(out, len(name))
        out += name.encode() + epoch.to_bytes(4, "big")


def _put_stamps(out: bytearray, table: list[Stamp], replicas: list[str]) -> None:
    place = {replica: at for at, replica in enumerate(replicas)}
    _put(out, len(table))
    before = 0
    for stamp in table:
        _put(out, stamp.ms - before)
        _put(out, stamp.tick * len(replicas) + place[stamp.replica])
        before = stamp.ms


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _put_bounds(
    out: bytearray, clock: VectorClock, upto: VectorClock, replicas: list[str], index: dict[Stamp, int]
) -> None:
    for replica in replicas:
        time = clock.get(replica)
        if time < 0:
            out.append(_ABSENT)
        elif time == upto.get(replica):
            out.append(_SAME)
        else:
            _put(out, _INDEXED + index[Stamp(time, replica)])


def _put_paths(out: bytearray, paths: list[str]) -> None:
    before = b""
    for path in paths:
        encoded = path.encode()
        shared = _shared(encoded, before)
        start = _CONTINUED + shared
        for at, opening in enumerate(_OPENINGS):
            if len(opening) > shared and encoded.startswith(opening):
                shared, start = len(opening), at
        _put(out, start)
        _put(out, len(encoded) - shared)
        out += encoded[shared:]
        before = encoded


def _shared(path: bytes, before: bytes) -> int:
    # Comparing as integers stays quick where all rows share a path of thousands of bytes.
    length = min(len(path), len(before))
    differing = int.from_bytes(path[:length], "big") ^ int.from_bytes(before[:length], "big")
    return length - (differing.bit_length() + 7) // 8


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
    # Sizes that are claimed but not there are found before anything is built for them.
    walker = msgpack.Unpacker(max_buffer_size=len(data))
    walker.feed(data)
    walker.skip()
    message = msgpack.unpackb(
        data, raw=False, strict_map_key=True, object_pairs_hook=_unique, ext_hook=_refuse_ext, timestamp=0
    )
    match message:
        case [version, *_] if type(version) is int and version != WIRE_VERSION:
            raise DecodeError(f"wire version {version}, this library reads {WIRE_VERSION}")
        case [int(), bytes(columns), list(outcomes)]:
            return _build(_Reader(columns), outcomes)
        case _:
            raise DecodeError("not a message of three parts")


def _unique(pairs: list[tuple[object, object]]) -> dict[object, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DecodeError("an object with a duplicate key")
    return members


def _refuse_ext(code: int, _data: bytes) -> NoReturn:
    raise DecodeError(f"msgpack extension type {code}")


class _Reader:
    """A cursor over the columns, which must be read to their end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def uint(self, end: int, what: str) -> int:
        """Return the next uint, which must be less than *end*."""
        number = shift = 0
        while True:
            if self._at >= len(self._data):
                raise DecodeError(f"cut off in {what}")
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise DecodeError(f"{what} is beyond 64 bits")
        if number >= end:
            raise DecodeError(f"{what} is {number}, less than {end} needed")
        return number

    def take(self, length: int, what: str) -> bytes:
        """Return the next *length* bytes."""
        taken = self._data[self._at : self._at + length]
        if len(taken) != length:
            raise DecodeError(f"cut off in {what}")
        self._at += length
        return taken

    def end(self) -> None:
        """Check that nothing is left."""
        if self._at != len(self._data):
            raise DecodeError(f"{len(self._data) - self._at} bytes too many in the columns")


def _build(columns: _Reader, outcomes: list[object]) -> Content:
    flags = columns.uint(_ALIKE << 1, "the flags")
    replicas = [_replica(columns) for _ in range(columns.uint(REPLICAS_MAX + 1, "the number of replicas"))]
    table = _stamps(columns, replicas)
    upto = VectorClock({stamp.replica: stamp.time for stamp in table})
    base = _bounds(columns, "the base", replicas, table, upto) if flags & _BASE else EMPTY_CLOCK
    floor = _bounds(columns, "the floor", replicas, table, upto) if flags & _FLOOR else EMPTY_CLOCK
    if base and not floor <= base:
        raise DecodeError("the base does not cover the floor; such a delta must be a whole state")
    if len(outcomes) > FIELDS_MAX:
        raise DecodeError(f"{len(outcomes)} rows, at most {FIELDS_MAX} are allowed")
    shades = _shades(columns, len(outcomes), table) if flags & _SHADES else {}
    marks = _marks(columns, len(outcomes), len(table), alike=bool(flags & _ALIKE))

    rows: dict[str, Siblings] = {}
    before = b""
    for row, (outcome, mark) in enumerate(zip(outcomes, marks, strict=True)):
        before = _path(columns, before)
        path = check_path(before.decode())
        siblings = rows.get(path, ())
        if len(siblings) >= SIBLINGS_MAX:
            raise DecodeError(f"{path!r}: more than {SIBLINGS_MAX} siblings")
        if siblings and siblings[-1].stamp >= table[mark]:
            raise DecodeError(f"{path!r}: siblings out of order")
        rows[path] = (*siblings, Sibling(table[mark], _outcome(outcome, shades.get(row), path)))
    columns.end()
    return Content(base, upto, floor, rows)


def _replica(columns: _Reader) -> str:
    name = columns.take(columns.uint(NAME_CHARS_MAX + 1, "the length of a replica's name"), "a replica's name")
    return replica_id(name.decode("ascii"), int.from_bytes(columns.take(4, "a replica's epoch"), "big"))


def _stamps(columns: _Reader, replicas: list[str]) -> list[Stamp]:
    table: list[Stamp] = []
    ms = 0
    for _ in range(columns.uint(_STAMPS_MAX + 1, "the number of stamps")):
        ms += columns.uint(CLOCK_MS_MAX + 1, "a stamp's milliseconds")
        if ms > CLOCK_MS_MAX:
            raise DecodeError("a stamp is beyond 48 bits of milliseconds")
        tick, replica = divmod(columns.uint(len(replicas) << TICK_BITS, "a stamp's tick and replica"), len(replicas))
        table.append(Stamp(pack_time(ms, tick), replicas[replica]))
    return table


def _bounds(columns: _Reader, what: str, replicas: list[str], table: list[Stamp], upto: VectorClock) -> VectorClock:
    times: dict[str, int] = {}
    for replica in replicas:
        bound = columns.uint(_INDEXED + len(table), what)
        if bound == _SAME:
            times[replica] = upto.get(replica)
        elif bound >= _INDEXED:
            stamp = table[bound - _INDEXED]
            if stamp.replica != replica:
                raise DecodeError(f"{what} names for {replica} a stamp of {stamp.replica}")
            times[replica] = stamp.time
    return VectorClock(times)


def _shades(columns: _Reader, rows: int, table: list[Stamp]) -> dict[int, Shade]:
    shades = {}
    for _ in range(columns.uint(rows + 1, "the number of shades")):
        row = columns.uint(rows, "a shade's row")
        at = columns.uint(len(table) + 1, "a shade's stamp")
        shades[row] = Shade(table[at - 1] if at else None)
    return shades


def _marks(columns: _Reader, rows: int, stamps: int, *, alike: bool) -> list[int]:
    if alike:
        return [columns.uint(stamps, "the mark")] * rows
    width = _mark_width(stamps)
    taken = columns.take(rows * width, "the marks")
    marks = [int.from_bytes(taken[at : at + width], "big") for at in range(0, rows * width, width)]
    if marks and max(marks) >= stamps:
        raise DecodeError(f"a mark is {max(marks)}, less than {stamps} needed")
    return marks


def _path(columns: _Reader, before: bytes) -> bytes:
    start = columns.uint(_CONTINUED + len(before) + 1, "the start of a path")
    opening = before[: start - _CONTINUED] if start >= _CONTINUED else _OPENINGS[start]
    return opening + columns.take(columns.uint(PATH_BYTES_MAX + 1, "the length of a path"), "a path")


def _outcome(outcome: object, shade: Shade | None, path: str) -> Outcome:
    if shade is not None:
        if outcome is not None:
            raise DecodeError(f"{path!r}: a shade with a value")
        return shade
    return REMOVED if outcome is None else check_value(outcome, path)
