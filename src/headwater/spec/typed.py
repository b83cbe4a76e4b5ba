"""Reading plain values as types that are known beforehand.

What msgspec knows of a type it finds out when the type is first read, and a second thread that comes at that moment
ends the process. So readers are made where the module is imported, before there are threads; a test sees to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def converter(wanted: type[T], **how: Any) -> Callable[[Any], T]:
    """What makes the type of plain values, with options of `msgspec.convert`. It raises ValidationError."""
    msgspec.json.Decoder(wanted)
    return partial(msgspec.convert, type=wanted, **how)
