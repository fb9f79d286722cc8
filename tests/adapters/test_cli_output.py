"""What all commands share: help, JSON and nothing else, colour, words, exit codes, and running as a process."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from crdtshadow_cli import main as entry
from crdtshadow_cli.documents import read_document
from crdtshadow_cli.errors import BUG, EXIT_CODES, INTERRUPTED, NOT_INSTALLED, OUTPUT_CLOSED, WORLD_FAILED
from crdtshadow_cli.main import COMMANDS
from crdtshadow_cli.output import MESSAGE_CHARS_MAX, Output, one_line
from crdtshadow_cli.wording import VALUE_CHARS_MAX, find_write, iso_time, say_stamp, say_time, say_value
from hypothesis import given
from hypothesis import strategies as st

from crdtshadow import Conflict, Stamp, UnknownConflict, Write
from crdtshadow.clock import pack_time
from crdtshadow.limits import CLOCK_MS_MAX
from tests.adapters import fleet
from tests.adapters.fleet import run, write_lines
from tests.adapters.traffic import in_memory_directory

CRDTSHADOW = [sys.executable, "-c", "import sys; from crdtshadow_cli.main import main; sys.exit(main())"]
ROOT = Path(__file__).parent.parent.parent
SEARCHED = os.pathsep.join([str(ROOT), str(ROOT / "adapters")])


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with in_memory_directory() as name:
        made = Path(name)
        lines = write_lines(made / "events.jsonl", fleet.lines())
        assert run("ingest", lines, "--store", made / "fleet.db").code == 0
        yield made


@pytest.fixture
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    return {**kept, "PYTHONPATH": SEARCHED, "TERM": "xterm-256color", "COLUMNS": "80"}


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_examples(command: str) -> None:
    ran = run(command, "--help")
    assert (ran.code, ran.stderr) == (0, "")
    assert f"usage: crdtshadow {command}" in ran.stdout
    assert "examples:" in ran.stdout
    assert "--json" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 120


def test_every_module_that_adds_a_command_is_listed() -> None:
    modules = Path(entry.__file__).parent.glob("*.py")
    adding = {module.stem for module in modules if "\ndef add_parser(" in module.read_text(encoding="utf-8")}
    assert set(COMMANDS) == adding


def test_help_lists_commands_and_exit_codes() -> None:
    ran = run("--help")
    assert ran.code == 0
    assert EXIT_CODES in ran.stdout
    assert all(f"    {command}" in ran.stdout for command in COMMANDS)


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("crdtshadow ")
    assert set(run("--version", "--json").data) == {"version"}
    assert run("--json", "--version").data == run("--version", "--json").data


def test_json_may_stand_before_the_command(directory: Path) -> None:
    store = directory / "fleet.db"
    assert run("--json", "stats", "--store", store).data == run("stats", "--store", store, "--json").data


# Output


def test_an_array_of_any_length_is_one_document() -> None:
    for items in ([], [1], [{"a": "é"}, None]):
        stdout = io.StringIO()
        Output(stdout, io.StringIO(), json=True).result_with({"n": 1, "m": {}}, "items", iter(items))
        assert json.loads(stdout.getvalue()) == {"n": 1, "m": {}, "items": items}


def test_with_json_there_is_nothing_but_json() -> None:
    stdout = io.StringIO()
    out = Output(stdout, io.StringIO(), json=True)
    out.line("text")
    out.table(("a",), [["b"]], title="t")
    out.result([1])
    assert json.loads(stdout.getvalue()) == [1]


@given(st.text())
def test_a_message_is_one_line_that_steers_nothing(text: str) -> None:
    said = one_line(text)
    assert said.isprintable()
    assert len(said) <= MESSAGE_CHARS_MAX


def test_a_long_message_keeps_its_beginning_and_end() -> None:
    said = one_line("where: " + "x" * 10_000 + " why")
    assert said.startswith("where: ") and said.endswith(" why")


def test_cells_are_never_cut_off_where_there_is_no_terminal() -> None:
    stdout = io.StringIO()
    Output(stdout, io.StringIO()).table(("a", "b"), [["x" * 500, "[red]é\n"]])
    assert "x" * 500 in stdout.getvalue()
    assert "[red]é\\n" in stdout.getvalue()


def test_without_rich_tables_say_what_to_install(directory: Path) -> None:
    with mock.patch.dict(sys.modules, {"rich": None, "rich.table": None, "rich.console": None}):
        ran = run("show", "--store", directory / "fleet.db")
        assert (ran.code, ran.stdout) == (NOT_INSTALLED, "")
        assert ran.stderr.count("\n") == 1 and 'pip install "crdtshadow[local]"' in ran.stderr
        assert run("show", "--store", directory / "fleet.db", "--json").code == 0
        assert run("conflicts", "--store", directory / "fleet.db", "--held").code == 0
        assert run("ingest", directory / "events.jsonl", "--store", directory / "fleet.db").code == 0


def test_json_is_ascii_where_the_encoding_asks_for_it() -> None:
    buffer = io.BytesIO()
    stdout = io.TextIOWrapper(buffer, encoding="latin-1")
    Output(stdout, io.StringIO(), json=True).result({"a": "é→"})
    stdout.flush()
    assert json.loads(buffer.getvalue().decode("ascii")) == {"a": "é→"}


# Words


@given(st.integers(0, CLOCK_MS_MAX))
def test_any_time_can_be_said(ms: int) -> None:
    assert say_time(ms).isprintable()
    assert iso_time(ms).isprintable()


def test_a_long_value_is_cut_off_in_words() -> None:
    assert len(say_value(["x" * 10_000])) == VALUE_CHARS_MAX


def test_a_write_is_found_by_what_tells_it() -> None:
    stamps = [
        Stamp(pack_time(ms, 3), replica) for ms, replica in ((1, "a#00000001"), (2, "a#00000002"), (3, "b@1#00000001"))
    ]
    conflict = Conflict("/t", tuple([Write("/t", stamp, stamp.ms) for stamp in stamps]))
    assert [find_write(conflict, say_stamp(stamp)) for stamp in stamps] == stamps
    assert [find_write(conflict, stamp.replica) for stamp in stamps] == stamps
    assert find_write(conflict, "b@1") == stamps[2]
    with pytest.raises(UnknownConflict, match=r"several writes of 'a' .*; choose a#00000001@1\.3 or a#00000002@2\.3$"):
        find_write(conflict, "a")
    with pytest.raises(UnknownConflict, match="no write of 'c'"):
        find_write(conflict, "c")


# The entry point


def test_a_bug_is_one_line_unless_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise TypeError("oh")

    monkeypatch.setattr(entry, "build_parser", broken)
    ran = run("stats")
    assert (ran.code, ran.stderr) == (BUG, "crdtshadow: a bug in crdtshadow: TypeError: oh\n")
    monkeypatch.setenv("CRDTSHADOW_TRACEBACK", "1")
    with pytest.raises(TypeError):
        run("stats")


def test_an_interruption_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "build_parser", mock.Mock(side_effect=KeyboardInterrupt))
    ran = run("stats")
    assert (ran.code, ran.stderr) == (INTERRUPTED, "crdtshadow: interrupted\n")


def test_importing_the_commands_loads_neither_rich_nor_sqlite() -> None:
    code = "import sys; from crdtshadow_cli.main import build_parser; build_parser(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": SEARCHED},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"rich", "sqlite3", "asyncio"}.isdisjoint(loaded.stdout.split())


# As processes


def test_it_runs_as_a_module(directory: Path, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crdtshadow_cli", "stats", "--store", directory / "fleet.db", "--json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert json.loads(ran.stdout)["shadows"] == 2


def test_a_pipe_that_ends_early_is_quiet(directory: Path, environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ran = subprocess.run(
            [*CRDTSHADOW, "history", "--store", directory / "fleet.db"],
            env=environment,
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (OUTPUT_CLOSED, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_under_the_output_is_one_line(directory: Path, environment: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [*CRDTSHADOW, "show", "--store", directory / "fleet.db"],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == WORLD_FAILED
    assert ran.stderr == b"crdtshadow show: output: No space left on device\n"


def test_an_interrupted_ingest_keeps_what_it_had(directory: Path, environment: dict[str, str]) -> None:
    store = directory / "interrupted.db"
    run("ingest", directory / "events.jsonl", "--store", store)
    process = subprocess.Popen(
        [*CRDTSHADOW, "ingest", "-", "--store", store],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    while not Path(f"{store}-wal").exists():  # it waits for lines, with the store open
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert (process.returncode, stderr) == (INTERRUPTED, b"crdtshadow ingest: interrupted\n")
    assert run("stats", "--store", store, "--check", "--json").data["shadows"] == 2


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colour_is_for_terminals(
    directory: Path, environment: dict[str, str], variables: dict[str, str], coloured: bool
) -> None:
    ours, theirs = pty.openpty()
    try:
        ran = subprocess.run(
            [*CRDTSHADOW, "show", "--store", directory / "fleet.db"],
            env={**environment, **variables},
            stdout=theirs,
            stderr=subprocess.PIPE,
            check=False,
        )
        shown = os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (b"\x1b[" in shown) is coloured
    assert b"thermostat" in shown


def test_a_progress_bar_is_for_terminals(directory: Path, environment: dict[str, str]) -> None:
    command = [*CRDTSHADOW, "ingest", str(directory / "events.jsonl"), "--store", str(directory / "fleet.db"), "--json"]
    ours, theirs = pty.openpty()
    try:
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, check=True)
        shown = os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"ingesting" in shown
    assert json.loads(ran.stdout)["lines"] == 6
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stderr == b""


def test_a_document_read_in_a_process_of_another_hash_seed_is_the_same(environment: dict[str, str]) -> None:
    body = {"desired": {"b": 1, "a": [1, 2]}, "reported": {"c": {"d": 1}}}
    code = f"from crdtshadow_cli.documents import read_document as r; print(r({body!r}, file='x').encode().hex())"
    for seed in ("0", "1"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == read_document(body, file="x").encode().hex()
