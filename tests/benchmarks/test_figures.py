"""The statistics, tables and charts that results are told in."""

from __future__ import annotations

import doctest
from importlib import import_module
from random import Random
from xml.etree import ElementTree

import pytest

from benchmarks.plots import Bar, Dot, Group, Line, bars, dots, lines
from benchmarks.ratios import bootstrap, exponent, spread


@pytest.mark.parametrize("module", ["ratios", "shadows", "tables"])
def test_doctests(module: str) -> None:
    outcome = doctest.testmod(import_module(f"benchmarks.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_one_value_is_its_own_spread() -> None:
    assert spread([3.0]) == (3.0, 3.0, 3.0)


def test_an_interval_spans_the_median_and_is_the_same_every_time() -> None:
    random = Random(0)
    groups = [[random.gauss(1.2, 0.05) for _ in range(5)] for _ in range(7)]
    interval = bootstrap(groups)
    assert interval.low < interval.estimate < interval.high
    assert 1.1 < interval.low
    assert interval.high < 1.3
    assert bootstrap(groups) == interval


def test_what_a_group_has_in_common_widens_the_interval() -> None:
    alike = bootstrap([[0.9, 1.0, 1.1]] * 6)
    apart = bootstrap([[0.9] * 3, [1.0] * 3, [1.1] * 3] * 2)
    assert alike.high - alike.low <= apart.high - apart.low


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    sizes = [20, 200, 2_000]
    assert exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_charts_are_well_formed() -> None:
    bar = Bar("a <b>", 0.5, 0.4, 0.7, "#000")
    chart = ElementTree.fromstring(bars("Ratios", [Group("W1", [bar]), Group("W2", [bar], 4)], axis="more is better"))
    texts = [text.text for text in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("a <b>") == 2
    assert texts.count("goal 4x") == 1
    row = [Dot(f"peer {at}", 10.0**at, "#000") for at in range(5)]
    chart = ElementTree.fromstring(dots("Shares", [("state", row), ("delta", row[:1])], axis="less is better"))
    assert len(list(chart.iter("{http://www.w3.org/2000/svg}circle"))) == 5 + 5 + 1
    series = [Line("one", [(20, 3.0), (2_000, 4.0)], "#000"), Line("two", [(20, 3.0), (2_000, 900.0)], "#111")]
    chart = ElementTree.fromstring(lines("Growth", series, x_axis="fields", y_axis="µs"))
    labels = [text for text in chart.iter("{http://www.w3.org/2000/svg}text") if text.text in ("one", "two")]
    assert abs(float(labels[0].attrib["y"]) - float(labels[1].attrib["y"])) >= 14
