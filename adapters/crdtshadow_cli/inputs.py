"""What users hand in: files and arguments, read with a limit and strictly, or refused in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import crdtshadow_walk
from crdtshadow_walk import MessageRefused

from crdtshadow import InvalidPolicy, Policy
from crdtshadow_cli.errors import InputError, OutputError

STDIN: Final = "-"

POLICY_BYTES_MAX: Final = 1024 * 1024
"""A policy has at most a few hundred entries."""


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """Open the file *name* for reading, ``-`` for standard input.

    Raises:
        InputError: It cannot be opened.
    """
    if name == STDIN:
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise InputError("standard input: closed, or it has no bytes")
        yield stream
        return
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - closed below, apart from what the caller does
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: {why(error)}") from None
    with stream:
        yield stream


def size_of(stream: BinaryIO) -> int | None:
    """Return how many bytes a file has, ``None`` if that is not known before it was read."""
    try:
        return os.fstat(stream.fileno()).st_size or None
    except OSError:
        return None


def read_bytes(name: str, *, bytes_max: int) -> bytes:
    """Return all that the file *name* holds.

    Raises:
        InputError: It cannot be read, or holds more than *bytes_max*.
    """
    with opened(name) as stream:
        try:
            data = stream.read(bytes_max + 1)
        except OSError as error:
            raise InputError(f"{name}: {why(error)}") from None
    if len(data) > bytes_max:
        raise InputError(f"{name}: more than {bytes_max:,} bytes, which is the limit")
    return data


def read_json(name: str, *, bytes_max: int) -> object:
    """Return the JSON document in the file *name*.

    Raises:
        InputError: It cannot be read, or holds none.
    """
    return parse_json(read_bytes(name, bytes_max=bytes_max), name)


def parse_json(data: bytes | str, where: str) -> object:
    """Return the JSON document *data*; *where* names it in an error.

    Raises:
        InputError: As :func:`decode_json`.
    """
    try:
        return decode_json(data)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def decode_json(data: bytes | str) -> object:
    """Return the JSON document *data*, which is text or its UTF-8.

    Raises:
        InputError: Not UTF-8, not JSON, a key twice in one object, or a number that JSON cannot say.

    >>> decode_json(b'{"t": NaN}')
    Traceback (most recent call last):
    crdtshadow_cli.errors.InputError: not JSON: NaN is not a JSON number
    """
    try:
        return crdtshadow_walk.decode_json(data)
    except MessageRefused as error:
        raise InputError(str(error)) from None


def read_policy(name: str) -> Policy:
    """Return the policy in the file *name*.

    Raises:
        InputError: It cannot be read, or holds no JSON object.
        InvalidPolicy: It holds no policy.
    """
    data = read_json(name, bytes_max=POLICY_BYTES_MAX)
    if not isinstance(data, dict):
        raise InputError(f"{name}: a policy is a JSON object, not {type(data).__name__}")
    try:
        return Policy.from_json(data)
    except InvalidPolicy as error:
        raise InvalidPolicy(f"{name}: {error}") from None


def write_file(name: str, data: bytes) -> None:
    """Make *data* the content of the file *name*, whole or not at all.

    Raises:
        OutputError: It cannot be written; what was there is untouched.
    """
    target = Path(name)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe
            target.write_bytes(data)
            return
        try:
            with draft.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(f"{name}: {why(error)}") from None


def is_same_file(one: str, other: str) -> bool:
    """Tell whether two names mean one file that is there."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def why(error: OSError | ValueError) -> str:
    """Return why the operating system refused, without the file's name."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a directory, not a file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
