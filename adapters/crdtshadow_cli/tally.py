"""What became of many lines: counts, and the refusals, of which only the first stay in memory."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Final, Self

from crdtshadow_walk import Echo, Failed, Merged, Outcome, Parked, Refused

from crdtshadow_cli.wording import Data

FIRST: Final = 20
"""Refusals that are shown to people."""


class Tally:
    """Counts what became of lines.

    Args:
        keep_all: Keep every refusal, in a temporary file, not only the first.

    >>> with Tally(keep_all=False) as tally:
    ...     tally.refuse(7, "bad_input", "not JSON")
    ...     tally.end_batch()
    ...     list(tally.refusals())
    [{'line': 7, 'code': 'bad_input', 'reason': 'not JSON'}]
    """

    def __init__(self, *, keep_all: bool) -> None:
        self.lines = 0
        self.merged = 0
        self.echoes = 0
        self.parked = 0
        self.released = 0
        self.refused = 0
        self.failed = 0
        self.failure = ""
        self.codes: Counter[str] = Counter()
        self.first: list[Data] = []
        self._batch: list[tuple[int, str, str]] = []
        self._all: IO[str] | None = None
        if keep_all:
            self._all = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the tally

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._all is not None:
            self._all.close()

    @property
    def taken(self) -> int:
        """How many lines could be used."""
        return self.merged + self.echoes + self.parked

    def note(self, number: int, outcome: Outcome) -> None:
        """Count what the walk made of line *number*."""
        match outcome:
            case Merged():
                self.merged += 1
            case Echo():
                self.echoes += 1
            case Parked():
                self.parked += 1
            case Refused():
                self.refuse(number, outcome.code, outcome.reason)
            case Failed():
                self.failed += 1
                self.failure = self.failure or str(outcome.error)

    def refuse(self, number: int, code: str, reason: str) -> None:
        """Count line *number* as refused."""
        self.refused += 1
        self.codes[code] += 1
        self._batch.append((number, code, reason))

    def end_batch(self) -> None:
        """Put the refusals since the last batch in the order of their lines, and out of memory."""
        for number, code, reason in sorted(self._batch):
            refusal: Data = {"line": number, "code": code, "reason": reason}
            if len(self.first) < FIRST:
                self.first.append(refusal)
            if self._all is not None:
                self._all.write(json.dumps(refusal) + "\n")
        self._batch.clear()

    def refusals(self) -> Iterator[Data]:
        """Yield every refusal that was kept, by line."""
        if self._all is None:
            yield from self.first
            return
        self._all.seek(0)
        yield from map(json.loads, self._all)

    def summary(self) -> Data:
        """Return the counts, for JSON."""
        return {
            "lines": self.lines,
            "merged": self.merged,
            "echoes": self.echoes,
            "parked": self.parked,
            "released": self.released,
            "failed": self.failed,
            "refused": self.refused,
            "refused_by_code": dict(sorted(self.codes.items())),
        }
