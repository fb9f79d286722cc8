"""Every report of the catalogue has its test, and every test here names what it is about."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.figures import report
from tests.regressions.catalogue import LINKS

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path.stem != "test_catalogue")


def in_module(module: str) -> Iterator[Callable[..., object]]:
    loaded = importlib.import_module(f"tests.regressions.{module}")
    return (member for name, member in vars(loaded).items() if name.startswith("test_"))


def links_of(test: Callable[..., object]) -> set[str]:
    return set(re.findall(r"https://\S+?(?=[\s,;)]|\.?$|\.\s)", test.__doc__ or ""))


def test_every_report_has_its_test() -> None:
    found = {link for module in MODULES for test in in_module(module) for link in links_of(test)}
    assert set(LINKS) - found == set()
    report("bugs of others kept out", len(LINKS))


@pytest.mark.parametrize("module", MODULES)
def test_every_test_says_which_bug_it_keeps_out(module: str) -> None:
    assert next(in_module(module), None)
    for test in in_module(module):
        assert test.__doc__, test
        assert module == "test_own" or links_of(test) <= set(LINKS) != set(), test
        assert module == "test_own" or links_of(test), test
