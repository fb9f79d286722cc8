"""The laws of joins, deltas and encodings, as functions to be called with generated examples.

They know nothing of this library's types: each takes the operations as arguments, so they check a
data type of one's own as well. All raise ``AssertionError`` that names the broken law.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
D = TypeVar("D")


def check_join(a: T, b: T, c: T, *, join: Callable[[T, T], T], equal: Callable[[T, T], bool] = operator.eq) -> None:
    """Check that *join* is commutative, associative and idempotent, and loses nothing.

    Args:
        a, b, c: Any three states.
        join: Returns the least upper bound of two states, and leaves both as they are.
        equal: Tells whether two states are the same.

    Source: Shapiro et al. 2011, "Conflict-free replicated data types", join semilattices.

    >>> check_join({1}, {2}, {1, 3}, join=set.union)
    """
    both = join(a, b)
    assert equal(join(b, a), both), "not commutative: join(a, b) is not join(b, a)"
    assert equal(join(both, c), join(a, join(b, c))), "not associative: join(join(a, b), c) is not join(a, join(b, c))"
    assert equal(join(a, a), a), "not idempotent: join(a, a) is not a"
    assert equal(join(both, a), both), "not inflating: join(a, b) lacks something of a"
    assert equal(join(both, b), both), "not inflating: join(a, b) lacks something of b"


def check_delta(
    sender: T,
    receiver: T,
    *,
    join: Callable[[T, T], T],
    delta: Callable[[T, T], D],
    apply: Callable[[T, D], T],
    equal: Callable[[T, T], bool] = operator.eq,
) -> None:
    """Check that what *receiver* lacks does for it what the whole of *sender* would do.

    Args:
        sender, receiver: Any two states.
        join: As in :func:`check_join`.
        delta: Returns what the second state lacks of the first.
        apply: Returns the state that a delta makes of a state, and leaves both as they are.
        equal: Tells whether two states are the same.

    Source: Almeida et al. 2018, "Delta state replicated data types", delta-mutators and -groups.

    >>> check_delta({1, 2}, {2}, join=set.union, delta=set.difference, apply=set.union)
    """
    part = delta(sender, receiver)
    once = apply(receiver, part)
    assert equal(once, join(receiver, sender)), "the delta does not do what the whole state does"
    assert equal(apply(once, part), once), "a delta that comes twice changes something"


def check_codec(
    state: T,
    *,
    encode: Callable[[T], bytes],
    decode: Callable[[bytes], T],
    equal: Callable[[T, T], bool] = operator.eq,
) -> None:
    """Check that encoding loses nothing, and that equal states have equal bytes.

    Args:
        state: Any state.
        encode: Returns its bytes.
        decode: Returns the state of bytes.
        equal: Tells whether two states are the same.

    >>> check_codec("é", encode=str.encode, decode=bytes.decode)
    """
    data = encode(state)
    again = decode(data)
    assert equal(again, state), "decoded, the state is another"
    assert encode(again) == data, "encoded again, the bytes are others"
