"""One audience: how many are in it, who entered and left, what it says, and who is told.

The file's name stands after that of the editor in the alphabet, so that /audiences/{space}/new is not taken for an id.
"""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.audiences.one import show_one
from headwater.console.person import Person


@page("/audiences/{space}/{audience_id}", title="Audience", scope="audiences:read")
async def audience(person: Person, space: str, audience_id: str) -> None:
    await show_one(person, "audience", space, audience_id)
