"""The process that atheris drives: one target, with the library instrumented for coverage.

    python -m tests.fuzz.instrumented delta --executions 100000 --seed 1

libFuzzer changes inputs by what it learns of the branches that they reach; half of the changes are our own
(`mutate`), which know what msgpack, JSON and deltas are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["crdtshadow"]):
    from tests.fuzz.engine import MEMORY_BYTES_MAX, Recorder
    from tests.fuzz.mutate import BYTES_MAX, Mutator
    from tests.fuzz.targets import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one target in this process, guided by coverage.")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--executions", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    target = TARGETS[asked.target]
    recorder = Recorder(asked.target, executions=asked.executions)
    mutator = Mutator(target.seeds(), kind=target.kind, seed=asked.seed)

    def change(data: bytes, size_max: int, seed: int) -> bytes:
        mutator.dice = Random(seed)
        if seed % 2:
            return mutator.change(data)[:size_max]
        return bytes(atheris.Mutate(data, size_max))

    with tempfile.TemporaryDirectory() as corpus:
        for at, data in enumerate(target.seeds()):
            (Path(corpus) / str(at)).write_bytes(data)
        options = {
            "runs": asked.executions,
            "seed": asked.seed % 2**32 or 1,
            "max_len": BYTES_MAX,
            "rss_limit_mb": MEMORY_BYTES_MAX >> 20,
            "print_final_stats": 0,
            "artifact_prefix": f"{corpus}/",
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, corpus], recorder.run, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
