"""What the documentation shows works: README's Python and shell blocks run, in order, as a newcomer would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [code for language, code in BLOCKS if language == "sh"]

# A test cannot set up the environment that it runs in; that these targets exist is checked instead.
SETS_UP = re.compile(r"^(make|pip|git|cd) ")


def test_every_block_says_what_it_is() -> None:
    assert {language for language, _ in BLOCKS} <= {"python", "sh", "json", "text"}
    assert PYTHON
    assert SHELL


def test_python_blocks_run_in_order() -> None:
    namespace: dict[str, object] = {}
    for at, code in enumerate(PYTHON):
        exec(compile(code, f"README.md, Python block {at + 1}", "exec"), namespace)


def test_shell_blocks_run_in_order(tmp_path: Path) -> None:
    lines = [line for code in SHELL for line in code.splitlines()]
    script = "\n".join(line for line in lines if not SETS_UP.match(line))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    outcome = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_make_targets_that_are_named_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:|#)([^)#]+)", README))))
def test_links_into_the_project_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
