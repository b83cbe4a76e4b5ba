"""analytics.js as it is served to browsers: one file for every source, and the map to its readable source.

The file is built from `browser/analytics.js` beside it (`make browser`). Under its plain path it is asked for again
every few minutes; under a path that names the version it holds it never changes and is kept for a year.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Final

import msgspec

from headwater.collect.rsgi import HeaderList

FILES: Final = {
    "analytics.min.js": ("analytics.min.js", "text/javascript; charset=utf-8"),
    "analytics.js": ("analytics.min.js", "text/javascript; charset=utf-8"),
    "analytics.min.js.map": ("analytics.min.js.map", "application/json"),
}
"""What may be asked for, the file that it stands for, and its type."""

_MAX_AGE_SECONDS: Final = 300
_YEAR_SECONDS: Final = 31_536_000
_GZIP: Final = re.compile(r"\b(?:x-)?gzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


class Script(msgspec.Struct, frozen=True):
    """A file as it goes out: plain and compressed, its type, and the version by which it may be named in a path."""

    plain: bytes
    packed: bytes
    content_type: str
    version: str

    @property
    def etag(self) -> str:
        """A weak tag: the same for both encodings."""
        return f'W/"{self.version}"'


@cache
def script(name: str) -> Script:
    """One of FILES. Reads the disk the first time."""
    stored, content_type = FILES[name]
    plain = files("headwater.collect").joinpath("browser", stored).read_bytes()
    named = f"{version('headwater')}-{hashlib.sha256(plain).hexdigest()[:12]}"
    return Script(plain, gzip.compress(plain, 9, mtime=0), content_type, named)


def script_answer(
    found: Script, asked_version: str, *, known: str | None, accepted: str | None
) -> tuple[int, HeaderList, bytes]:
    """Status, headers and body for a browser that knows tags (If-None-Match) and accepts encodings.

    A path that names another version than this one gets this one, kept no longer than under the plain path.
    """
    frozen = asked_version == found.version
    lasting = f"max-age={_YEAR_SECONDS}, immutable" if frozen else f"max-age={_MAX_AGE_SECONDS}"
    headers = [
        ("content-type", found.content_type),
        ("cache-control", f"public, {lasting}"),
        ("etag", found.etag),
        ("vary", "Accept-Encoding"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ]
    if known is not None and found.etag in known:
        return 304, headers, b""
    if _GZIP.search(accepted or ""):
        return 200, [*headers, ("content-encoding", "gzip")], found.packed
    return 200, headers, found.plain
