"""CSV, also gzipped: RFC 4180 with a header line, read with the standard library.

A line with broken quoting, a wrong number of columns or broken UTF-8 is one
unreadable row. A quote that is never closed would swallow the rest of the
file: then the line where it was opened is given up, and reading goes on with
the line after it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from cityloom.connect.mapping import Mapping
from cityloom.connect.readers.table import Content, Rows, Table, name_of, open_bytes
from cityloom.connect.rejects import Unreadable
from cityloom.model.errors import ConfigurationError

csv.field_size_limit(1_000_000)


class _Lines:
    """The lines of a file, those of the current record kept so that they can be read again."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._again: list[str] = []
        self.record: list[str] = []
        self.torn = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._stream)
        self.record.append(line)
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError:  # a byte that the encoding could not read stands as a surrogate
                self.torn = True
        return line

    def begin(self) -> None:
        """A new record begins."""
        self.record = []
        self.torn = False

    def give_back(self) -> None:
        """All lines of the record but the first are to be read again."""
        self._again.extend(reversed(self.record[1:]))
        del self.record[1:]


def open_csv(mapping: Mapping, content: Content) -> Table:
    """Opens a CSV file; every row is a dict of texts.

    Raises:
        ConfigurationError: it cannot be opened, is empty, or its header is broken.
    """
    stream, fraction = open_bytes(content)
    told = {"encoding": mapping.encoding, "delimiter": mapping.delimiter}
    return csv_table(stream, fraction, name_of(content), **told)


def csv_table(
    stream: BinaryIO,
    fraction: Callable[[], float],
    name: str,
    *,
    encoding: str = "utf-8",
    delimiter: str = ",",
) -> Table:
    """A table of an open stream of CSV; the table closes it."""
    encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = _header(reader, name)
    except ConfigurationError:
        text.close()
        raise
    rows = _rows(reader, lines, header, name)
    return Table(rows=rows, columns=header, fraction=fraction, close=text.close)


def _header(reader: Any, name: str) -> list[str]:
    try:
        header = [column.strip() for column in next(reader)]
    except StopIteration:
        raise ConfigurationError(f"{name} is invalid: it is empty, a header line is required") from None
    except (csv.Error, OSError, EOFError) as error:
        raise ConfigurationError(f"{name} cannot be read: its header is invalid: {error}") from None
    doubled = {column for column in header if header.count(column) > 1}
    if doubled:
        raise ConfigurationError(f"{name} is invalid: the column {min(doubled)!r} is there twice")
    return header


def _rows(reader: Any, lines: _Lines, header: list[str], name: str) -> Rows:
    number = 0
    width = len(header)
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            lines.give_back()
            yield number, _unreadable("broken quoting", f"the row cannot be read: {error}", lines)
            continue
        except (OSError, EOFError) as error:
            raise ConfigurationError(f"{name} cannot be read after row {number}: {error}") from None
        if not cells:
            continue  # an empty line holds nothing
        number += 1
        if len(cells) != width:
            lines.give_back()
            problem = f"the row has {len(cells)} columns, the header {width}"
            yield number, _unreadable("wrong number of columns", problem, lines)
        elif lines.torn:
            yield number, _unreadable("broken UTF-8", "the row has bytes that are no text", lines)
        else:
            yield number, dict(zip(header, cells, strict=True))


def _unreadable(reason: str, detail: str, lines: _Lines) -> Unreadable:
    raw = "".join(lines.record).rstrip("\r\n")
    return Unreadable(
        reason=reason,
        detail=detail,
        raw=raw.encode("utf-8", "surrogateescape").decode("latin-1") if lines.torn else raw,
    )
