"""Hostile bytes: every decoder is fed with mutated, spliced and invented input.

What it proves: whatever the bytes are, a decoder answers with a value or with the one error it documents; what it
accepts is canonical and can be used (merged, viewed, saved, sent) without a surprise; what it refuses changes nothing;
memory stays within a bound. What it cannot: that no input exists which does harm; none was found, by so many executions
guided by coverage. Nor that what is accepted is right: the laws and the oracles are for that.

* `targets`: what is done with the bytes, and what must hold then.
* `corpus`: what to begin with, made from real states.
* `mutate`: what is done to it: to its bytes, to its tree (msgpack, JSON), to its meaning (deltas).
* `engine`: our own loop, which needs nothing installed.
* `coverage`: atheris (libFuzzer), which looks where the code branches; `instrumented` is the process that it drives.
* `crashers/`: every input that ever broke something, named by its target; `test_fuzz` replays them.

`python -m tests.fuzz --executions 5000000` runs all targets, with atheris if it is installed (`make deep` installs it).
"""
