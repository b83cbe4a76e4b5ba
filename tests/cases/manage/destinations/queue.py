"""A made-up queue, for tests: it speaks a language of its own, and answers to one password."""

from collections.abc import Sequence
from typing import Any

from headwater.spec.destination import Action, DestinationDefinition, Field, Guard, Item, NoAnswer, Result, Writer
from headwater.spec.event import EVENT_TYPES


class _Open:
    async def write(self, items: Sequence[Item]) -> Result:
        """Every item is written."""
        return None

    async def close(self) -> None:
        """Nothing is held."""


async def connect(settings: dict[str, Any], guard: Guard) -> Writer:
    """Open it, if the password is the right one."""
    if settings["password"] != "sesame":
        raise NoAnswer("UNAUTHORIZED", f"The password {settings['password']} is not accepted.")
    return _Open()


definition = DestinationDefinition(
    name="Queue",
    description="Keeps events in order.",
    website="https://queue.test/",
    categories=("Raw Data",),
    fields=(Field(key="password", label="Password", description="The password.", type="password", required=True),),
    event_types=EVENT_TYPES,
    check=lambda settings: None,
    action=Action(slug="put", name="Put", description="Puts the event at the end.", writer=connect),
    credentials=True,
)
