"""The statistics: quartiles, paired ratios, confidence intervals by bootstrap, exponents of growth."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from random import Random
from statistics import linear_regression, median, quantiles
from typing import Final, NamedTuple

RESAMPLES: Final = 2_000
CONFIDENCE: Final = 0.95


class Spread(NamedTuple):
    """A median and the quartiles about it."""

    low: float
    median: float
    high: float


class Interval(NamedTuple):
    """An estimate and the bounds of its confidence interval."""

    low: float
    estimate: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the median and quartiles of *values*.

    >>> spread([1, 2, 3, 4, 5])
    Spread(low=2.0, median=3.0, high=4.0)
    """
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    return Spread(*quantiles(values, n=4, method="inclusive"))


def paired(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Return the ratios of what was taken in the same round.

    >>> paired([4, 9], [2, 3])
    [2.0, 3.0]
    """
    return [a / b for a, b in zip(above, below, strict=True)]


def bootstrap(groups: Sequence[Sequence[float]], *, seed: int = 0) -> Interval:
    """Return the median of all values with its 95 % interval, by percentile bootstrap over groups and in them.

    What the values of a group have in common is then part of the interval.

    Source: Efron, "Bootstrap methods: another look at the jackknife" (1979); Davison and Hinkley,
    "Bootstrap methods and their application" (1997), 3.8, for data in groups.

    >>> bootstrap([[2.0, 2.0], [2.0]])
    Interval(low=2.0, estimate=2.0, high=2.0)
    """
    random = Random(seed)
    medians = []
    for _ in range(RESAMPLES):
        resampled = [random.choices(group, k=len(group)) for group in random.choices(groups, k=len(groups))]
        medians.append(median(value for group in resampled for value in group))
    medians.sort()
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    return Interval(medians[tail], median(value for group in groups for value in group), medians[-1 - tail])


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return *e* of the power law ``cost = c * size ** e`` that fits best: 0 is flat, 1 is linear.

    >>> round(exponent([10, 100, 1000], [5, 50, 500]), 6)
    1.0
    """
    return linear_regression([log(size) for size in sizes], [log(cost) for cost in costs]).slope
