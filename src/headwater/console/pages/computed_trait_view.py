"""One computed trait: who has which value, what it says, and who is told.

The file's name stands after that of the editor in the alphabet, so that /computed-traits/{space}/new is not taken for
an id.
"""

from __future__ import annotations

from headwater.console.frame import page
from headwater.console.parts.audiences.one import show_one
from headwater.console.person import Person


@page("/computed-traits/{space}/{trait_id}", title="Computed trait", scope="audiences:read")
async def computed_trait(person: Person, space: str, trait_id: str) -> None:
    await show_one(person, "trait", space, trait_id)
