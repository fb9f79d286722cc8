"""The line format of ``crdtshadow ingest``: one JSON object a line, in any order, as often as you like.

What an object may say is told in :mod:`crdtshadow_walk.parse`. A line longer than ``LINE_BYTES_MAX``
is refused unread.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from crdtshadow_walk import MESSAGE_BYTES_MAX, Message, MessageRefused, parse_message

from crdtshadow import EventRefused
from crdtshadow_cli.errors import InputError
from crdtshadow_cli.inputs import why

LINE_BYTES_MAX: Final = MESSAGE_BYTES_MAX
"""An MQTT message of AWS IoT (128 KB), in base64, and its names."""

_SKIPPED_BYTES: Final = 64 * 1024


class Line(NamedTuple):
    """A line as it was read.

    Attributes:
        number: From 1.
        size: In bytes.
        data: Its content, ``None`` if it is too long.
    """

    number: int
    size: int
    data: bytes | None


def read_lines(stream: BinaryIO, name: str) -> Iterator[Line]:
    """Yield the lines of *stream*, holding one at a time, none longer than ``LINE_BYTES_MAX``.

    Raises:
        InputError: Reading fails; *name* names the file.
    """
    number = 0
    try:
        while data := stream.readline(LINE_BYTES_MAX + 1):
            number += 1
            size = len(data)
            if size <= LINE_BYTES_MAX or data.endswith(b"\n"):
                yield Line(number, size, data)
                continue
            while not data.endswith(b"\n") and (data := stream.readline(_SKIPPED_BYTES)):
                size += len(data)
            yield Line(number, size, None)
    except OSError as error:
        raise InputError(f"{name}: {why(error)} after line {number}") from None


def parse_line(data: bytes | None, *, source: str = "") -> Message:
    """Return the message that a line states.

    Args:
        data: The line; ``None`` for one that is too long.
        source: Where it came from, for people.

    Raises:
        InputError, EventRefused: Not a line of this format.

    >>> parse_line(b'{"thingName": "T", "delta": "lQHEBQAAAAAAxADEAJA="}').key
    ShadowKey(thing='T', shadow=None)
    """
    if data is None:
        raise InputError(f"longer than {LINE_BYTES_MAX:,} bytes, which is the limit")
    try:
        return parse_message(data, source=source)
    except MessageRefused as error:
        raise InputError(str(error)) from None


REFUSALS: Final = (InputError, EventRefused)
"""What :func:`parse_line` raises."""
