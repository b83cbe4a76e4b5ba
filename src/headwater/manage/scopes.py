"""Who may do what. A scope is `<resource>:read` or `<resource>:write`, where writing includes reading.

`*` allows everything and `*:read` all that only reads. `events:read` shows what is in events and `profiles:read` whose
they are, which is personal data; the other scopes show configuration and counts. What everybody may do has the scope
`ANY_CALLER` (`operation.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from headwater.manage.desk import Caller
from headwater.manage.operation import ANY_CALLER, Operation
from headwater.spec.errors import SenderError
from headwater.store.tokens import ADMIN

_SCOPE = re.compile(r"\*|(?:\*|[a-z]+):(?:read|write)")


def is_scope(text: str) -> bool:
    """Is this the form of a scope?"""
    return _SCOPE.fullmatch(text) is not None and text != "*:write"


def allows(scopes: Collection[str], wanted: str) -> bool:
    """Do these scopes allow what needs the wanted one?"""
    if ADMIN in scopes or wanted in scopes:
        return True
    resource, _, right = wanted.partition(":")
    return right == "read" and ("*:read" in scopes or f"{resource}:write" in scopes)


def beyond(scopes: Collection[str], wanted: Iterable[str]) -> list[str]:
    """Those of the wanted scopes that the holder of `scopes` may not hand on."""
    return [one for one in wanted if not allows(scopes, one)]


def check(caller: Caller, operation: Operation) -> None:
    """Raises SenderError when the caller may not do this; the status is 401, as Segment answers it (3)."""
    if operation.scope != ANY_CALLER and not allows(caller.scopes, operation.scope):
        raise SenderError(f"{caller.title} lacks the scope {operation.scope}.", code="unauthorized", status=401)
