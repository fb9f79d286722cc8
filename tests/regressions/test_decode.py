"""Bytes that made decoders panic, allocate or recurse."""

from __future__ import annotations

import tracemalloc
from random import Random

import msgpack
import pytest

from crdtshadow import DecodeError, Delta, Ledger, Policy, Replica, Session, Shadow, merge_bytes
from crdtshadow.errors import CrdtShadowError, InvalidPolicy
from tests.fuzz import corpus

MEMORY_BYTES_MAX = 4 * 1024 * 1024


def refuses(data: bytes) -> None:
    """Check that every decoder of bytes refuses *data* by its own error and without much memory."""
    tracemalloc.start()
    try:
        for decode in (Delta.decode, Shadow.decode, Ledger.decode, lambda data: merge_bytes(b"", data)):
            with pytest.raises(DecodeError):
                decode(data)
        with pytest.raises(DecodeError):
            Replica.load(data, epoch=9, now=lambda: 0)
        with pytest.raises(InvalidPolicy):
            Policy.from_json(data)
        received = Session(Replica("a", epoch=1, now=lambda: 0)).receive(data)
        assert received.refused is not None or received.told
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX


def wire(columns: bytes, outcomes: object = ()) -> bytes:
    packed: bytes = msgpack.packb([1, columns, outcomes])
    return packed


def test_random_bytes_are_refused_and_panic_nothing() -> None:
    """Random bytes led to a slice beyond the end of the buffer.

    https://github.com/y-crdt/y-crdt/issues/182
    """
    dice = Random(182)
    for _ in range(300):
        refuses(dice.randbytes(dice.randrange(60)))
    for delta in corpus.deltas()[:20]:
        for at in range(len(delta)):
            with pytest.raises(DecodeError):
                Delta.decode(delta[:at])


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd\xff\xff\xff\xff",  # an array of 2**32 - 1
        b"\x93\x01\xc6\xff\xff\xff\xff",  # bytes of that length
        b"\x93\x01\xc4\x00\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",  # a map of that many members
        wire(b"\x00\xff\xff\xff\xff\x0f"),  # so many replicas
        wire(b"\x00\x01\xff\xff\xff\xff\x0f"),  # a name of that length
        wire(b"\x00\x00\xff\xff\xff\xff\x0f"),  # so many stamps
        wire(b"\x04\x00\x00\xff\xff\xff\xff\x0f", [None]),  # so many shades
    ],
    ids=lambda data: data.hex(),
)
def test_a_length_that_is_not_there_allocates_nothing(data: bytes) -> None:
    """A length read from a malformed update was allocated before anything was read.

    https://github.com/y-crdt/y-crdt/issues/369, https://github.com/automerge/automerge/commit/6dad2b7df
    """
    refuses(data)


def test_malformed_documents_of_users_end_in_an_error_that_can_be_caught() -> None:
    """Panics in a service that takes documents from its users took the whole process down.

    https://github.com/y-crdt/y-crdt/issues/415
    """
    for seed in corpus.deltas()[:10]:
        for at in range(len(seed)):
            for flip in (0x01, 0x80, 0xFF):
                try:
                    Delta.decode(seed[:at] + bytes([seed[at] ^ flip]) + seed[at + 1 :])
                except CrdtShadowError as error:
                    assert isinstance(error, DecodeError)


@pytest.mark.parametrize("depth", [33, 500, 1_100, 60_000])
def test_nesting_does_not_exhaust_the_stack(depth: int) -> None:
    """Deeply nested values overflowed the stack, which no handler catches.

    https://github.com/y-crdt/y-crdt/issues/490
    """
    refuses(b"\x91" * depth + b"\x01")
    refuses(b"\x81\xa1a" * depth + b"\x01")
    refuses(b"[" * depth)
    columns = corpus.deltas()[-1]
    refuses(columns[:-1] + b"\x91" * depth + b"\x01")


@pytest.mark.parametrize(
    "number",
    [
        b"\xff" * 9 + b"\x01",  # 64 bits, and more than any count
        b"\xff" * 9 + b"\x7f",  # 70 bits
        b"\x80" * 12 + b"\x01",
        b"\x80\x00",  # 0, but not in its shortest form
        b"\xff" * 200,
        b"\xff",  # cut off
    ],
    ids=lambda number: number.hex(),
)
def test_numbers_do_not_overflow(number: bytes) -> None:
    """LEB128 numbers of too many bytes shifted beyond 64 bits, or wrapped around into small ones.

    https://github.com/automerge/automerge/commit/44fa7ac41
    """
    for columns in (number, b"\x00" + number, b"\x00\x00" + number, b"\x00\x01\x01a\x00\x00\x00\x00\x01" + number):
        refuses(wire(columns))
        refuses(wire(columns + b"\x00" * 40, [1]))
