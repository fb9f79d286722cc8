"""The rate of `crdtshadow ingest` is measured on lines that it takes, and told as README quotes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ingest import main, run, write_events
from tests.adapters.fleet import run as command_line


def test_all_lines_of_the_workload_are_merged(tmp_path: Path) -> None:
    write_events(tmp_path / "events.jsonl", events=200, things=7, seed=0)
    told = command_line("ingest", tmp_path / "events.jsonl", "--store", tmp_path / "fleet.db", "--json")
    assert (told.code, told.data["lines"], told.data["merged"], told.data["shadows"]) == (0, 200, 200, 7)


def test_the_ratio_and_the_memory_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--events", "100", "--things", "3", "--rounds", "1"])
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["100", "json.loads", "crdtshadow", "by", "ratio", "memory,"]
    assert float(told[4].split()[1]) > 1


def test_a_process_that_fails_is_no_measurement() -> None:
    with pytest.raises(ChildProcessError, match="ended with 3"):
        run("raise SystemExit(3)")
