"""A small fleet for the command line: what AWS, a replica and an offline device say of a thermostat."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from crdtshadow_cli.main import main

from crdtshadow import Replica
from crdtshadow.document import ShadowDocument, apply_update, check_request

NOON_S = 1_700_000_000


class Ran(NamedTuple):
    """What a command did."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.stdout, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


class _Stream(io.TextIOWrapper):
    """A standard stream that remembers its text."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    @property
    def text(self) -> str:
        self.flush()
        return bytes(self.buffer.getvalue()).decode()  # type: ignore[attr-defined]  # the BytesIO above


def run(*argv: object, stdin: bytes = b"") -> Ran:
    """Run a command in this process."""
    stdout, stderr = _Stream(), _Stream()
    with redirect_stdout(stdout), redirect_stderr(stderr), mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin))):
        code = main([str(argument) for argument in argv])
    return Ran(code, stdout.text, stderr.text)


def armour(data: bytes) -> str:
    return base64.b64encode(data).decode()


def events(patches: list[tuple[int, dict[str, Any]]], **names: str) -> Iterator[dict[str, Any]]:
    """Yield the events that AWS publishes for updates, each at some seconds after noon."""
    document: ShadowDocument | None = None
    for after_s, request in patches:
        update = apply_update(document, check_request(request), now_s=NOON_S + after_s)
        document = update.document
        yield {**names, **update.documents}


def device(after_s: int) -> Replica:
    """Return the thermostat's own replica, some seconds after noon."""
    return Replica("thermostat", epoch=7, now=lambda: (NOON_S + after_s) * 1000)


def lines() -> list[dict[str, Any]]:
    """Return lines for `ingest`: three conflicts, a removal, and a named shadow."""
    replica = device(150)
    replica.update({"desired": {"target": 18}, "reported": {"temp": 17.5, "log": ["é", "\x1b[31m"]}})
    return [
        *events(
            [
                (0, {"state": {"desired": {"target": 20, "mode": "auto"}, "reported": {"temp": 19.5, "fan": True}}}),
                (100, {"state": {"desired": {"target": 22}}, "clientToken": "app-1"}),
                (200, {"state": {"desired": {"mode": None}}}),
            ],
            thingName="thermostat",
        ),
        {"thingName": "thermostat", "delta": armour(replica.delta().encode())},
        {
            "thingName": "thermostat",
            "offline": {"state": {"desired": {"target": 19}}, "timestamp": NOON_S + 50.5, "version": 1},
        },
        *events(
            [(0, {"state": {"desired": {"interval": 30}}})],
            topic="$aws/things/thermostat/shadow/name/config/update/documents",
        ),
    ]


def write_lines(path: Path, items: list[Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


@contextmanager
def untouched(directory: Path) -> Iterator[None]:
    """Assert that nothing in *directory* changes."""

    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}

    before = content()
    yield
    assert content() == before
