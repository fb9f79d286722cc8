"""Benchmarks of our own steps, one module a step of the walk; run by pytest with pytest-benchmark.

What takes more than a moment is marked ``deep``: ``make bench`` leaves it out, ``make bench-full`` does not.
Every benchmark asserts its result.
"""
