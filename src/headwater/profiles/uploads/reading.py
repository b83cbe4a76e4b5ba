"""The rows of a CSV file, one at a time. However the file is made, no more than a row of it is in memory."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator
from typing import BinaryIO, Final

from headwater.spec.csv_upload import MAX_ROW_CHARS, MAX_ROWS, Flaw

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Broken(Exception):
    """The file cannot be read any further."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.message)
        self.flaw = flaw


def rows(file: BinaryIO) -> Generator[tuple[int, list[str]]]:
    """The rows with their numbers, from 1 on; lines with nothing in them count and are left out. Raises Broken.

    Close it before the file."""
    file.seek(0)
    # Bytes that are no UTF-8 become surrogates, which no UTF-8 holds: the decoder itself is far ahead of the row.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    number = empty = 0
    try:
        for cells in reader:
            number += 1
            lines.chars = 0
            if cells:
                yield number, cells
                continue
            empty += 1
            if empty > MAX_ROWS:
                raise Broken(Flaw(f"There are more than {MAX_ROWS:,} empty lines. Remove them."))
    except csv.Error as error:
        said = "a quote is not closed" if "unexpected end" in str(error) else str(error)
        raise Broken(
            Flaw(f"This is no CSV: {said}. Mind quotes inside cells, which are doubled.", number + 1)
        ) from None
    except _NoUtf8Error:
        raise Broken(Flaw('The file is not in UTF-8. Save it as "CSV UTF-8".', number + 1)) from None
    except _LongRowError:
        said = f"The row is longer than {MAX_ROW_CHARS:,} characters. Was a quote left open?"
        raise Broken(Flaw(said, number + 1)) from None
    finally:
        text.detach()


class _LongRowError(Exception):
    pass


class _NoUtf8Error(Exception):
    pass


class _Lines:
    """Lines for the reader. It takes as many as a row goes on for, so they are counted until it has one."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.chars = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_ROW_CHARS + 1)
        self.chars += len(line)
        if self.chars > MAX_ROW_CHARS:
            raise _LongRowError
        if not line:
            raise StopIteration
        if not line.isascii() and _SURROGATE.search(line):
            raise _NoUtf8Error
        return line
