"""Bad input of every kind: one clear line on standard error, an exit code that tells, nothing changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from crdtshadow_cli.errors import BAD_INPUT, USAGE, WORLD_FAILED

from tests.adapters import fleet
from tests.adapters.fleet import run, untouched, write_lines
from tests.adapters.traffic import in_memory_directory

FILES = {
    "latin1": "ü".encode("latin-1"),
    "utf16": '{"state": {}}'.encode("utf-16"),
    "empty": b"",
    "spaces": b"  \n",
    "text": b"hello\n",
    "half": b'{"state": {"desired": ',
    "list": b"[]",
    "number": b"7",
    "null": b"null",
    "nan": b'{"strategy": NaN, "state": {"desired": {"t": NaN}}}',
    "huge": b'{"auto_resolve_threshold": 1e999, "state": {"desired": {"t": 1e999}}}',
    "digits": b'{"state": ' + b"9" * 5_000 + b"}",
    "deep": b'{"state": ' + b"[" * 100_000,
    "deep_objects": b'{"state": {"desired": ' + b'{"a":' * 300 + b"1" + b"}" * 302,
    "deep_arrays": b'{"state": {"desired": {"a":' + b"[" * 300 + b"]" * 300 + b"}}}",
    "twice": b'{"state": {}, "state": {}}',
    "surrogate": b'{"state": {"desired": {"t": "\\ud800"}}}',
    "surrogate_key": b'{"state": {"desired": {"\\ud800": 1}}}',
    "escape": b'{"\\u001b[31m\\n": 1}',
    "random": bytes(range(256)),
    "delta": b"\x93\x01\xc4\x01\x00\xc4",
    "strategy": b'{"strategy": "newest"}',
    "types": b'{"strategy": ["x"], "overrides": 7}',
    "glob": b'{"overrides": [{"path": "a", "rule": "max"}]}',
}
THING = ("--thing", "thermostat")
TARGET = "/desired/target"
NOBODY = 65534


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A store with the fleet in it, foreign files, and every file of FILES."""
    with in_memory_directory() as name:
        made = Path(name)
        lines = write_lines(made / "events.jsonl", fleet.lines())
        assert run("ingest", lines, "--store", made / "fleet.db").code == 0
        assert run("export", "--store", made / "fleet.db", *THING, "--as", "state", "-o", made / "good.state").code == 0
        with closing(sqlite3.connect(made / "foreign.db")) as foreign:
            foreign.execute("CREATE TABLE theirs (id INTEGER)")
            foreign.commit()
        for file, content in FILES.items():
            (made / file).write_bytes(content)
        (made / "policy.json").write_text("{}")
        (made / "folder").mkdir()
        yield made


def refused(directory: Path, code: int, *argv: object, stdin: bytes = b"") -> str:
    """Run a command that must fail with *code*; return what it says."""
    with untouched(directory):
        ran = run(*argv, stdin=stdin)
    assert ran.code == code, ran
    assert ran.stdout == ""
    assert ran.stderr.startswith("crdtshadow")
    assert ran.stderr.endswith("\n") and ran.stderr.count("\n") == 1
    assert ran.stderr.strip("\n").isprintable()
    assert "a bug" not in ran.stderr
    return ran.stderr


# Files


@pytest.mark.parametrize("json_too", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("file", [*FILES, "folder", "missing", "fleet.db", "foreign.db", "with\0nul", "n" * 300])
@pytest.mark.parametrize(
    "command",
    [
        ("policy", "check", "{}"),
        ("policy", "set", "{}", "--store", "fleet.db"),
        ("policy", "set", "{}", "--store", "fleet.db", *THING),
        ("show", "--store", "fleet.db", *THING, "--policy", "{}"),
        ("merge", "good.state", "{}"),
        ("merge", "{}", "good.state", "-o", "good.state"),
        ("explain", TARGET, "--state", "{}"),
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_a_file_that_cannot_be_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], file: str, json_too: tuple[str, ...]
) -> None:
    monkeypatch.chdir(directory)
    said = refused(directory, BAD_INPUT, *[part.replace("{}", file) for part in command], *json_too)
    if file.isprintable() and len(file) < 100:
        assert f"{file}: " in said


@pytest.mark.parametrize("file", [file for file in FILES if file not in ("empty", "spaces")])
def test_a_file_without_one_usable_line(directory: Path, file: str) -> None:
    with untouched(directory):
        ran = run("ingest", directory / file, "--store", directory / "fleet.db")
    assert ran.code == BAD_INPUT
    assert all(line.startswith(f"{directory / file}:") for line in ran.stderr.splitlines())
    assert "a bug" not in ran.stderr


@pytest.mark.parametrize("file", ["missing", "folder"])
def test_a_file_of_events_that_cannot_be_opened_makes_no_store(directory: Path, file: str) -> None:
    refused(directory, BAD_INPUT, "ingest", directory / file, "--store", directory / "new.db")


def test_a_file_beyond_the_limit_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crdtshadow_cli.inputs.POLICY_BYTES_MAX", 10)
    assert "more than 10 bytes" in refused(directory, BAD_INPUT, "policy", "check", "-", stdin=b" " * 11)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user for whom permissions count; root, whom they do not bind, becomes ``nobody`` meanwhile."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def readable(directory: Path) -> Iterator[Path]:
    """The directory, open to everybody."""
    mode = directory.stat().st_mode
    directory.chmod(0o755)
    yield directory
    directory.chmod(mode)


def test_an_unreadable_file_says_so(readable: Path) -> None:
    secret = readable / "secret"
    secret.write_text("{}")
    assert run("policy", "check", secret).code == 0
    secret.chmod(0)
    with as_nobody():
        ran = run("policy", "check", secret)
    secret.unlink()
    assert (ran.code, ran.stderr) == (BAD_INPUT, f"crdtshadow policy: {secret}: Permission denied\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ingest", "events.jsonl", "--store", "new.db"), "ingest: new.db: cannot be opened"),
        (("ingest", "events.jsonl", "--store", "fleet.db"), "ingest: fleet.db: cannot be "),
        (("resolve", TARGET, *THING, "--value", "1", "--store", "fleet.db"), "resolve: fleet.db: cannot be "),
        (("merge", "good.state", "good.state", "-o", "new.state"), "merge: new.state: Permission denied"),
        (("export", *THING, "--store", "fleet.db", "-o", "new.json"), "export: fleet.db: cannot be "),
        (("show", "--store", "fleet.db"), "show: fleet.db: cannot be "),
    ],
    ids=lambda command: command[0] if isinstance(command, tuple) else "",
)
def test_a_place_that_may_not_be_written_says_so(
    readable: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(readable)
    for file in readable.glob("*"):
        file.chmod(0o444 if file.is_file() else 0o555)
    readable.chmod(0o555)
    with as_nobody():
        assert refused(readable, WORLD_FAILED, *command).startswith(f"crdtshadow {said}")


# Stores


@pytest.mark.parametrize("store", ["missing.db", "folder", "foreign.db", "text", "random", "good.state", "with\0nul"])
@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("show", *THING),
        ("history",),
        ("conflicts",),
        ("conflicts", "--held"),
        ("explain", TARGET, *THING),
        ("resolve", TARGET, *THING, "--value", "1"),
        ("export", *THING, "--as", "state", "-o", "policy.json"),
        ("stats",),
        ("policy", "show"),
        ("policy", "set", "policy.json"),
        ("policy", "unset", *THING),
    ],
    ids=lambda command: "-".join(command[:2]),
)
def test_a_store_that_cannot_be_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], store: str
) -> None:
    monkeypatch.chdir(directory)
    refused(directory, WORLD_FAILED, *command, "--store", store)


@pytest.mark.parametrize("store", ["folder", "foreign.db", "text", "random", "no/such/folder.db"])
def test_ingest_into_what_is_no_store(directory: Path, store: str) -> None:
    refused(directory, WORLD_FAILED, "ingest", directory / "events.jsonl", "--store", directory / store)


# Arguments

STORE = ("--store", "fleet.db")


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ((), USAGE, "which command?"),
        (("fly",), USAGE, "invalid choice: 'fly'"),
        (("show",), USAGE, "--store"),
        (("show", "--stor", "x"), USAGE, "--stor"),
        (("show", *STORE, "--shadow", "config"), USAGE, "--thing"),
        (("show", *STORE, "--limit", "-1"), USAGE, "'-1' is not a number"),
        (("show", *STORE, "--limit", "9" * 5_000), USAGE, "is not a number"),
        (("policy",), USAGE, "ACTION"),
        (("policy", "show", *STORE, "--shadow", "config"), USAGE, "--thing"),
        (("policy", "check", "policy.json", "--path", "x"), BAD_INPUT, "a path starts with a slash"),
        (("merge", "good.state"), USAGE, "B"),
        (("merge", "-", "-"), USAGE, "read once only"),
        (("merge", "good.state", "good.state", "-o", "-", "--json"), USAGE, "bytes"),
        (("merge", "good.state", "good.state", "-o", "folder"), WORLD_FAILED, "folder: a directory"),
        (("merge", "good.state", "good.state", "-o", "no/such/file"), WORLD_FAILED, "no such file"),
        (("export", *STORE, *THING, "--as", "xml"), USAGE, "xml"),
        (("export", *STORE, *THING, "-o", "-", "--json"), USAGE, "bytes"),
        (("export", *STORE, *THING, "--as", "state", "--policy", "policy.json"), USAGE, "--policy"),
        (("export", *STORE, *THING, "-o", "folder"), WORLD_FAILED, "folder: a directory"),
        (("explain", TARGET, *STORE), USAGE, "--thing"),
        (("explain", TARGET, "--state", "good.state", *THING), USAGE, "--state"),
        (("explain", TARGET), USAGE, "--store --state"),
        (("explain", "desired", *STORE, *THING), BAD_INPUT, "a path starts with a slash"),
        (("explain", "/desired/nothing", *STORE, *THING), BAD_INPUT, "nothing stands here"),
        (("explain", "/x~y", *STORE, *THING), BAD_INPUT, "~ must be followed"),
        (("explain", "/\udcff", *STORE, *THING), BAD_INPUT, "surrogate"),
        (("history", *STORE, "--path", "x"), BAD_INPUT, "a path starts with a slash"),
        (("history", *STORE, "--thing", "nobody"), BAD_INPUT, "no shadow of a thing nobody"),
        (("conflicts", *STORE, *THING, "--shadow", "none"), BAD_INPUT, "has the classic shadow and config"),
        (("conflicts", *STORE, "--shadow", "config"), USAGE, "--thing"),
        (("show", *STORE, "--thing", "nobody"), BAD_INPUT, "no shadow of a thing nobody"),
        (("show", *STORE, "--thing", "a b"), BAD_INPUT, "thing name 'a b': needs 1 to 128"),
        (("show", *STORE, "--thing", "\udcff"), BAD_INPUT, "thing name"),
        (("show", *STORE, *THING, "--shadow", "none"), BAD_INPUT, "no shadow none of thermostat"),
        (("export", *STORE, "--thing", "nobody"), BAD_INPUT, "nobody"),
        (("policy", "set", "policy.json", *STORE, "--thing", "nobody"), BAD_INPUT, "nobody"),
        (("resolve", TARGET, *STORE, *THING), USAGE, "--value --choose"),
        (("resolve", TARGET, *STORE, *THING, "--value", "1", "--choose", "app"), USAGE, "not allowed with"),
        (("resolve", TARGET, *STORE, *THING, "--value", "eco"), BAD_INPUT, "needs quotes"),
        (("resolve", TARGET, *STORE, *THING, "--value", "NaN"), BAD_INPUT, "NaN"),
        (("resolve", TARGET, *STORE, *THING, "--value", "1e999"), BAD_INPUT, "inf is not finite"),
        (("resolve", TARGET, *STORE, *THING, "--value", "99999999999999999999"), BAD_INPUT, "2^64"),
        (("resolve", TARGET, *STORE, *THING, "--value", "[" * 50 + "]" * 50), BAD_INPUT, "deeper than 32"),
        (("resolve", TARGET, *STORE, *THING, "--value", '{"a":' * 99 + "1" + "}" * 99), BAD_INPUT, "deeper"),
        (("resolve", TARGET, *STORE, *THING, "--choose", "nobody"), BAD_INPUT, "no write of 'nobody'"),
        (
            ("resolve", TARGET, *STORE, *THING, "--value", "1", "--by", "a b"),
            BAD_INPUT,
            "replica name 'a b'",
        ),
        (("resolve", "/desired/fan", *STORE, *THING, "--value", "1"), BAD_INPUT, "there is no conflict here"),
        (("resolve", "x", *STORE, *THING, "--value", "1"), BAD_INPUT, "a path starts with a slash"),
        (("resolve", TARGET, *STORE, "--thing", "nobody", "--value", "1"), BAD_INPUT, "nobody"),
    ],
)
def test_arguments_that_cannot_be_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], code: int, says: str
) -> None:
    monkeypatch.chdir(directory)
    assert says in refused(directory, code, *command)
