"""Refusals told beside the fields that they are about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from headwater.console.parts.leaving import leave_if_ended
from headwater.console.parts.pieces import say
from headwater.manage.problems import explain


async def beside(work: Callable[[], Awaitable[Any]], words: Mapping[str, str] | None = None, **fields: Any) -> bool:
    """Do the work and tell whether it succeeded. What is wrong stands at the field of that name, or is said at once.

    `words` say for a field what is expected there, in place of a message that speaks of types.
    """
    for field in fields.values():
        field.error = None
    try:
        await work()
    except Exception as error:
        if await leave_if_ended(error):
            return False
        told = [one for one in explain(error)[1] if one.field in fields]
        for problem in told:
            plain = (words or {}).get(problem.field or "") if " is not valid: " in problem.message else None
            fields[problem.field or ""].error = plain or problem.message
        if not told:
            say(error)
        return False
    return True
