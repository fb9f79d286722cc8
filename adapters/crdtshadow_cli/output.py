"""Where everything printed goes: results to standard output, messages to standard error.

With ``--json`` a command's one JSON document is all that standard output gets: lines and tables are
left out, so that a command says all three and the reader gets what was asked for. Colour is for
terminals, unless ``NO_COLOR`` is set (no-color.org). Text from outside never reaches a terminal raw.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO, TypeAlias

from crdtshadow_cli.errors import NotInstalled, OutputError

if TYPE_CHECKING:
    from rich.console import Console

MESSAGE_CHARS_MAX: Final = 600
"""A message is one line that a person reads."""

_UNBOUNDED: Final = 1 << 15
"""Columns where there is no terminal to fit into."""


class Styled(NamedTuple):
    """Text with a style of rich: ``bold``, ``dim``, ``red``, ``bold yellow``."""

    text: str
    style: str


Cell: TypeAlias = "str | Styled"


class Output:
    """Standard output and standard error of one command.

    Args:
        stdout, stderr: Text streams.
        json: Whether the result is wanted as JSON, and nothing else.

    >>> import io
    >>> stdout = io.StringIO()
    >>> out = Output(stdout, io.StringIO(), json=True)
    >>> out.line("left out")
    >>> out.result({"refused": 0})
    >>> stdout.getvalue()
    '{\\n  "refused": 0\\n}\\n'
    """

    def __init__(self, stdout: TextIO, stderr: TextIO, *, json: bool = False) -> None:
        self.json = json
        self._stdout = stdout
        self._stderr = stderr

    def line(self, text: str = "", *, style: str = "") -> None:
        """Print one line of the result, unless it is wanted as JSON."""
        if self.json:
            return
        if style and _colours(self._stdout):
            from rich.text import Text

            self._render(Text(printable(text), style=style))
        else:
            self._write(printable(text) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str = "") -> None:
        """Print a table of the result, unless it is wanted as JSON; cells are never cut off.

        Raises:
            NotInstalled: rich is missing.
        """
        if self.json:
            return
        try:
            from rich import box
            from rich.table import Table
            from rich.text import Text
        except ImportError:
            raise NotInstalled(
                'tables need rich: pip install "crdtshadow[local]" (or use --json, which does not)'
            ) from None
        table = Table(
            box=box.SIMPLE_HEAD,
            title=printable(title) or None,
            title_justify="left",
            title_style="bold",
            pad_edge=False,
        )
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            cells = [cell if isinstance(cell, Styled) else Styled(cell, "") for cell in row]
            table.add_row(*[Text(printable(cell.text), style=cell.style) for cell in cells])
        self._render(table)

    def result(self, data: object) -> None:
        """Print *data* as the one JSON document, if JSON is wanted."""
        if self.json:
            self.document(data)

    def result_with(self, data: Mapping[str, object], name: str, items: Iterable[object]) -> None:
        """Print *data* with a last member *name*, an array of any length, if JSON is wanted."""
        if not self.json:
            return
        self._write("{\n")
        for key, value in data.items():
            self._write(f"  {json.dumps(key)}: {_dumps(value, self._ascii())},\n")
        self._write(f"  {json.dumps(name)}: [")
        first = True
        for item in items:
            self._write(("\n    " if first else ",\n    ") + _dumps(item, self._ascii()))
            first = False
        self._write("]\n}\n" if first else "\n  ]\n}\n")

    def document(self, data: object) -> None:
        """Print *data* as JSON, also where JSON was not asked for: a result that is a document."""
        self._write(_dumps(data, self._ascii(), indent=2) + "\n")

    def raw(self, data: bytes) -> None:
        """Print bytes as they are.

        Raises:
            OutputError: Standard output takes text only.
        """
        binary = getattr(self._stdout, "buffer", None)
        if binary is None:
            raise OutputError("standard output: takes no bytes here; name a file")
        self._stdout.flush()
        binary.write(data)

    def note(self, text: str) -> None:
        """Print a message for people, one line."""
        print(one_line(text), file=self._stderr, flush=True)

    @contextmanager
    def progress(self, what: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
        """Show a progress bar on a terminal; yields a function to say how many bytes further.

        Args:
            what: What is going on.
            total: How many bytes there are, ``None`` if that is not known.
        """
        shown = _console(self._stderr) if self._stderr.isatty() else None
        if shown is None:
            yield lambda count: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=shown, transient=True) as bar:
            task = bar.add_task(printable(what), total=total)
            yield lambda count: bar.advance(task, count)

    def flush(self) -> None:
        """Hand on what was printed."""
        self._stdout.flush()

    def _render(self, renderable: object) -> None:
        console = _console(self._stdout)
        assert console is not None, "what is rendered was made with rich"
        with console.capture() as captured:
            console.print(renderable)
        for line in captured.get().splitlines():
            self._write(line.rstrip() + "\n")

    def _write(self, text: str) -> None:
        self._stdout.write(text)

    def _ascii(self) -> bool:
        return (self._stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"


def printable(text: str) -> str:
    """Return *text* with what would steer a terminal, or break the line, escaped.

    >>> printable("a\\x1b[31m\\nb")
    'a\\\\x1b[31m\\\\nb'
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else char.encode("unicode_escape").decode() for char in text])


def one_line(text: str) -> str:
    """Return *text* as one line of bounded length: of a long one, the beginning and the end."""
    text = printable(text)
    if len(text) <= MESSAGE_CHARS_MAX:
        return text
    return f"{text[: MESSAGE_CHARS_MAX // 2]}…{text[-(MESSAGE_CHARS_MAX // 2 - 1) :]}"


def _dumps(data: object, ascii_only: bool, *, indent: int | None = None) -> str:
    return json.dumps(data, ensure_ascii=ascii_only, allow_nan=False, indent=indent)


def _colours(stream: TextIO) -> bool:
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
        and _console(stream) is not None
    )


def _console(stream: TextIO) -> Console | None:
    """Return what renders for *stream*, ``None`` if rich is missing."""
    try:
        from rich.console import Console
    except ImportError:
        return None
    terminal = stream.isatty()
    plain = not terminal or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system=None if plain else "auto",
        width=None if terminal else _UNBOUNDED,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )
