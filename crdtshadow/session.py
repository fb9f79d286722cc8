"""Sessions: bringing two replicas level over any transport. Bytes in, bytes out, no sockets.

Either side begins with ``hello()``. Whatever arrives goes into ``receive``, whatever that returns
goes out. Messages may be lost, doubled or reordered: the next ``hello`` repairs it.

    =========  ==========================  ==============================================
    message    carries                     answer
    =========  ==========================  ==============================================
    want       sender's id, what it has    ``delta`` with what the sender lacks, if any,
                                           else ``seen``; ``want``, if it is ahead
    delta      a delta                     ``seen`` if it was joined; ``want`` if its base
                                           is missing; else ``refused``
    seen       sender's id, what it has    none
    refused    an error's code and text    none
    =========  ==========================  ==============================================

Each is a msgpack array: ``[version, kind, ...]``. What a sender has, its clock and floor, is said as
a delta without rows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

import msgpack

from crdtshadow.clock import EMPTY_CLOCK, split_replica
from crdtshadow.delta import Delta
from crdtshadow.errors import BelowFloor, CrdtShadowError, DecodeError, MissingBase, RemoteError
from crdtshadow.limits import DELTA_BYTES_MAX
from crdtshadow.lwwmap import Merged
from crdtshadow.replica import Replica

SESSION_VERSION: Final = 1
_OVERHEAD_BYTES: Final = 512
_TEXT_CHARS_MAX: Final = 200

_WANT: Final = 0
_DELTA: Final = 1
_SEEN: Final = 2
_REFUSED: Final = 3


class Received(NamedTuple):
    """What became of a message.

    Attributes:
        replies: Messages to send back, in this order.
        merged: What the message changed here, if it brought a delta that was joined.
        refused: Why it was not joined, if it was not.
        told: What the peer says it refused: ``code: text``.
        offer: The peer's whole state, for :meth:`Replica.rebase`, if this side is the one that
            missed removals which were forgotten meanwhile.
    """

    replies: tuple[bytes, ...] = ()
    merged: Merged | None = None
    refused: RemoteError | None = None
    told: str = ""
    offer: Delta | None = None


class Session:
    """An exchange between a replica here and one peer.

    Args:
        replica: What is brought level; may have other sessions too.
        speaks_for: Names of the replicas whose writes the peer may bring; anybody's by default.
        bytes_max: Longer deltas are refused unread.

    >>> a, b = (Replica(name, epoch=1, now=lambda: 1_000) for name in ("a", "b"))
    >>> a.reported["t"], b.desired["t"] = 20, 21
    >>> here, there = Session(a), Session(b)
    >>> run([here, there], here.hello())
    >>> a.shadow == b.shadow
    True
    """

    __slots__ = ("_bytes_max", "_replica", "_speaks_for")

    def __init__(
        self, replica: Replica, *, speaks_for: Collection[str] | None = None, bytes_max: int = DELTA_BYTES_MAX
    ) -> None:
        self._replica = replica
        self._speaks_for = speaks_for
        self._bytes_max = bytes_max

    def hello(self) -> bytes:
        """Return the message that asks the peer for what is missing here, and offers the rest."""
        return self._pack(_WANT, self._replica.id, self._level())

    def receive(self, message: bytes) -> Received:
        """Take in what the peer sent; never raises for what is in it.

        The replica changes only by a delta that was joined.
        """
        try:
            match self._unpack(message):
                case [int(kind), str(peer), bytes(level)] if kind == _WANT:
                    return self._answer(_check_id(peer), Delta.decode(level))
                case [int(kind), bytes(delta)] if kind == _DELTA:
                    return self._join(Delta.decode(delta, bytes_max=self._bytes_max))
                case [int(kind), str(peer), bytes(level)] if kind == _SEEN:
                    self._replica.acknowledge(_check_id(peer), Delta.decode(level).upto)
                    return Received()
                case [int(kind), str(code), str(text)] if kind == _REFUSED:
                    return Received(told=f"{code}: {text}"[:_TEXT_CHARS_MAX])
        except RemoteError as error:
            return self._refuse(error)
        return self._refuse(DecodeError("not a message of a session"))

    def _answer(self, peer: str, level: Delta) -> Received:
        clock, floor = self._replica.clock, self._replica.shadow.floor
        self._replica.acknowledge(peer, level.upto)
        lacks = not (clock <= level.upto and floor <= level.floor)
        offers = not (level.upto <= clock and level.floor <= floor)
        replies = [self._pack(_DELTA, self._replica.delta(level.upto).encode())] if lacks else []
        if offers:
            replies.append(self.hello())
        return Received(tuple(replies or [self._seen()]))

    def _join(self, delta: Delta) -> Received:
        try:
            merged = self._replica.merge(delta, speaks_for=self._speaks_for)
        except MissingBase:
            return Received((self.hello(),))
        except BelowFloor as error:
            late = delta.full and not delta.floor <= self._replica.clock
            return self._refuse(error)._replace(offer=delta if late else None)
        return Received((self._seen(),), merged)

    def _refuse(self, error: RemoteError) -> Received:
        return Received((self._pack(_REFUSED, error.code, str(error)[:_TEXT_CHARS_MAX]),), refused=error)

    def _seen(self) -> bytes:
        return self._pack(_SEEN, self._replica.id, self._level())

    def _level(self) -> bytes:
        return Delta(EMPTY_CLOCK, self._replica.clock, floor=self._replica.shadow.floor, rows={}).encode()

    def _pack(self, kind: int, *parts: object) -> bytes:
        packed: bytes = msgpack.packb([SESSION_VERSION, kind, *parts])
        return packed

    def _unpack(self, message: bytes) -> list[object]:
        if not isinstance(message, bytes | bytearray | memoryview) or len(message) > self._bytes_max + _OVERHEAD_BYTES:
            raise DecodeError(f"a message of a session is at most {self._bytes_max + _OVERHEAD_BYTES} bytes")
        try:
            parts = msgpack.unpackb(message, raw=False)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise DecodeError(f"not msgpack: {error}") from None
        if not isinstance(parts, list) or parts[:1] != [SESSION_VERSION]:
            raise DecodeError(f"not a message of session version {SESSION_VERSION}")
        return parts[1:]


def run(sessions: list[Session], first: bytes) -> None:
    """Carry messages between two sessions, *first* from the first of them, until both are silent.

    Raises:
        RemoteError: One of them refused something.
    """
    here, there = sessions
    pending = [(there, first)]
    while pending:
        receiver, message = pending.pop(0)
        received = receiver.receive(message)
        if received.refused is not None:
            raise received.refused
        sender = here if receiver is there else there
        pending.extend((sender, reply) for reply in received.replies)


def _check_id(peer: str) -> str:
    try:
        split_replica(peer)
    except CrdtShadowError as error:
        raise DecodeError(str(error)) from None
    return peer
